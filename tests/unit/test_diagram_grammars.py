"""Every sentence of a diagram's grammar is a diagram, and so is every beginning of one, closed.

Sentences are written by chance from the grammar's own text; the parsers are the real ones.
"""

from __future__ import annotations

import re

import pytest

from jupyter_localllm.assistant.diagrams.drawing import dot, mermaid
from jupyter_localllm.assistant.diagrams.drawing.safe_source import safe_source
from jupyter_localllm.assistant.diagrams.grammar.closing import closed
from jupyter_localllm.assistant.diagrams.grammar.grammars import (
    DIAGRAM_TYPES,
    DIRECTIONS,
    diagram_grammar,
    diagram_instructions,
    diagram_type_of,
    example_turns,
)
from jupyter_localllm.engine.grammar import MAX_GRAMMAR_CHARS
from tests.gbnf import Grammar

N_SENTENCES = 300
#: Their every beginning is closed and drawn; of DOT, each takes a process.
N_CUT = {"mermaid": 5, "dot": 2}

_WORDS = (
    "note state class click style scale default href end direction fork join choice hide title "
    "section namespace as loop alt opt par participant actor box rect critical break else and "
    "activate autonumber link links create destroy callback subgraph graph flowchart acctitle "
    "accdescr axisformat dateformat excludes includes weekday weekend todaymarker tickinterval "
    "topaxis inclusiveenddates vert milestone done crit active after until erdiagram classdiagram "
    "timeline mindmap root icon gantt pie showdata statediagram cssclass classdef linkstyle call "
    "one many zero only to or optionally strict digraph node edge constructor o x u v"
)
#: Words that some lexer of these languages knows.
KEYWORDS = _WORDS.split()
#: Diagrams with a place for a name.
FORMS = {
    "flowchart": 'flowchart TD\n    A["{0}"] -->|"{0}"| B["{0}"]\n    B --> C{{"{0}"}}\n'
    '    C -->|"{0}"| D["x"]\n    C -->|"{0}"| E["y"]',
    "sequence": "sequenceDiagram\n    participant A as {0}\n    actor B as {0}\n    A->>B: {0}\n"
    "    opt {0}\n    A->>B: {0}\n    end\n    B-->>A: {0}",
    "class": 'classDiagram\n    class A["{0}"] {{\n        +int f\n    }}\n    class B["x"] {{\n'
    "        +int g\n    }}\n    A --> B : {0}",
    "state": 'stateDiagram-v2\n    state "{0}" as A\n    [*] --> A\n    state "x" as B\n'
    '    A --> B : {0}\n    state "y" as C\n    A --> C : z',
    "er": 'erDiagram\n    A["{0}"] {{\n        int f\n    }}\n    B["x"] {{\n        int g\n'
    '    }}\n    A ||--|| B : "{0}"',
    "mindmap": "mindmap\n  root(({0}))\n    {0}\n      {0}\n    A\n      B\n    C\n      D",
    "pie": 'pie title {0}\n    "{0}" : 1\n    "x" : 2',
    "gantt": "gantt\n    title {0}\n    dateFormat YYYY-MM-DD\n    section {0}\n"
    "    {0} :t1, 2026-01-01, 1d\n    {0} :t2, after t1, 1d\n    section {0}\n"
    "    {0} :t3, after t1, 2w",
    "timeline": "timeline\n    title {0}\n    {0} : {0}\n    1 : {0}\n    2 : {0} : {0}",
    "digraph": 'digraph {{\n    A [label="{0}"];\n    B [label="x"];\n    A -> B [label="{0}"];\n'
    '    C [label="{0}"];\n    B -> C;\n}}',
}

DIRECTED = [name for name, known in DIAGRAM_TYPES.items() if known.has_direction]


def assert_drawn(source: str, name: str) -> None:
    kind = DIAGRAM_TYPES[name].kind
    drawn = (dot if kind == "dot" else mermaid).render(source, "neutral")
    assert "<svg" in drawn.svg, source


@pytest.mark.parametrize("name", DIAGRAM_TYPES)
def test_every_sentence_is_drawn_as_it_is(name: str) -> None:
    grammar = Grammar(diagram_grammar(name))
    sentences = {grammar.sentence(seed) for seed in range(N_SENTENCES)}
    assert len(sentences) > 0.9 * N_SENTENCES
    for sentence in sentences:
        assert_drawn(sentence, name)
        safe = safe_source(sentence, DIAGRAM_TYPES[name].kind)
        assert (safe.source.strip(), safe.changes) == (sentence.strip(), ())


@pytest.mark.parametrize("name", FORMS)
def test_no_word_of_the_language_is_taken_for_a_name(name: str) -> None:
    grammar = Grammar(diagram_grammar(name))
    assert grammar.accepts(FORMS[name].format("Wheel"))
    for word in KEYWORDS:
        for text in (word, word.capitalize(), word.upper(), f"{word.capitalize()} it"):
            source = FORMS[name].format(text)
            if grammar.accepts(source):
                assert_drawn(source, name)


@pytest.mark.parametrize("name", DIAGRAM_TYPES)
def test_every_beginning_is_drawn_when_it_is_closed(name: str) -> None:
    grammar = Grammar(diagram_grammar(name, max_tokens=120))
    beginnings = [
        sentence[:end]
        for sentence in map(grammar.sentence, range(N_CUT[DIAGRAM_TYPES[name].kind]))
        for end in range(len(sentence) + 1)
    ]
    # Many beginnings of a line are closed to the same source.
    for source in {closed(beginning, name) for beginning in beginnings}:
        assert_drawn(source, name)


@pytest.mark.parametrize("name", DIAGRAM_TYPES)
def test_whole_lines_are_kept(name: str) -> None:
    grammar = Grammar(diagram_grammar(name, max_tokens=120))
    for seed in range(20):
        lines = grammar.sentence(seed).rstrip("\n").split("\n")
        for count in range(1, len(lines)):
            # The last line has just been begun.
            kept = closed("\n".join([*lines[:count], "    "]), name).split("\n")
            assert kept[:count] == lines[:count]


@pytest.mark.parametrize("name", DIAGRAM_TYPES)
def test_a_complete_diagram_stays_as_it_is(name: str) -> None:
    grammar = Grammar(diagram_grammar(name))
    for seed in range(50):
        sentence = grammar.sentence(seed).rstrip("\n") + "\n"
        assert closed(sentence, name) == sentence


@pytest.mark.parametrize(
    ("cut", "name", "said"),
    [
        ('flowchart TD\n    A["Brew the cof', "flowchart", 'A["Brew the cof…"]'),
        ('pie title P\n    "Cats" : 31\n    "Dogs" : 4', "pie", '"Cats" : 31'),
        ('digraph {\n    A [label="Su', "digraph", 'A [label="Su…"];\n}'),
        ("sequenceDiagram\n    participant A as X\n    loop again", "sequence", "end"),
        ('erDiagram\n    A["Order', "er", "}"),
        ("class", "class", 'class A["…"]'),
    ],
)
def test_what_was_cut_is_marked_or_left_out(cut: str, name: str, said: str) -> None:
    source = closed(cut, name)
    assert [line.strip() for line in source.splitlines()][-said.count("\n") - 1 :] == said.split(
        "\n"
    )
    assert_drawn(source, name)


def test_a_free_answer_is_closed_too() -> None:
    source = closed("flowchart LR\n  subgraph one\n  a1 --> a2\n  a2 -->|yes", "flowchart")
    assert source == "flowchart LR\n  subgraph one\n  a1 --> a2\n    end\n"
    assert_drawn(source, "flowchart")


@pytest.mark.parametrize("name", DIAGRAM_TYPES)
def test_nothing_leads_to_what_is_not_there(name: str) -> None:
    known = Grammar(diagram_grammar(name))
    for seed in range(100):
        bare = re.sub(r'"[^"\n]*"', '""', known.sentence(seed))
        declared: set[str] = set()
        for line in bare.split("\n"):
            stripped = re.sub(r"(: |loop |opt |alt |else ).*", "", line.strip())
            declared |= set(re.findall(r'\b([A-Z])(?:[\[({]+"| \[label)', stripped))
            declared |= set(re.findall(r"^(?:participant|actor|state \"\" as) ([A-Z])\b", stripped))
            if name in ("mindmap", "pie", "gantt", "timeline") or stripped[:1] in "+-#":
                continue
            pattern = r"^([A-Z]) .*?([A-Z])\b;?$|^([A-Z])--?>>([A-Z])$"
            if found := re.search(pattern, re.sub(r"\[.*|\|.*?\|", "", stripped)):
                assert {end for end in found.groups() if end} <= declared, line


@pytest.mark.parametrize("name", DIRECTED)
@pytest.mark.parametrize("way", [*DIRECTIONS, "tb"])
def test_a_direction_is_kept(name: str, way: str) -> None:
    sentence = Grammar(diagram_grammar(name, direction=way)).sentence(1)
    said = way.upper().replace("TB", "TD") if name == "flowchart" else way.upper()
    said = said if name == "flowchart" else said.replace("TD", "TB")
    assert re.search(rf"(flowchart |direction |rankdir=){said}\b", sentence)
    assert_drawn(sentence, name)


@pytest.mark.parametrize("name", DIAGRAM_TYPES)
def test_the_examples_a_model_is_shown_are_diagrams_that_it_may_write(name: str) -> None:
    turns = example_turns(name)
    assert [turn.role for turn in turns] == ["user", "assistant"] * 2
    text = diagram_instructions(name)
    assert text.startswith(f"{turns[0].text}:\n{turns[1].text}")
    assert text.endswith(f"{turns[2].text}:\n{turns[3].text}")
    grammar = Grammar(diagram_grammar(name))
    for turn in turns[1::2]:
        assert grammar.accepts(turn.text)
        assert_drawn(turn.text, name)


@pytest.mark.parametrize("name", DIAGRAM_TYPES)
def test_fewer_tokens_make_a_smaller_diagram(name: str) -> None:
    longest = []
    for tokens in (100, 1000):
        grammar = Grammar(diagram_grammar(name, max_tokens=tokens))
        longest.append(max(grammar.sentence(seed).count("\n") for seed in range(100)))
    assert longest[0] < longest[1]


@pytest.mark.parametrize("name", DIAGRAM_TYPES)
@pytest.mark.parametrize("tokens", [1, 50, 90, 110, 130, 150, 200, 300, 400, 500])
def test_a_grammar_of_any_size_is_whole(name: str, tokens: int) -> None:
    assert_drawn(Grammar(diagram_grammar(name, max_tokens=tokens)).sentence(tokens), name)


@pytest.mark.parametrize("name", DIAGRAM_TYPES)
def test_an_engine_takes_a_grammar_of_that_length(name: str) -> None:
    assert len(diagram_grammar(name)) < MAX_GRAMMAR_CHARS


def test_other_spellings_are_known() -> None:
    assert diagram_type_of(" Dot ").name == "digraph"
    assert diagram_type_of("erDiagram").name == "er"
    spellings = [n for known in DIAGRAM_TYPES.values() for n in (known.name, *known.other_names)]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize(
    ("name", "direction", "said"),
    [
        ("poem", None, "no diagram type 'poem'"),
        ("flowchart", "up", "no direction 'up'"),
        ("pie", "LR", "type pie has no direction"),
    ],
)
def test_what_cannot_be_drawn_is_refused(name: str, direction: str | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        diagram_grammar(name, direction=direction)
