"""Model text made safe to be shown as Markdown, by whichever front end opens the notebook.

A front end's own sanitiser stops scripts but lets a reply load remote images, which tells their
server what the reply says, and takes HTML that clicks commands. So here, outside of code: HTML
tags become text, images become links, links to anything but the web, mail and places nearby become
text (in VS Code a click on ``command:`` runs one), and TeX that carries URLs or CSS, or that would
stay defined for other documents, is broken. A fence of Mermaid becomes one of text: front ends lay
its source out in the live page. Formulas in ``\\(…\\)`` and ``\\[…\\]``, which many models write
and front ends do not know, get dollars.
Code is left as it is. What counts as code is only what every Markdown parser (marked,
markdown-it, mistune) and JupyterLab's math finder agree upon; from the first doubtful fence on,
nothing is taken for code any more, and a space is the only thing put in.

Pure text to text; called by the magics and by the export of chats.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass

_FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[\w+#.:={}\- ]*)")
#: A line that some parser may take for a fence: behind list and quote markers, or oddly indented.
_FENCE_LIKE = re.compile(r"(?:[\s>*+\-|]|\d+[.)])*(?:`{3,}|~{3,})")
#: What may stand before a fence: marks of lists, quotes and footnotes.
_BEFORE_FENCE = re.compile(r"(?:\W|\d+[.)])*")
_FOOTNOTE = re.compile(r"\[\^[^\[\]]*\]:")
_FENCE_RUN = re.compile("`{3,}|~{3,}")
#: What a front end draws; entities and escapes can spell the word too.
_DRAWN = re.compile(r"mermaid|[&\\]", re.I)
_RUN = re.compile("`+")
#: A line with more runs of backticks is not worth the time to pair them.
_MAX_RUNS = 200
_MATH_MARK = re.compile(r"\\\\[()\[\]]|\\(?:begin|end)\{")
_FORMULA = re.compile(r"\$\$[^$]+\$\$|\$[^$\n]+\$")
_ENVIRONMENT = re.compile(r"\\begin\{([a-z]*\*?)\}(?:(?!\\begin)[\s\S])*?\\end\{\1\}", re.I)
_DOLLAR = re.compile(r"(?<!\\)\$")
#: TeX that loads, links, styles, or stays defined for every other document of the page.
_TEX = (
    "href|url|style|class|cssId|data|bbox|fcolorbox|unicode|mmlToken|csname|require|input"
    r"|includegraphics|html\w*|[gex]?def|let|global|futurelet|(?:re|provide)?newcommand"
    "|renewcommand|providecommand|(?:re)?newenvironment|renewenvironment|Newextarrow"
    r"|Declare\w*|definecolor|(?:re)?newtagform|setoptions|mathtoolsset"
)
#: Entities of the signs that begin a formula, which a math finder sees after they were decoded.
_ENTITY = r"#0*(?:36|92)(?!\d)|#[xX]0*(?:24|5[cC])(?![\da-fA-F])|dollar;|bsol;"
_WEB = r"(?i:https?://|mailto:)"
#: Behind a link's text: a target with a scheme (entities and escapes can spell one), or one that
#: stands in the next line or in angles.
_LINK = rf"(?<=\])\((?=\s*(?:$|<|(?!{_WEB})[^\s/?#)]*[:&\\]))"
#: The same in a link's definition, where nothing but a title follows.
_DEFINITION = rf"(?<=\]):(?=\s*(?:$|<|(?!{_WEB})[^\s/?#]*[:&\\]\S*\s*(?:$|[\"'(])))"
_UNSAFE = re.compile(
    rf"<(?=[A-Za-z/!?])|!(?=\[)|\\(?=(?:{_TEX})(?![A-Za-z]))|&(?={_ENTITY})|{_LINK}|{_DEFINITION}"
)
#: Formulas with TeX's own marks, in a paragraph that has no others.
_BRACKETED = re.compile(r"(?<!\\)\\\[((?:(?!\\[\[\]])[\s\S])+?)(?<!\\)\\\]")
_PARENTHESISED = re.compile(r"(?<!\\)\\\(((?:(?!\\[()]).)+?)(?<!\\)\\\)")
_REPLACEMENTS = {"<": "&lt;", "!": "&#33;", "&": "&amp;", "(": "&#40;", ":": "&#58;"}


@dataclass(frozen=True)
class SafeMarkdown:
    """``text`` to show, and the ``open_fence`` that must be written before anything is added."""

    text: str
    open_fence: str = ""


def safe_markdown(text: str) -> SafeMarkdown:
    """Return the text without anything that loads, clicks or hides by itself.

    Parameters
    ----------
    text : str
        The model's text so far; it may stop anywhere, also inside a fence.
    """
    return _Scanner(text).run()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self.safe: list[str] = []
        #: The prose lines since the last blank line or fence, not written yet.
        self.paragraph: list[str] = []
        self.is_doubtful = False
        self.n_dollar_pairs = 0

    def run(self) -> SafeMarkdown:
        position = 0
        open_fence = ""
        while position < len(self.lines):
            line = self.lines[position]
            end = self._code_end(position)
            if end is not None:
                self._write_paragraph()
                fence = _FENCE.match(line)
                open_fence = fence["fence"] if fence and end > len(self.lines) else ""
                self.safe += [_inert(line), *self.lines[position + 1 : end]]
                self.is_doubtful = _leaves_formula_open("\n".join(self.lines[position:end]))
                position = end
                continue
            if _FENCE_LIKE.match(line):
                self._write_paragraph()
                self.is_doubtful = True
            self.paragraph.append(line)
            if not line.strip():
                self._write_paragraph()
            position += 1
        self._write_paragraph()
        return SafeMarkdown("\n".join(self.safe), open_fence)

    # --- fenced code ------------------------------------------------------------------------

    def _code_end(self, start: int) -> int | None:
        """Return the line after the fenced block that surely starts here.

        One more than the number of lines says that the block is not closed yet.
        """
        opening = _FENCE.fullmatch(self.lines[start])
        if opening is None or self.is_doubtful or self._is_unfinished():
            return None
        indent, fence = len(opening["indent"]), opening["fence"]
        closing = opening["indent"] + fence
        for position in range(start + 1, len(self.lines)):
            line = self.lines[position]
            if line == closing:
                return position + 1
            if not _is_plain_code(line, indent, fence):
                # The last line of an unfinished answer may become the closing fence.
                is_last = position == len(self.lines) - 1
                return len(self.lines) + 1 if is_last and closing.startswith(line) else None
        # Deeper than three spaces it may turn out to be a paragraph.
        return len(self.lines) + 1 if indent <= 3 else None

    def _is_unfinished(self) -> bool:
        """Whether a formula or a link definition may go on in the next line."""
        prose = "\n".join(self.paragraph)
        if self.n_dollar_pairs % 2 or "]:" in prose or _MATH_MARK.search(prose):
            return True
        if "$" not in prose:
            return False
        return "`" in prose or "$" in _FORMULA.sub("", prose)

    # --- prose ------------------------------------------------------------------------------

    def _write_paragraph(self) -> None:
        if not self.paragraph:
            return
        if not self.is_doubtful and self.n_dollar_pairs % 2 == 0:
            self.paragraph = _with_dollars(self.paragraph)
        has_code = not (self.is_doubtful or self.n_dollar_pairs % 2)
        has_code = has_code and all(map(_has_whole_spans, self.paragraph))
        is_math = self.n_dollar_pairs % 2 == 1
        for line in map(_inert, self.paragraph):
            if has_code and not is_math:
                self.safe.append(_outside_spans(line))
            else:
                self.safe.append(_broken(line, is_spaced=self.is_doubtful or is_math))
            self.n_dollar_pairs += line.count("$$")
            is_math = self.n_dollar_pairs % 2 == 1
        self.paragraph = []


def _with_dollars(paragraph: list[str]) -> list[str]:
    """Return the paragraph with its formulas marked as front ends know them."""
    text = "\n".join(paragraph)
    if "\\" not in text or "$" in text or "`" in text:
        return paragraph
    text = _BRACKETED.sub(lambda found: f"$${found[1]}$$", text)
    text = _PARENTHESISED.sub(lambda found: f"${found[1].strip()}$", text)
    return text.split("\n")


def _inert(line: str) -> str:
    """Return the line without a language that a front end would draw, if it may begin a fence."""
    run = _FENCE_RUN.search(line)
    if run is None or "`" in line[run.end() :] or not _DRAWN.search(line, run.end()):
        return line
    before = _FOOTNOTE.sub("", line[: run.start()])
    return f"{line[: run.end()]}text" if _BEFORE_FENCE.fullmatch(before) else line


def _is_plain_code(line: str, indent: int, fence: str) -> bool:
    """Whether no parser ends a block, opened by ``fence`` at ``indent``, at this line."""
    stripped = line.lstrip(" \t")
    if stripped.startswith(fence):
        return False
    if not indent or not stripped.strip():
        return True
    lead = line[: len(line) - len(stripped)]
    return "\t" not in lead and len(lead) >= indent and fence not in line


def _leaves_formula_open(block: str) -> bool:
    """Whether JupyterLab's math finder, which looks into code, may go on behind this block."""
    rest = _ENVIRONMENT.sub("", block)
    if rest != block and block.count("{") != block.count("}"):
        return True
    # Dollars are safe from it in code that starts at the margin.
    dollars = block.startswith(" ") and "$" in _FORMULA.sub("", block)
    return bool(dollars or _MATH_MARK.search(rest))


def _has_whole_spans(line: str) -> bool:
    """Whether the line's code spans begin and end in it, for every parser."""
    if "`" not in line:
        return True
    # Formulas, table cells, escapes and (for marked) strikethrough win over code spans.
    if any(mark in line for mark in ("$", "|", "~", "\\`")) or _MATH_MARK.search(line):
        return False
    return _spans(line) is not None


def _spans(line: str) -> list[tuple[int, int]] | None:
    """Return where the code spans are; ``None`` if a run of backticks has no partner."""
    runs = [(match.start(), match.end()) for match in _RUN.finditer(line)]
    spans: list[tuple[int, int]] = []
    if len(runs) > _MAX_RUNS:
        return None
    while runs:
        start, end = runs.pop(0)
        partner = next((r for r in runs if r[1] - r[0] == end - start), None)
        if partner is None:
            return None
        spans.append((start, partner[1]))
        runs = [run for run in runs if run[0] > partner[0]]
    return spans


def _outside_spans(line: str) -> str:
    pieces: list[str] = []
    position = 0
    for start, end in _spans(line) or []:
        pieces += [_broken(line[position:start]), line[start:end]]
        position = end
    return "".join([*pieces, _broken(line[position:])])


def _broken(prose: str, *, is_spaced: bool = False) -> str:
    """Break what would load or act; entities in prose, a space in formulas and where in doubt."""

    dollars = [match.start() for match in _DOLLAR.finditer(prose)]

    def replace(match: re.Match[str]) -> str:
        in_math = bisect.bisect(dollars, match.start()) % 2 == 1
        if is_spaced or in_math or match[0] == "\\":
            return match[0] + " "
        return _REPLACEMENTS[match[0]]

    return _UNSAFE.sub(replace, prose)
