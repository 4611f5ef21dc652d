"""Markdown split into prose and fenced code, by CommonMark's rules, without rendering it.

Fences of backticks and of tildes, longer fences around shorter ones, indentation, fences inside
list items and block quotes, and a fence that never ends, as of an answer that was stopped. What
is split joins back to the text exactly. Text is put into a fence here too. Pure.

Source of the rules: CommonMark 0.31, "Fenced code blocks", "Block quotes", "List items".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

#: Names of Python, and of nothing, in which a model marks what can be run in a Python kernel.
_PYTHON = frozenset({"", "python", "python3", "py", "py3", "ipython", "ipython3"})

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_OPENING = re.compile(r"(?P<fence>`{3,}(?=[^`]*$)|~{3,})[ \t]*(?P<info>.*)")
_MARKER = re.compile(r"(?:[-+*]|[0-9]{1,9}[.)])(?=[ \t]|$)")
_BACKTICKS = re.compile("`{3,}")
_NOT_IN_LANGUAGE = re.compile(r"[^A-Za-z0-9_+#.-]")
_TAB = 4
#: Deeper nesting is prose; no answer has it, and an attack would cost time.
_MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Prose:
    """Text between fences, as it stands."""

    source: str


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """One fenced block.

    Attributes
    ----------
    source : str
        The whole block as it stands, with its fences and what is before them on their lines.
    code : str
        What is between the fences, without their indentation and the marks of lists and quotes;
        lines end with a line feed, the last one with nothing.
    language : str
        The first word of the info string, in small letters; "" where there is none.
    info : str
        All that stands behind the opening fence.
    fence : str
        The backticks or tildes that would close it.
    depth : int
        In how many list items and block quotes it stands.
    is_closed : bool
        Whether it has its closing fence.
    """

    source: str
    code: str
    language: str
    info: str
    fence: str
    depth: int
    is_closed: bool

    @property
    def is_python(self) -> bool:
        """Whether it can go into a code cell of a Python notebook."""
        return self.language in _PYTHON


def code_blocks(markdown: str) -> list[CodeBlock]:
    """Return the fenced blocks in the order in which they stand."""
    return [part for part in split(markdown) if isinstance(part, CodeBlock)]


def split(markdown: str) -> list[Prose | CodeBlock]:
    """Split into prose and fenced blocks; their sources join to the text, character for character.

    Two prose parts never follow each other, and no part is empty.
    """
    scanner = _Scanner()
    for line in _LINE.findall(markdown):
        scanner.read(line)
    return scanner.finish()


def closed(markdown: str) -> str:
    """Return the text with its last fence closed, so that more can be written below it."""
    parts = split(markdown)
    last = parts[-1] if parts else None
    # Inside a list or a quote, what follows at the margin ends the block by itself.
    if isinstance(last, CodeBlock) and not last.is_closed and not last.depth:
        end = "" if markdown.endswith(("\n", "\r")) else "\n"
        return f"{markdown}{end}{last.fence}"
    return markdown


def fenced(text: str, language: str = "") -> str:
    """Return the text in a fence that nothing in it can close."""
    longest = max(map(len, _BACKTICKS.findall(text)), default=2)
    fence = "`" * (longest + 1)
    end = "" if text.endswith("\n") else "\n"
    return f"{fence}{_NOT_IN_LANGUAGE.sub('', language)}\n{text}{end}{fence}"


def language_of(info: str) -> str:
    """Return the language in an info string: ``python title="x"``, ``{.python}``, ``py:a.py``."""
    words = info.replace("{", " ").replace("}", " ").replace(",", " ").split()
    first = words[0].lstrip(".").lower() if words else ""
    return first.split(":")[0] if "=" not in first else ""


class _Line:
    """A line that is read from the left, in columns: a tab goes to the next multiple of four."""

    def __init__(self, source: str) -> None:
        self.rest = source.rstrip("\r\n")
        self.column = 0

    @property
    def is_blank(self) -> bool:
        return not self.rest.strip(" \t")

    @property
    def indent(self) -> int:
        """Columns of white space from here."""
        column = self.column
        for character in self.rest:
            if character == " ":
                column += 1
            elif character == "\t":
                column += _TAB - column % _TAB
            else:
                break
        return column - self.column

    def skip_indent(self, n_columns: int) -> None:
        """Take up to so many columns of white space away; half a tab becomes spaces."""
        while n_columns > 0 and self.rest[:1] in {" ", "\t"}:
            width = 1 if self.rest[0] == " " else _TAB - self.column % _TAB
            self.column += min(width, n_columns)
            self.rest = " " * (width - n_columns) + self.rest[1:]
            n_columns -= width

    def skip(self, n_characters: int) -> None:
        self.rest = self.rest[n_characters:]
        self.column += n_characters


#: An open container: the columns that its lines are indented by, or ``None`` for a block quote.
_Container = int | None


@dataclass
class _Fence:
    fence: str
    info: str
    indent: int
    depth: int
    source: list[str]
    code: list[str] = field(default_factory=list)

    def is_closed_by(self, line: _Line) -> bool:
        text = line.rest.strip(" \t")
        is_fence = len(text) >= len(self.fence) and not text.strip(self.fence[0])
        return is_fence and line.indent < _TAB

    def block(self, *, is_closed: bool) -> CodeBlock:
        return CodeBlock(
            source="".join(self.source),
            code="\n".join(self.code),
            language=language_of(self.info),
            info=self.info,
            fence=self.fence,
            depth=self.depth,
            is_closed=is_closed,
        )


class _Scanner:
    def __init__(self) -> None:
        self._parts: list[Prose | CodeBlock] = []
        self._prose: list[str] = []
        self._containers: list[_Container] = []
        self._open: _Fence | None = None

    def read(self, source: str) -> None:
        line = _Line(source)
        n_matched = self._match_containers(line)
        if self._open is not None:
            if n_matched == len(self._containers):
                self._read_code(self._open, line, source)
                return
            # What it stands in has ended, and so has it.
            self._end_block(is_closed=False)
        del self._containers[n_matched:]
        self._open_containers(line)
        opening = _OPENING.fullmatch(line.rest.lstrip(" \t")) if line.indent < _TAB else None
        if opening is None:
            self._prose.append(source)
            return
        self._end_prose()
        self._open = _Fence(
            fence=opening["fence"],
            info=opening["info"].strip(" \t"),
            indent=line.indent,
            depth=len(self._containers),
            source=[source],
        )

    def finish(self) -> list[Prose | CodeBlock]:
        self._end_block(is_closed=False)
        self._end_prose()
        return self._parts

    def _match_containers(self, line: _Line) -> int:
        """Go past the marks of the open containers; return how many of them go on."""
        for number, width in enumerate(self._containers):
            if width is None:
                if not _skip_quote(line):
                    return number
            elif line.indent >= width or line.is_blank:
                line.skip_indent(width)
            else:
                return number
        return len(self._containers)

    def _open_containers(self, line: _Line) -> None:
        while len(self._containers) < _MAX_DEPTH and line.indent < _TAB:
            if _skip_quote(line):
                self._containers.append(None)
                continue
            text = line.rest.lstrip(" \t")
            marker = _MARKER.match(text)
            if marker is None or _is_break(text):
                return
            before = line.indent
            line.skip_indent(before)
            line.skip(marker.end())
            # Code that is indented behind the marker begins after one space.
            after = 1 if line.is_blank or line.indent > _TAB else line.indent
            line.skip_indent(after)
            self._containers.append(before + marker.end() + after)

    def _read_code(self, fence: _Fence, line: _Line, source: str) -> None:
        fence.source.append(source)
        if fence.is_closed_by(line):
            self._end_block(is_closed=True)
            return
        line.skip_indent(fence.indent)
        fence.code.append(line.rest)

    def _end_block(self, *, is_closed: bool) -> None:
        if self._open is not None:
            self._parts.append(self._open.block(is_closed=is_closed))
            self._open = None

    def _end_prose(self) -> None:
        if self._prose:
            self._parts.append(Prose("".join(self._prose)))
            self._prose = []


def _is_break(text: str) -> bool:
    """Tell a thematic break (``* * *``) from list items in list items."""
    return text.count(text[0]) >= 3 and not text.strip(f"{text[0]} \t")


def _skip_quote(line: _Line) -> bool:
    """Go past one ``>`` and the space behind it, where there is one."""
    if line.indent >= _TAB or not line.rest.lstrip(" \t").startswith(">"):
        return False
    line.skip_indent(line.indent)
    line.skip(1)
    line.skip_indent(1)
    return True
