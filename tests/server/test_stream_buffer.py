"""The numbered buffer of one answer: no gap, no repetition, no growth."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from jupyter_localllm import errors
from jupyter_localllm.protocol import (
    CompletionProgress,
    DeltaFrame,
    DoneFrame,
    ErrorFrame,
    FinishReason,
    ProgressFrame,
    StartedFrame,
    Timings,
    Usage,
)
from jupyter_localllm.server import stream_buffer
from jupyter_localllm.server.stream_buffer import NumberedFrame, StreamBuffer

DONE = DoneFrame("", 0, FinishReason.STOP, Usage(3, 2, 1), Timings(), "m")


def frames_after(buffer: StreamBuffer, last_seq: int) -> list[NumberedFrame]:
    frames = []
    while (frame := buffer.next_frame(last_seq)) is not None:
        frames.append(frame)
        assert frame.seq is not None and frame.seq > last_seq
        first = frame.first_seq if isinstance(frame, DeltaFrame) else frame.seq
        assert first == last_seq + 1, "a gap or a repetition"
        last_seq = frame.seq
    return frames


def text_of(frames: list[NumberedFrame]) -> str:
    return "".join(frame.text for frame in frames if isinstance(frame, DeltaFrame))


def test_consecutive_text_is_merged_and_other_frames_keep_their_place() -> None:
    buffer = StreamBuffer("r", 1 << 20)
    buffer.add_start("m")
    buffer.add_progress(CompletionProgress(prompt_tokens_done=5, prompt_tokens_total=10))
    for piece in ("a", "", "ü", "👩‍🚀"):
        buffer.add_text(piece)
    assert buffer.add_terminal(DONE)
    assert frames_after(buffer, 0) == [
        StartedFrame("r", 1, "m"),
        ProgressFrame("r", 2, prompt_tokens_done=5, prompt_tokens_total=10),
        DeltaFrame("r", 3, 5, "aü👩‍🚀"),
        DoneFrame("r", 6, FinishReason.STOP, Usage(3, 2, 1), Timings(), "m"),
    ]


def test_only_the_first_terminal_frame_counts_and_nothing_follows_it() -> None:
    buffer = StreamBuffer("r", 1 << 20)
    buffer.add_start("m")
    assert buffer.add_terminal(ErrorFrame({"code": "x"}))
    assert not buffer.add_terminal(DONE)
    buffer.add_text("late")
    buffer.add_progress(CompletionProgress(queue_position=1))
    assert frames_after(buffer, 0)[1:] == [ErrorFrame({"code": "x"}, "r", 2)]


def test_resuming_anywhere_gives_exactly_the_rest() -> None:
    draw = random.Random(7)
    pieces = [
        draw.choice(["x", "ü", "日本", "👩‍🚀", "word "]) * draw.randint(1, 9) for _ in range(900)
    ]
    buffer = StreamBuffer("r", 1 << 20)
    for piece in pieces:
        if draw.random() < 0.02:
            buffer.add_progress(CompletionProgress(queue_position=1))
        buffer.add_text(piece)
    texts = {0: 0}
    seen = 0
    for seq in range(1, buffer.last_seq + 1):
        frame = buffer.next_frame(seq - 1)
        if isinstance(frame, DeltaFrame):
            seen += 1
        texts[seq] = seen
    whole = "".join(pieces)
    for last_seq in [0, 1, 255, 256, 257, buffer.last_seq, *draw.sample(range(900), 100)]:
        assert text_of(frames_after(buffer, last_seq)) == "".join(pieces[texts[last_seq] :])
    assert text_of(frames_after(buffer, 0)) == whole


def test_a_frame_of_merged_text_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_buffer, "MAX_DELTA_CHARS", 1000)
    buffer = StreamBuffer("r", 1 << 20)
    for index in range(2000):
        buffer.add_text(f"{index:03d} "[:4])
    frames = frames_after(buffer, 0)
    assert len(frames) == 8
    assert max(len(frame.text) for frame in frames if isinstance(frame, DeltaFrame)) <= 1000
    assert len(text_of(frames)) == 8000


def test_the_oldest_events_are_forgotten_and_a_reader_that_needs_them_is_told() -> None:
    buffer = StreamBuffer("r", 20_000)
    for _ in range(5000):
        buffer.add_text("0123456789")
    assert buffer.size_bytes <= 20_000
    with pytest.raises(errors.NotFound) as caught:
        buffer.next_frame(0)
    assert caught.value.error_code == "stream_not_found"
    with pytest.raises(errors.NotFound):
        buffer.check_position(100)
    assert text_of(frames_after(buffer, 4900)) == "0123456789" * 100


def test_a_position_that_is_ahead_of_the_answer_is_refused() -> None:
    buffer = StreamBuffer("r", 20_000)
    buffer.add_start("m")
    buffer.check_position(1)
    with pytest.raises(errors.InvalidParameter, match="has only 1 events"):
        buffer.check_position(2)


def test_the_real_memory_stays_near_the_limit() -> None:
    tracemalloc.start()
    try:
        buffer = StreamBuffer("r", 1 << 20)
        for index in range(120_000):
            buffer.add_text("word" if index % 2 else " and")
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 2 << 20
    assert len(text_of(frames_after(buffer, buffer.last_seq - 50_000))) == 200_000


def test_listeners_hear_every_event_until_they_leave() -> None:
    buffer = StreamBuffer("r", 1 << 20)
    heard: list[int] = []

    def listener() -> None:
        heard.append(buffer.last_seq)

    buffer.listen(listener)
    buffer.listen(listener)
    buffer.add_start("m")
    buffer.add_text("a")
    buffer.unlisten(listener)
    buffer.add_text("b")
    assert heard == [1, 2]
