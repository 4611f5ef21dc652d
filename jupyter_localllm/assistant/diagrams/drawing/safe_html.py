"""Graphviz's HTML-like labels without images, links and foreign fonts. ``safe_dot`` calls it."""

from __future__ import annotations

import re

_TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)"
    r"(?P<attributes>(?:\s+[A-Za-z][\w-]*\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)\s*(?P<empty>/?)>"
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ATTRIBUTE = re.compile(r"\s+([A-Za-z][\w-]*)\s*=\s*(\"[^\"]*\"|'[^']*')")
_VALUE = re.compile(r"[\w\s#.,:;%+\-]{0,200}")
_FACE = re.compile(r"[A-Za-z][A-Za-z0-9 ,_-]{0,60}")

_KEPT = re.compile(
    r"b?align|bgcolor|(?:cell)?border|cellpadding|cellspacing|color|colspan|columns|fixedsize|"
    r"gradientangle|height|point-size|port|rows|rowspan|sides|style|valign|width"
)
_LEFT_OUT_TAGS = frozenset(
    {"img", "script", "style", "a", "iframe", "object", "svg", "foreignobject"}
)


def safe_html(body: str) -> tuple[str, list[str]]:
    """Return the inside of an HTML string that may stand, and the names of what was left out.

    What is not a tag is left for the layout to refuse, but for a ``<`` that could begin something
    else than a tag, which becomes text.
    """
    left_out: list[str] = []

    def tag(found: re.Match[str]) -> str:
        name = found.group("name").lower()
        if name in _LEFT_OUT_TAGS:
            left_out.append(f"<{name}>")
            return "\n" * found.group().count("\n")
        attributes = []
        for key, quoted in _ATTRIBUTE.findall(found.group("attributes")):
            if _may_stand(key.lower(), quoted[1:-1]):
                attributes.append(f" {key}={quoted}")
            else:
                left_out.append(key.lower())
        if len(attributes) == len(_ATTRIBUTE.findall(found.group("attributes"))):
            return found.group()
        end = "/" if found.group("empty") else ""
        lines = "\n" * (found.group("attributes").count("\n") - "".join(attributes).count("\n"))
        return f"<{found.group('close')}{found.group('name')}{''.join(attributes)}{lines}{end}>"

    without_comments = _COMMENT.sub(lambda found: "\n" * found.group().count("\n"), body)
    if without_comments != body:
        left_out.append("comments")
    parts, place = [], 0
    for found in _TAG.finditer(without_comments):
        parts += [_as_text(without_comments[place : found.start()], left_out), tag(found)]
        place = found.end()
    parts.append(_as_text(without_comments[place:], left_out))
    return "".join(parts), left_out


def _as_text(text: str, left_out: list[str]) -> str:
    """Text between tags; ``<!``, ``<?`` and broken tags are no markup of a label."""
    if "<" not in text:
        return text
    left_out.append("broken tags")
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _may_stand(name: str, value: str) -> bool:
    if name == "face":
        return _FACE.fullmatch(value) is not None
    if name == "port":
        return "<" not in value
    return bool(_KEPT.fullmatch(name) and _VALUE.fullmatch(value)) and "url" not in value.lower()
