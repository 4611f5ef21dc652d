"""Loading the extension: light, repeatable, and polite to another ``%%llm``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm import load_ipython_extension
from jupyter_localllm.magics import register, unregister
from tests.magics.conftest import owner_of

ROOT = Path(__file__).parents[2]

#: What a question needs and loading the extension must not pay for.
HEAVY = (
    "llama_cpp",
    "numpy",
    "msgspec",
    "httpx",
    "tornado",
    "asyncio",
    "psutil",
    "jupyter_localllm.protocol",
    "jupyter_localllm.client",
    "jupyter_localllm.host",
    "jupyter_localllm.assistant",
    "jupyter_localllm.magics.output.display",
)

SCRIPT = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
before = set(sys.modules)
assert shell.run_cell("%load_ext jupyter_localllm").success
assert shell.run_cell("%llm help").success
shell.run_cell("%%llm --bogus\\nhi")
print(json.dumps(sorted(set(sys.modules) - before)), file=sys.stderr)
"""


def loaded(shell: InteractiveShell) -> tuple[object, object]:
    return shell.find_line_magic("llm"), shell.find_cell_magic("llm")


def test_load_ext_and_help_import_nothing_heavy() -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    added = set(json.loads(run.stderr.splitlines()[-1]))
    assert "jupyter_localllm.magics.magics" in added
    assert added.isdisjoint(HEAVY), added & set(HEAVY)


def test_loaded_twice_and_reloaded(shell: InteractiveShell) -> None:
    for line in ("%load_ext", "%load_ext", "%reload_ext", "%reload_ext"):
        assert shell.run_cell(f"{line} jupyter_localllm").success
    owners = [c for c in shell.configurables if type(c).__name__ == "LocalLLM"]
    assert len(owners) == 1
    assert all(owner.__self__ is owners[0] for owner in loaded(shell))
    assert shell.run_cell("%config LocalLLM.max_tokens = 7").success
    assert owners[0].max_tokens == 7


def test_reload_keeps_the_chosen_model(shell: InteractiveShell) -> None:
    load_ipython_extension(shell)
    shell.run_cell("%config LocalLLM.model = 'mine'")
    register(shell)
    [owner] = [c for c in shell.configurables if type(c).__name__ == "LocalLLM"]
    assert owner.model == "mine"


def test_reload_ext_keeps_what_the_session_has(shell: InteractiveShell) -> None:
    shell.run_cell("%load_ext jupyter_localllm")
    shell.run_cell("1 / 0", store_history=True)
    owner_of(shell).model = "mine"
    answers, errors = owner_of(shell).answers(), shell.user_ns["Err"]
    assert shell.run_cell("%reload_ext jupyter_localllm").success
    assert shell.user_ns["_llm"] is answers
    assert shell.user_ns["Err"] is errors
    assert owner_of(shell).model == "mine"
    assert owner_of(shell).answers() is answers
    assert shell.run_cell("%reload_ext jupyter_localllm").success
    assert shell.run_cell("%unload_ext jupyter_localllm").success
    assert not {"Err", "_llm"} & set(shell.user_ns)


def test_what_a_person_calls_like_ours_stays_when_the_magics_leave(
    shell: InteractiveShell,
) -> None:
    register(shell)
    shell.user_ns.update(Err=1, _llm=2)
    unregister(shell)
    assert (shell.user_ns["Err"], shell.user_ns["_llm"]) == (1, 2)
    register(shell)
    assert (shell.user_ns["Err"], shell.user_ns["_llm"]) == (1, 2)


def test_unregister_takes_everything_away(shell: InteractiveShell) -> None:
    before = set(shell.user_ns)
    register(shell)
    owner_of(shell).answers()
    assert {"Err", "_llm"} <= set(shell.user_ns)
    unregister(shell)
    assert set(shell.user_ns) == before
    assert loaded(shell) == (None, None)
    assert not [c for c in shell.configurables if type(c).__name__ == "LocalLLM"]


@pytest.mark.parametrize("kind", ["line", "cell"])
def test_another_owner_of_llm_is_left_alone_with_one_line(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    def theirs(line: str, cell: str | None = None) -> None: ...

    theirs.__module__ = "cellmage.magics"
    shell.register_magic_function(theirs, kind, "llm")
    with pytest.raises(UsageError, match="cellmage already provides %%llm"):
        register(shell)
    result = shell.run_cell("%load_ext jupyter_localllm")
    assert not result.success
    assert capsys.readouterr().err.strip().count("\n") == 0
    assert shell.magics_manager.magics[kind]["llm"] is theirs


def test_a_module_that_only_begins_like_ours_is_another_owner(shell: InteractiveShell) -> None:
    def theirs(line: str) -> None: ...

    theirs.__module__ = "jupyter_localllm_extra"
    shell.register_magic_function(theirs, "line", "llm")
    with pytest.raises(UsageError):
        register(shell)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("%llm?", "usage: %llm COMMAND"),
        ("%%llm?", "usage: %%llm"),
        ("%%explain?", "usage: %%explain"),
        ("%llm", "commands:"),
    ],
)
def test_help_is_found_where_ipython_users_look(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], question: str, expected: str
) -> None:
    register(shell)
    assert shell.run_cell(question).success
    shown = capsys.readouterr().out
    assert expected in shown
    assert "--max-tokens" in shown


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("display", "plain", "plain"),
        ("display", "html", "auto"),
        ("max_tokens", 0, 1024),
        ("temperature", 0.5, 0.5),
        ("temperature", 9.0, None),
        ("system_prompt", "Be brief.", "Be brief."),
    ],
)
def test_settings_out_of_range_are_refused_with_a_reason(
    shell: InteractiveShell,
    caplog: pytest.LogCaptureFixture,
    name: str,
    value: object,
    expected: object,
) -> None:
    register(shell)
    assert shell.run_cell(f"%config LocalLLM.{name} = {value!r}").success
    [owner] = [c for c in shell.configurables if type(c).__name__ == "LocalLLM"]
    assert getattr(owner, name) == expected
    assert (name in caplog.text) is (value != expected)


def test_settings_from_a_configuration_file(make_shell: Callable[..., InteractiveShell]) -> None:
    shell = make_shell(LocalLLM={"max_tokens": 99, "model": "course"})
    register(shell)
    [owner] = [c for c in shell.configurables if type(c).__name__ == "LocalLLM"]
    assert (owner.max_tokens, owner.model) == (99, "course")
