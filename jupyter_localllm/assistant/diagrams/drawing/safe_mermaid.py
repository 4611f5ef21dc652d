"""Mermaid sources without directives, links, images, HTML and foreign styles.

``safe_source`` calls :func:`safe_mermaid`. Mermaid is fifteen languages, so a line is only taken
for a ``click`` or a ``style`` in those that have it: elsewhere it is somebody's text. Whatever is
missed here the renderer has no use for (it neither links nor loads), and ``safe_svg`` would drop.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_FRONTMATTER = re.compile(
    r"\A\s*---[ \t]*\n(.*?)^[ \t]*---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE
)
_TITLE = re.compile(r"^title[ \t]*:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_PLAIN_TITLE = re.compile(r"[^\W\d_][\w .,()?!+/'–—-]{0,199}")
_DIRECTIVE = re.compile(r"%%\{.*?(?:\}[ \t]*%%|$)", re.DOTALL)
_OPEN_DIRECTIVE = re.compile(r"%%\{[^\n]*")

_HTML_NAMES = (
    "a|abbr|address|article|audio|b|base|big|blockquote|body|button|canvas|center|cite|code|dd|del|"
    "div|dl|dt|em|embed|fieldset|figure|font|form|frame|frameset|h[1-6]|head|hr|html|i|iframe|img|"
    "image|input|ins|kbd|label|li|link|main|map|mark|math|meta|nav|noscript|object|ol|option|p|"
    "param|picture|portal|pre|q|s|samp|script|section|select|small|source|span|strike|strong|style|"
    "sub|sup|svg|table|tbody|td|template|textarea|tfoot|th|thead|title|tr|track|tt|u|ul|var|video|"
    "marquee|foreignObject|animate|set|use"
)
#: Not after another ``<``: ``<<interface>>`` is a stereotype.
_TAG = re.compile(rf"(?<!<)</?(?:{_HTML_NAMES})(?:[\s/][^<>\n]*)?/?>(?!>)", re.IGNORECASE)
_HIDDEN = re.compile(r"<(script|style)\b[^<>\n]*>.*?</\1\s*>", re.IGNORECASE)

_EMPTY = re.compile(r'(?<=[\[({|])""(?=[\])}|])')

_WITH_CLICK = {"flowchart", "class", "state", "gantt"}
_WITH_STYLE = {"flowchart", "class", "state", "er", "block", "quadrant", "requirement"}
_CLICK = re.compile(
    r"(?:^|(?<=;))[ \t]*(?:click[ \t]+[^\s;]+[ \t]+(?:href\b|call\b|[\"A-Za-z_])"
    r"|(?:link|callback)[ \t]+[^\s;]+[ \t]+\")[^\n]*"
)
#: Menus of a participant.
_PARTICIPANT_LINK = re.compile(r"^[ \t]*(?:links?|properties|details)[ \t]+[^\n:]+:[^\n]*")
_C4_LINK = re.compile(r",\s*\$(?:link|sprite)\s*=\s*(?:\"[^\"\n]*\"|[^,)\n]*)")
_C4_STYLE = re.compile(r"^[ \t]*Update\w*Style[ \t]*\([^\n]*")
_C4_VALUE = re.compile(r"\$\w+\s*=\s*\"([^\"]*)\"")

_STYLE = re.compile(
    r"(?P<head>(?:^|(?<=;))[ \t]*(?:style|classDef|linkStyle)[ \t]+[^\s;]+"
    r"(?:[ \t]+interpolate[ \t]+\w+)?[ \t]+)(?P<values>[^;\n]*[:][^;\n]*)"
)
_SPLIT = re.compile(r"(?<!\\),(?![^()]*\))")
_PROPERTY = re.compile(
    r"\s*(?:fill|stroke|color|background|background-color|opacity|fill-opacity|stroke-opacity|"
    r"stroke-width|stroke-dasharray|stroke-dashoffset|stroke-linecap|stroke-linejoin|font-size|"
    r"font-weight|font-style|text-align|text-decoration|rx|ry|r|radius|border|border-color|"
    r"border-width|padding|margin|width|height|line-height|letter-spacing|font-variant|"
    r"text-anchor|display|visibility)\s*:\s*"
    r"(?:#?[\w.%+-]+|(?:rgb|hsl)a?\([\d\s.,%/]+\))(?:(?:\s|\\,)+#?[\w.%+-]+)*\s*(?:!important)?\s*",
    re.IGNORECASE,
)

_SHAPE_DATA = re.compile(r"@\{([^{}]*)\}")
_SHAPE_PAIR = re.compile(
    r"\s*[\"']?(?P<key>[A-Za-z_]\w*)[\"']?\s*:\s*(?P<value>\"[^\"]*\"|'[^']*'|[^,\n\"']*)\s*(?:,|\n|$)"
)
_IMAGE_KEYS = {"img", "icon", "pos", "form", "w", "h", "constraint"}
_REACHING_KEYS = {"img", "icon"}

_TYPES = {
    "graph": "flowchart",
    "flowchart": "flowchart",
    "flowchart-elk": "flowchart",
    "flowchart-v2": "flowchart",
    "classdiagram": "class",
    "classdiagram-v2": "class",
    "statediagram": "state",
    "statediagram-v2": "state",
    "sequencediagram": "sequence",
    "erdiagram": "er",
    "gantt": "gantt",
    "block": "block",
    "block-beta": "block",
    "quadrantchart": "quadrant",
    "requirementdiagram": "requirement",
}

_DIRECTIVES = "Directives and front matter were left out: the colours are chosen when it is shown."
_LINKS = "Links and actions on a click were left out: a picture has none."
_HTML = "HTML was left out of the labels; only line breaks can stand in them."
_STYLES = "Styles other than plain colours and sizes were left out."
_IMAGES = "Images and icons were left out: nothing is loaded for a picture."


def safe_mermaid(source: str) -> tuple[str, tuple[str, ...]]:
    """Return a diagram that reaches nothing, and what was left out, a sentence each."""
    changes: dict[str, None] = {}
    text = _without_config(source, changes)
    diagram_type = _type_of(text)
    text = _put(_TAG, "", _put(_HIDDEN, "", text, _HTML, changes), _HTML, changes)
    if _HTML in changes:
        # A label that was nothing but a tag.
        text = _EMPTY.sub('" "', text)
    if diagram_type == "flowchart":
        text = _SHAPE_DATA.sub(lambda found: _shape_data(found, changes), text)
    lines = [_safe_line(line, diagram_type, changes) for line in text.split("\n")]
    return "\n".join(lines), tuple(changes)


def _put(
    pattern: re.Pattern[str], new: str, text: str, change: str, changes: dict[str, None]
) -> str:
    """Replace until nothing is left: what is left out may have stood inside of another."""
    while True:
        text, n_times = pattern.subn(new, text)
        if not n_times:
            return text
        changes[change] = None


def _without_config(source: str, changes: dict[str, None]) -> str:
    text = source
    while "%%{" in text:
        closed = _DIRECTIVE.sub(_blank, text)
        text = closed if closed != text else _OPEN_DIRECTIVE.sub("", text)
        changes[_DIRECTIVES] = None
    found = _FRONTMATTER.match(text)
    if found is None:
        return text
    body = found.group(1)
    title = _TITLE.search(body)
    kept = _title_line(title.group(1)) if title else ""
    if kept and body.strip() == kept:
        return text
    changes[_DIRECTIVES] = None
    n_lines = found.group().count("\n")
    if not kept:
        return "\n" * n_lines + text[found.end() :]
    block = f"---\n{kept}\n---\n"
    return block + "\n" * (n_lines - block.count("\n")) + text[found.end() :]


def _title_line(title: str) -> str:
    quoted = title[1:-1] if title[:1] == title[-1:] and title[:1] in ("'", '"') else title
    if _PLAIN_TITLE.fullmatch(title):
        return f"title: {title}"
    return f"title: {json.dumps(quoted[:200], ensure_ascii=False)}"


def _blank(found: re.Match[str]) -> str:
    return "\n" * found.group().count("\n")


def _type_of(text: str) -> str:
    """The kind of diagram, from its first word that is no comment and no front matter."""
    rest = _FRONTMATTER.sub("", text)
    for line in rest.split("\n"):
        if line.strip() and not line.lstrip().startswith("%%"):
            word = re.split(r"[\s;{:]", line.strip(), maxsplit=1)[0]
            return _TYPES.get(word.lower(), "c4" if word.startswith("C4") else word.lower())
    return ""


def _safe_line(line: str, diagram_type: str, changes: dict[str, None]) -> str:
    if diagram_type in _WITH_CLICK:
        line = _put(_CLICK, "", line, _LINKS, changes)
    elif diagram_type == "sequence":
        line = _put(_PARTICIPANT_LINK, "", line, _LINKS, changes)
    elif diagram_type == "c4":
        line = _put(_C4_LINK, "", line, _LINKS, changes)
        if _C4_STYLE.match(line) and not all(
            _PROPERTY.fullmatch(f"color:{value}") or value.isalnum()
            for value in _C4_VALUE.findall(line)
        ):
            changes[_STYLES] = None
            line = ""
    if diagram_type in _WITH_STYLE:
        line = _STYLE.sub(lambda found: _style(found, changes), line)
    return line


def _style(found: re.Match[str], changes: dict[str, None]) -> str:
    given = _SPLIT.split(found.group("values"))
    kept = [value for value in given if _PROPERTY.fullmatch(value) or not value.strip()]
    if len(kept) == len(given):
        return found.group()
    changes[_STYLES] = None
    return found.group("head") + ",".join(kept) if any(map(str.strip, kept)) else ""


def _shape_data(found: re.Match[str], changes: dict[str, None]) -> str:
    pairs = list(_pairs(found.group(1)))
    if not any(key in _REACHING_KEYS for key, _ in pairs):
        return found.group()
    changes[_IMAGES] = None
    kept = ", ".join(f"{key}: {value}" for key, value in pairs if key not in _IMAGE_KEYS)
    lines = "\n" * found.group().count("\n")
    return f"@{{ {kept or 'shape: rect'} }}" + lines


def _pairs(body: str) -> Iterator[tuple[str, str]]:
    for found in _SHAPE_PAIR.finditer(body):
        yield found.group("key"), found.group("value").strip()
