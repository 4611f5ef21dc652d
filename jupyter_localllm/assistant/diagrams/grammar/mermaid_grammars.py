"""Grammars of the Mermaid diagrams other than flowcharts.

Classes, entities, states and participants are called A, B, C … in the order in which they appear,
with their real names as labels: so nothing leads to what is not there, and no name can be a word of
the language. Called by ``grammars.py``.
"""

from __future__ import annotations

from .grammar_parts import (
    DATES,
    LABEL,
    LETTERS,
    LINE,
    PLAIN,
    any_of,
    grammar,
    ids,
    literal,
    one_of,
    other_word,
)

_INNER = "\n        "
_FIELD_TYPES = ["String", "int", "float", "bool", "Date", "List"]
_COLUMN_TYPES = ["int", "string", "float", "date", "datetime", "boolean"]

#: Words that no task, period or topic may begin with; found with the parser.
_TASK_WORDS = ["click", "call", "href", "topaxis", "inclusiveenddates", "gantt", "section", "title"]
_TASK_WORDS += ["dateformat", "axisformat", "tickinterval", "excludes", "includes", "todaymarker"]
_TASK_WORDS += ["weekday", "weekend", "acctitle", "accdescr", "vert"]
_PERIOD_WORDS = ["section", "timeline", "title", "acctitle", "accdescr"]
_TOPIC_WORDS = ["mindmap"]


def sequence(n_messages: int) -> str:
    """Return the grammar of sequence diagrams of two to five participants."""
    rules = [
        f'root ::= "sequenceDiagram" {_participant("A")} {_participant("B")} people2',
        'says ::= ": " plain [?!]?',
        'arrow ::= "->>" | "-->>"',
    ]
    names = ids(5)
    for count in range(2, len(names) + 1):
        there = names[:count]
        more = [f"{_participant(names[count])} people{count + 1}"] if count < len(names) else []
        rules.append(f"people{count} ::= {' | '.join([*more, f'talk{count}'])}")
        ways = [
            f'"{name}" arrow {one_of(other for other in there if other != name)}' for name in there
        ]
        several = f"message{count}{{1,3}}"
        line, end = literal(LINE), literal(f"{LINE}end")
        rules += [
            f"talk{count} ::= item{count}{{3,{n_messages}}}",
            f"item{count} ::= message{count} | block{count}",
            f"message{count} ::= {line} ({' | '.join(ways)}) says",
            f'block{count} ::= {line} ("loop " | "opt ") plain {several} {end} '
            f'| {line} "alt " plain {several} {line} "else " plain {several} {end}',
        ]
    return grammar(rules, PLAIN)


def _participant(name: str) -> str:
    return f'{literal(LINE)} ("participant" | "actor") {literal(f" {name} as ")} short'


def class_diagram(n_classes: int, direction: str | None) -> str:
    """Return the grammar of class diagrams; each class is related to an earlier one."""
    arrows = [f" {each} " for each in ("<|--", "*--", "o--", "-->", "..>", "<|..")]
    rules = [
        f'root ::= "classDiagram" {_way(direction)} {_related(n_classes)}',
        f"block ::= member{{1,5}} {literal(LINE + '}')}",
        f'member ::= {literal(_INNER)} [-+#] (type " " field | field "(" field? ") " result)',
        f"arrow ::= {any_of(arrows)}",
        'says ::= (" : " short)?',
        f"field ::= [{LETTERS}] [{LETTERS}0-9_]{{0,20}}",
        f"type ::= {any_of(_FIELD_TYPES)}",
        f"result ::= {any_of(['void', *_FIELD_TYPES])}",
        *_boxes(n_classes, "class "),
    ]
    return grammar(rules, LABEL)


def entities(n_entities: int, direction: str | None) -> str:
    """Return the grammar of entity-relationship diagrams; each is related to an earlier one."""
    arrows = [
        f" {left}{line}{right} "
        for left in ("||", "|o", "}|", "}o")
        for line in ("--", "..")
        for right in ("||", "o|", "|{", "o{")
    ]
    rules = [
        f'root ::= "erDiagram" {_way(direction)} {_related(n_entities)}',
        f"block ::= key? column{{1,5}} {literal(LINE + '}')}",
        f'key ::= {literal(f"{_INNER}int ")} field " PK"',
        f'column ::= {literal(_INNER)} type " " field (" FK")?',
        f"arrow ::= {any_of(arrows)}",
        'says ::= " : \\"" short "\\""',
        f"type ::= {any_of(_COLUMN_TYPES)}",
        f"field ::= [{LETTERS}] [{LETTERS}0-9_]{{0,20}}",
        *_boxes(n_entities, ""),
    ]
    return grammar(rules, LABEL)


def _related(count: int) -> str:
    return f"box1 box2 tie2 {'box3' if count > 2 else ''}"


def _boxes(count: int, keyword: str) -> list[str]:
    """Return rules for boxes A, B, C …, each followed by what ties it to an earlier one."""
    # An entity's name may have no percent sign.
    rules = ['name ::= letters [0-9]{0,2} (" " letters){0,2}']
    names = ids(count)
    for number, name in enumerate(names, start=1):
        head = literal(f'{LINE}{keyword}{name}["')
        box = f"{head} name {literal(chr(34) + '] {')} block"
        if number <= 2:
            rules.append(f"box{number} ::= {box}")
        else:
            onward = f" box{number + 1}" if number < count else ""
            rules.append(f"box{number} ::= ({box} tie{number}{onward})?")
        if number > 1:
            earlier = one_of(names[: number - 1])
            rules.append(f"tie{number} ::= {literal(LINE)} {earlier} arrow {literal(name)} says")
    return rules


def state(n_states: int, direction: str | None) -> str:
    """Return the grammar of state diagrams: states, each reached from an earlier one."""
    names = ids(n_states)
    rules = [
        f'root ::= "stateDiagram-v2" {_way(direction)} state1 {literal(f"{LINE}[*] --> A")} '
        f"state2 {literal(f'{LINE}A --> B')} says back2 from3",
        'says ::= " : " plain',
    ]
    for number, name in enumerate(names, start=1):
        head, tail = literal(f'{LINE}state "'), literal(f'" as {name}')
        rules.append(f"state{number} ::= {head} short {tail}")
        if number == 1:
            continue
        line, earlier = literal(LINE), one_of(names[: number - 1])
        back = f"{literal(f'{LINE}{name} --> ')} ({earlier} says | {literal('[*]')})"
        rules.append(f"back{number} ::= ({back})?")
        if number == 2:
            continue
        onward = f" from{number + 1}" if number < n_states else ""
        body = f"state{number} {line} {earlier} {literal(f' --> {name}')} says back{number}{onward}"
        rules.append(f"from{number} ::= {body if number == 3 else f'({body})?'}")
    return grammar(rules, PLAIN)


def mindmap(n_branches: int) -> str:
    """Return the grammar of mind maps: a centre, branches, and what belongs to each."""
    rules = [
        f'root ::= {literal(f"mindmap{chr(10)}  root((")} plain "))" '
        f"branch{{3,{max(3, n_branches)}}}",
        f"branch ::= {literal(LINE)} topic leaf{{1,4}}",
        f"leaf ::= {literal(f'{LINE}  ')} topic",
        'topic ::= topicword ((" " | ", ") bare){0,4}',
        *other_word("topicword", _TOPIC_WORDS),
    ]
    return grammar(rules, PLAIN)


def pie(n_slices: int) -> str:
    """Return the grammar of pies."""
    rules = [
        f'root ::= "pie title " plain slice{{2,{n_slices}}}',
        f'slice ::= {literal(LINE)} "\\"" label "\\" : " value',
        'value ::= [1-9] [0-9]{0,2} ("." [0-9])?',
    ]
    return grammar(rules, LABEL, PLAIN)


def gantt(n_tasks: int) -> str:
    """Return the grammar of gantt charts. All dates lie in one year, and each is a real one."""
    years = range(2020, 2031)
    head = literal(f"{LINE}dateFormat YYYY-MM-DD{LINE}section ")
    rules = [
        f"root ::= {literal(f'gantt{LINE}title ')} plain {head} plain "
        f"({' | '.join(f'year{year}' for year in years)})",
        f'task ::= {literal(LINE)} taskword ((" " | ", ") bare){{0,4}}',
        'lasts ::= ", " [1-9] [0-9]? [dw]',
        f"section ::= {literal(f'{LINE}section ')} plain",
        *other_word("taskword", _TASK_WORDS),
    ]
    for year in years:
        first = literal(f" :t1, {year}-")
        rules.append(f"year{year} ::= task {first} monthday lasts y{year}t2")
        for number in range(2, n_tasks + 1):
            # Nine tasks at most: a task that another waits for is named by one digit.
            after = f'" :t{number}, after t" [1-{number - 1}]'
            date = f'" :t{number}, {year}-" monthday'
            onward = f" y{year}t{number + 1}" if number < n_tasks else ""
            body = f"section? task ({after} | {date}) lasts{onward}"
            rules.append(f"y{year}t{number} ::= {body if number <= 3 else f'({body})?'}")
    return grammar(rules, PLAIN, DATES)


def timeline(n_periods: int) -> str:
    """Return the grammar of timelines."""
    rules = [
        f"root ::= {literal(f'timeline{LINE}title ')} plain period{{3,{n_periods}}}",
        f'period ::= {literal(LINE)} when (" : " plain){{1,3}}',
        'when ::= [1-9] [0-9]{0,3} ("s" | " BC" | " AD")? | whenword (" " bare){0,2}',
        *other_word("whenword", _PERIOD_WORDS),
    ]
    return grammar(rules, PLAIN)


def _way(direction: str | None) -> str:
    if direction is None:
        return ""
    return literal(f"{LINE}direction {'TB' if direction == 'TD' else direction}")
