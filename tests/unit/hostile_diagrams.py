"""Diagrams that try to reach something, or to take the machine: by name, kind and source.

Used by the tests of the drawing core; each is one idea. ``{file}`` stands for a file that exists
and ``{url}`` for an address; both are put in by :func:`filled`.
"""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

URL = "http://127.0.0.1:9/evil"
PAYLOAD = '"/><script>alert(1)</script><image href="{url}"/>'

_DATA = json.loads(
    Path(__file__).parents[1].joinpath("data/diagrams/hostile.json").read_text(encoding="utf-8")
)
MERMAID: dict[str, str] = _DATA["mermaid"]
DOT: dict[str, str] = _DATA["dot"]
#: Attributes of strings in Graphviz's own list.
STRING_ATTRIBUTES: list[str] = _DATA["string_attributes"]


def filled(source: str, file: str) -> str:
    """Put an address and a file that exists into a source."""
    payload = PAYLOAD.replace('"', '\\"')
    text = source.replace("{payload}", payload)
    return text.replace("{url}", URL).replace("{file}", file)


def attribute_sources() -> dict[str, str]:
    """Every attribute of a string with a text that breaks out of XML attributes."""
    return {
        f"attribute {name}": f'digraph {{ {name}="{{payload}}"; a [{name}="{{payload}}"]; '
        f'a -> b [{name}="{{payload}}"] }}'
        for name in STRING_ATTRIBUTES
    }


def dense(n_nodes: int, *, kind: str = "dot", n_edges: int = 10**9) -> str:
    """A graph in which (nearly) every node leads to every other."""
    pairs = list(itertools.combinations(range(n_nodes), 2))
    random.Random(n_nodes).shuffle(pairs)
    edges = pairs[:n_edges]
    if kind == "dot":
        return "digraph {" + ";".join(f"{a}->{b}" for a, b in edges) + "}"
    return "flowchart TD\n" + "\n".join(f"n{a}-->n{b}" for a, b in edges)


def heavy_sources() -> dict[str, tuple[str, str]]:
    """Sources that ask for more time, memory or room than a diagram may have."""
    many = " ".join(f"n{number}" for number in range(200))
    rows = "<TR><TD>x</TD></TR>" * 3000
    tables = "<TABLE><TR><TD>" * 900 + "x" + "</TD></TR></TABLE>" * 900
    groups = "".join(f"subgraph s{number}\n" for number in range(1500)) + "a\n" + "end\n" * 1500
    deep = "".join(" " * number + f"n{number}\n" for number in range(1, 300))
    gantt = "dateFormat YYYY-MM-DD\ntickInterval 1day\nsection S\nT :a, 0001-01-01, 9999999d"
    graphs = {
        "dense 100": dense(100),
        "dense 200": f"digraph {{ {{{many}}} -> {{{many}}} }}",
        "dense 400": dense(400),
        "dense 200 in 1,900 edges": dense(200, n_edges=1900),
        "nested clusters": "digraph {" + "subgraph cluster {" * 3000 + "a" + "}" * 3001,
        "a label of 2 MB": f'digraph {{ a [label="{"x" * 2_000_000}"] }}',
        "a label of 60 KB": f'digraph {{ a [label="{"x" * 60_000}"] }}',
        "huge size": 'digraph { size="1e9,1e9!"; dpi=999999999; a -> b }',
        "huge nodes": "digraph { node [width=99999, height=100000, fontsize=99999]; a -> b }",
        "huge distance": "digraph { ranksep=99999; nodesep=99999; a -> b }",
        "many shapes in one": "digraph { a [peripheries=99999999, sides=99999999] }",
        "html table": f"digraph {{ a [label=<<TABLE>{rows}</TABLE>>] }}",
        "html in html": f"digraph {{ a [label=<{tables}>] }}",
        "open brackets of HTML": "digraph { a [label=<" + "<" * 60_000 + "] }",
        "open quotes of strings": "digraph {" + '"a' * 30_001 + "}",
        "backslashes": 'digraph { a [label="' + "\\" * 60_001 + '"] }',
    }
    diagrams = {
        "dense mermaid": dense(200, kind="mermaid", n_edges=3000),
        "nested subgraphs": f"flowchart TD\n{groups}",
        "a label of 40 KB": f'flowchart TD\nA["{"x" * 40_000}"]',
        "gantt of centuries": f"gantt\n{gantt}",
        "packet of bits": 'packet-beta\n0-99999999: "x"',
        "block columns": "block-beta\ncolumns 99999999\na b c",
        "sequence of calls": "sequenceDiagram\n" + "A->>B: x\n" * 5000,
        "mindmap deep": f"mindmap\n{deep}",
        "open brackets": "flowchart TD\nA" + "[" * 40_000,
        "open quotes": "flowchart TD\n" + 'A["' * 15_000,
        "spaces": "flowchart TD\nA" + " " * 45_000 + "B",
        "arrows": "flowchart TD\nA" + "-" * 45_000 + ">B",
        "directives": "%%{" * 15_000 + "\nflowchart TD\nA-->B",
        "tags": "flowchart TD\nA[" + "<b " * 15_000 + "]",
    }
    return {
        **{name: ("dot", source) for name, source in graphs.items()},
        **{name: ("mermaid", source) for name, source in diagrams.items()},
    }
