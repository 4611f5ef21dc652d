"""The prompts of the actions: ours are there and plain, the user's take their place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_localllm.assistant import prompts
from jupyter_localllm.assistant.prompts import NEEDS, Prompt, default_folder, load_prompts

ACTIONS = {"doc", "explain", "fix", "generate", "improve", "summarise", "test", "translate"}
OURS = sorted(path.stem for path in Path(prompts.__file__).with_name("prompts").glob("*.md"))


def load(folder: Path) -> tuple[dict[str, Prompt], list[str]]:
    reports: list[str] = []
    return load_prompts(folder, report=reports.append), reports


def test_ours_are_complete_and_short(tmp_path: Path) -> None:
    found, reports = load(tmp_path / "not there")
    assert (list(found), reports) == (OURS, [])
    assert set(found) >= ACTIONS
    for name, prompt in found.items():
        assert prompt.name == name
        assert prompt.title
        assert prompt.caption
        assert prompt.needs in NEEDS
        # A small model loses the thread of a longer one.
        assert 50 < len(prompt.text) < 400
        assert not set("{}%") & set(prompt.text)


def test_the_users_file_takes_the_place_of_ours_and_may_be_new(tmp_path: Path) -> None:
    head = "---\ntitle: Erkläre: kurz\n\nneeds:\n---\n"
    (tmp_path / "explain.md").write_text(f"{head}\nErkläre {{x}} 100%.\n\nKurz.\n", "utf-8")
    (tmp_path / "fix.md").write_bytes(b"\xef\xbb\xbfOnly\r\ntext.\r\n")
    (tmp_path / "my-rule_2.md").write_text("Do {0} %s.\x0c\u2028x", "utf-8")
    (tmp_path / "notes.txt").write_text("not a prompt")
    (tmp_path / ".explain.md").write_text("left behind by an editor")
    found, reports = load(tmp_path)
    assert reports == []
    assert sorted(found) == sorted([*OURS, "my-rule_2"])
    ours = load(tmp_path / "none")[0]
    caption = ours["explain"].caption
    assert found["explain"] == Prompt(
        "explain", "Erkläre: kurz", caption, "Erkläre {x} 100%.\n\nKurz.", ""
    )
    assert found["fix"] == Prompt(
        "fix", ours["fix"].title, ours["fix"].caption, "Only\ntext.", ours["fix"].needs
    )
    assert found["my-rule_2"] == Prompt("my-rule_2", "My rule 2", "", "Do {0} %s.\x0c\u2028x")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("explain.md", b"", "has no text"),
        ("explain.md", b"---\ntitle: x\n---\n \n", "has no text"),
        ("explain.md", b"---\ntitle: x\n", "not ended"),
        ("explain.md", b"---\ntittle: x\n---\nt", "line 2 of its head"),
        ("explain.md", b"---\ntitle\n---\nt", "line 2 of its head"),
        ("explain.md", b"---\ntitle: a\ntitle: b\n---\nt", "title twice"),
        ("explain.md", b"---\nneeds: everything\n---\nt", "needs must be one of"),
        ("explain.md", b"\xff\xfe", "not UTF-8"),
        ("explain.md", b"a\0b", "not text"),
        ("explain.md", b"x" * 65_537, "longer than 64 KiB"),
        ("Explain.md", b"text", "small letters"),
        ("a b.md", b"text", "small letters"),
        (f"{'a' * 41}.md", b"text", "small letters"),
    ],
)
def test_a_broken_file_is_reported_and_the_rest_works(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "other.md").write_text("Fine.")
    found, (report,) = load(tmp_path)
    assert str(tmp_path / name) in report
    assert reason in report
    assert found.pop("other").text == "Fine."
    assert found == load(tmp_path / "none")[0]


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes among Windows' files")
def test_what_is_no_file_is_reported_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fix.md")
    (tmp_path / "doc.md").mkdir()
    (tmp_path / "test.md").symlink_to("nowhere")
    found, reports = load(tmp_path)
    assert [report.rsplit(": ")[-1] for report in reports] == ["it is not a file."] * 3
    assert found == load(tmp_path / "none")[0]


def test_a_broken_file_is_logged_where_nobody_asks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "fix.md").write_text("")
    assert list(load_prompts(tmp_path)) == OURS
    assert "fix.md is left out" in caplog.text


def test_a_folder_with_too_many_files_says_so(tmp_path: Path) -> None:
    for number in range(201):
        (tmp_path / f"p{number:03}.md").write_text("Text.")
    found, (report,) = load(tmp_path)
    assert len(found) == len(OURS) + 200
    assert "only the first 200" in report


def test_the_users_folder_is_in_jupyters_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    assert default_folder() == tmp_path / "localllm" / "prompts"
    default_folder().mkdir(parents=True)
    (default_folder() / "mine.md").write_text("Mine.")
    assert load_prompts()["mine"].text == "Mine."


HEAVY = {"httpx", "tornado", "numpy", "nbformat", "jupyter_server", "psutil", "jinja2"}
MODULES = "chat_export chat_tree code_blocks history prompts"


def test_importing_the_assistant_imports_nothing_heavy() -> None:
    imports = "\n".join(f"import jupyter_localllm.assistant.{name}" for name in MODULES.split())
    program = f"{imports}\nimport sys\nprint(*sys.modules)"
    child = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert not HEAVY & set(child.stdout.split())
