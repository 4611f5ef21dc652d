"""A lenient reader of flowchart lines, for repairs: it takes what the parser refuses.

A line becomes tokens that join to the line again. Nodes' labels, edges and edge labels are
found even where quotes or brackets are missing or unbalanced; the rules in ``flow_rules.py`` then
write the tokens as Mermaid wants them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Opening brackets of shapes and what closes them, the longest first.
SHAPES = {
    "(((": ")))",
    "([": "])",
    "((": "))",
    "[[": "]]",
    "[(": ")]",
    "{{": "}}",
    "[/": "/]",
    "[\\": "\\]",
    "(": ")",
    "[": "]",
    "{": "}",
    ">": "]",
}
_DASH = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2500"
_RIGHT = "\u2192\u27f6\u279c\u2794\u27a1\u21d2\u27f9\u21a6\u21e8\u2b62"
_LEFT = "\u2190\u27f5\u21d0\u2b05"
_BOTH = "\u2194\u21d4\u27f7"
_GT = r"(?:>|&gt;|\u203a)"
_LT = r"(?:<|&lt;)"
_SIGN = rf"[{_RIGHT}{_LEFT}{_BOTH}]\ufe0f?"
_LINK = re.compile(
    rf"(?P<left>{_LT}|(?<=[\s\])}}])[ox](?=[-=]))?"
    rf"(?:[{_DASH}]*{_SIGN}|[{_DASH}]?\.{{1,3}}[{_DASH}]+|[{_DASH}]\.{{1,3}}|\.\.+(?={_GT})"
    rf"|[{_DASH}]+(?:[ ]?[{_DASH}]+(?=[ ]?{_GT}))?|={{2,}}|=(?={_GT})|~{{3,}})"
    rf"(?P<right>[ ]?{_GT}+(?![^\s|\]]*\])|(?<=[-=])[ox](?=[\s|]))?"
)
_TEXT_LINK = re.compile(
    rf"(?P<a>{_LT}?(?:--|==|-\.|[\u2013\u2014](?=\s)|-(?=\s+\w[^\->]*->)))(?![-=.>|{_DASH}])[ ]*"
    rf"(?P<text>\"[^\"]*\"|(?:(?!--|==>|===|\.->|->|[{_RIGHT}|])[^\[\](){{}}]|\([^()]*\))+?)[ ]*"
    rf"(?P<b>[{_DASH}]+{_GT}|---+|--[ox]|==+[=>]|\.-+>?|[{_RIGHT}])"
)
#: What an id may not run into: the start of a link, ``:::``, a comment.
_ID = re.compile(
    rf"(?:(?!--|==|=>|=&gt;|-&gt;|->|-\.|\.\.+>|~~~|:::|&lt;|&gt;|[{_RIGHT}{_LEFT}{_BOTH}]"
    rf"|[\u2013\u2014\u2500]|@\{{)[^\s\[\](){{}}<>|&;\",])+"
)
#: What may come behind a node: so its label has ended.
_AFTER = re.compile(
    rf"\s*(?:$|[;&,|]|:::|@\{{|[{_DASH}{_RIGHT}{_LEFT}{_BOTH}]|==|=>|<|~~~|\.\.|[ox]--|%%|//|#|:\s)"
    rf"|\s+(?:and\b|[\w]+\s*[\[({{>{_DASH}])"
)


#: An arrow, of those that are not in a text by chance.
_STEP = rf"(?:--+>?|==+>|-\.+->|->|=>|[{_RIGHT}]|[\u2013\u2014]>)"
_NEXT_NODE = rf"{_STEP}\s*(?:\|[^|]*\|\s*)?[\w.-]+\s*[\[({{]"


@dataclass
class Token:
    """A part of a line.

    ``kind`` is one of ``space id label link textlink pipe amp semi string class other``; the
    others of the attributes are filled for labels (``opening body closing``), for edge labels
    (``body``, and ``closing`` is empty for one that is not closed) and for links with text
    (``opening body closing``: the link's two halves around its text).
    """

    kind: str
    text: str
    opening: str = ""
    body: str = ""
    closing: str = ""

    def set(self, opening: str, body: str, closing: str) -> None:
        """Write a label, an edge label or a link with text anew."""
        self.opening, self.body, self.closing = opening, body, closing
        self.text = f"{opening}{body}{closing}"


def scan(line: str) -> list[Token]:
    """Cut a line into tokens that join to it."""
    tokens: list[Token] = []
    position = 0
    while position < len(line):
        token = _token(line, position, tokens)
        tokens.append(token)
        position += len(token.text)
    return tokens


def joined(tokens: list[Token]) -> str:
    """Return the line that the tokens are."""
    return "".join(token.text for token in tokens)


def words(tokens: list[Token]) -> list[Token]:
    """Return the tokens that are not white space."""
    return [token for token in tokens if token.kind != "space"]


def _token(line: str, position: int, before: list[Token]) -> Token:
    rest = line[position:]
    space = re.match(r"\s+", rest)
    if space is not None:
        return Token("space", space[0])
    last = before[-1].kind if before else ""
    filled = next((token.kind for token in reversed(before) if token.kind != "space"), "")
    if rest[0] == ">" and last == "id" and "]" in rest:
        return _label(rest, ">")
    text_link = _TEXT_LINK.match(rest) if filled in {"id", "label", "class", "string"} else None
    if text_link is not None:
        return Token(
            "textlink", text_link[0], text_link["a"], text_link["text"].strip(), text_link["b"]
        )
    link = _LINK.match(line, position)
    if link is not None and (filled or link[0].strip("-*+")):
        return Token("link", link[0])
    if rest[0] == "|":
        return _pipe(rest)
    if rest.startswith(":::"):
        name = re.match(r":::[\w-]*", rest)
        return Token("class", name[0] if name else ":::")
    if rest.startswith("@{"):
        end = rest.find("}")
        return Token("class", rest if end < 0 else rest[: end + 1])
    for opening in SHAPES:
        if opening != ">" and rest.startswith(opening):
            return _label(rest, opening)
    string = re.match(r'"[^"]*"', rest)
    if string is not None:
        return Token("string", string[0], body=string[0][1:-1])
    name = _ID.match(rest)
    if name is not None:
        return Token("id", name[0])
    return Token({"&": "amp", ";": "semi"}.get(rest[0], "other"), rest[0])


def _pipe(rest: str) -> Token:
    end = rest.find("|", 1)
    if end > 0:
        return Token("pipe", rest[: end + 1], "|", rest[1:end], "|")
    # Not closed: the last word is the node that the edge goes to.
    node = re.search(r"\s+[^\s|]+(?:[\[({].*)?\s*;?\s*$", rest[1:])
    body = rest[1 : 1 + node.start()] if node is not None else rest[1:]
    return Token("pipe", "|" + body, "|", body, "")


def _label(rest: str, opening: str) -> Token:
    """Read a label whose end must be guessed where brackets or quotes do not balance."""
    closing = SHAPES[opening]
    size = len(opening)
    end = _quoted_end(rest, size, closing)
    if end is None:
        end = _balanced_end(rest, size, closing)
    if end is not None:
        return Token("label", rest[: end + len(closing)], opening, rest[size:end], closing)
    if opening in {"[/", "[\\"}:
        return _label_of_slash(rest)
    return _unclosed(rest, opening)


def _quoted_end(rest: str, size: int, closing: str) -> int | None:
    quoted = re.match(r"\s*[\"\u201c\u201d]", rest[size:])
    if quoted is None:
        return None
    pattern = re.compile(rf"[\"\u201c\u201d]\s*{re.escape(closing)}")
    for match in pattern.finditer(rest, size + quoted.end()):
        if not _AFTER.match(rest, match.end()):
            continue
        inner = rest[size + quoted.end() : match.start()]
        # A quote that was not closed: the text would swallow the next nodes.
        if '"' in inner and re.search(rf"{re.escape(closing)}\s*{_STEP}|{_NEXT_NODE}", inner):
            return None
        return match.end() - len(closing)
    return None


def _balanced_end(rest: str, size: int, closing: str) -> int | None:
    """Return where the label ends: balanced and followed by what may follow a node."""
    fallback = None
    position = rest.find(closing, size)
    while position >= 0:
        body = rest[size:position]
        if _AFTER.match(rest, position + len(closing)):
            if _is_balanced(body):
                return position
            if fallback is None and not re.search(_STEP, body):
                fallback = position
        position = rest.find(closing, position + 1)
    return fallback


def _is_balanced(body: str) -> bool:
    open_now: list[str] = []
    for sign in re.findall(r"[()\[\]{}]", body):
        if sign in "([{":
            open_now.append(sign)
        elif not open_now or open_now.pop() + sign not in {"()", "[]", "{}"}:
            return False
    return not open_now


def _label_of_slash(rest: str) -> Token:
    """``[/api/users]``: a label that begins with a slash, not a slanted shape."""
    token = _label("[" + " " + rest[1:], "[")
    return Token("label", rest[: len(token.text) - 1], "[", token.body[1:], token.closing)


def _unclosed(rest: str, opening: str) -> Token:
    """Read up to the next link, or to a bracket of another shape that stands there."""
    size = len(opening)
    link = re.compile(rf"\s*(?:{_LT}?--|==|-\.|->|=>|[{_RIGHT}]|\s[\u2013\u2014])").search(
        rest, size
    )
    end = link.start() if link is not None else len(rest.rstrip().rstrip(";"))
    end = max(end, size)
    other = re.search(r"[\])}/\\]+$", rest[size:end])
    if other is not None:
        start = size + other.start()
        inner = rest[size:start]
        # f(x): the bracket belongs to the text.
        if other[0] == ")" and inner.count("(") > inner.count(")") and opening != "(":
            return Token("label", rest[:end], opening, rest[size:end], "")
        return Token("label", rest[:end], opening, inner, rest[start:end])
    return Token("label", rest[:end], opening, rest[size:end], "")
