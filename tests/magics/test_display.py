"""How an answer is painted: one output, few updates, hostile text as text, plain terminals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics.answers.formats import Shown
from jupyter_localllm.magics.output.answer_display import AnswerDisplay, waiting_text
from jupyter_localllm.magics.output.display import PlainDisplay, RichDisplay, terminal_text
from jupyter_localllm.magics.output.frontend import is_console
from jupyter_localllm.protocol import (
    CompletionChunk,
    CompletionDone,
    CompletionProgress,
    FinishReason,
    ModelState,
    Timings,
    Usage,
)


class Clock:
    """Monotonic seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def published(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[dict[str, Any]]]:
    publisher = CapturingDisplayPublisher()
    monkeypatch.setattr(shell, "display_pub", publisher)
    yield publisher.outputs


def done(
    reason: FinishReason = FinishReason.STOP, prompt: int = 12, completion: int = 5
) -> CompletionDone:
    return CompletionDone(reason, Usage(prompt, completion, 3), Timings(prompt_n=9), "smol", 42)


def test_one_output_at_most_15_updates_a_second_and_a_full_last_one(
    published: list[dict[str, Any]], clock: Clock
) -> None:
    answer = RichDisplay(clock=clock)
    for i in range(1000):
        clock.now += 0.002
        answer.show(CompletionChunk(f"w{i} "))
    answer.show(done())
    shown, *updates = published
    assert not shown["update"]
    assert all(update["update"] for update in updates)
    assert len({p["transient"]["display_id"] for p in published}) == 1
    assert 25 <= len(updates) <= 2 * 15 + 1
    text = "".join(f"w{i} " for i in range(1000))
    assert published[-1]["data"] == {"text/markdown": text, "text/plain": text}
    assert published[-1]["metadata"] == {
        "jupyter_localllm": {
            "model": "smol",
            "finish_reason": "stop",
            "usage": {"prompt_tokens": 12, "completion_tokens": 5, "cached_tokens": 3},
            "timings": {"prompt_n": 9},
            "seed": 42,
        }
    }


def test_text_is_painted_when_the_stream_pauses(
    published: list[dict[str, Any]], clock: Clock
) -> None:
    answer = RichDisplay(clock=clock)
    answer.show(CompletionChunk("a"))
    clock.now += 0.01
    answer.show(CompletionChunk("b"))
    assert published[-1]["data"]["text/plain"] == "a"
    clock.now += 0.25
    answer.show(None)
    assert published[-1]["data"]["text/plain"] == "ab"
    count = len(published)
    clock.now += 0.25
    answer.show(None)
    assert len(published) == count


def message_bytes(content: dict[str, Any]) -> int:
    """What a kernel sends for it: the content, two headers and a signature."""
    return len(json.dumps(content, ensure_ascii=False).encode()) + 900


@pytest.mark.parametrize("word", ["word ", "слово "])
def test_a_thousand_tokens_at_20_a_second_are_less_than_a_megabyte(
    published: list[dict[str, Any]], clock: Clock, word: str
) -> None:
    answer = RichDisplay(clock=clock)
    for _ in range(1000):
        clock.now += 0.05
        answer.show(CompletionChunk(word))
    answer.show(done())
    assert sum(map(message_bytes, published)) <= 1_000_000
    # It still moves: at least once a second to the end.
    assert len(published) >= 100
    assert published[-1]["data"]["text/plain"] == word * 1000


def test_an_answer_after_thinking_moves_at_once(
    published: list[dict[str, Any]], clock: Clock
) -> None:
    answer = RichDisplay(clock=clock)
    for _ in range(2000):
        clock.now += 0.02
        answer.show(CompletionChunk("thought " if answer.thinking else "<think>thought "))
    clock.now += 0.1
    answer.show(CompletionChunk("</think>Answer"))
    assert published[-1]["data"]["text/plain"] == "Answer"


def test_waiting_is_explained_after_a_second_and_gone_afterwards(
    published: list[dict[str, Any]], clock: Clock
) -> None:
    answer = RichDisplay(clock=clock)
    answer.show(CompletionProgress(queue_position=2))
    assert not published
    clock.now += 1.1
    answer.show(None)
    answer.show(None)
    assert [p["data"]["text/plain"] for p in published] == [
        "In the queue: 2 requests before this one …"
    ]
    clock.now += 1
    answer.show(CompletionProgress(model_state=ModelState.LOADING, load_progress=0.42))
    clock.now += 1
    answer.show(CompletionProgress(prompt_tokens_done=512, prompt_tokens_total=2048))
    assert [p["data"]["text/plain"] for p in published[1:]] == [
        "Loading the model: 42% …",
        "Reading the question: 512 of 2,048 tokens …",
    ]
    answer.show(CompletionChunk("Answer"))
    clock.now += 1
    answer.show(done())
    assert published[-1]["data"] == {"text/markdown": "Answer", "text/plain": "Answer"}
    assert len({p["transient"]["display_id"] for p in published}) == 1


def test_a_quick_answer_shows_no_progress(published: list[dict[str, Any]], clock: Clock) -> None:
    answer = RichDisplay(clock=clock)
    answer.show(CompletionProgress(model_state=ModelState.LOADING, load_progress=0.5))
    answer.show(CompletionChunk("Answer"))
    answer.show(done())
    assert {p["data"]["text/plain"] for p in published} == {"Answer"}


@pytest.mark.parametrize(
    ("completion", "max_tokens", "expected"),
    [
        (40, 40, "cut after 40 tokens. For a longer one, write `%%llm --max-tokens 80`."),
        (30, 40, "fill the model's context window (42 tokens)"),
    ],
)
def test_a_cut_answer_says_so_and_how_to_get_more(
    published: list[dict[str, Any]], clock: Clock, completion: int, max_tokens: int, expected: str
) -> None:
    answer = RichDisplay(clock=clock)
    answer.expect(model="", max_tokens=max_tokens)
    answer.show(CompletionChunk("```py\nprint("))
    answer.show(done(FinishReason.LENGTH, 12, completion))
    data = published[-1]["data"]
    assert expected in data["text/plain"]
    # The note must not become part of the code that was cut.
    assert data["text/markdown"].startswith("```py\nprint(\n```\n\n*The answer was cut")


def test_stopped_and_failed_answers_keep_their_text(
    published: list[dict[str, Any]], clock: Clock
) -> None:
    for end, note in ((AnswerDisplay.stop, "Stopped."), (None, "The answer broke off here.")):
        answer = RichDisplay(clock=clock)
        answer.show(CompletionChunk("Partial"))
        if end is None:
            answer.fail("worker_crashed")
        else:
            end(answer)
        assert published[-1]["data"] == {
            "text/markdown": f"Partial\n\n*{note}*",
            "text/plain": f"Partial\n\n[{note}]",
        }
    facts = published[-1]["metadata"]["jupyter_localllm"]
    assert (facts["finish_reason"], facts["error_code"]) == ("error", "worker_crashed")


def test_an_error_before_anything_was_shown_shows_only_itself(
    published: list[dict[str, Any]], clock: Clock
) -> None:
    RichDisplay(clock=clock).fail("model_not_found")
    assert not published


def test_progress_does_not_stay_when_the_answer_fails(
    published: list[dict[str, Any]], clock: Clock
) -> None:
    answer = RichDisplay(clock=clock)
    clock.now += 2
    answer.show(None)
    answer.fail("worker_crashed")
    assert published[-1]["data"]["text/markdown"] == "*No answer.*"


def test_an_empty_answer_says_so(published: list[dict[str, Any]], clock: Clock) -> None:
    answer = RichDisplay(clock=clock)
    answer.show(done())
    assert published[-1]["data"]["text/markdown"] == "*The model gave an empty answer.*"


def test_no_stream_shows_the_answer_once_and_tells_how_far_it_is(
    published: list[dict[str, Any]], clock: Clock
) -> None:
    answer = RichDisplay(is_streaming=False, clock=clock)
    answer.show(CompletionChunk("Answer"))
    assert not published
    clock.now += 2
    answer.show(CompletionChunk(" two"))
    assert published[0]["data"]["text/plain"].endswith("10 characters so far.")
    answer.show(done())
    assert len(published) == 2
    assert published[-1]["data"]["text/plain"] == "Answer two"


def test_hostile_text_is_published_as_text_only(
    published: list[dict[str, Any]], clock: Clock, tmp_path: Any
) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("SECRET")
    for text in (str(secret), "https://h.invalid/x.md", "<script>alert(1)</script>", "<img src=x>"):
        answer = RichDisplay(clock=clock)
        answer.show(CompletionChunk(text))
        answer.show(done())
        data = published[-1]["data"]
        assert set(data) == {"text/markdown", "text/plain"}
        assert data["text/plain"] == text
        assert "SECRET" not in str(data)
        assert "<script" not in data["text/markdown"]
        assert "<img" not in data["text/markdown"]


def test_plain_text_streams_without_being_repeated(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    answer = PlainDisplay(can_erase=False, clock=clock)
    answer.show(CompletionChunk("one "))
    assert capsys.readouterr().out == "one "
    answer.show(CompletionChunk("two"))
    answer.show(done())
    assert capsys.readouterr().out == "two\n"


@pytest.mark.parametrize("reason", list(FinishReason))
def test_a_row_of_a_table_is_printed_when_it_is_whole(
    capsys: pytest.CaptureFixture[str], clock: Clock, reason: FinishReason
) -> None:
    answer = PlainDisplay(can_erase=False, by_line=True, is_concluded_by_caller=True, clock=clock)
    for piece in ("|a|\n|-", "|\n|1|\n|2"):
        answer.show(CompletionChunk(piece))
    assert capsys.readouterr().out == "|a|\n|-|\n|1|\n"
    answer.show(done(reason))
    answer.conclude(Shown("", "a table"), note="Cut.")
    held = "" if reason is FinishReason.LENGTH else "|2"
    assert capsys.readouterr().out == f"{held}\n[Cut.]\n"


def test_plain_progress_is_erased(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    answer = PlainDisplay(can_erase=True, clock=clock)
    clock.now += 2
    answer.show(CompletionProgress(model_state=ModelState.LOADING))
    answer.show(CompletionChunk("x"))
    shown = capsys.readouterr().out
    assert shown == f"\rLoading the model …\r{' ' * 19}\rx"
    quiet = PlainDisplay(can_erase=False, clock=clock)
    clock.now += 2
    quiet.show(None)
    assert capsys.readouterr().out == ""


def test_plain_no_stream_and_notes(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    answer = PlainDisplay(can_erase=False, is_streaming=False, clock=clock)
    answer.show(CompletionChunk("text"))
    assert capsys.readouterr().out == ""
    answer.stop()
    assert capsys.readouterr().out == "text\n[Stopped.]\n"


def test_terminal_control_characters_are_visible_not_active() -> None:
    assert terminal_text("a\x1b]52;c;eA==\x07b\x1b[2J") == "a␛]52;c;eA==␇b␛[2J"
    assert terminal_text("1\r\n2\r3\t\x9b31m\x7f") == "1\n23\t�31m␡"
    assert terminal_text("Grüße 日本 👩‍🚀") == "Grüße 日本 👩‍🚀"


def test_characters_that_a_terminal_lacks_do_not_raise(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    import io
    import sys

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    answer = PlainDisplay(can_erase=False, clock=clock)
    answer.show(CompletionChunk("für 日"))
    answer.show(done())
    assert raw.getvalue() == b"f?r ?\n"


def test_waiting_lines() -> None:
    assert waiting_text(CompletionProgress(queue_position=0)) == ""
    assert "1 request before" in waiting_text(CompletionProgress(queue_position=1))
    assert waiting_text(CompletionProgress(model_state=ModelState.READY)) == ""
    assert waiting_text(CompletionProgress(model_state=ModelState.NOT_LOADED)).startswith("Loading")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["/opt/python", "/opt/bin/jupyter-console"], True),
        (["python", "-m", "jupyter_console"], True),
        (["python", "/site-packages/jupyter_console/__main__.py"], True),
        (["/opt/bin/jupyter", "console", "--kernel", "x"], True),
        ([r"C:\Python\python.exe", r"C:\Scripts\jupyter-console.exe"], True),
        (["python", "/opt/bin/jupyter-qtconsole"], True),
        (["/opt/python", "/opt/bin/jupyter-lab", "console"], False),
        (["jupyter", "lab"], False),
        (["python", "console.py"], False),
        (["jupyter", "nbconvert", "--execute", "console.ipynb"], False),
        ([], False),
    ],
)
def test_consoles_are_recognised_by_their_command(command: list[str], expected: bool) -> None:
    assert is_console(command) is expected
