"""Whole characters, no leaked stop strings, nothing lost."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_localllm.engine.detokenizer import Detokenizer

TEXT = "Grüße 👩‍🚀 日本語 – مرحبا done."


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@given(st.lists(st.integers(0, 10_000), max_size=40))
def test_any_cut_gives_the_same_text_without_replacement_marks(cuts: list[int]) -> None:
    detokenizer = Detokenizer()
    parts = [detokenizer.feed(piece) for piece in pieces(TEXT.encode(), cuts)]
    parts.append(detokenizer.flush())
    assert "".join(parts) == TEXT
    assert all("�" not in part for part in parts)


@given(st.lists(st.integers(0, 10_000), max_size=40), st.text(max_size=60), st.text(max_size=9))
def test_a_stop_string_never_leaks(cuts: list[int], before: str, stop: str) -> None:
    stop = stop or "STOP"
    text = before + stop + " after"
    detokenizer = Detokenizer([stop])
    seen = "".join(detokenizer.feed(piece) for piece in pieces(text.encode(), cuts))
    assert seen + detokenizer.flush() == text[: text.index(stop)]
    assert detokenizer.is_stopped


@given(st.lists(st.integers(0, 10_000), max_size=40), st.text(max_size=60))
def test_the_start_of_a_stop_string_is_given_out_at_the_end(cuts: list[int], text: str) -> None:
    stop = text + "\x00never"
    detokenizer = Detokenizer([stop])
    parts = [detokenizer.feed(piece) for piece in pieces(text.encode(), cuts)]
    assert "".join(parts) + detokenizer.flush() == text


def test_the_earliest_of_several_stops_wins() -> None:
    detokenizer = Detokenizer(["gamma", "beta"])
    assert detokenizer.feed(b"alpha beta gamma") == "alpha "


@pytest.mark.parametrize("data", [b"\xff", b"ok \xe2\x82", b"\xc3("])
def test_bytes_that_are_no_text_become_replacement_marks(data: bytes) -> None:
    detokenizer = Detokenizer()
    text = detokenizer.feed(data) + detokenizer.flush()
    assert text == data.decode("utf-8", "replace")
