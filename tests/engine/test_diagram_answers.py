"""Whatever the model, what it answers under a diagram's grammar is drawn, cut or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.diagram_answers import SUBJECTS, TYPES
from jupyter_localllm.assistant.diagrams.drawing import dot, mermaid
from jupyter_localllm.assistant.diagrams.grammar.closing import closed
from jupyter_localllm.assistant.diagrams.grammar.grammars import (
    DIAGRAM_TYPES,
    SAMPLING,
    diagram_grammar,
    example_turns,
)
from jupyter_localllm.protocol import FinishReason

from .conftest import Answer, Bench

MAX_TOKENS = 250


@pytest.fixture(scope="module")
def starter(smollm2_path: Path) -> Iterator[Bench]:
    bench = Bench(smollm2_path, n_slots=8, context_window=8192)
    yield bench
    bench.engine.close()


@pytest.fixture(scope="module")
def random_weights(tiny_model: Callable[[str], Path]) -> Iterator[Bench]:
    bench = Bench(tiny_model("llama"), context_window=2048)
    yield bench
    bench.engine.close()


def ask(bench: Bench, name: str, subject: str, max_tokens: int = MAX_TOKENS) -> Answer:
    turns = [(turn.role, turn.text) for turn in example_turns(name)]
    prompt = "".join(
        f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in [*turns, ("user", subject)]
    )
    options: dict[str, Any] = {**SAMPLING, "max_tokens": max_tokens, "seed": len(subject)}
    grammar = diagram_grammar(name, max_tokens=max_tokens)
    return bench.ask(f"{prompt}<|im_start|>assistant\n", chat=False, grammar=grammar, **options)


def assert_drawn(answer: Answer, name: str) -> None:
    done = answer.done()
    was_cut = done.finish_reason == FinishReason.LENGTH
    source = closed(answer.text, name) if was_cut else answer.text
    drawn = (dot if DIAGRAM_TYPES[name].kind == "dot" else mermaid).render(source, "neutral")
    assert "<svg" in drawn.svg


@pytest.mark.parametrize("name", DIAGRAM_TYPES)
def test_a_model_that_knows_nothing_draws_a_diagram(random_weights: Bench, name: str) -> None:
    """Random weights go everywhere that a grammar leaves open."""
    for max_tokens in (60, 400):
        options: dict[str, Any] = {"max_tokens": max_tokens, "temperature": 1.5, "seed": max_tokens}
        grammar = diagram_grammar(name, max_tokens=max_tokens)
        answer = random_weights.ask("anything", chat=False, grammar=grammar, **options)
        assert_drawn(answer, name)


@pytest.mark.parametrize("name", DIAGRAM_TYPES)
def test_the_starter_model_draws_a_diagram(starter: Bench, name: str) -> None:
    assert_drawn(ask(starter, name, "a traffic light"), name)


def test_an_answer_that_is_cut_is_drawn(starter: Bench) -> None:
    answer = ask(starter, "flowchart", "the water cycle", max_tokens=24)
    assert answer.done().finish_reason == FinishReason.LENGTH
    assert_drawn(answer, "flowchart")


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", TYPES)
def test_the_starter_model_draws_all_subjects(starter: Bench, name: str) -> None:
    for answer in [ask(starter, name, subject) for subject in SUBJECTS]:
        assert_drawn(answer, name)
