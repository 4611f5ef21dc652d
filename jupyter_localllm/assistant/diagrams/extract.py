"""Where the diagrams are in a model's answer, and which language a text is in.

``split_answer`` cuts an answer into prose and diagrams, so that magics and chat show each diagram
as a picture where it stands. ``find_diagram`` takes the one source out of an answer that should
be nothing but a diagram. ``kind_of`` tells Mermaid from DOT. Pure; imports nothing heavy.

What is a fence is told by :mod:`..code_blocks`, by CommonMark's rules. Front ends differ from them
here and there, so what is shown as text has no line left that any of them could take for the
start of a Mermaid fence: JupyterLab lays those out in the live page.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Literal

from ..code_blocks import CodeBlock, language_of, split
from .nouns import DiagramKind

#: Names of the two languages behind a fence.
LANGUAGES: dict[str, DiagramKind] = {
    "mermaid": "mermaid",
    "mermaidjs": "mermaid",
    "mmd": "mermaid",
    "dot": "dot",
    "graphviz": "dot",
    "gv": "dot",
}

#: First words of Mermaid diagrams, in small letters, as Mermaid spells them.
HEADERS = {
    name.lower(): name
    for name in (
        *("graph", "flowchart", "flowchart-elk", "sequenceDiagram", "classDiagram"),
        *("classDiagram-v2", "stateDiagram", "stateDiagram-v2", "erDiagram", "mindmap", "pie"),
        *("gantt", "timeline", "journey", "gitGraph", "quadrantChart", "requirementDiagram"),
        *("C4Context", "C4Container", "C4Component", "C4Dynamic", "C4Deployment", "sankey-beta"),
        *("xychart-beta", "block-beta", "packet-beta", "kanban", "architecture-beta"),
        *("radar-beta", "treemap-beta", "sankey", "xychart", "block", "packet", "radar"),
    )
}
#: Headers that are also everyday words: the rest of their line must look like a header, too.
_WORDS = {
    "graph": r"(?:\w+|>|<|\^)?\s*[;:{]?",
    "flowchart": r"(?:[\w-]+|>|<|\^)?\s*[;:{]?",
    "pie": r"(?:showData)?\s*(?:title\b.*)?",
    "block": "",
    "packet": "",
    "radar": "",
    "sankey": "",
    "kanban": "",
    "xychart": r"(?:horizontal|vertical)?",
    "timeline": r"(?:LR|TD)?",
    "journey": "",
    "mindmap": "",
    "gantt": "",
}

#: Info strings that say nothing about what is between the fences.
_UNTAGGED = frozenset({"", "text", "txt", "plain", "plaintext", "diagram", "code"})
_DOT_START = re.compile(
    r"(?:strict\s+)?(?P<word>digraph|graph)\b\s*(?P<name>\"[^\"\n]*\"|[^\s{\"]*)\s*\{",
    re.IGNORECASE,
)
_DOT_LINE = re.compile(
    r"^[ \t]*(?P<graph>(?:strict[ \t]+)?(?:digraph|graph)\b[ \t]*"
    r"(?:\"[^\"\n]*\"|[^\s{\"]*)[ \t]*\n?[ \t]*\{)",
    re.IGNORECASE | re.MULTILINE,
)
_DIRECTION = re.compile(r"TB|TD|BT|RL|LR", re.IGNORECASE)
#: Lines that may stand before a header: comments, directives, blank lines, front matter.
_BEFORE = re.compile(
    r"(?:\s+|%%[^\n]*(?:\n|\Z)|//[^\n]*(?:\n|\Z)|/\*.*?\*/|#[^\n]*(?:\n|\Z)"
    r"|---[ \t]*\n.*?\n---[ \t]*(?:\n|\Z))+",
    re.DOTALL,
)
_MERMAID_ARROW = re.compile(r"-->|==>|-\.->|--?>>|---|\|\||<\|--|--\*|--o|\*--|o--")
_DOT_ARROW = re.compile(r"(?<![-=.<])->(?!>)|(?<![-<|*o.])--(?![->|*o.])")
_DOT_ATTRIBUTES = re.compile(r"\[\s*\w+\s*=")
#: A line in which some front end may see the start of a fence, behind lists, quotes, check boxes.
_FENCE_LIKE = re.compile(
    r"^(?P<fence>(?:[^\w\n`~]|\d|[xX](?=\]))*(?:`{3,}|~{3,})[ \t]*)(?P<info>[^\s`~][^\n]*)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer.

    Attributes
    ----------
    kind : str
        ``"text"``, or the language of the diagram.
    text : str
        Of a diagram its source, without fences and without the indentation of the list that it
        stands in. Of prose what may be shown as Markdown: no Mermaid fence is left in it.
    raw : str
        The part as it stands; the parts join to the answer.
    is_closed : bool
        ``False`` for a diagram whose fence has not ended: more of it may come.
    """

    kind: Literal["text", "mermaid", "dot"]
    text: str
    is_closed: bool
    raw: str


def split_answer(text: str) -> list[Piece]:
    """Cut an answer into prose and fenced diagrams.

    Parameters
    ----------
    text : str
        The answer; it may stop anywhere.

    Returns
    -------
    list of Piece
        In order; the ``raw`` texts join to ``text``. Two parts of prose never follow each other.
    """
    pieces: list[Piece] = []
    prose = ""
    for part in split(text):
        kind = _kind_of_block(part) if isinstance(part, CodeBlock) else None
        if kind is None or not isinstance(part, CodeBlock):
            prose += part.source
            continue
        if prose:
            pieces.append(_text_piece(prose))
            prose = ""
        pieces.append(Piece(kind, _source_of(part), part.is_closed, part.source))
    if prose:
        pieces.append(_text_piece(prose))
    return pieces


def shown_as_text(raw: str) -> str:
    """Return Markdown in which no front end finds a Mermaid fence to lay out.

    For a fence that is not closed yet, and for a source that cannot be drawn. The language of
    such a fence becomes ``text``: JupyterLab goes by the whole info string, nbconvert by how it
    begins, which then puts the source into the page as it is.
    """
    return _FENCE_LIKE.sub(_not_mermaid, raw)


def _not_mermaid(match: re.Match[str]) -> str:
    # Some parsers decode entities and escapes there.
    info = html.unescape(match["info"]).replace("\\", "").strip()
    is_mermaid = info.lower().startswith("mermaid")
    return f"{match['fence']}text {match['info']}" if is_mermaid else match[0]


def find_diagram(text: str, kind: DiagramKind) -> str:
    """Return the one source of an answer that was asked for nothing but a diagram.

    Parameters
    ----------
    text : str
        The whole answer: a fence, or none, with or without prose around.
    kind : str
        The language that was asked for.

    Returns
    -------
    str
        The first fenced diagram of that kind, else of any kind, else the text from the first
        line that begins a diagram. The text itself where nothing of all this is in it.
    """
    diagrams = [piece for piece in split_answer(text) if piece.kind != "text"]
    full = [piece for piece in diagrams if piece.text.strip()]
    for piece in [*(piece for piece in full if piece.kind == kind), *full]:
        return piece.text
    blocks = [part for part in split(text) if isinstance(part, CodeBlock) and part.code.strip()]
    if len(blocks) == 1:
        return blocks[0].code
    return _unfenced(text)


def kind_of(source: str) -> DiagramKind | None:
    """Tell which language a source is in; ``None`` where the text does not say."""
    named = named_kind_of(source)
    if named is not None:
        return named
    body = _without_start(source)
    if _DOT_ATTRIBUTES.search(body):
        return "dot"
    arrows = _MERMAID_ARROW.search(body)
    if arrows is not None:
        return "mermaid"
    return "dot" if ";" in body and _DOT_ARROW.search(body) else None


def named_kind_of(source: str) -> DiagramKind | None:
    """Tell the language by the first words alone; ``None`` where they are of neither."""
    body = _without_start(source)
    dot = _DOT_START.match(body)
    if dot is not None and not _is_mermaid_in_braces(dot, body):
        return "dot"
    return "mermaid" if header_of(body) is not None or dot is not None else None


def header_of(line: str) -> str | None:
    """Return the Mermaid type that the first line of a text begins, as Mermaid spells it.

    Small and capital letters are the same here; the parser is stricter.
    """
    first = line.lstrip().split("\n", 1)[0].strip()
    word = re.match(r"[A-Za-z][\w-]*", first)
    if word is None or word[0].lower() not in HEADERS:
        return None
    rest = first[word.end() :].strip()
    allowed = _WORDS.get(word[0].lower(), r"(?:TB|TD|BT|RL|LR|LR:|title\b.*)?:?\s*;?\{?")
    if re.fullmatch(allowed, rest, re.IGNORECASE) is None:
        return None
    return HEADERS[word[0].lower()]


def is_prose(line: str) -> bool:
    """Whether a line is a sentence around a diagram, and surely nothing of the diagram."""
    text = line.strip()
    if not text or re.search(r"-->|->|--|==|[|{}\[\]<>=;@]|\w\(", text):
        return False
    words = text.split()
    if re.match(r"(?:\*\*|#{1,6} )", text):
        return True
    is_sentence = re.search(r"[.:!?。：！？]\*{0,2}$", text) is not None
    return is_sentence and (len(words) >= 3 or bool(re.search(r"[\u3040-\u9fff]{6}", text)))


def _text_piece(prose: str) -> Piece:
    return Piece("text", shown_as_text(prose), True, prose)


def _kind_of_block(block: CodeBlock) -> DiagramKind | None:
    named = LANGUAGES.get(block.language)
    if named is not None:
        # Models call DOT Mermaid, and Mermaid DOT.
        is_plain = _DOT_START.match(_without_start(block.code)) or header_of(
            _without_start(block.code)
        )
        return (kind_of(block.code) or named) if is_plain else named
    if header_of(block.info) is not None and block.language not in _UNTAGGED:
        return "mermaid"
    if block.language not in _UNTAGGED:
        return None
    body = _without_start(block.code)
    dot = _DOT_START.match(body)
    # Edges alone are too little here: it may be any program or drawing.
    return kind_of(body) if dot is not None or header_of(body) is not None else None


def _source_of(block: CodeBlock) -> str:
    is_tag = LANGUAGES.get(block.language) is not None or block.language in _UNTAGGED
    if is_tag or header_of(_without_start(block.code)) is not None:
        return block.code
    # The header stands behind the fence: ```flowchart TD
    return f"{block.info}\n{block.code}"


def _without_start(source: str) -> str:
    start = _BEFORE.match(source)
    return source[start.end() :] if start is not None else source


def _is_mermaid_in_braces(dot: re.Match[str], body: str) -> bool:
    """Tell ``graph LR { A --> B }``, which is Mermaid's, from a DOT graph that is called LR."""
    if dot["word"].lower() == "digraph" or not _DIRECTION.fullmatch(dot["name"]):
        return False
    return "-->" in body and not _DOT_ATTRIBUTES.search(body)


def _unfenced(text: str) -> str:
    """Return the text from the first line that begins a diagram; one pass, whatever the text."""
    position = 0
    graph = _DOT_LINE.search(text)
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if graph is not None and position <= graph.start("graph") < position + len(line):
            return _until_closed(text[graph.start("graph") :])
        if header_of(line) is not None:
            return _until_prose("".join(lines[number:]).splitlines())
        position += len(line)
    return text


def _until_closed(source: str) -> str:
    """Return a DOT graph up to the brace that closes it, or all where none does."""
    depth = 0
    for token in re.finditer(r'"(?:\\.|[^"\\])*"|[{}]', source):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0 and token[0] == "}":
            return source[: token.end()]
    return source


def _until_prose(lines: list[str]) -> str:
    """Return Mermaid lines without the fence or the sentences behind them."""
    for number, line in enumerate(lines):
        is_fence = line.strip().startswith(("```", "~~~"))
        if is_fence or (number and not lines[number - 1].strip() and is_prose(line)):
            return "\n".join(lines[:number]).rstrip()
    return "\n".join(lines).rstrip()


__all__ = [
    "HEADERS",
    "Piece",
    "find_diagram",
    "header_of",
    "is_prose",
    "kind_of",
    "language_of",
    "named_kind_of",
    "shown_as_text",
    "split_answer",
]
