"""Cells with values in braces, from what is typed to what is sent and said."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics import register

SETUP = """
import signal

class Odd:
    def __repr__(self):
        signal.raise_signal(signal.SIGINT)
        return "slow"

    @property
    def slow(self):
        signal.raise_signal(signal.SIGINT)

    @property
    def ends(self):
        raise SystemExit

class Shape:
    @classmethod
    def __get_pydantic_core_schema__(cls, *_):
        signal.raise_signal(signal.SIGINT)

odd = Odd()
table = {"odd": odd}
prices = [1, 2]
big = list(range(5000))
"""


@pytest.mark.parametrize(
    "cell",
    [
        "%%llm\n{odd}",
        "%%llm\nWhat is {odd.slow}?",
        "%%llm\nWhat is in {table}?",
        "%%llm --show-prompt\n{odd}",
        "%%llm --schema Shape\nHELLO",
        "%%llm explain\n{odd}",
        "%llm explain odd",
        "%llm summarise table",
    ],
)
def test_an_interrupt_while_values_are_read_is_one_line(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str
) -> None:
    """Seen: a traceback through magics.py and composer.py."""
    register(shell)
    shell.run_cell(SETUP)
    result = shell.run_cell(cell)
    assert isinstance(result.error_in_exec, KeyboardInterrupt)
    captured = capsys.readouterr()
    assert (captured.out + captured.err).strip() == "The answer was stopped."


def test_what_becomes_of_values_is_said_and_sent(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    asking.run_cell(SETUP)
    question = "HELLO Is the sum of {pirces} larger than {odd.ends}?"
    notes = [
        "{pirces} is no variable, so it was sent as it stands; did you mean {prices}?",
        "{odd.ends} raised SystemExit when it was read, so it was sent as it stands.",
    ]
    for line in ("%%llm --show-prompt", "%%llm"):
        capsys.readouterr()
        assert asking.run_cell(f"{line}\n{question}").success
        shown = capsys.readouterr().out.splitlines()
        assert shown[:2] == notes
        assert line == "%%llm" or question in shown
    assert asking.user_ns["_llm"].last.question == question
    # A blank in a text to translate is no mistake.
    asking.run_cell("%%llm translate French\nDear {pirces}, hello")
    assert "did you mean" not in capsys.readouterr().out


def test_a_long_list_is_sent_with_its_length_and_its_size_is_true(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen: ``...`` was sent, and said to be 1,000 of 2,000 tokens."""
    asking.run_cell(SETUP)
    assert asking.run_cell("%%llm\nHELLO What is the largest number in {big}?").success
    sent = asking.user_ns["_llm"].last.question
    assert "list of length 5,000: [0, 1, 2, " in sent
    assert "4998, 4999]?" in sent
    words = capsys.readouterr().out.split()
    n_sent, n_whole = (int(words[place].replace(",", "")) for place in (4, 6))
    assert words[:4] == ["{big}", "is", "summarised:", "about"]
    assert 900 < n_sent <= 1000
    assert len(repr(list(range(5000)))) / 6 < n_whole < len(repr(list(range(5000)))) / 2
