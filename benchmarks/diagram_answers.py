"""Diagrams by the starter model, with a grammar and free: ``python -m benchmarks.diagram_answers``.

Ten types of diagram and thirty subjects, each asked twice with the same words: once with the
grammar of its type, once without. Counts what the parsers draw as it is, and of the free answers
also what they draw after the rules have repaired it; no answer is given back to the model. Then
compares the speed of both, one stream at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jupyter_localllm.assistant.diagrams import renderer
from jupyter_localllm.assistant.diagrams.drawing import dot, mermaid
from jupyter_localllm.assistant.diagrams.extract import find_diagram
from jupyter_localllm.assistant.diagrams.grammar.closing import closed
from jupyter_localllm.assistant.diagrams.grammar.grammars import (
    DIAGRAM_TYPES,
    SAMPLING,
    diagram_grammar,
    example_turns,
)
from jupyter_localllm.errors import LocalLLMError

from .measure import Streamed, stream_chat, user
from .servers import RunningServer, running, starter_model

TYPES = [name for name in DIAGRAM_TYPES if name != "graph"]
SUBJECTS = [
    "making a cup of coffee", "a user login with a password check", "the water cycle",
    "a library with books and members", "a traffic light", "the history of computers",
    "photosynthesis", "an online shop", "writing an essay", "a hospital",
    "how a bill becomes a law", "sorting a list of numbers", "the solar system", "a bank account",
    "planning a holiday", "a chess game", "the French Revolution", "a weather station",
    "training a neural network", "a music festival", "repairing a bicycle", "the human heart",
    "a school timetable", "sending an e-mail", "the food chain", "building a house",
    "a vending machine", "learning to drive", "the life of a butterfly", "a cleaning robot",
]  # fmt: skip


@dataclass
class Answer:
    """One answer, and what became of it."""

    type: str
    subject: str
    has_grammar: bool
    text: str
    n_tokens: int
    was_cut: bool
    parses: bool
    is_drawn: bool


def ask(
    server: RunningServer, name: str, subject: str, max_tokens: int, *, has_grammar: bool
) -> Streamed:
    """Return the model's answer."""
    options: dict[str, Any] = {**SAMPLING, "max_tokens": max_tokens, "seed": len(subject)}
    if has_grammar:
        options["grammar"] = diagram_grammar(name, max_tokens=max_tokens)
    turns = [{"role": turn.role, "content": turn.text} for turn in example_turns(name)]
    with server.client() as client:
        return stream_chat(client, [*turns, *user(subject)], **options)


def judged(seen: Streamed, name: str, subject: str, *, has_grammar: bool) -> Answer:
    """Draw an answer, as it is and through everything that repairs."""
    kind = DIAGRAM_TYPES[name].kind
    was_cut = seen.finish_reason == "length"
    if has_grammar:
        source = closed(seen.text, name) if was_cut else seen.text
    else:
        source = find_diagram(seen.text, kind)
    try:
        (dot if kind == "dot" else mermaid).render(source, "neutral")
        parses = True
    except LocalLLMError:
        parses = False
    is_drawn = parses
    if not parses:
        try:
            asyncio.run(renderer.draw(seen.text, kind))
            is_drawn = True
        except LocalLLMError:
            is_drawn = False
    return Answer(name, subject, has_grammar, seen.text, seen.n_tokens, was_cut, parses, is_drawn)


def answers(
    server: RunningServer, names: list[str], subjects: list[str], max_tokens: int, streams: int
) -> list[Answer]:
    """Ask everything, several at a time."""

    def one(job: tuple[str, str, bool]) -> Answer:
        name, subject, has_grammar = job
        seen = ask(server, name, subject, max_tokens, has_grammar=has_grammar)
        return judged(seen, name, subject, has_grammar=has_grammar)

    jobs = [
        (name, subject, has_grammar)
        for has_grammar in (True, False)
        for name in names
        for subject in subjects
    ]
    with ThreadPoolExecutor(streams) as pool:
        return list(pool.map(one, jobs))


def speed_ratios(
    server: RunningServer, names: list[str], max_tokens: int, rounds: int
) -> list[float]:
    """Return tokens per second with the grammar over those without, by pairs of one prompt."""
    ratios = []
    for turn in range(rounds):
        name, subject = names[turn % len(names)], SUBJECTS[turn % len(SUBJECTS)]
        both = [
            ask(server, name, subject, max_tokens, has_grammar=has_grammar)
            for has_grammar in ((True, False) if turn % 2 else (False, True))
        ]
        constrained, free = both if turn % 2 else reversed(both)
        if min(constrained.n_tokens, free.n_tokens) > 20:
            ratios.append(constrained.tokens_per_s / free.tokens_per_s)
    return ratios


def print_table(found: list[Answer], names: Iterable[str]) -> None:
    """Print a line for each type, and one for all."""
    heads = [f"{'drawn':>10}{second:>10}{'tokens':>10}" for second in ("cut", "by rules")]
    print(f"{'':12} {'with grammar':>30} {'free':>30}")
    print(f"{'':12} {' '.join(heads)}")
    for name in [*names, "all"]:
        cells = []
        for has_grammar in (True, False):
            part = [a for a in found if a.has_grammar == has_grammar and name in (a.type, "all")]
            parse = sum(a.parses for a in part)
            second = (
                sum(a.was_cut for a in part)
                if has_grammar
                else sum(a.is_drawn and not a.parses for a in part)
            )
            tokens = statistics.median(a.n_tokens for a in part)
            cells.append(f"{f'{parse}/{len(part)}':>10}{second:>10}{tokens:>10.0f}")
        print(f"{name:12} {' '.join(cells)}")


def main() -> None:
    """Ask, draw, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--types", default=",".join(TYPES), help="names, with commas between")
    parser.add_argument("--subjects", type=int, default=len(SUBJECTS))
    parser.add_argument("--max-tokens", type=int, default=250)
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--speed-rounds", type=int, default=20)
    parser.add_argument("--json", type=Path, help="write all answers to this file")
    options = parser.parse_args()
    names = options.types.split(",")
    with running("ours", starter_model(), slots=options.streams, window=16384) as server:
        found = answers(
            server, names, SUBJECTS[: options.subjects], options.max_tokens, options.streams
        )
        ratios = speed_ratios(server, names, options.max_tokens, options.speed_rounds)
    renderer.close()
    print_table(found, names)
    if ratios:
        print(
            f"speed with a grammar over free, one stream: median of {len(ratios)} pairs "
            f"{statistics.median(ratios):.2f}"
        )
    if options.json is not None:
        body = {"answers": [asdict(answer) for answer in found], "speed_ratios": ratios}
        options.json.write_text(json.dumps(body, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
