"""How fast diagrams are drawn: ``python -m benchmarks.diagrams``.

The first picture of a new child, later ones, large ones, and what a hostile one costs those who
wait on the same event loop. Nothing comes from the cache: no source is given twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import random
import statistics
import time
from pathlib import Path

from jupyter_localllm import errors
from jupyter_localllm.assistant.diagrams.nouns import DiagramKind
from jupyter_localllm.assistant.diagrams.renderer import DiagramRenderer

KINDS: tuple[DiagramKind, ...] = ("mermaid", "dot")


def small(kind: DiagramKind, number: int) -> str:
    """A diagram as a model draws it: a decision with four nodes."""
    if kind == "dot":
        return (
            f'digraph {{ a [label="Start {number}"]; a -> b; b [shape=diamond, label="ok?"]; '
            "b -> c [label=yes]; b -> a [label=no]; c -> d }"
        )
    edges = "B -->|yes| C[Work]\nB -->|no| A\nC --> D[End]"
    return f"flowchart TD\nA[Start {number}] --> B{{ok?}}\n{edges}"


def large(kind: DiagramKind, *, seed: int, n_nodes: int = 400, n_edges: int = 500) -> str:
    """Each node leads to one that came shortly before it, and some to a second one."""
    pick = random.Random(seed)
    pairs = []
    for number in range(n_edges):
        head = number % n_nodes + 1
        pairs.append((pick.randrange(max(0, head - 20), head), head))
    arrow = "->" if kind == "dot" else "-->"
    lines = "\n".join(f"n{tail}{arrow}n{head}" for tail, head in pairs)
    return f"digraph {{\n{lines}\n}}" if kind == "dot" else f"flowchart TD\n{lines}"


async def timed(drawer: DiagramRenderer, source: str, kind: DiagramKind) -> float:
    """Return the milliseconds of one drawing, refused or not."""
    started = time.perf_counter()
    try:
        await drawer.draw(source, kind)
    except errors.DiagramTooLarge as error:
        print(f"    refused: {error.message}")
    return (time.perf_counter() - started) * 1e3


async def first_ms(kind: DiagramKind, n_times: int) -> list[float]:
    """Return what the first picture takes, the start of the child with it."""
    times = []
    for number in range(n_times):
        drawer = DiagramRenderer()
        times.append(await timed(drawer, small(kind, number), kind))
        drawer.close()
    return times


async def hostile(drawer: DiagramRenderer) -> tuple[float, float]:
    """Return the time of a dense graph of 200 nodes, and the longest turn of the loop meanwhile."""
    nodes = " ".join(f"n{number}" for number in range(200))
    task = asyncio.create_task(timed(drawer, f"digraph {{ {{{nodes}}} -> {{{nodes}}} }}", "dot"))
    longest_ms, before = 0.0, time.perf_counter()
    while not task.done():
        await asyncio.sleep(0.005)
        now = time.perf_counter()
        longest_ms, before = max(longest_ms, (now - before) * 1e3), now
    return await task, longest_ms


async def measure(n_times: int) -> dict[str, float]:
    """Return medians by name, milliseconds."""
    figures: dict[str, float] = {}
    drawer = DiagramRenderer()
    for kind in KINDS:
        figures[f"{kind}, first picture of a new child"] = statistics.median(
            await first_ms(kind, max(3, n_times // 10))
        )
        await timed(drawer, small(kind, -1), kind)
        later = [await timed(drawer, small(kind, number), kind) for number in range(n_times)]
        figures[f"{kind}, later picture"] = statistics.median(later)
        graphs = [await timed(drawer, large(kind, seed=seed), kind) for seed in range(5)]
        figures[f"{kind}, 400 nodes and 500 edges"] = statistics.median(graphs)
    dense = [await timed(drawer, large("dot", seed=seed, n_nodes=120), "dot") for seed in range(3)]
    figures["dot, 120 nodes and 500 edges"] = statistics.median(dense)
    ended, longest = await hostile(drawer)
    figures["dot, 200 nodes all joined, until it is refused"] = ended
    figures["  longest turn of the event loop meanwhile"] = longest
    figures["mermaid, the next picture"] = await timed(drawer, small("mermaid", -2), "mermaid")
    drawer.close()
    return figures


def main() -> None:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50, help="pictures of each kind")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    figures = asyncio.run(measure(arguments.times))
    for name, value in figures.items():
        print(f"{name:52} {value:9.1f} ms")
    if arguments.json:
        about = {"machine": platform.platform(), "python": platform.python_version()}
        arguments.json.write_text(json.dumps({**about, "ms": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
