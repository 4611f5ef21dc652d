"""Repairs of Mermaid's state, class and entity relationship diagrams."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

from .flow_rules import as_id
from .repairs import Fault, Rule

_DASH = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2500"
_ARROWS = re.compile(
    rf"(?<=[\s\])*\"'\w])(?:[{_DASH}=]+\s?(?:>|&gt;)+|[{_DASH}]*[\u2192\u27f6\u279c\u21d2\u27f9])(?=[\s\[|\w(*\"])"
)


def _lines(change: Callable[[str], str]) -> Callable[[str, Fault], str]:
    def apply(source: str, fault: Fault) -> str:
        head, _, body = source.partition("\n")
        lines = body.split("\n")
        return "\n".join([head, *(x if x.lstrip().startswith("%%") else change(x) for x in lines)])

    return apply


def _before_colon(line: str) -> tuple[str, str]:
    match = re.match(r"(?:[^:\"]|\"[^\"]*\")*", line)
    end = match.end() if match else len(line)
    return line[:end], line[end:]


def _quote(text: str) -> str:
    return '"' + text.strip().strip('"').replace('"', "'") + '"'


# --- states ---------------------------------------------------------------------------------


def _state_arrows(line: str) -> str:
    head, text = _before_colon(line)
    labelled = re.fullmatch(
        rf"(\s*\S+)\s+[{_DASH}]{{1,2}}\s+([^->|]+?)\s+[{_DASH}]+>\s*(\S+)\s*", head
    )
    if labelled is not None and not text:
        return f"{labelled[1]} --> {labelled[3]} : {labelled[2].strip(chr(34))}"
    return _ARROWS.sub("-->", head) + text


def _plain(text: str) -> str:
    return text.strip().strip('"')


def _state_chains(line: str) -> str:
    """``A --> B --> C`` becomes two lines."""
    head, text = _before_colon(line)
    names = [name.strip() for name in re.split(r"-->", head)]
    if len(names) < 3 or not all(names):
        return line
    indent = head[: len(head) - len(head.lstrip())]
    pairs = list(itertools.pairwise(names))
    made = [f"{indent}{a} --> {b}" for a, b in pairs]
    made[-1] += f" {text}" if text else ""
    return "\n".join(made)


def _state_names(source: str, fault: Fault) -> str:
    """Give states whose name has quotes, hyphens or is a keyword an id, and that name as label."""
    names: dict[str, str] = {}

    def named(match: re.Match[str]) -> str:
        text = match[0].strip()
        label = text.strip('"')
        if not re.search(r"[\"-]", text) and text != "state":
            return match[0]
        names[label] = as_id(label) if label != "state" else "state_"
        return match[0].replace(text, names[label])

    lines = source.split("\n")
    for number, line in enumerate(lines):
        if number == 0 or "-->" not in line or line.lstrip().startswith(("%%", "note")):
            continue
        head, text = _before_colon(line)
        sides = head.split("-->")
        ids = [
            re.sub(r"^\s*(\"[^\"]+\"|[\w][\w.]*(?:-[\w.]+)+|state)\s*$", named, s) for s in sides
        ]
        kept = [s[: len(s) - len(s.lstrip())] + i.strip() for s, i in zip(sides, ids, strict=True)]
        lines[number] = " -->".join(x.rstrip() for x in kept) + (f" {text}" if text else "")
    if not names:
        return source
    return "\n".join(
        [lines[0], *(f'    state "{text}" as {name}' for text, name in names.items()), *lines[1:]]
    )


def _state_aliases(line: str) -> str:
    match = re.fullmatch(r"(\s*state\s+)([\w.]+)\s+as\s+\"?([^\"{]+?)\"?\s*(\{?)\s*", line)
    return f'{match[1]}"{match[3]}" as {match[2]} {match[4]}'.rstrip() if match else line


def _state_notes(line: str) -> str:
    head = re.sub(r"(?i)^(\s*note\s+)(?:over|for|on|at)\b", r"\1right of", line)
    return re.sub(r"(?i)^(\s*note\s+(?:left|right))\s+(?!of\b)", r"\1 of ", head)


STATE_RULES: tuple[Rule, ...] = (
    Rule("state arrows", "Arrows were written as Mermaid spells them.", _lines(_state_arrows)),
    Rule("state chains", "Chains of transitions were written one a line.", _lines(_state_chains)),
    Rule("state aliases", "Names and labels of states were exchanged.", _lines(_state_aliases)),
    Rule("state names", "Names of states with spaces or signs became labels.", _state_names),
    Rule("state notes", "Notes were written as Mermaid spells them.", _lines(_state_notes)),
)


# --- classes --------------------------------------------------------------------------------

_RELATION = re.compile(
    rf"(?P<a>[\w.~`]+)(?P<ca>\s*(?:\"[^\"]*\"|[\d.*nm]+(?=\s)))?\s*"
    rf"(?P<arrow>(?:<\|?|\*|(?<=\s)o|&lt;\|?)?(?:[{_DASH}=]+|\.{{1,2}}|[\u2190-\u21ff])(?:\|?>|&gt;|\*(?=\s)|o(?=\s))?)"
    rf"(?P<cb>\s*(?:\"[^\"]*\"|[\d.*nm]+(?=\s)))?\s*(?P<b>[\w.~`]+(?:\s*,\s*\w+)*)\s*(?P<text>:.*|$)"
)


def _class_relations(line: str) -> str:
    pipe = re.fullmatch(r"(\s*.*?[->])\s*\|([^|]*)\|\s*(\w+)\s*", line)
    if pipe is not None:
        line = f"{pipe[1]} {pipe[3]} : {_plain(pipe[2])}"
    match = _RELATION.fullmatch(line.strip())
    if match is None or re.match(r"\s*(?:class|note|direction|[+#~-])\b", line):
        return line
    indent = line[: len(line) - len(line.lstrip())]
    arrow = match["arrow"].replace("&lt;", "<").replace("&gt;", ">")
    start = re.match(r"<\|?|\*|o|", arrow)
    head = start[0] if start else ""
    end = re.search(r"\|?>$|\*$|o$|[\u2192\u27f6\u21d2]$", arrow[len(head) :])
    tail = "" if end is None else ">" if ord(end[0][-1]) > 0x2000 else end[0]
    middle = ".." if "." in arrow else "--"
    sides = [f" {_quote(text)}" if text is not None else "" for text in (match["ca"], match["cb"])]
    start_of_line = f"{indent}{match['a']}{sides[0]} {head}{middle}{tail}{sides[1]}"
    names = [name.strip() for name in match["b"].split(",")]
    return "\n".join(f"{start_of_line} {name} {match['text']}".rstrip() for name in names)


def _class_generics(line: str) -> str:
    """``class A<T>`` becomes ``class A~T~``."""
    head = re.match(r"\s*class\s+\w+\s*<[^{\n]*>(?=\s*(?:\{|$|\[|:))", line)
    if head is not None:
        generic = re.sub(r"\s*<(.*)>$", r"~\1~", head[0])
        return generic + line[head.end() :]
    return re.sub(r"(\b[A-Z]\w*)<(\w+)>(?=\s*(?:<\||[*o]?--|\.\.|$))", r"\1~\2~", line)


def _class_heads(source: str, fault: Fault) -> str:
    """Interfaces, base classes in brackets, quoted names, braces on lines of their own."""
    text = re.sub(r"(?m)^(\s*(?:class|interface|enum)\b[^{\n]*?)\s*\n\s*\{\s*$", r"\1 {", source)
    text = re.sub(
        r"(?m)^(\s*class\s+\w+)\s*\[\s*$((?:\n(?!\s*\]).*)*)\n\s*\]\s*$", r"\1 {\2\n}", text
    )
    lines: list[str] = []
    for line in text.split("\n"):
        match = re.fullmatch(
            r"(\s*)(?:(?P<kind>interface|enum(?:eration)?|abstract(?:\s+class)?|public class"
            r"|data class|struct|class)\s+)(?P<name>\"[^\"]+\"|\w+(?:~.*?~)?)\s*"
            r"(?P<base>\([\w, ]*\)|extends\s+\w+|implements\s+\w+)?\s*(?P<end>\{?\s*\}?|:)\s*",
            line,
        )
        if match is None:
            lines.append(line)
            continue
        indent, kind, name = match[1], match["kind"].split()[0], match["name"]
        if name.startswith('"'):
            name = f"{as_id(name)}[{name}]"
        end = "{" if match["end"] == ":" else match["end"]
        if kind == "class" and match["end"] == ":":
            lines.append(line)
            continue
        lines.append(f"{indent}class {name} {end}".rstrip())
        stereotypes = {"interface": "interface", "enum": "enumeration", "abstract": "abstract"}
        if kind in stereotypes or kind == "enumeration":
            mark = f"<<{stereotypes.get(kind, 'enumeration')}>>"
            is_open = match["end"].strip() == "{"
            lines.append(f"{indent}    {mark}" if is_open else f"{indent}{mark} {name}")
        for base in re.findall(r"\w+", re.sub(r"^(?:extends|implements)", "", match["base"] or "")):
            lines.insert(-1, f"{indent}{base} <|-- {match['name']}")
    return "\n".join(lines)


def _class_lists(line: str) -> str:
    match = re.fullmatch(r"(\s*)class\s+(\w+(?:\s*,\s*\w+)+)\s*", line)
    if match is None:
        return line
    return "\n".join(f"{match[1]}class {name.strip()}" for name in match[2].split(","))


def _class_colon_blocks(source: str, fault: Fault) -> str:
    """``class A:`` with members below, as in Python, gets braces."""
    lines: list[str] = []
    is_open = False
    for line in source.split("\n"):
        head = re.fullmatch(r"(\s*class\s+\w+)\s*:\s*", line)
        is_member = re.match(r"\s*[+#~-]|\s+\w[\w<>~ ]*(?:\(.*\))?\s*(?::.*)?$", line) is not None
        if is_open and not (is_member and "class " not in line):
            lines.append("}")
            is_open = False
        if head is not None:
            is_open = True
        lines.append(f"{head[1]} {{" if head is not None else line)
    return "\n".join([*lines, "}"] if is_open else lines)


def _class_members(source: str, fault: Fault) -> str:
    """Braces and quotes inside of members become brackets: the block would end there."""
    lines: list[str] = []
    is_inside = False
    for line in source.split("\n"):
        if is_inside and line.strip() not in {"}", "};"} and re.search(r"[{}\"]", line):
            is_head = re.match(r"\s*(?:class|namespace)\s", line) is not None
            if not is_head:
                line = line.translate(str.maketrans('{}"', "()'"))
        if re.search(r"\bclass\b[^{}]*\{\s*$", line):
            is_inside = True
        elif line.strip() in {"}", "};"}:
            is_inside = False
        lines.append(line)
    return "\n".join(lines)


def _class_notes(line: str) -> str:
    match = re.fullmatch(r"(\s*note\s+for\s+\w+)\s*:?\s*([^\"\s].*?)\s*", line, re.IGNORECASE)
    return f"{match[1]} {_quote(match[2])}" if match is not None else line


CLASS_RULES: tuple[Rule, ...] = (
    Rule("class generics", "Type parameters were written between tildes.", _lines(_class_generics)),
    Rule("class heads", "Classes were declared as Mermaid spells it.", _class_heads),
    Rule("class blocks", "Members were put into braces.", _class_colon_blocks),
    Rule(
        "class members",
        "Braces and quotes inside of members became brackets.",
        _class_members,
    ),
    Rule("class lists", "Classes were declared one a line.", _lines(_class_lists)),
    Rule(
        "class relations",
        "Relations were written as Mermaid spells them.",
        _lines(_class_relations),
    ),
    Rule("class notes", "The texts of notes were quoted.", _lines(_class_notes)),
)
