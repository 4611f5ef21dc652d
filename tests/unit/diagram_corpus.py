"""The corpus of diagram sources in ``tests/data/diagrams``, and what a source draws.

A file is a list of cases. ``=== type: fault`` begins one, the source follows, and behind it, for a
broken one, lines ``~ "OLD" ~~> "NEW"``: what has to be replaced, everywhere in it, to get what was
meant.
"""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mermaid_render import renderer

from jupyter_localllm.assistant.diagrams.drawing import dot, mermaid
from jupyter_localllm.assistant.diagrams.nouns import DiagramKind
from jupyter_localllm.assistant.diagrams.repair.repairs import Check
from jupyter_localllm.errors import DiagramInvalid

FOLDER = Path(__file__).parents[1] / "data" / "diagrams"

#: Reads a source with the parser alone and tells all that it found.
_PARSE = """(function (source) {
  return JSON.stringify(pele.parse(source), (_, v) =>
    v instanceof Map ? Object.fromEntries(v) : v instanceof Set ? [...v] : v);
})"""


@dataclass(frozen=True)
class Case:
    """One source of the corpus; ``meant`` is what a broken one should have been."""

    type: str
    fault: str
    source: str
    meant: str

    @property
    def kind(self) -> DiagramKind:
        return "dot" if self.type == "dot" else "mermaid"

    def __str__(self) -> str:
        return f"{self.type}: {self.fault}"


@dataclass
class Graph:
    """What a source draws, whatever it is called in it: texts of nodes, and edges between them."""

    nodes: Counter[str] = field(default_factory=Counter)
    edges: Counter[tuple[str, ...]] = field(default_factory=Counter)


def cases(name: str) -> list[Case]:
    """Read one file of the corpus."""
    return list(_read((FOLDER / f"{name}.txt").read_text(encoding="utf-8")))


def check_of(kind: DiagramKind) -> Check:
    """Return the real parser and layout of a language, in the form that repairs ask for."""

    def check(source: str) -> DiagramInvalid | None:
        try:
            (dot if kind == "dot" else mermaid).render(source, "neutral")
        except DiagramInvalid as error:
            return error
        return None

    return check


def graph_of(source: str, kind: DiagramKind) -> Graph:
    """Return what a valid source draws, as its parser sees it."""
    rendered = (dot if kind == "dot" else mermaid).render(source, "neutral")
    if kind == "mermaid" and rendered.diagram_type not in {"flowchart", "sequence", "state"}:
        return _graph_of_model(json.loads(_parsed(source)))
    edges = [tuple(_plain(text) for text in edge) for edge in rendered.edges]
    return Graph(Counter(_plain(text) for text in rendered.nodes), Counter(edges))


def _read(text: str) -> Iterator[Case]:
    for block in re.split(r"(?m)^=== ", text)[1:]:
        head, _, body = block.partition("\n")
        kind, _, fault = head.partition(": ")
        lines = body.rstrip("\n").split("\n")
        source = "\n".join(line for line in lines if not line.startswith('~ "'))
        meant = source
        for line in lines:
            if line.startswith('~ "'):
                old, new = (json.loads(part) for part in line[2:].split(" ~~> "))
                assert old in meant, f"{head}: {old!r} is not in the source"
                meant = meant.replace(old, new)
        yield Case(kind, fault, source, meant)


def _parsed(source: str) -> str:
    text: str = renderer._context().eval(f"{_PARSE}({json.dumps(source)})")
    return text


def _plain(text: str) -> str:
    """Return a text without the spelling of its signs: entities, quotes, white space."""
    text = re.sub(r"#(?=\w+;)", "&", text).replace("&colon;", ":")
    text = re.sub(r"&(?=\d+;)", "&#", text)
    text = html.unescape(html.unescape(text))
    return " ".join(re.sub(r"[\"'`]|<br\s*/?>", " ", text).split())


def _graph_of_model(model: dict[str, Any]) -> Graph:
    graph = Graph()
    for fact in {
        "class": _classes,
        "er": _entities,
        "pie": _slices,
        "mindmap": _branches,
        "gantt": _tasks,
        "timeline": _periods,
    }[model["type"]](model):
        texts = tuple(_plain(str(text)) for text in fact)
        if len(texts) == 1:
            graph.nodes[texts[0]] += 1
        else:
            graph.edges[texts] += 1
    return graph


def _classes(model: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    names = {key: item.get("label") or key for key, item in model["classes"].items()}
    for key, item in model["classes"].items():
        yield (names[key],)
        for member in [*item["members"], *item["methods"]]:
            yield names[key], "member", member["visibility"], member["id"]
        for text in item["annotations"]:
            yield names[key], "kind", text
    for item in model["relations"]:
        ends = (names.get(item["id1"]), names.get(item["id2"]))
        yield (*ends, json.dumps(item["relation"]), item.get("title") or "")
    for note in model["notes"].values():
        yield "note", note.get("text")


def _entities(model: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    names = {item["id"]: item["label"] for item in model["entities"].values()}
    for item in model["entities"].values():
        yield (item["label"],)
        for attribute in item["attributes"]:
            yield item["label"], attribute["type"], attribute["name"], sorted(attribute["keys"])
    for item in model["relationships"]:
        ends = (names[item["entityA"]], names[item["entityB"]])
        yield (*ends, item["roleA"], json.dumps(item["relSpec"]))


def _slices(model: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    yield "title", model.get("title")
    yield from model["sections"].items()


def _branches(model: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for node in model["nodes"]:
        yield (node["descr"],)
        for child in node["children"]:
            yield node["descr"], child["descr"]


def _tasks(model: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for task in model["tasks"]:
        yield (task["task"],)
        yield task["section"], task["task"], task["raw"].get("start"), task["raw"].get("end")


def _periods(model: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for period in model["periods"]:
        yield (period["text"],)
        for event in period["events"]:
            yield period["section"], period["text"], event
