"""Whether a text is another one after an edit: which runs are of one cell where there are no ids.

Careful on purpose: an error that is offered once more costs a word, one that is taken for cured
is never found again. Called by ``cell_runs.py``.
"""

from __future__ import annotations

import re

#: Texts beyond it are the same only if they are equal.
_MAX_CHARACTERS = 5_000
#: How alike two longer cells are that count as one.
_SAME_TEXT = 0.8
#: Up to so many, letters are compared: a line that is written anew weighs much among a few.
_SHORT_CHARACTERS = 300
#: How much of longer ones stands in lines that are the same.
_SAME_LINES = 0.4
_LONGER_LINES = 4
#: How alike a line is to what became of it, where another line stayed as it was.
_SAME_LINE = 0.75
#: How alike a line is to one that gives its value to the same name.
_SAME_TARGET = 0.6
#: How alike a mistyped word is to the right one.
_SAME_WORD = 0.6

_WORD = re.compile(r"\w+|[^\w\s]")
_TARGET = re.compile(r"\s*(?P<name>[\w.]+)\s*=(?!=)")


def is_edit(before: str, after: str) -> bool:
    """Whether ``after`` holds all of ``before``, or is it with a few words set right."""
    old, new = _lines(before), _lines(after)
    if _holds(new, old):
        return True
    if not old or max(len(before), len(after)) > _MAX_CHARACTERS:
        return False
    is_short = max(len(before), len(after)) <= _SHORT_CHARACTERS
    is_alike = is_short and _likeness(before, after) >= _SAME_TEXT
    if len(old) >= _LONGER_LINES and (is_alike or _is_mostly_same(old, new)):
        return True
    if len(old) != len(new):
        return False
    changed = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
    has_anchor = len(changed) < len(old)
    return all(_is_edited_line(a, b, has_anchor) for a, b in changed)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _holds(lines: list[str], wanted: list[str]) -> bool:
    rest = iter(lines)
    return all(line in rest for line in wanted)


def _is_mostly_same(old: list[str], new: list[str]) -> bool:
    """Whether most of a longer cell stayed: by whole lines first, which costs next to nothing."""
    import difflib

    n_all = sum(map(len, [*old, *new]))
    n_same = 0.0
    changed: list[tuple[str, str]] = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            n_same += 2 * sum(map(len, old[i:j]))
        elif tag == "replace":
            changed.append(("\n".join(old[i:j]), "\n".join(new[k:m])))
    if n_same < _SAME_LINES * n_all:
        return False
    n_same += sum(_likeness(one, other) * (len(one) + len(other)) for one, other in changed)
    return n_same >= _SAME_TEXT * n_all


def _likeness(one: str, other: str) -> float:
    # Imported with the first error, not with every kernel.
    import difflib

    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= _SAME_WORD else 0.0


def _is_edited_line(before: str, after: str, has_anchor: bool) -> bool:
    old, new = _TARGET.match(before), _TARGET.match(after)
    is_same_target = old is not None and new is not None and old["name"] == new["name"]
    likeness = _likeness(before, after)
    return (
        (has_anchor and likeness >= _SAME_LINE)
        or (is_same_target and likeness >= _SAME_TARGET)
        or _has_words_set_right(before, after)
    )


def _has_words_set_right(before: str, after: str) -> bool:
    """Whether only mistyped words and signs differ."""
    import difflib

    old, new = _WORD.findall(before), _WORD.findall(after)
    if not set(old) & set(new):
        return False
    changes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return all(
        tag == "equal" or _is_set_right("".join(old[i:j]), "".join(new[k:m]))
        for tag, i, j, k, m in changes
    )


def _is_set_right(before: str, after: str) -> bool:
    if not re.search(r"\w", before + after):
        # A bracket, a colon, a quote.
        return True
    return bool(before and after) and _likeness(before, after) >= _SAME_WORD
