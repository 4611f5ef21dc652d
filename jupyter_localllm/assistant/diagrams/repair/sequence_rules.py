"""Repairs of Mermaid sequence diagrams: messages, participants, notes, blocks."""

from __future__ import annotations

import re
from collections.abc import Callable

from .repairs import Fault, Rule

#: Words that no participant can be called without an alias.
_RESERVED = "end|loop|alt|opt|par|else|and|critical|break|rect|option|box|note|activate|deactivate"
_KEYWORD = re.compile(
    r"\s*(?:%%|sequenceDiagram\b|participants?\b|actors?\b|note\b|loop\b|alt\b|opt\b|par\b|else\b|and\b"
    r"|critical\b|break\b|rect\b|box\b|option\b|end\s*$|activate\b|deactivate\b|title\b|autonumber\b"
    r"|create\b|destroy\b|links?\b|acc(?:Title|Descr)\b|$)(?!\s*[-=]+[>x)])",
    re.IGNORECASE,
)
_ARROW = re.compile(
    r"(?P<left>(?:<|&lt;)*)(?P<line>[-\u2013\u2014\u2212\u2500]+|=+|\.\.+|(?=[\u2190-\u21ff\u27f0-\u27ff\u279c]))"
    r"\s?(?P<head>(?:>|&gt;|\s(?=>))+|[x)](?=\s*[+\-]?\w)|[\u2192\u27f6\u279c\u21d2\u2190\u27f5\u2194])?"
)
_VALID = re.compile(r"<<-{1,2}>>|-{1,2}(?:>>|>|x|\))|-{1,2}[|\\/]{1,2}|[|\\/]{1,2}-{1,2}")
_MESSAGE = re.compile(r"(?P<indent>\s*)(?P<rest>.*)")


def _messages(change: Callable[[str], str]) -> Callable[[str, Fault], str]:
    """Make a rule for the text of one for the lines that are messages."""

    def apply(source: str, fault: Fault) -> str:
        lines = source.split("\n")
        return "\n".join(line if _KEYWORD.match(line) else change(line) for line in lines)

    return apply


def _head(line: str) -> tuple[str, str]:
    """Cut a message into what stands before its text and the text with its colon."""
    at = line.find(":")
    return (line, "") if at < 0 else (line[:at], line[at:])


def _mend_arrow(line: str) -> str:
    head, text = _head(line)
    for match in _ARROW.finditer(head):
        before, behind = head[: match.start()].strip(), head[match.end() :].strip()
        arrow = match[0].strip()
        is_bare = match["head"] is None and not match["left"]
        if not before or not behind or not arrow or (is_bare and not _is_loose(head, match)):
            continue
        if _VALID.fullmatch(arrow):
            return line
        is_left = bool(match["left"] or re.search(r"[\u2190\u27f5\u2194]", arrow))
        is_right = bool(re.search(r">|&gt;|[\u2192\u27f6\u279c\u21d2\u2194]", match["head"] or ""))
        is_dotted = ".." in arrow or (len(match["line"]) >= 2 and match["line"][0] != "=")
        ends = re.sub(r"&[gl]t;", ">", match["head"] or ">").count(">")
        point = ">>" if ends != 1 or "=" in arrow else ">"
        dashes = "--" if is_dotted else "-"
        indent = head[: len(head) - len(head.lstrip())]
        if is_left and is_right:
            return f"{indent}{before}<<{dashes}>>{behind}{text}"
        if is_left:
            before, behind = behind, before
            point = ">>"
        return f"{indent}{before}{dashes}{point}{behind}{text}"
    return line


def _is_loose(head: str, match: re.Match[str]) -> bool:
    """Whether dashes without a point are an arrow: between blanks, or the only ones."""
    around = head[match.start() - 1 : match.start()] + head[match.end() : match.end() + 1]
    return around.isspace() or len(re.findall(r"[-\u2013\u2014]+", head)) == 1


def _add_colon(source: str, fault: Fault) -> str:
    """``A->>B hi`` becomes ``A->>B: hi``; a message without a text gets an empty one."""
    known = {
        name.strip()
        for name in re.findall(r"(?m)^\s*(?:participant|actor)\s+(.+?)(?:\s+as\s.*)?$", source)
    }
    known |= set(re.findall(r"(?m)^\s*(?:participant|actor)\s+.+?\s+as\s+(\S+)\s*$", source))

    def mended(line: str) -> str:
        match = re.fullmatch(
            r"(\s*[^:]*?[^\s:]\s*(?:<<)?-{1,2}(?:>>|>|x|\))\s*[+-]?\s*)([^\s:>-][^:]*?)\s*;?", line
        )
        if match is None:
            return line
        rest = match[2].strip()
        names = [name for name in known if rest == name or rest.startswith(f"{name} ")]
        name = max(names, key=len) if names else rest.split()[0]
        return f"{match[1]}{name}: {rest[len(name) :].strip()}".rstrip(" ")

    return _messages(mended)(source, fault)


def _split_receivers(line: str) -> str:
    """``A->>B,C: x`` and ``A->>B->>C: x`` become a message each."""
    head, text = _head(line)
    indent = head[: len(head) - len(head.lstrip())]
    parts = re.split(r"(-{1,2}(?:>>|>))", head.strip())
    if len(parts) == 3 and "," in parts[2]:
        names = [name.strip() for name in parts[2].split(",") if name.strip()]
        return "\n".join(
            f"{indent}{parts[0].strip()}{parts[1]}{name}{text or ':'}" for name in names
        )
    if len(parts) > 3:
        steps = range(0, len(parts) - 2, 2)
        names = [part.strip() for part in parts]
        return "\n".join(
            f"{indent}{names[n]}{names[n + 1]}{names[n + 2]}{text or ':'}" for n in steps
        )
    return line


def _plain_actors(line: str) -> str:
    """``A->>(B): x`` and ``A->>[B]: x``: no brackets around participants."""
    head, text = _head(line)
    return re.sub(r"(^\s*|[>)x]\s*)[(\[{]([\w ]+)[)\]}]", r"\1\2", head) + text


def _escape_semicolons(line: str) -> str:
    head, text = _head(line)
    body = text.rstrip("; ")
    return head + re.sub(r"(?<!#\d\d)(?<!#\w\w\w\w);", "#59;", body) if ";" in body else line


def _mend_participants(source: str, fault: Fault) -> str:
    lines: list[str] = []
    for line in source.split("\n"):
        match = re.fullmatch(
            r"(\s*)(participant|actor)s?\s*:?\s+(.*?)[;,]?\s*", line, re.IGNORECASE
        )
        if match is None:
            lines.append(line)
            continue
        indent, word, rest = match[1], match[2].lower(), match[3]
        named = re.fullmatch(r"([\w-]+)\s*[:=]\s*(\S.*)", rest)
        if named is not None:
            lines.append(f"{indent}{word} {named[1]} as {named[2].strip(chr(34))}")
        elif "," in rest and " as " not in rest:
            lines += [f"{indent}{word} {name.strip()}" for name in rest.split(",") if name.strip()]
        else:
            lines.append(f"{indent}{word} {rest}")
    return "\n".join(lines)


def _mend_notes(source: str, fault: Fault) -> str:
    actors = _actors(source)
    lines: list[str] = []
    rest = source.split("\n")
    while rest:
        line = rest.pop(0)
        match = re.fullmatch(r"(\s*)note\b\s*(.*)", line, re.IGNORECASE)
        if match is None:
            lines.append(line)
            continue
        place = re.match(r"(over|left(?:\s+of)?|right(?:\s+of)?|on|for|to|at)\b\s*", match[2], re.I)
        tail = match[2][place.end() :] if place is not None else match[2]
        word = re.sub(r"\s+of", "", place[1].lower()) if place is not None else "over"
        who, colon, text = tail.partition(":")
        if not colon:
            name = next(
                (a for a in sorted(actors, key=len, reverse=True) if _is_first(a, tail)), ""
            )
            who = name or (tail.split() or [""])[0]
            text = tail[len(who) :]
            if not text.strip():
                text = _block_text(rest)
        names = [name.strip() for name in who.split(",") if name.strip()] or actors[:1]
        if len(names) > 1:
            word, names = "over", [names[0], names[-1]]
        sides = {"left": "left of", "right": "right of"}
        lines.append(
            f"{match[1]}Note {sides.get(word, 'over')} {','.join(names)}: "
            f"{text.strip().strip(chr(34)).rstrip(';')}"
        )
    return "\n".join(lines)


def _block_text(rest: list[str]) -> str:
    """Take the lines up to ``end note`` off; return them as one text, empty if there is none."""
    ends = [
        n for n, line in enumerate(rest) if re.fullmatch(r"\s*end ?note\s*", line, re.IGNORECASE)
    ]
    if not ends:
        return ""
    text = "<br/>".join(line.strip() for line in rest[: ends[0]])
    del rest[: ends[0] + 1]
    return text


def _is_first(name: str, text: str) -> bool:
    return re.match(rf"{re.escape(name)}(?!\w)", text) is not None


def _actors(source: str) -> list[str]:
    """Return the participants in the order in which they come."""
    found: dict[str, None] = {}
    for line in source.split("\n"):
        named = re.match(r"\s*(?:participant|actor)\s+(.+?)(?:\s+as\s+.*)?\s*$", line)
        if named is not None:
            found[named[1]] = None
        elif not _KEYWORD.match(line):
            sides = re.match(r"\s*(.+?)\s*-{1,2}(?:>>|>|x|\))\s*[+-]?\s*([^:]+?)\s*:", line)
            if sides is not None:
                found[sides[1]] = found[sides[2]] = None
    return list(found)


def _mend_blocks(source: str, fault: Fault) -> str:
    """``if`` is ``alt``, ``while`` and ``for`` are ``loop``, ``elif`` is ``else``."""
    words = {"if": "alt", "while": "loop", "for": "loop", "elif": "else", "elseif": "else"}
    words |= {
        "repeat": "loop",
        "parallel": "par",
        "optional": "opt",
        "switch": "alt",
        "case": "else",
    }
    return re.sub(
        rf"(?im)^(\s*)({'|'.join(words)})\b(?![^\n]*-[->])(?!\s*[:,])",
        lambda match: match[1] + words[match[2].lower()],
        source,
    )


def _alias_reserved(source: str, fault: Fault) -> str:
    """``A->>end: x`` becomes ``A->>end_: x`` with ``participant end_ as end``."""
    lines: list[str] = []
    aliases: set[str] = set()
    for line in source.split("\n"):
        head, text = _head(line)
        pattern = rf"(?i)(?:(?<=>)|(?<=x)|(?<=\)))(\s*[+-]?\s*)({_RESERVED})(\s*)$"
        changed = re.sub(pattern, r"\1\2_\3", head)
        changed = re.sub(rf"(?i)^(\s*)({_RESERVED})(\s*-{{1,2}}(?:>>|>|x|\)))", r"\1\2_\3", changed)
        if changed != head:
            for name in re.findall(rf"(?i)\b({_RESERVED})_(?!\w)", changed):
                if name not in aliases:
                    aliases.add(name)
                    lines.append(
                        f"{head[: len(head) - len(head.lstrip())]}participant {name}_ as {name}"
                    )
        lines.append(changed + text)
    return "\n".join(lines)


def _without_idle_deactivations(source: str, fault: Fault) -> str:
    """Leave out the end of an activation that never began."""
    active: dict[str, int] = {}
    lines: list[str] = []
    for line in source.split("\n"):
        word = re.fullmatch(r"\s*(activate|deactivate)\s+(.+?)\s*", line)
        if word is not None:
            count = active.get(word[2], 0)
            if word[1] == "deactivate" and not count:
                continue
            active[word[2]] = count + (1 if word[1] == "activate" else -1)
        match = re.match(r"(\s*)(.+?)(\s*-{1,2}(?:>>|>|x|\))\s*)([+-])(\s*)([^:]+?)(\s*:.*)", line)
        if match is not None and not _KEYWORD.match(line):
            if match[4] == "+":
                active[match[6]] = active.get(match[6], 0) + 1
            elif active.get(match[2], 0):
                active[match[2]] -= 1
            else:
                line = "".join(match.group(1, 2, 3, 5, 6, 7))
        lines.append(line)
    return "\n".join(lines)


SEQUENCE_RULES: tuple[Rule, ...] = (
    Rule("sequence blocks", "Blocks were given the words that Mermaid knows.", _mend_blocks),
    Rule("sequence participants", "Participants were declared one a line.", _mend_participants),
    Rule("sequence arrows", "Arrows were written as Mermaid spells them.", _messages(_mend_arrow)),
    Rule(
        "sequence brackets",
        "Brackets around participants were left out.",
        _messages(_plain_actors),
    ),
    Rule(
        "sequence receivers",
        "A message to several participants became several messages.",
        _messages(_split_receivers),
    ),
    Rule("sequence colons", "Messages were given the colon that they lacked.", _add_colon),
    Rule("sequence notes", "Notes were written as Mermaid spells them.", _mend_notes),
    Rule(
        "sequence semicolons",
        "Semicolons in messages were escaped.",
        _messages(_escape_semicolons),
    ),
    Rule(
        "sequence reserved words",
        "Participants that were called like a word of the language were given another name.",
        _alias_reserved,
    ),
    Rule(
        "sequence activations",
        "The end of an activation that never began was left out.",
        _without_idle_deactivations,
    ),
)
