"""What the grammars of diagrams share: words, labels, names, dates, and rules as GBNF text.

GBNF is llama.cpp's notation of grammars. Every repetition is bounded, and a repetition within
another is a rule of its own, which llama.cpp keeps once. Called by the modules with the grammar of
each sort of diagram.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

#: A line within a diagram.
LINE = "\n    "

#: Letters of the scripts in use other than ASCII ones, for a class of characters. Left out are
#: signs that show nothing, that turn the direction of the text around, or that parsers take for a
#: space.
_OTHERS = (
    "\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02AF\\u0370-\\u0373\\u0376-\\u0377\\u0388-\\u058A"
    "\\u05D0-\\u05EA\\u0620-\\u066F\\u0671-\\u06D3\\u0904-\\u0963\\u0966-\\u135A\\u1780-\\u17B3"
    "\\u17B6-\\u17D3\\u1E00-\\u1FBC\\u3041-\\u3096\\u30A1-\\u30FA\\u30FC\\u3400-\\u4DBF\\u4E00-\\u9FFF"
    "\\uAC00-\\uD7A3"
)
LETTERS = f"A-Za-z{_OTHERS}"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"

WORDS = (
    # A small model goes astray in words made of hyphens, digits and points; few are enough.
    f"letters ::= [{LETTERS}]{{1,18}}",
    'number ::= [0-9]{1,4} ("." [0-9]{1,2})? "%"?',
    "bare ::= letters ([-'/] letters | [0-9]{1,3})? | number",
    # Where a limit comes too soon, a model writes two words as one.
    'short ::= bare (" " bare){0,3}',
)
#: What stands in quotes: "Is x > 0?", "f(x)", "step 1: ask (again)". Neither quotes nor signs that
#: could begin a tag, an entity or an address.
LABEL = (
    *WORDS,
    'word ::= bare ("(" letters? ")")? | "(" bare ")"',
    'sign ::= "<" | ">" | "=" | "<=" | ">=" | "==" | "!=" | "+" | "-" | "*" | "/" | "&"',
    'more ::= (" " | ", " | ": " | " " sign " ") word',
    "label ::= word more{0,7} [!?]?",
)
#: What stands without quotes, to the end of the line or to a colon.
PLAIN = (*WORDS, 'plain ::= bare ((" " | ", ") bare){0,7}')
DATES = (
    'day28 ::= "0" [1-9] | "1" [0-9] | "2" [0-8]',
    'day30 ::= "0" [1-9] | [12] [0-9] | "30"',
    'monthday ::= "02-" day28 | ("0" [469] | "11") "-" day30 '
    '| ("0" [13578] | "10" | "12") "-" (day30 | "31")',
)


def ids(count: int) -> list[str]:
    """Return ``count`` names of nodes: A, B, C …; at most 26."""
    return [chr(ord("A") + number) for number in range(count)]


def literal(text: str) -> str:
    """Return a text as a terminal of GBNF."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def one_of(names: Iterable[str]) -> str:
    """Return what stands for any one of some names of one letter."""
    return f"[{''.join(names)}]"


def any_of(texts: Iterable[str]) -> str:
    """Return what stands for any one of some texts."""
    return f"({' | '.join(map(literal, texts))})"


def other_word(name: str, reserved: Iterable[str]) -> list[str]:
    """Return rules for a word with a capital that is none of some words, however they are written.

    A small model that may not write ``title`` writes ``titles``, and numbers where it has nothing
    to say: neither small letters nor digits begin the word.

    Parameters
    ----------
    name : str
        Of the rule that stands for the word.
    reserved : iterable of str
        In small letters.
    """
    words = set(reserved)
    beginnings = sorted({word[:end] for word in words for end in range(len(word) + 1)})
    # A rule for each way in which a reserved word can begin.
    names = {start: f"{name}{number or ''}" for number, start in enumerate(beginnings)}
    rules = [f"{name}end ::= [0-9{LETTERS}]{{0,16}}", f"{name}other ::= [{_OTHERS}]"]
    for start in beginnings:
        onward = [each for each in beginnings if each and each[:-1] == start]
        # Most scripts have no capitals.
        small = slice(None) if start else slice(0)
        choices = [f"[{each[-1].upper()}{each[-1][small]}] {names[each]}" for each in onward]
        rest = "".join(letter for letter in _ALPHABET if start + letter not in names)
        choices.append(f"[{rest.upper()}{rest[small]}{'0-9' if start else ''}] {name}end")
        # To the parsers, a reserved word ends where a letter follows that is not ASCII.
        if start not in words:
            choices.append(f"{name}other {name}end")
            if start:
                choices.append('""')
        rules.append(f"{names[start]} ::= {' | '.join(choices)}")
    return rules


def grammar(rules: Sequence[str], *parts: Sequence[str]) -> str:
    """Return rules as one text, ``root`` first, each once.

    A line break may end the text: a model that sees no other way out of a line goes on in it.
    """
    root, *others = rules
    lines = dict.fromkeys([f'{root} "\\n"?', *others, *(rule for part in parts for rule in part)])
    return "\n".join(lines) + "\n"
