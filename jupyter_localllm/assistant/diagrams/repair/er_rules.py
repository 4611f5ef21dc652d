"""Repairs of Mermaid's entity relationship diagrams: cardinalities, labels, attributes."""

from __future__ import annotations

import re

from .repairs import Fault, Rule

_DASH = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2500"
_NAME = r"\"[^\"]+\"|[^\W\d][\w-]*"
_SIDE = r"[|}{oO0<>*1nNmM+]{1,3}|[01]\.\.[1nN*]|"
_RELATION = re.compile(
    rf"(?P<indent>\s*)(?P<a>{_NAME})\s*(?P<left>{_SIDE})\s?(?P<line>[{_DASH}]{{1,3}}|\.\.|=+)\s?"
    rf"(?P<right>{_SIDE})\s*(?P<b>{_NAME})(?![={{}}|<>])\s*(?P<colon>:?)\s*(?P<label>.*?)\s*[;,]?\s*"
)
_ATTRIBUTE = re.compile(
    r"(?P<indent>\s*)(?:[-+#*]\s*)?(?P<rest>[^\s{}\"][^{}\"]*?)(?P<note>\s*\"[^\"]*\")?\s*[;,]?\s*"
)
_KEYS = {"PK": "PK", "FK": "FK", "UK": "UK", "UNIQUE": "UK", "PRIMARY": "PK", "FOREIGN": "FK"}
_TYPES = frozenset(
    [
        "int",
        "integer",
        "bigint",
        "smallint",
        "string",
        "str",
        "text",
        "varchar",
        "char",
        "nvarchar",
        "date",
        "datetime",
        "timestamp",
        "time",
        "bool",
        "boolean",
        "float",
        "double",
        "decimal",
        "numeric",
        "real",
        "number",
        "uuid",
        "json",
        "jsonb",
        "enum",
        "blob",
        "bytes",
        "money",
    ]
)


def _cardinality(text: str, *, is_left: bool) -> str:
    """Return one end of a relation as Mermaid spells it.

    A brace, a star or an ``n`` means many; a circle or a zero means that there may be none. One
    end without any sign is exactly one.
    """
    signs = text.replace("O", "o").replace("0", "o")
    is_many = bool(re.search(r"[{}<>*nNmM+]", signs))
    is_optional = "o" in signs
    if is_many:
        sign = "o" if is_optional or re.fullmatch(r"[*nNmM]", signs) else "|"
        return "}" + sign if is_left else sign + "{"
    if is_optional:
        return "|o" if is_left else "o|"
    return "||"


def _mend_relations(source: str, fault: Fault) -> str:
    lines = source.split("\n")
    depth = 0
    for number, line in enumerate(lines):
        match = _RELATION.fullmatch(line)
        if match is None or line.lstrip().startswith("%%") or (depth and "--" not in line):
            depth += line.count("{") - line.count("}")
            continue
        left, right = match["left"], match["right"]
        valid = re.fullmatch(r"\|\||\|o|\}\||\}o|o\{|\|\{|o\|", left) is not None
        if not (valid and re.fullmatch(r"\|\||o\||\|\{|o\{", right)):
            left, right = _cardinality(left, is_left=True), _cardinality(right, is_left=False)
            if not match["left"] and match["right"] in {"", ">"}:
                # A plain arrow says nothing of numbers.
                right = "o{"
        middle = ".." if ".." in match["line"] else "--"
        label = re.sub(r"^[\s\"'\[\]:=]+|[\s\"'\[\]:=]+$", "", match["label"])
        is_word = re.fullmatch(r"[^\W\d][\w-]*", label) is not None
        text = label if is_word else '"' + label.replace('"', "'") + '"'
        lines[number] = f"{match['indent']}{match['a']} {left}{middle}{right} {match['b']} : {text}"
    return "\n".join(lines)


def _mend_attributes(source: str, fault: Fault) -> str:
    lines = source.split("\n")
    is_inside = False
    for number, line in enumerate(lines):
        text = line.strip()
        if re.search(r"[\w\"\]]\s*[\{\[]\s*$", text) and not re.search(r"--|\.\.", text):
            is_inside = True
            lines[number] = re.sub(
                r"\[\s*$", "{", re.sub(r"^(\s*)(?:entity|table)\s+(?=\w)", r"\1", line)
            )
        elif text in {"}", "]", "};"}:
            is_inside = False
            lines[number] = line.replace("]", "}").replace(";", "")
        elif is_inside and text and not text.startswith("%%"):
            lines[number] = _attribute(line)
    return "\n".join(lines)


def _attribute(line: str) -> str:
    comment = re.search(r"\s+(?://|--|#|%%)\s*(.*)$", line)
    note = ""
    if comment is not None:
        line, note = line[: comment.start()], comment[1]
    match = _ATTRIBUTE.fullmatch(line)
    if match is None:
        return line
    if match["note"]:
        note = match["note"].strip().strip('"')
    rest = match["rest"]
    named = re.fullmatch(r"(\w+)\s*:\s*(\S+)(.*)", rest)
    if named is not None:
        rest = f"{named[2]} {named[1]}{named[3]}"
    listed = re.match(r"(\w+)\s*\((.*?['\"].*?)\)", rest)
    if listed is not None:
        rest, note = listed[1] + rest[listed.end() :], note or listed[2].replace("'", "")
    words = [word for word in re.split(r"[\s,]+(?![^(]*\))", rest) if word]
    keys = list(dict.fromkeys(_KEYS[word.upper()] for word in words[2:] if word.upper() in _KEYS))
    plain = [word for word in words[2:] if word.upper() not in {*_KEYS, "KEY"}]
    if len(words) == 1:
        words = ["field", words[0]]
    elif plain and words[0].lower() in _TYPES and not keys and not re.search("NULL|DEFAULT", rest):
        # A name of several words; behind a key it would be a remark.
        words, plain = [words[0], "_".join([words[1], *plain])], []
    elif words[1].upper() in _KEYS and len(words) == 2:
        keys, words = [_KEYS[words[1].upper()]], ["field", words[0]]
    note = " ".join(filter(None, [note, " ".join(plain)]))
    name = re.sub(r"[^\w-]", "_", words[1]).strip("_") or "field"
    text = f"{match['indent']}{words[0]} {name}"
    if keys:
        text += " " + ", ".join(keys)
    return f'{text} "{note.replace(chr(34), chr(39))}"' if note else text


ER_RULES: tuple[Rule, ...] = (
    Rule(
        "er relations",
        "Relations were given the cardinalities, colons and quotes that Mermaid wants.",
        _mend_relations,
    ),
    Rule("er attributes", "Attributes were written as type and name.", _mend_attributes),
)
