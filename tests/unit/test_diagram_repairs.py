"""Each rule of the repairs mends something that the others do not, and none loses a part."""

from __future__ import annotations

import pytest

from jupyter_localllm.assistant.diagrams.nouns import DiagramKind
from jupyter_localllm.assistant.diagrams.repair.dot_repairs import DOT_RULES
from jupyter_localllm.assistant.diagrams.repair.repairs import (
    MAX_CHARACTERS,
    MAX_CHECKS,
    Fault,
    Repaired,
    Rule,
    lost_words,
    repair,
    rules_of,
)
from jupyter_localllm.errors import DiagramInvalid

from .diagram_corpus import cases, check_of, graph_of

#: Of each rule a source that needs it.
SAMPLES: list[tuple[DiagramKind, str, str]] = [
    ("mermaid", "fences", "```mermaid\nflowchart TD\n    A --> B\n```"),
    ("mermaid", "odd spaces", "flowchart TD\nA\u200b[Text] --> B"),
    ("mermaid", "text before", "My picture\nflowchart TD\nA-->B"),
    ("mermaid", "header", 'pie title X {\n"a" : 5\n}'),
    ("mermaid", "missing header", "participant A\nparticipant B\nA->>B: hi"),
    ("mermaid", "second header", "graph TD\n    A --> B\ngraph TD\n    B --> C"),
    ("mermaid", "comments", "sequenceDiagram\nA->>B: x\n// c"),
    ("mermaid", "sentences", 'pie title X\n"a" : 5\n\nThis is it.'),
    ("mermaid", "bullets", "flowchart TD\n- A[Sleep] --> B[Wake]\n- B --> C[Eat]"),
    ("mermaid", "curly quotes", "classDiagram\nA “1” --> “*” B"),
    ("mermaid", "ends of blocks", "sequenceDiagram\nloop x\nA->>B: x"),
    ("mermaid", "flow left arrows", "flowchart LR\n    A[Leaf] <-- B[Branch]"),
    ("mermaid", "flow arrows", "flowchart LR\n    A <-> B"),
    ("mermaid", "flow edge labels", 'flowchart LR\n    A -->|say "hi"| B'),
    ("mermaid", "flow edge text", 'flowchart LR\n    A -->"sends" B\n    B -->"replies" A'),
    ("mermaid", "flow colon labels", "flowchart TD\n    A --> B: first\n    B --> C: second"),
    ("mermaid", "flow quotes", "A[main()] --> B[load()]\nB --> C[save()]"),
    (
        "mermaid",
        "flow brackets",
        "flowchart TD\n    A[Boil water) --> B(Add tea]\n    B --> C{Ready?]",
    ),
    (
        "mermaid",
        "flow unnamed nodes",
        "flowchart TD\n    [Start] --> [Load]\n    [Load] --> (Stop)",
    ),
    ("mermaid", "flow lists", "flowchart TD\n    Root --> Left, Right"),
    ("mermaid", "flow reserved words", "flowchart TD\nA-->B\nclassDef"),
    ("mermaid", "flow spaces in names", "flowchart TD\n    🚀 --> Moon"),
    (
        "mermaid",
        "flow subgraph titles",
        "flowchart TD\n    subgraph s1[Stage one (raw)]\n        A --> B\n    end",
    ),
    ("mermaid", "flow loose ends", "flowchart LR\n    A --> B\n    B -->"),
    ("mermaid", "line at fault", "flowchart TD\nA-->B\nstyle A"),
    ("mermaid", "sequence blocks", "sequenceDiagram\nif a\nA->>B: x\nelse b\nA->>B: y\nend"),
    ("mermaid", "sequence participants", "sequenceDiagram\nparticipant W: Web Server\nA->>W: x"),
    ("mermaid", "sequence arrows", "sequenceDiagram\nA->>>B: x"),
    ("mermaid", "sequence brackets", "sequenceDiagram\nA->>(B): x"),
    ("mermaid", "sequence receivers", "sequenceDiagram\nA->>B,C: x"),
    ("mermaid", "sequence colons", "sequenceDiagram\nA->>B hi"),
    ("mermaid", "sequence notes", "sequenceDiagram\nNote over A x\nA->>B: x"),
    ("mermaid", "sequence semicolons", "sequenceDiagram\nA->>B: a; b"),
    ("mermaid", "sequence reserved words", "sequenceDiagram\nA->>end: x"),
    ("mermaid", "sequence activations", "sequenceDiagram\nA->>B: x\ndeactivate B"),
    ("mermaid", "semicolons", "classDiagram\nA --> B : has;"),
    ("mermaid", "class generics", "classDiagram\nclass A<T> {\n+T x\n}"),
    ("mermaid", "class heads", "classDiagram\nclass A(B) {\n+x\n}"),
    ("mermaid", "class blocks", "classDiagram\nclass A:\n+x"),
    ("mermaid", "class members", "classDiagram\nclass A {\n+x: int = 5\n+y: {a: b}\n}"),
    ("mermaid", "class lists", "classDiagram\nclass A, B"),
    ("mermaid", "class relations", "classDiagram\nA -> B"),
    ("mermaid", "class notes", "classDiagram\nnote for A: x\nA --> B"),
    ("mermaid", "braces of blocks", "stateDiagram-v2\nstate A {\nx --> y"),
    ("mermaid", "state arrows", "stateDiagram-v2\n[*] -> A"),
    ("mermaid", "state chains", "stateDiagram-v2\nA --> B --> C"),
    ("mermaid", "state aliases", 'stateDiagram-v2\nstate I as "Idle State"\nI --> B'),
    ("mermaid", "state names", 'stateDiagram-v2\n"Idle State" --> B'),
    ("mermaid", "state notes", "stateDiagram-v2\nnote over A: x\nA --> B"),
    ("mermaid", "er relations", "erDiagram\nA ||--o{ B"),
    ("mermaid", "er attributes", "erDiagram\nA {\nid: int\n}"),
    ("mermaid", "pie title", 'pie\nshowData\n"a" : 5'),
    ("mermaid", "pie slices", 'pie title X\n"a" : 1%'),
    ("mermaid", "gantt settings", "gantt\ndate format YYYY-MM-DD\nA :a1, 2024-01-01, 3d"),
    ("mermaid", "gantt tasks", "gantt\ntitle X\nsection S\nA 2024-01-01, 3d"),
    ("mermaid", "gantt dates", "gantt\ntitle X\nA :a1, 2024-01-01, 2024-01-05, 3d"),
    ("mermaid", "gantt date format", "gantt\ndateFormat YYYY-MM-DD\nA :a1, 25/12/2024, 3d"),
    ("mermaid", "mindmap tree", "mindmap\n# X\n## A\n## B"),
    ("mermaid", "mindmap quotes", "mindmap\n  root((x (y)))\n    A"),
    ("mermaid", "mindmap root", "mindmap\nroot\nA"),
    ("mermaid", "timeline periods", "timeline\ntitle X\nsection S: T\n2020 : a"),
    ("mermaid", "timeline events", "timeline\ntitle X\n : a"),
    ("dot", "fences", "digraph {\n```\na -> b\n```\n}"),
    ("dot", "odd spaces", "\ufeffdigraph { a -> b }"),
    ("dot", "curly quotes", "digraph {\na [label=“two words”];\na -> b\n}"),
    ("dot", "dot quotes", 'digraph {\n a [label="say "hi" now"];\n a -> b\n}'),
    ("dot", "dot comments", "digraph {\n%% comment\na -> b;\n}"),
    ("dot", "dot html", "digraph {\na [label=<<b>x</b> & y>];\n}"),
    ("dot", "dot header", "a -> b;\nb -> c;"),
    ("dot", "dot prose", "Here is the graph:\ndigraph G { a -> b }"),
    ("dot", "dot blocks", "digraph {\n subgraph X\n a -> b\n end\n}"),
    ("dot", "dot arrows", "graph G { a -> b; }"),
    ("dot", "dot names", 'digraph { a -> b ["label": "x", "color": "red"]; }'),
    ("dot", "dot brackets", 'digraph { a -> b [label="x"; }'),
    ("dot", "dot attributes", "digraph { a -> b [label=two words]; }"),
    ("dot", "dot edge labels", 'digraph {\nA["Label"] -> B{Is it?};\nB -->|yes| C\n}'),
    ("dot", "dot labels", "digraph {\nA[Label] --> B[Other];\n}"),
    ("dot", "dot subgraphs", "digraph {\n subgraph cluster-1 { a b }\n}"),
    ("dot", "dot ids", "digraph { my-node -> b.c; }"),
    ("dot", "dot braces", "digraph G { a -> b"),
]
#: The first lines by which the types' rules are asked for.
HEADERS = (
    *("flowchart TD", "sequenceDiagram", "classDiagram", "stateDiagram-v2", "erDiagram"),
    *("pie", "gantt", "mindmap", "timeline"),
)


def _repair(source: str, kind: DiagramKind = "mermaid") -> Repaired | None:
    return repair(source, kind, check_of(kind))


def test_every_rule_has_a_sample() -> None:
    mermaid = {rule.name for header in HEADERS for rule in rules_of(header, "mermaid")}
    assert mermaid == {name for kind, name, _ in SAMPLES if kind == "mermaid"}
    assert {rule.name for rule in DOT_RULES} == {name for kind, name, _ in SAMPLES if kind == "dot"}


@pytest.mark.parametrize(
    ("kind", "name", "source"), SAMPLES, ids=[f"{kind} {name}" for kind, name, _ in SAMPLES]
)
def test_each_rule_is_needed(kind: DiagramKind, name: str, source: str) -> None:
    check = check_of(kind)
    assert check(source) is not None
    repaired = repair(source, kind, check)
    assert repaired is not None
    assert check(repaired.source) is None
    assert repaired.changes
    rules = rules_of(source, kind)
    others = [rule for rule in rules if rule.name != name]
    assert len(others) == len(rules) - 1
    without = repair(source, kind, check, rules=others)
    assert without is None or graph_of(without.source, kind) != graph_of(repaired.source, kind)


def test_valid_source_is_left_alone() -> None:
    source = "flowchart TD\n    %% odd // but valid\n    A[x; y] -- a (b) --> end1"
    assert _repair(source) == Repaired(source, ())


def test_only_what_is_needed_is_changed() -> None:
    source = "flowchart TD\n  A[f(x)] --> B[plain text];\n  %% kept\n  B --> C[“curly”]"
    repaired = _repair(source)
    assert repaired is not None
    assert repaired.source == source.replace("[f(x)]", '["f(x)"]')
    assert repaired.changes == ("Labels with brackets or quotes were quoted.",)


def test_what_is_left_out_is_said() -> None:
    source = "Here you are:\nflowchart TD\nA --> B\nNow B has an arrow too.\nB --> C"
    repaired = _repair(source)
    assert repaired is not None
    assert repaired.source == "flowchart TD\nA --> B\nB --> C"
    said = " ".join(repaired.changes)
    assert "Here you are:" in said
    assert "Now B has an arrow too." in said


def test_repair_that_loses_an_edge_is_none() -> None:
    def drop(source: str, fault: Fault) -> str:
        lines = source.split("\n")
        return "\n".join(line for line in lines if "broken(" not in line)

    source = "flowchart TD\nA --> B\nB --> C[broken(x)]"
    losing = [Rule("loses", "Lines were left out.", drop)]
    assert repair(source, "mermaid", check_of("mermaid"), rules=losing) is None
    assert lost_words(source, drop(source, Fault(3, 1, ""))) == {"C", "broken"}


def test_prose_is_no_diagram() -> None:
    for text in ("I cannot draw this.", "hello", "", "one two three\nfour five", "```\n```"):
        assert _repair(text) is None
        assert _repair(text, "dot") is None


def test_labels_swallow_no_nodes() -> None:
    repaired = _repair('flowchart TD\nA["Open --> B["Read"]\nB --> C(Close it]')
    assert repaired is not None
    graph = graph_of(repaired.source, "mermaid")
    assert set(graph.nodes) == {"Open", "Read", "Close it"}
    assert set(graph.edges) == {("Open", "Read", ""), ("Read", "Close it", "")}


def test_the_parser_is_asked_a_bounded_number_of_times() -> None:
    asked: list[str] = []

    def refuse(source: str) -> DiagramInvalid:
        asked.append(source)
        return DiagramInvalid("no", details={"line": 1, "column": 1, "reason": "no"})

    endless = [
        Rule(str(n), "More was written.", lambda source, _: source + "x") for n in range(300)
    ]
    assert repair("flowchart TD", "mermaid", refuse, rules=endless) is None
    assert len(asked) == MAX_CHECKS
    del asked[:]
    assert repair("x" * (MAX_CHARACTERS + 1), "mermaid", refuse) is None
    assert not asked


@pytest.mark.parametrize("name", ["valid", "broken"])
def test_rules_do_no_harm_beside_a_fault(name: str) -> None:
    """A source that is right, with one fault added, is drawn as it was."""
    wrong = []
    for case in cases(name):
        fault = "\n\nThis is the whole diagram."
        meant = case.meant
        source = meant + fault if case.kind == "mermaid" else meant.rstrip().rstrip("}")
        if check_of(case.kind)(source) is None:
            continue
        repaired = _repair(source, case.kind)
        expected = graph_of(meant, case.kind)
        if repaired is None or graph_of(repaired.source, case.kind) != expected:
            wrong.append(f"{source}\n=> {repaired and repaired.source}")
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize(
    "text", ["\ue0005\ue001 -> b", "digraph { a -> \ue000\ue001", "{" * 500, '"' * 501]
)
def test_odd_text_is_no_crash(text: str) -> None:
    for kind in ("mermaid", "dot"):
        source = f"{text}\n"
        repaired = repair(source, kind, check_of(kind))
        assert repaired is None or check_of(kind)(repaired.source) is None
