"""Repairs that hold for every Mermaid type: what is around the lines, between them and behind them.

Fences, comments of other languages, bullets, sentences, quotation marks of word processors, and
blocks whose ``end`` or brace is missing.
"""

from __future__ import annotations

import re

from ..extract import is_prose
from .repairs import Fault, Rule

_QUOTES = str.maketrans({"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"'})
_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_INVISIBLE = re.compile("[\ufeff\u200b\u2060\u00ad]")
_OPENERS = {
    "flowchart": re.compile(r"subgraph\b"),
    "sequence": re.compile(r"(?:loop|alt|opt|par|par_over|critical|break|rect|box)\b"),
}
_MIDDLES = re.compile(r"(?:else|and|option)\b")
_BRACED = re.compile(
    r"(?:class|namespace|state)\b[^{]*\{[^}]*$|[\w\"-]+(?:\s*\[[^\]]*\])?\s*\{\s*$"
)


def _without_fences(source: str, fault: Fault) -> str:
    lines = [line for line in source.split("\n") if not re.match(r"\s*(?:`{3,}|~{3,})", line)]
    while lines and re.fullmatch(r"\s*(?:mermaid:?|)\s*", lines[0], re.IGNORECASE):
        lines.pop(0)
    return "\n".join(lines)


def _plain_characters(source: str, fault: Fault) -> str:
    text = _INVISIBLE.sub("", _SPACES.sub(" ", source))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def plain_quotes(source: str, fault: Fault) -> str:
    return source.translate(_QUOTES)


def _mend_comments(source: str, fault: Fault) -> str:
    """``// x``, ``# x``, ``/* x */``, ``<!-- x -->`` become ``%% x``; also behind a statement."""
    text = re.sub(r"/\*(.*?)\*/|<!--(.*?)-->", _as_comment, source, flags=re.DOTALL)
    lines = []
    for line in text.split("\n"):
        whole = re.match(r"(\s*)(?://+|#+(?!\w*;)|--(?=\s)(?!.*--[>-]))\s*(.*)", line)
        if whole is not None:
            lines.append(f"{whole[1]}%% {whole[2]}".rstrip())
            continue
        behind = re.search(r"\s+(?://+|%%+|#(?=\s))\s*[^\"\])}|]*$", line)
        if behind is not None and not line.lstrip().startswith("%%") and behind.start():
            lines += [line[: behind.start()], "%% " + re.sub(r"^\s*[/%#]+\s*", "", behind[0])]
            continue
        lines.append(line)
    return "\n".join(lines)


def _as_comment(match: re.Match[str]) -> str:
    text = (match[1] if match[1] is not None else match[2]).strip()
    comment = "\n".join(f"%% {line.strip(' *')}" for line in text.split("\n"))
    is_alone = not match.string[: match.start()].rpartition("\n")[2].strip()
    return comment if is_alone else "\n" + comment


def _without_bullets(source: str, fault: Fault) -> str:
    pattern = r"(?m)^([ \t]*)(?:[*•‣▪–]|-(?!-)|\d{1,3}[.)])[ \t]+(?=[\w\"(\[{+#~])"
    return re.sub(pattern, r"\1", source)


def _without_prose(source: str, fault: Fault) -> str | tuple[str, str]:
    """Leave out the sentences before, behind and between the lines; say which."""
    kept: list[str] = []
    dropped: list[str] = []
    for line in source.split("\n"):
        (dropped if is_prose(line) else kept).append(line)
    if not dropped:
        return source
    return "\n".join(kept), f"Text that is no diagram was left out: {_quoted_list(dropped)}."


def _mend_slash_comments(source: str, fault: Fault) -> str:
    return re.sub(r"(?m)^(\s*)(?://|<!--)\s*(.*?)(?:\s*-->)?$", r"\1%% \2", source)


def _without_prose_around(source: str, fault: Fault) -> str | tuple[str, str]:
    """Leave out the sentences behind a blank line that are not indented."""
    blocks = re.split(r"(\n[ \t]*\n)", source)
    dropped: list[str] = []
    while len(blocks) > 2 and all(
        is_prose(line) and not line.startswith((" ", "\t"))
        for line in blocks[-1].strip().split("\n")
    ):
        dropped[:0] = blocks.pop().strip().split("\n")
        blocks.pop()
    if not dropped:
        return source
    return "".join(blocks), f"Text that is no diagram was left out: {_quoted_list(dropped)}."


def _without_line_at_fault(source: str, fault: Fault) -> str | tuple[str, str]:
    """Leave out a line that says nothing of nodes or edges where the parser stopped at it."""
    lines = source.split("\n")
    number = fault.line - 1
    if not 0 < number < len(lines):
        return source
    line = lines[number].strip()
    is_style = re.match(r"(?:style|classDef|linkStyle|class|click|accTitle|accDescr|title)\b", line)
    is_sentence = re.search(r"-|=|[|{}\[\]<>:;@]|\w\(", line) is None and len(line.split()) >= 4
    is_punctuation = re.fullmatch(r"[^\w\s]{1,3}", line) is not None
    if not (is_style or is_sentence or is_punctuation):
        return source
    del lines[number]
    return "\n".join(lines), f"A line that Mermaid does not know was left out: “{line[:80]}”."


def _quoted_list(lines: list[str]) -> str:
    return ", ".join(f"“{line.strip()[:60]}”" for line in lines[:3]) + (
        f" and {len(lines) - 3} more lines" if len(lines) > 3 else ""
    )


def without_semicolons(source: str, fault: Fault) -> str:
    """Take semicolons and commas at the ends of lines away."""
    return re.sub(r"(?m)[ \t]*[;,]+[ \t]*$", "", source)


# --- blocks ---------------------------------------------------------------------------------


def balanced_ends(diagram_type: str) -> Rule:
    """Make the rule that writes missing ``end`` lines and leaves out those too many."""
    opener = _OPENERS[diagram_type]

    def apply(source: str, fault: Fault) -> str:
        lines: list[str] = []
        open_at: list[int] = []
        for line in source.split("\n"):
            text = line.strip().rstrip(";")
            indent = len(line) - len(line.lstrip())
            if re.fullmatch(
                r"end(?:\s+(?:%%.*|subgraph|loop|alt|opt|par|if|note))?|\}", text, re.I
            ):
                if open_at:
                    open_at.pop()
                    lines.append(" " * indent + "end")
                continue
            # Whose lines stood deeper has ended with the first one that does not.
            while text and open_at and indent < open_at[-1]:
                lines.append(" " * open_at.pop() + "end")
            is_sibling = (
                bool(open_at) and indent == open_at[-1] and lines_stood_deeper(lines, indent)
            )
            if text and is_sibling and not _MIDDLES.match(text):
                lines.append(" " * open_at.pop() + "end")
            if opener.match(text) and not re.search(r"^\w+\s*(?:--|==|->)", text):
                open_at.append(indent)
                line = re.sub(r"\s*\{\s*$", "", line)
            lines.append(line)
        while lines and open_at and not lines[-1].strip():
            lines.pop()
        return "\n".join([*lines, *(" " * indent + "end" for indent in reversed(open_at))])

    return Rule("ends of blocks", "A block was given the end that it lacked.", apply)


def lines_stood_deeper(lines: list[str], indent: int) -> bool:
    """Whether the last line that says something is indented by more than ``indent`` columns."""
    last = next((line for line in reversed(lines) if line.strip()), "")
    return len(last) - len(last.lstrip()) > indent


def _balanced_braces(source: str, fault: Fault) -> str:
    """Close braces of classes, states and entities; leave out those too many."""
    lines: list[str] = []
    open_at: list[int] = []
    is_states = re.search(r"(?m)^\s*stateDiagram", source) is not None
    for line in source.split("\n"):
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if text in {"}", "};", "end"}:
            if open_at:
                open_at.pop()
                lines.append(" " * indent + "}")
            continue
        is_opener = _BRACED.match(text) is not None
        if text and open_at and is_opener and indent <= open_at[-1]:
            lines.append(" " * open_at.pop() + "}")
        is_outside = re.search(r"--|\.\.|\|\||<\|", text) is not None
        has_members = bool(open_at) and (not is_states or lines_stood_deeper(lines, open_at[-1]))
        if text and has_members and is_outside and indent <= open_at[-1]:
            lines.append(" " * open_at.pop() + "}")
        if is_opener:
            open_at.append(indent)
        lines.append(line)
    while lines and open_at and not lines[-1].strip():
        lines.pop()
    return "\n".join([*lines, *(" " * indent + "}" for indent in reversed(open_at))])


BRACES = Rule("braces of blocks", "A block was given the brace that it lacked.", _balanced_braces)
SEMICOLONS = Rule(
    "semicolons", "Semicolons and commas at the ends of lines were left out.", without_semicolons
)

#: Before the header is looked for.
FIRST_RULES: tuple[Rule, ...] = (
    Rule("fences", "Code fences around the diagram were left out.", _without_fences),
    Rule("odd spaces", "Unusual white space was replaced.", _plain_characters),
)
#: After it, before the rules of the type.
LINE_RULES: tuple[Rule, ...] = (
    Rule("comments", "Comments were written with %%.", _mend_comments),
    Rule("sentences", "Text that is no diagram was left out.", _without_prose),
    Rule("bullets", "Bullets and numbers before lines were left out.", _without_bullets),
    Rule("curly quotes", "Curly quotation marks became straight ones.", plain_quotes),
)
#: Instead, where nearly any line is a node.
FREE_TEXT_RULES: tuple[Rule, ...] = (
    Rule("comments", "Comments were written with %%.", _mend_slash_comments),
    Rule("sentences", "Text that is no diagram was left out.", _without_prose_around),
    Rule("curly quotes", "Curly quotation marks became straight ones.", plain_quotes),
)
#: When nothing else helped.
LAST_RULES: tuple[Rule, ...] = (
    Rule(
        "line at fault",
        "A line that Mermaid does not know was left out.",
        _without_line_at_fault,
        is_guess=True,
    ),
)
