"""Model-written HTML in a frame that can do nothing: for ``-f html --render``, and only there.

Three walls, each enough alone against scripts and requests: what is not on a list of harmless
elements and attributes is dropped; a policy inside the frame forbids every load; the frame's
sandbox has no scripts, no forms, no pop-ups, no navigation of the page and no origin. The frame is
the one ``text/html`` output of this package, made only where the user writes ``--render`` in
that very cell. An untrusted notebook shows the source instead.

Pure text; called by ``conclusions.py``.
"""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

MAX_CHARS = 200_000
_TAGS = frozenset({
    "a", "abbr", "address", "article", "aside", "b", "bdi", "bdo", "blockquote", "br", "caption",
    "cite", "code", "col", "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt", "em",
    "figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "i",
    "ins", "kbd", "li", "main", "mark", "nav", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s",
    "samp", "section", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td",
    "tfoot", "th", "thead", "time", "tr", "u", "ul", "var", "wbr", "button", "label", "fieldset",
    "legend", "progress", "meter", "img",
})  # fmt: skip
_VOID = frozenset({"br", "col", "hr", "img", "wbr"})
#: What stands in these goes with them.
_DROPPED_WHOLE = frozenset({
    "script", "style", "iframe", "object", "applet", "noscript", "noembed", "noframes",
    "template", "svg", "math", "frameset", "title", "textarea", "select", "xmp", "plaintext",
    "audio", "video", "canvas",
})  # fmt: skip
_ATTRIBUTES = frozenset({
    "align", "alt", "cellpadding", "cellspacing", "class", "colspan", "dir", "height", "id",
    "lang", "max", "min", "open", "reversed", "rowspan", "scope", "start", "style", "title",
    "type", "valign", "value", "width",
})  # fmt: skip
_STYLE_VALUE = re.compile(r"[\w\s#.,%()+*/'\"-]*")
_STYLE_FORBIDDEN = re.compile(
    r"url|image|expression|import|behavio|binding|src|element|paint", re.I
)
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+")
_STYLE_SHEET = re.compile(r"<style[^>]*>(.*?)</style\s*>", re.I | re.S)

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
    "base-uri 'none'"
)
_HEIGHT_PX = 320


def framed(source: str) -> str:
    """Return an ``<iframe>`` that shows the harmless part of ``source``."""
    document = (
        '<!doctype html><html><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<style>body{{font-family:sans-serif;background:#fff;color:#111}}{_sheets(source)}</style>"
        f"</head><body>{sanitised(source)}</body></html>"
    )
    return (
        f'<iframe sandbox="" srcdoc="{html.escape(document)}" title="HTML of the answer" '
        f'referrerpolicy="no-referrer" style="width:100%;height:{_HEIGHT_PX}px;'
        'border:1px solid #bbb;background:#fff"></iframe>'
    )


def sanitised(source: str) -> str:
    """Return HTML with nothing in it that loads, runs, submits or leads elsewhere."""
    reader = _Reader()
    reader.feed(source[:MAX_CHARS])
    reader.close()
    return reader.result()


class _Reader(HTMLParser):
    """Writes again what it knows; text is always escaped anew."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._open: list[str] = []
        self._dropped: list[str] = []

    def result(self) -> str:
        return "".join([*self._pieces, *(f"</{tag}>" for tag in reversed(self._open))])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED_WHOLE:
            self._dropped.append(tag)
        elif not self._dropped and tag in _TAGS:
            written = "".join(_attribute(tag, name, value or "") for name, value in attrs)
            self._pieces.append(f"<{tag}{written}>")
            if tag not in _VOID:
                self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._dropped:
            if tag == self._dropped[-1]:
                self._dropped.pop()
        elif tag in self._open:
            while self._open:
                last = self._open.pop()
                self._pieces.append(f"</{last}>")
                if last == tag:
                    return

    def handle_data(self, data: str) -> None:
        if not self._dropped:
            self._pieces.append(html.escape(data))


def _attribute(tag: str, name: str, value: str) -> str:
    if tag == "img" and name == "src":
        if not _DATA_IMAGE.fullmatch(value):
            return ""
    elif name not in _ATTRIBUTES and not re.fullmatch(r"aria-[a-z]+", name):
        return ""
    elif name == "style":
        value = _style(value)
    return f' {name}="{html.escape(value)}"'


def _style(value: str) -> str:
    """Keep the declarations that are plain values."""
    kept = []
    for declaration in value.split(";"):
        name, colon, setting = declaration.partition(":")
        if not colon or not re.fullmatch(r"\s*[a-zA-Z-]+\s*", name):
            continue
        if _STYLE_VALUE.fullmatch(setting) and not _STYLE_FORBIDDEN.search(setting):
            kept.append(f"{name.strip()}:{setting.strip()}")
    return ";".join(kept)


def _sheets(source: str) -> str:
    """Return the style sheets of the source whose rules are plain, without at-rules."""
    kept = []
    for sheet in _STYLE_SHEET.findall(source[:MAX_CHARS]):
        sheet = re.sub(r"/\*.*?\*/", "", sheet, flags=re.S)
        for rule in re.findall(r"[^{}]+\{[^{}]*\}", sheet):
            selector, _, body = rule.partition("{")
            if re.fullmatch(r"[\w\s.#,:>+~*()\[\]='\"-]+", selector):
                kept.append(f"{selector.strip()}{{{_style(body.rstrip('}'))}}}")
    return "".join(kept)
