"""Diagrams in answers: where they are, what is left as text, and which language a text is in."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from jupyter_localllm.assistant.diagrams.extract import (
    find_diagram,
    kind_of,
    shown_as_text,
    split_answer,
)

from .diagram_corpus import cases

MARKED = (
    Path(__file__).parents[2] / "labextension" / "node_modules" / "marked" / "lib" / "marked.esm.js"
)
FLOW = "flowchart TD\n    A --> B"


def _pieces(answer: str) -> list[tuple[str, str, bool]]:
    pieces = split_answer(answer)
    assert "".join(piece.raw for piece in pieces) == answer
    return [(piece.kind, piece.text, piece.is_closed) for piece in pieces]


def test_text_picture_text() -> None:
    answer = (
        f"First:\n\n```mermaid\n{FLOW}\n```\n\nThen:\n\n~~~dot\ndigraph {{ a -> b }}\n~~~\nEnd.\n"
    )
    assert _pieces(answer) == [
        ("text", "First:\n\n", True),
        ("mermaid", FLOW, True),
        ("text", "\nThen:\n\n", True),
        ("dot", "digraph { a -> b }", True),
        ("text", "End.\n", True),
    ]


@pytest.mark.parametrize(
    ("fence", "kind"),
    [
        ("```mermaid", "mermaid"),
        ("```Mermaid", "mermaid"),
        ("``` mermaid", "mermaid"),
        ("````mermaid", "mermaid"),
        ("~~~mermaid", "mermaid"),
        ('```mermaid title="x"', "mermaid"),
        ("```{.mermaid}", "mermaid"),
        ("   ```mermaid", "mermaid"),
        ("```dot", "dot"),
        ("```graphviz", "dot"),
        ("```gv", "dot"),
    ],
)
def test_names_of_fences(fence: str, kind: str) -> None:
    marks = re.findall(r"`+|~+", fence)[0]
    source = FLOW if kind == "mermaid" else "graph { a -- b }"
    [(found, text, is_closed)] = _pieces(f"{fence}\n{source}\n{marks}\n")
    assert (found, is_closed) == (kind, True)
    assert text.split() == source.split()


def test_fence_in_a_list_loses_its_indentation() -> None:
    answer = (
        f"1. Look:\n\n   ```mermaid\n   {FLOW.replace(chr(10), chr(10) + '   ')}\n   ```\n2. More\n"
    )
    assert [piece[:2] for piece in _pieces(answer)][1] == ("mermaid", FLOW)


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        (f"```\n{FLOW}\n```", "mermaid"),
        ("```text\nsequenceDiagram\nA->>B: hi\n```", "mermaid"),
        ("```\n%% first\npie title X\n```", "mermaid"),
        ("```flowchart TD\nA --> B\n```", "mermaid"),
        ("```\nstrict digraph G {\n a -> b\n}\n```", "dot"),
        ("```\ngraph { a -- b }\n```", "dot"),
        ("```python\ngraph = {}\n```", "text"),
        ("```\nA --> B\n```", "text"),
        ("```\ngraph theory is about nodes and edges\n```", "text"),
        ("```\ntimeline of events:\n```", "text"),
        ("```markdown\n    ```mermaid\n```", "text"),
    ],
)
def test_fences_without_the_name(block: str, kind: str) -> None:
    assert [piece[0] for piece in _pieces(block)] == [kind]


def test_dot_in_a_mermaid_fence() -> None:
    assert _pieces("```mermaid\ndigraph { a -> b }\n```")[0][0] == "dot"
    assert _pieces("```dot\nflowchart TD\nA --> B\n```")[0][0] == "mermaid"
    assert _pieces("```dot\na --> b\n```")[0][0] == "dot"


def test_header_behind_the_fence_is_kept() -> None:
    assert _pieces("```flowchart TD\nA --> B\n```")[0][1] == "flowchart TD\nA --> B"


def test_fence_in_a_longer_fence_is_text() -> None:
    answer = f"````markdown\n```mermaid\n{FLOW}\n```\n````\n"
    [(kind, text, _)] = _pieces(answer)
    assert kind == "text"
    assert "```text mermaid\n" in text


def test_fence_that_is_still_written() -> None:
    answer = f"Look:\n```mermaid\n{FLOW}"
    assert _pieces(answer)[1] == ("mermaid", FLOW, False)
    assert "```mermaid\n" not in shown_as_text(answer)
    for end in range(len(answer)):
        pieces = split_answer(answer[:end])
        assert "".join(piece.raw for piece in pieces) == answer[:end]
        assert all(not piece.is_closed for piece in pieces if piece.kind != "text")


_FRAGMENTS = (
    *("```mermaid\n", "```\n", "~~~mermaid\n", "~~~\n", "````\n", "   ```mermaid\n"),
    *("    ```mermaid\n", "> ```mermaid\n", "- ```mermaid\n", "1. ```mermaid\n", "  ```\n"),
    *("\t```mermaid\n", "> ```\n", "graph TD\n", "A-->B\n", "\n", "text\n", "- item\n"),
    *("> quote\n", "<div>\n", "</div>\n", "<!--\n", "-->\n", "`````mermaid\n", "```mermaid"),
    *("``` mermaid \n", "***\n", "`a` ```mermaid\n", "[x]: <y\n", "| a | b |\n"),
    *("- [ ] ```mermaid\n", "* [x] ~~~mermaid\n", "```&#109;ermaid\n", ": ```mermaid\n"),
    *('```mermaid title="x"\n', "```mermaidjs\n", "```m\\ermaid\n"),
    *("|---|---|\n", "# head\n", "```python\n", "\\```mermaid\n"),
)


def _random_answers(n: int) -> list[str]:
    random_ = random.Random(5)
    return ["".join(random_.choices(_FRAGMENTS, k=random_.randint(1, 9))) for _ in range(n)]


def _shown(answer: str) -> list[str]:
    """What of an answer may be shown as Markdown: its prose, and its diagrams as text."""
    return [
        piece.text if piece.kind == "text" else shown_as_text(piece.raw)
        for piece in split_answer(answer)
    ]


def test_no_text_has_a_fence_that_nbconvert_lays_out() -> None:
    answers = _random_answers(300)
    assert sum("jp-Mermaid" in markdown2html_mistune(answer) for answer in answers) > 50
    texts = [text for answer in answers for text in _shown(answer)]
    assert [text for text in texts if "jp-Mermaid" in markdown2html_mistune(text)] == []


@pytest.mark.skipif(
    shutil.which("node") is None or not MARKED.exists(),
    reason="no Node.js, or the front end's packages are not installed",
)
def test_no_text_has_a_fence_that_lab_lays_out() -> None:
    """Lab's Markdown parser finds no Mermaid fence in what is left as text, whatever it is."""
    answers = _random_answers(3000)
    texts = [text for answer in answers for text in _shown(answer)]
    program = f"""
    import {{ marked }} from {json.dumps(MARKED.as_uri())};
    const texts = JSON.parse(await new Response(process.stdin).text());
    const count = text => {{
      let found = 0;
      marked.walkTokens(marked.lexer(text), token => {{
        if (token.type === "code" && token.lang === "mermaid") found += 1;
      }});
      return found;
    }};
    console.log(JSON.stringify(texts.map(list => list.map(count))));
    """
    done = subprocess.run(
        ["node", "--input-type=module", "-e", program],
        input=json.dumps([answers, texts]),
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    raw, shown = json.loads(done.stdout)
    assert sum(raw) > 500
    assert [text for text, n in zip(texts, shown, strict=True) if n] == []


@pytest.mark.parametrize(
    "answer",
    [
        FLOW,
        f"Sure! Here it is:\n\n{FLOW}\n\nIt shows how A leads to B.",
        f"Sure!\n```mermaid\n{FLOW}\n```\nThat is all.",
        f"Sure!\n```\n{FLOW}\n```",
        f"```mermaid\n{FLOW}",
        f"{FLOW}\n```",
        f"```python\nprint()\n```\n```mermaid\n{FLOW}\n```",
    ],
)
def test_the_one_diagram_of_an_answer(answer: str) -> None:
    assert find_diagram(answer, "mermaid") == FLOW


def test_the_one_graph_of_an_answer() -> None:
    graph = 'digraph G {\n  a -> b [label="}"];\n}'
    assert find_diagram(f"Here:\n{graph}\nIt has two nodes.", "dot") == graph
    assert find_diagram(f"```mermaid\n{FLOW}\n```\n```dot\n{graph}\n```", "dot") == graph
    assert find_diagram("I cannot draw that.", "dot") == "I cannot draw that."


@pytest.mark.parametrize("name", ["valid", "broken", "broken_held_out"])
def test_languages_of_the_corpus(name: str) -> None:
    wrong = [str(case) for case in cases(name) if kind_of(case.meant) != case.kind]
    assert not wrong


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("graph LR { A --> B }", "mermaid"),
        ("graph { A -- B }", "dot"),
        ("graph TD\nA{x} --> B", "mermaid"),
        ("digraph G\n{ a -> b }", "dot"),
        ("// note\ndigraph { a -> b }", "dot"),
        ("A --> B", "mermaid"),
        ("a -> b;\nb -> c;", "dot"),
        ("a [label=x]", "dot"),
        ("Just a sentence.", None),
        ("", None),
    ],
)
def test_kind_of(source: str, kind: str | None) -> None:
    assert kind_of(source) == kind
