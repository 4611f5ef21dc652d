"""Code that failed and whose repair came to nothing: its error is still there to be corrected."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics import register, unregister
from tests.gguf_builders.scripted import build_scripted
from tests.magics.conftest import owner_of


def python(code: str) -> str:
    return f"```python\n{code}\n```"


#: What a repair gets is asked for by the error that is given back.
SCRIPTS = {
    "TALKS": python("raise ValueError('PRO' + 'SE')"),
    "PROSE": "I am sorry, I cannot do that.",
    "WAITS": python("raise ValueError('ENDLESS' + 'LY')"),
    "ENDLESSLY": "word " * 900,
    "GROWS": python("# " + "long " * 170 + "\nraise ValueError('no trigger')"),
}


def _model(folder: Path, window: int) -> Path:
    return build_scripted(folder / f"coder-{window}.gguf", SCRIPTS, context_length=window)


@pytest.fixture
def coding(shell: InteractiveShell, tmp_path: Path) -> Iterator[InteractiveShell]:
    """A shell whose model writes code."""
    register(shell)
    owner_of(shell).model = str(_model(tmp_path, 4096))
    yield shell
    unregister(shell)


class StopAt(io.StringIO):
    """Standard output of a person who interrupts when a word appears."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self._word = word

    def write(self, text: str) -> int:
        if self._word in text:
            signal.raise_signal(signal.SIGINT)
        return super().write(text)


def current(shell: InteractiveShell) -> str:
    run = owner_of(shell).runs.current_error()
    return "" if run is None else run.error


def test_a_repair_without_code_leaves_the_error(
    coding: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    coding.run_cell("%%llm -x --retry 1\nTALKS", store_history=True)
    assert "Nothing was run" in capsys.readouterr().out
    assert current(coding).endswith("ValueError: PROSE")


def test_a_repair_that_is_stopped_leaves_the_error(
    coding: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", StopAt("word"))
    result = coding.run_cell("%%llm -x --retry 1 --max-tokens 2000\nWAITS", store_history=True)
    assert isinstance(result.error_in_exec, KeyboardInterrupt)
    assert current(coding).endswith("ValueError: ENDLESSLY")


def test_a_repair_that_cannot_be_asked_shows_the_error(
    coding: InteractiveShell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen: "Shorten the question", of a question that was not too long."""
    owner_of(coding).model = str(_model(tmp_path, 448))
    coding.run_cell("%%llm -x --retry 1 --max-tokens 300\nGROWS", store_history=True)
    shown = capsys.readouterr().out
    assert "ValueError" in shown and "could not be asked to correct it" in shown
    assert current(coding).endswith("ValueError: no trigger")
