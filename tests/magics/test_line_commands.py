"""Aliases, settings, help and completion: what a session can be told and asked about itself."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics import register, unregister
from tests.gguf_builders.scripted import SCRIPTS
from tests.magics.conftest import owner_of
from tests.magics.kernel_session import KernelSession


def output(shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str) -> str:
    capsys.readouterr()
    shell.run_cell(line, store_history=True)
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_aliases_are_made_used_listed_and_taken_away(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str], scripted_model: Path
) -> None:
    assert "There is no alias" in output(asking, capsys, "%llm alias")
    output(asking, capsys, f"%llm alias toy '{scripted_model}'")
    output(asking, capsys, "%llm alias brief -t 0 --system 'Be brief.'")
    assert "toy" in output(asking, capsys, "%llm alias")
    for cell in ("%%llm toy\nHELLO", "%%llm -m toy\nHELLO", "%%llm explain toy\nHELLO = 1"):
        assert SCRIPTS["HELLO"] in output(asking, capsys, cell)
    assert "Be brief." in output(asking, capsys, "%%llm brief --show-prompt\nHELLO")
    assert "asks" in output(asking, capsys, "%llm use toy")
    register(asking)
    assert "brief" in output(asking, capsys, "%llm alias")
    output(asking, capsys, "%llm dealias toy")
    assert "did you mean `brief`?" in output(asking, capsys, "%llm dealias breif")


def test_settings_are_shown_and_changed(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = output(asking, capsys, "%llm config")
    assert "max_history = 2" in shown
    for name in ("default_language_model", "initial_language_model"):
        assert "The same as model" in shown.partition(f"{name} = ")[2].splitlines()[1]
    assert "max_tokens = 7" in output(asking, capsys, "%llm config max_tokens 7")
    assert owner_of(asking).max_tokens == 7
    refused = output(asking, capsys, "%llm config max_tokens many")
    assert "'many' is no value of max_tokens, which is a whole number of at least 1." in refused
    assert "did you mean `max_tokens`?" in output(asking, capsys, "%llm config max_token 7")
    assert "max_history" in output(asking, capsys, "%config LocalLLM")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("max_tokens -1", "'-1' is no value of max_tokens, which is a whole number of at least 1."),
        ("max_tokens 4 5", "'4 5' is no value of max_tokens"),
        ("max_tokens 0", "which is a whole number of at least 1."),
        ("temperature hot", "which is a number from 0 to 5, or None."),
        ("temperature nan", "The setting temperature: nan is not a number from 0 to 5."),
        ("progress maybe", "which is True or False."),
        ("display html", "which is one of auto, rich, plain."),
        ("aliases x", "which is a dictionary such as {'name': 'text'}."),
        ("context some", "'some' is not one of none, above, notebook, cells 2-5"),
    ],
)
def test_a_setting_that_is_refused_says_what_is_one(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str], words: str, reason: str
) -> None:
    shown = output(asking, capsys, f"%llm config {words}")
    assert reason in shown
    assert len(shown.strip().splitlines()) == 1


def test_the_prompt_is_shown_with_its_tokens_and_nothing_is_asked(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    asking.run_cell("x = 'value'")
    shown = output(asking, capsys, "%%llm --system Brief --show-prompt -t 0\nabc {x}")
    assert "--- system, " in shown
    assert "--- user, 4 tokens\nabc value\n" in shown
    assert "temperature 0" in shown
    assert "Nothing was sent" in shown
    assert owner_of(asking).answers().newest is None
    assert "Nothing was asked" in output(asking, capsys, "%llm history")


def test_the_last_answer_is_shown_again(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no answer in this session yet" in output(asking, capsys, "%llm show")
    output(asking, capsys, "%%llm\nCODE")
    assert "Here it is" in output(asking, capsys, "%llm show")
    assert output(asking, capsys, "%llm show code").startswith("total = sum")
    assert output(asking, capsys, "%llm show prompt") == "CODE\n"
    assert "No answer of this notebook is being written" in output(asking, capsys, "%llm stop")


@pytest.mark.parametrize(
    ("cell", "guess"),
    [
        ("%%llm expalin\nx = 1", "Did you mean `explain`?"),
        ("%%llm list\nx = 1", "Did you mean %llm list?"),
        ("%%llm status\nx = 1", "Did you mean %llm status?"),
        ("%%llm history -t 0\nx = 1", "Did you mean %llm history?"),
    ],
)
def test_a_mistyped_action_is_guessed(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str, guess: str
) -> None:
    shown = output(asking, capsys, cell)
    assert "model_not_found" in shown
    assert guess in shown
    assert shown.count("Did you mean") == 1


def test_a_model_given_by_path_can_be_used_by_its_name_and_loaded_again(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str], scripted_model: Path
) -> None:
    asking.run_cell("%%llm\nHELLO")
    assert output(asking, capsys, "%llm list").startswith("   model")
    [row] = [line for line in output(asking, capsys, "%llm list").splitlines() if "*" in line][:1]
    assert row.split()[:2] == ["*", scripted_model.stem]
    asking.run_cell(f"%llm use {scripted_model.stem}")
    assert owner_of(asking).model == str(scripted_model)
    asking.run_cell(f"%llm unload {scripted_model.stem}")
    assert SCRIPTS["HELLO"] in output(asking, capsys, "%%llm\nHELLO")


def test_a_model_is_unloaded_only_if_it_was_loaded(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str], scripted_model: Path
) -> None:
    name = scripted_model.stem
    asking.run_cell("%llm unload")
    asking.run_cell("%%llm\nHELLO")
    assert f"Unloaded {name}; the memory" in output(asking, capsys, f"%llm unload {name}")
    again = output(asking, capsys, f"%llm unload {scripted_model}")
    assert again == f"{name} was not loaded.\n"
    assert "No model is loaded." in output(asking, capsys, "%llm unload")


def test_an_empty_table_that_fits_its_schema_is_an_answer(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    row = '{"type": "object", "properties": {"city": {"type": "string"}}}'
    schema = f'{{"type": "array", "maxItems": 0, "items": {row}}}'
    shown = output(asking, capsys, f"%%llm -f table --schema {schema} --into rows\nHELLO")
    assert "The answer is an empty list, so the table has no rows." in shown
    assert "attempt" not in shown.lower()
    assert list(asking.user_ns["rows"].columns) == ["city"]
    assert asking.user_ns["rows"].empty


def test_a_model_that_one_cell_named_by_path_can_be_used_by_its_name(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str], scripted_model: Path
) -> None:
    owner_of(asking).model = ""
    asking.run_cell(f"%%llm -m {scripted_model}\nHELLO")
    # A question that nobody answered says nothing about names.
    asking.run_cell("%%llm -m ./none.gguf\nHELLO")
    asking.run_cell(f"%llm use {scripted_model.stem}")
    asking.run_cell("%llm unload")
    assert SCRIPTS["HELLO"] in output(asking, capsys, "%%llm\nHELLO")


def test_the_list_explains_no_star_that_it_has_not(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    owner_of(asking).model = str(tmp_path / "none.gguf")
    shown = output(asking, capsys, "%llm list")
    assert f"In use here: {tmp_path / 'none.gguf'}" in shown
    assert "*" not in shown
    assert "Choose with %llm use MODEL" in shown


@pytest.mark.parametrize("line", ["%llm", "%llm help", "%llm history", "%llm show", "%%llm -h"])
def test_lines_print_where_the_output_is_no_utf8(
    asking: InteractiveShell, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    asking.run_cell("%%llm\nEMOJI")
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    result = asking.run_cell(line)
    sys.stdout.flush()
    assert result.success
    assert b"?" in written.getvalue()


def test_the_history_says_where_no_turn_is_sent(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    asking.run_cell("%%llm\nHELLO", store_history=True)
    owner_of(asking).max_history = 0
    shown = output(asking, capsys, "%llm history")
    assert "No earlier turns are sent (LocalLLM.max_history is 0)." in shown
    assert "last 0" not in shown


def test_a_prompt_that_is_too_long_is_told_with_what_a_cell_can_do(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    asking.run_cell("%%llm\nHELLO", store_history=True)
    for line in ("", " --no-history"):
        shown = output(asking, capsys, f"%%llm{line}\n" + "word " * 20_000)
        assert "[prompt_too_long]" in shown
        assert "attach" not in shown
        for advice in ("--no-history", "--context", "{name}"):
            assert advice in shown


def test_the_repair_of_a_diagram_refuses_what_it_does_not_heed(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    asking.run_cell("%%mermaid\nflowchart TD\n  ==>> ??? {{\n", store_history=True)
    options = ("--chat a", "--context above", "--system s", "-p tutor", "-f json", "--show-prompt")
    for option in options:
        shown = output(asking, capsys, f"%llm fix {option}")
        assert "does not go with the repair of a diagram" in shown
        assert len(shown.strip().splitlines()) == 1


def test_ai_is_ours_only_on_request_and_only_if_nobody_has_it(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asking.find_cell_magic("ai") is None
    asking.run_cell("%config LocalLLM.ai_alias = True")
    assert SCRIPTS["HELLO"] in output(asking, capsys, "%%ai\nHELLO")
    assert "45" in output(asking, capsys, "%%ai code -x\nCODE")
    unregister(asking)
    assert asking.find_cell_magic("ai") is None
    assert asking.find_cell_magic("explain") is None

    def theirs(line: str, cell: str) -> None: ...

    theirs.__module__ = "jupyter_ai_magics.magics"
    for name in ("ai", "explain"):
        asking.register_magic_function(theirs, "cell", name)
    capsys.readouterr()
    # The setting of the session is still on.
    register(asking)
    assert "stays with it" in capsys.readouterr().out
    for name in ("ai", "explain"):
        assert asking.magics_manager.magics["cell"][name] is theirs


# --- completion -----------------------------------------------------------------------------


def completions(shell: InteractiveShell, line: str) -> list[str]:
    completer = shell.Completer
    assert completer is not None
    with provisionalcompleter():
        found = list(completer.completions(line, len(line)))
    return [line[: each.start] + each.text for each in found]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("%llm ", "history"),
        ("%llm config max_t", "max_tokens"),
        ("%llm fix ", "In[1]"),
        ("%llm show ", "code"),
        ("%%llm explain --no", "--no-history"),
        ("%%llm -f ", "table"),
        ("%%llm --context ab", "above"),
        ("%%llm bri", "brief"),
        ("%%llm -m scr", "scripted"),
        ("%llm use scr", "scripted"),
    ],
)
def test_completion(asking: InteractiveShell, line: str, word: str) -> None:
    asking.run_cell("x = 1", store_history=True)
    owner_of(asking).aliases = {"brief": "-t 0"}
    if word == "scripted":
        asking.run_cell("%%llm\nHELLO", store_history=True)
    assert line.rpartition(" ")[0] + f" {word}" in completions(asking, line)


def test_completion_in_a_kernel_starts_no_host(
    start_kernel: Callable[..., KernelSession],
) -> None:
    kernel = start_kernel()
    for code, word in (("%%llm tra", "translate"), ("%llm ver", "version"), ("%%llm -m ", "")):
        message_id = kernel.client.complete(code, len(code))
        while True:
            reply = kernel.client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == message_id:
                break
        assert not word or word in reply["content"]["matches"]
    assert "No model host is running" in kernel.run("%llm status").check_ok().stdout
