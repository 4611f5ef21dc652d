"""Grammars of flowcharts, and of graphs in the DOT language.

Nodes are called A, B, C … in the order in which they appear, and each is tied to an earlier one
by the line that brings it in. So no edge leads to a node that is not there, no line is there
twice, and the picture hangs together, whatever the model. Called by ``grammars.py``.
"""

from __future__ import annotations

from .grammar_parts import LABEL, LINE, any_of, grammar, ids, literal, one_of

#: The fewest nodes.
_LEAST = 3


def flowchart(n_nodes: int, direction: str | None) -> str:
    """Return the grammar of flowcharts with at most so many nodes, or four where that is less.

    A question has two ways out of it, each with a word on it.
    """
    n_nodes = max(n_nodes, 4)
    way = literal(direction) if direction else any_of(["TD", "LR"])
    names = ids(n_nodes)
    rules = [
        f'root ::= "flowchart " {way} {literal(LINE + "A")} box {literal(" -->")} says '
        f"{literal(' B')} (box from3 | diamond ways3)",
        'box ::= "[\\"" label "\\"]" | "([\\"" label "\\"])"',
        'diamond ::= "{\\"" label "\\"}"',
        'says ::= ("|\\"" short "\\"|")?',
        'answers ::= "|\\"" short "\\"|"',
    ]
    for count in range(3, n_nodes + 1):
        back = f'{literal(LINE + names[count - 1])} " -->" says " " {one_of(names[: count - 1])}'
        rules.append(f"loop{count} ::= ({back})?")
        rules.append(_flowchart_step(count, names))
        rules.append(_ways(count, names))
    rules += [f"from{count} ::= {literal('')}" for count in (n_nodes + 1, n_nodes + 2)]
    return grammar(rules, LABEL)


def _flowchart_step(count: int, names: list[str]) -> str:
    """Return the rule ``from…``: what may follow when ``count - 1`` nodes are there."""
    new, before, earlier = names[count - 1], names[count - 2], names[: count - 2]
    arrow = f'" -->" says {literal(" " + new)}'
    enter = f"{literal(LINE)} {one_of([*earlier, before])} {arrow}"
    # Another way to the new node comes from the one before; the first way, then, from elsewhere.
    join = f"{literal(LINE)} {one_of(earlier)} {arrow} box {literal(LINE + before)} {arrow}"
    # Small models go on as long as they can: the last line is not left to be a way back.
    onward = f"loop{count} from{count + 1}" if count < len(names) else ""
    choices = [f"{enter} box {onward}", f"{join} {onward}"]
    if count + 2 <= len(names):
        choices.append(f"{enter} diamond ways{count + 1}")
    body = " | ".join(choices)
    return f"from{count} ::= {body if count == _LEAST else f'({body})?'}"


def _ways(count: int, names: list[str]) -> str:
    """Return the rule ``ways…``: the two ways out of a question that was the last node."""
    if count + 1 > len(names):
        return ""
    asked, first, second = names[count - 2], names[count - 1], names[count]
    way = f'{literal(LINE + asked)} " -->" answers'
    onward = [f"{literal(' ' + second)} box from{count + 2}"]
    if count + 3 <= len(names):
        onward.append(f"{literal(' ' + second)} diamond ways{count + 2}")
    onward.append(f'" " {one_of(names[: count - 2])} from{count + 1}')
    return f"ways{count} ::= {way} {literal(' ' + first)} box {way} ({' | '.join(onward)})"


def dot(n_nodes: int, direction: str | None, *, is_directed: bool) -> str:
    """Return the grammar of graphs or digraphs with at most so many nodes."""
    arrow = " -> " if is_directed else " -- "
    opening = "digraph {" if is_directed else "graph {"
    names = ids(n_nodes)
    if direction:
        opening += f"{LINE}rankdir={direction};"
    rules = [
        f"root ::= {literal(opening)} node1 node2 edge2 from3 {literal(chr(10) + '}')}",
        'attributes ::= " [label=\\"" label "\\"" look? "];"',
        'look ::= ", shape=" ("box" | "ellipse" | "diamond" | "circle" | "cylinder")',
        'says ::= (" [label=\\"" short "\\"]")? ";"',
        f"edge2 ::= {literal(f'{LINE}A{arrow}B')} says",
    ]
    for count, name in enumerate(names, start=1):
        rules.append(f"node{count} ::= {literal(LINE + name)} attributes")
    for count in range(3, n_nodes + 1):
        rules += _dot_step(names[:count], arrow, is_directed, is_last=count == n_nodes)
    return grammar(rules, LABEL)


def _dot_step(names: list[str], arrow: str, is_directed: bool, *, is_last: bool) -> list[str]:
    """Return the rules that bring in the last of ``names``; as in a flowchart."""
    new, before, earlier = names[-1], names[-2], names[:-2]
    count = len(names)
    line = literal(LINE)
    from_before = f"{literal(LINE + before + arrow + new)} says"
    join = f"{line} {one_of(earlier)} {literal(arrow + new)} says"
    ways = [f"{from_before} ({join})?", f"{join} ({from_before})?"]
    if is_directed:
        back = f"{literal(LINE + new + arrow)} {one_of(names[:-1])} says"
        ways = [f"({' | '.join(ways)}){'' if is_last else f' ({back})?'}", back]
    rules = [f"edge{count} ::= {' | '.join(ways)}"]
    parts = [f"node{count}", f"edge{count}"]
    if not is_last:
        parts.append(f"from{count + 1}")
    body = " ".join(parts)
    rules.append(f"from{count} ::= {body if count == _LEAST else f'({body})?'}")
    return rules
