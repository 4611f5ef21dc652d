"""A server is killed while it saves: nothing that was acknowledged is lost, the file is whole."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_localllm.assistant.history import ChatHistory
from jupyter_localllm.chat_protocol import MessageState

from .history_samples import OWNER, rows

ROOT = Path(__file__).parents[2]


def killed_while_saving(path: Path, chat_id: str, n_lines: int, delay_s: float) -> list[str]:
    """Kill a saving server somewhere behind so many acknowledgements; return all that it gave."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.history_child", str(path), "save", chat_id],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(n_lines)]
        # Not just behind an acknowledgement: anywhere in the next turns.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay_s)
    finally:
        process.kill()
    # Of the last line a part may be missing: then it was not acknowledged.
    rest, _ = process.communicate(timeout=30)
    if hasattr(signal, "SIGKILL"):
        assert process.returncode == -signal.SIGKILL
    return [line.strip() for line in [*lines, *rest.splitlines(True)] if line.endswith("\n")]


def check_kills(path: Path, n_kills: int) -> None:
    chance = random.Random(4)
    lost: list[str] = []
    faults: list[object] = []
    for number in range(n_kills):
        chat_id = f"c{number}"
        delay_s = chance.uniform(0, 0.02)
        acknowledged = killed_while_saving(path, chat_id, chance.randint(1, 40), delay_s)
        history = ChatHistory(path)
        history.open()
        kept = {each.message_id: each for each in history.get_chat(OWNER, chat_id).messages}
        history.close()
        lost += [f"{chat_id} {each}" for each in acknowledged if each not in kept]
        faults += [found for found in rows(path, "PRAGMA integrity_check") if found != ("ok",)]
        faults += history.notices
        # An acknowledged answer is whole, one that was being written says so.
        for message_id, message in kept.items():
            assert message.state is not MessageState.WRITING
            if message_id in acknowledged and message.role == "assistant":
                assert message.content == "text " * int(message_id[1:])
    assert (lost, faults) == ([], [])
    assert not list(path.parent.glob("*damaged*"))


def test_nothing_acknowledged_is_lost_in_a_few_kills(path: Path) -> None:
    check_kills(path, 5)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_nothing_acknowledged_is_lost_in_200_kills(path: Path) -> None:
    check_kills(path, 200)
