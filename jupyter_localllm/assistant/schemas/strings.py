"""Strings of a schema: pattern, format, lengths and forbidden words, as one pattern with an end.

Pure; ``tight`` calls it.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from typing import Any

from .errors import Unbounded, Unenforceable
from .inclusion import is_included
from .patterns import (
    ANY,
    Chars,
    Either,
    Node,
    Repeat,
    Row,
    chars,
    others,
    read_pattern,
    single,
    written,
)

_MAX_CHARS = 400
MIN_CHARS = 16
#: What engines take in a repetition.
_MAX_REPEATS = 2000

_DATE = (
    "[12][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|"
    "(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
)
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
_NAME = "[a-z][a-z0-9]{0,20}"
_TOP = "(com|org|net|edu|info)"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = f"{_OCTET}[.]{_OCTET}[.]{_OCTET}[.]{_OCTET}"
_IPV6 = "([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}"
_URI = f"https://{_NAME}[.]{_TOP}(/[a-z0-9_-]{{1,20}}){{0,3}}"
_EMAIL = f"{_NAME}([._]{_NAME})?@{_NAME}[.]{_TOP}"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-%s[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
#: What is seen. (The spaces of Unicode, and what JSON escapes, are not among it.)
_INK = others(chars([(0, 0x22), (0x5C, 0x5C), (0x7F, 0xA0), (0x1680, 0x1680), (0x2000, 0x206F),
                     (0x3000, 0x3000), (0xD800, 0xDFFF), (0xFEFF, 0xFEFF)]))  # fmt: skip
#: Those of JSON Schema, of pydantic and of msgspec. Any other is a note and forbids nothing.
FORMATS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "duration": "P([1-9][0-9]?D|T[1-9][0-9]?[HMS])",
    "hostname": f"{_NAME}([.]{_NAME})?[.]{_TOP}",
    "multi-host-uri": _URI,
    "ipv4": _IPV4,
    "ipvanyaddress": _IPV4,
    "ipv4interface": f"{_IPV4}/24",
    "ipv4network": f"{_OCTET}[.]{_OCTET}[.]{_OCTET}[.]0/24",
    "ipv6": _IPV6,
    "ipv6interface": f"{_IPV6}/64",
    "ipv6network": "([0-9a-f]{1,4}:){4}:/64",
    "uuid": _UUID % "[1-8]",
    "json-pointer": "(/[a-z0-9]{1,20}){0,4}",
    "relative-json-pointer": "[0-9](/[a-z0-9]{1,20}){0,4}",
    "regex": "[A-Za-z0-9]{1,40}",
    "color": "#[0-9a-f]{6}",
    "decimal": "-?(0|[1-9][0-9]{0,8})([.][0-9]{1,6})?",
    "json-string": "(0|[1-9][0-9]{0,8})",
    "base64": "([A-Za-z0-9+/]{4}){0,30}",
    "base64url": "([A-Za-z0-9_-]{4}){0,30}",
}
FORMATS |= dict.fromkeys(("url", "uri", "iri", "uri-reference", "iri-reference"), _URI)
FORMATS |= dict.fromkeys(("email", "idn-email", "name-email"), _EMAIL)
FORMATS |= {f"ipvany{what}": FORMATS[f"ipv4{what}"] for what in ("interface", "network")}
FORMATS |= {"uri-template": _URI, "idn-hostname": FORMATS["hostname"]}
FORMATS |= {f"uuid{number}": _UUID % number for number in range(1, 9)}


def tight_string(schema: dict[str, Any], budget: int, forbidden: list[Any]) -> dict[str, Any]:
    """Return the string as one pattern.

    Parameters
    ----------
    schema : dict
        Beside the standard keywords, ``_part`` ``[i, n]``: only part i of n that share nothing.
    budget : int
        About how many characters there may be where the schema does not say.
    forbidden : list
        Values that are not meant, although the rest of the schema allows them.

    Raises
    ------
    Unbounded
        No string fits.
    Unenforceable
        No grammar can say it.
    """
    least = schema.get("minLength", 0)
    asked = schema.get("maxLength")
    if asked is not None and asked < least:
        raise Unbounded(f"`minLength` {least} is above `maxLength` {asked}")
    if least > _MAX_REPEATS:
        raise Unenforceable(f"`minLength` {least:,} is above {_MAX_REPEATS:,}")
    room = min(max(budget, MIN_CHARS), _MAX_CHARS)
    tree = _shape(schema)
    if forbidden and tree is not None:
        raise Unenforceable(f"`not` together with {_shape_name(schema)}")
    shortest = lengths(tree)[0] if tree is not None else 0
    most = max(room, least, shortest)
    if asked is not None:
        most = min(most, asked)
    words = [word for word in forbidden if isinstance(word, str)]
    tree = tree or (_avoiding(words, 0, least, most) if words else _free(least, most))
    limited = _limited(tree, most) if shortest <= most else None
    if limited is None or (lengths(limited)[1] or 0) < least:
        raise Unbounded(f"no text fits {_shape_name(schema)} and its lengths")
    tree = _at_least(limited, least)
    if "_part" in schema:
        tree = _parts(tree, schema["_part"][1])[schema["_part"][0]]
    if lengths(tree)[1] == 0:
        return {"enum": [""]}
    return {"type": "string", "pattern": written(tree)}


def _shape_name(schema: dict[str, Any]) -> str:
    return "`pattern`" if "pattern" in schema else "`format`"


def _shape(schema: dict[str, Any]) -> Node | None:
    """Return what pattern and format ask for; ``None`` if they ask for nothing."""
    kind = schema.get("format")
    if kind is None:
        kind = schema.get("contentEncoding")
        if schema.get("contentMediaType") == "application/json":
            kind = "json-string"
    pattern = schema.get("pattern")
    if pattern is None:
        return read_pattern(f"^({FORMATS[kind]})$") if kind in FORMATS else None
    asked = read_pattern(pattern)
    if kind not in FORMATS:
        return asked
    shape = read_pattern(f"^({FORMATS[kind]})$")
    if is_included(shape, asked):
        return shape
    if is_included(asked, shape):
        return asked
    raise Unenforceable(f"`pattern` together with `format` {kind}")


def _free(least: int, most: int) -> Node:
    """Return any text; one that may not be empty is not blank either."""
    if not least:
        return Repeat(ANY, least, most)
    return Row((_INK, Repeat(ANY, least - 1, most - 1)))


def _avoiding(words: list[str], depth: int, least: int, most: int) -> Node:
    """Return all texts of these lengths but the words; their first ``depth`` signs are gone."""
    more = Repeat(ANY, max(0, least - depth), most - depth)
    if not words or depth >= most:
        return more if not words else Row(())
    firsts = sorted({word[0] for word in words if word})
    options: list[Node] = [Row(())] if depth >= least and "" not in words else []
    other = others(chars([(ord(letter), ord(letter)) for letter in firsts]))
    rest = Repeat(ANY, max(0, least - depth - 1), most - depth - 1)
    options.append(Row((other if firsts else ANY, rest)))
    for letter in firsts:
        tails = [word[1:] for word in words if word[:1] == letter]
        if depth + 1 < most or "" not in tails:
            options.append(Row((single(letter), _avoiding(tails, depth + 1, least, most))))
    return Either(tuple(options))


# --- lengths --------------------------------------------------------------------------------


def lengths(node: Node) -> tuple[int, int | None]:
    """Return how long the texts of a tree are: at least and at most."""
    match node:
        case Row(parts):
            spans = [lengths(part) for part in parts]
            tops = [top for _, top in spans]
            total = None if None in tops else sum(top or 0 for top in tops)
            return sum(low for low, _ in spans), total
        case Either(options):
            spans = [lengths(option) for option in options]
            tops = [top for _, top in spans]
            highest = None if None in tops else max(top or 0 for top in tops)
            return min(low for low, _ in spans), highest
        case Repeat(part, least, most):
            low, high = lengths(part)
            if high == 0 or most == 0:
                return 0, 0
            return least * low, None if most is None or high is None else most * high
    return 1, 1


def _limited(node: Node, room: int) -> Node:
    """Return a tree of the same texts, but none longer than ``room``; the shortest one fits."""
    low, high = lengths(node)
    if high is not None and high <= room:
        return node
    match node:
        case Row(parts):
            return _limited_row(list(parts), room - low)
        case Either(options):
            fitting = [option for option in options if lengths(option)[0] <= room]
            return Either(tuple(_limited(option, room) for option in fitting))
        case Repeat(part, least, most):
            short = lengths(part)[0]
            wanted = max(least, 1, min(most or 4, 4))
            times = max(least, 1) if short * wanted > room else wanted
            if room < max(short, 1):
                return Row(())
            unit = _limited(part, max(short, room // times))
            longest = lengths(unit)[1] or 1
            count = room // longest
            return Repeat(unit, least, max(least, count if most is None else min(most, count)))
    return node


def _limited_row(parts: list[Node], spare: int) -> Node:
    spans = [lengths(part) for part in parts]
    growth = [math.inf if high is None else high - low for low, high in spans]
    order = sorted(range(len(parts)), key=growth.__getitem__)
    for done, number in enumerate(order):
        low = spans[number][0]
        share = spare // (len(parts) - done)
        parts[number] = _limited(parts[number], low + share)
        spare -= (lengths(parts[number])[1] or 0) - low
    return Row(tuple(parts))


def _at_least(node: Node, need: int) -> Node:
    """Return a tree without the texts that are shorter; the longest one is not."""
    low = lengths(node)[0]
    if low >= need:
        return node
    match node:
        case Row(parts):
            raised: list[Node] = []
            missing = need - low
            for part in parts:
                short, long = lengths(part)
                more = min(missing, (long or 0) - short)
                raised.append(_at_least(part, short + more))
                missing -= lengths(raised[-1])[0] - short
            return Row(tuple(raised))
        case Either(options):
            fitting = [option for option in options if (lengths(option)[1] or 0) >= need]
            return Either(tuple(_at_least(option, need) for option in fitting))
        case Repeat(part, least, most):
            count = max(least, math.ceil(need / (lengths(part)[1] or 1)))
            return Repeat(_at_least(part, math.ceil(need / count)), count, most)
    return node


# --- texts that share nothing ---------------------------------------------------------------


def begin_apart(one: str, other: str) -> bool:
    """Whether texts of two patterns surely differ, by a sign that both begin with."""
    rows = [list(_first_signs(read_pattern(pattern))) for pattern in (one, other)]
    return any(
        not any(a <= d and c <= b for a, b in ours.ranges for c, d in theirs.ranges)
        for ours, theirs in zip(*rows, strict=False)
    )


def _first_signs(node: Node) -> Iterator[Chars]:
    """Yield the classes of the first signs, as far as each is always there."""
    parts = node.parts if isinstance(node, Row) else (node,)
    for part in parts:
        match part:
            case Chars():
                yield part
            case Repeat(Chars() as sign, least, most):
                yield from itertools.repeat(sign, least)
                if least != most:
                    return
            case Row(inner) if all(isinstance(one, Chars) for one in inner):
                yield from (one for one in inner if isinstance(one, Chars))
            case _:
                return


def _parts(node: Node, count: int) -> list[Node]:
    """Return trees of texts that differ at one place: their first one with letters enough."""
    parts = list(node.parts) if isinstance(node, Row) else [node]
    for number, part in enumerate(parts):
        before, after = parts[:number], parts[number + 1 :]
        rest: list[Node] = []
        first: Node = part
        if isinstance(part, Row):
            return [Row((*before, piece, *after)) for piece in _parts(part, count)]
        if isinstance(part, Repeat) and isinstance(part.part, Chars) and part.most != 0:
            most = None if part.most is None else part.most - 1
            first, rest = part.part, [Repeat(part.part, max(0, part.least - 1), most)]
        if isinstance(first, Chars):
            groups = _letter_groups(first, count)
            if groups:
                return [Row((*before, group, *rest, *after)) for group in groups]
        low, high = lengths(part)
        if low != high:
            break
    raise Unenforceable("`uniqueItems` or `minProperties` above 1 over these texts")


def _letter_groups(letters: Chars, count: int) -> list[Node]:
    """Return groups of letters and digits, both cases of a letter in one."""
    taken = {chr(code) for low, high in letters.ranges for code in range(low, min(high, 0x7E) + 1)}
    usable = sorted({sign.lower() for sign in taken if re.fullmatch("[A-Za-z0-9]", sign)})
    usable = [sign for sign in usable if sign.isalpha()] if len(usable) > 26 else usable
    if len(usable) < count:
        return []
    edges = [round(number * len(usable) / count) for number in range(count + 1)]
    groups: list[Node] = []
    for start, end in itertools.pairwise(edges):
        signs = {case for sign in usable[start:end] for case in (sign, sign.upper())}
        groups.append(chars([(ord(sign), ord(sign)) for sign in signs & taken]))
    return groups
