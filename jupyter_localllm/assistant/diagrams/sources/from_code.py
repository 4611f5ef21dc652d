"""Mermaid diagrams of Python code: its control flow, its classes, its imports.

The code is parsed and never run, and no model is asked: what is drawn is what the code has.
``code_flow.py``, ``code_classes.py`` and ``code_imports.py`` draw; the magics call this.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import Literal

from ....errors import DiagramInvalid, DiagramTooLarge, InvalidParameter
from .mermaid_text import SourceDiagram, checked_direction

__all__ = ["CodeDiagram", "SourceDiagram", "diagram_of_code"]

#: What can be drawn of code; ``auto`` chooses by what the code mainly is.
CodeDiagram = Literal["auto", "flow", "classes", "imports"]

#: Characters of code; parsing takes about 100 bytes of memory for each.
_MAX_CODE = 1_000_000

#: Lines of IPython: magics, shell commands and help.
_IPYTHON = re.compile(r"\s*(?:%{1,2}[A-Za-z]|!|\?|[\w.%]+\?{1,2}\s*$)")
_BLANK = re.compile(r"\s*(?:#.*)?$")
#: Cell magics whose body is Python all the same.
_PYTHON_CELLS = frozenset({"time", "timeit", "capture", "prun", "python", "python3", "pypy"})


def diagram_of_code(
    code: str, *, what: CodeDiagram = "auto", direction: str | None = None
) -> SourceDiagram:
    """Draw Python code as a Mermaid source.

    Parameters
    ----------
    code : str
        A module, a cell or a function. Magics and shell commands in it are left out.
    what : {"auto", "flow", "classes", "imports"}
        ``auto``: classes where most lines are of classes, imports where there is nothing else,
        control flow otherwise.
    direction : str, optional
        ``TB``, ``TD``, ``BT``, ``LR`` or ``RL``.

    Raises
    ------
    DiagramInvalid
        The code does not parse, or it has nothing of the kind that was asked for.
    DiagramTooLarge
        It is longer than can be drawn.
    InvalidParameter
        ``what`` or ``direction`` is none of those above.
    """
    from .code_classes import classes_diagram
    from .code_flow import flow_diagram
    from .code_imports import imports_diagram

    direction = checked_direction(direction)
    if what not in ("auto", "flow", "classes", "imports"):
        raise InvalidParameter(
            f"There is no diagram of code called {what!r}.",
            "Use auto, flow, classes or imports.",
            param="what",
        )
    if len(code) > _MAX_CODE:
        raise DiagramTooLarge(
            f"The code is too long to draw: {len(code):,} characters of {_MAX_CODE:,}.",
            "Draw a part of it, for example one function.",
            details={"size": len(code), "limit": _MAX_CODE},
        )
    python, notes = without_ipython(code)
    tree = _parse(python)
    chosen = _main_kind(tree) if what == "auto" else what
    if chosen == "classes":
        drawn = classes_diagram(tree, direction)
    elif chosen == "imports":
        drawn = imports_diagram(tree, direction)
    else:
        drawn = flow_diagram(tree, python, direction)
    return SourceDiagram(drawn.source, drawn.title, (*notes, *drawn.notes))


def without_ipython(code: str) -> tuple[str, list[str]]:
    """Return the code with the lines of IPython emptied, and what to say about it.

    Lines keep their numbers. Code that is plain Python is returned as it is: a line that starts
    with ``%`` or ``!`` may stand in a string.
    """
    text = code.replace("\r\n", "\n").replace("\r", "\n").replace("\f", " ")
    if _is_python(text):
        return text, []
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    cell_magic = re.match(r"\s*%%(\w+)", first)
    if cell_magic and cell_magic[1] not in _PYTHON_CELLS:
        raise DiagramInvalid(
            f"The cell is not Python: it starts with %%{cell_magic[1]}.",
            "Draw a cell with Python code.",
            details=_place(1, 1, first, "cell magic"),
        )
    kept, n_left_out, is_continued = [], 0, False
    for line in lines:
        if is_continued or _IPYTHON.match(line):
            # A block must not become empty; a line that goes on belongs to the one before.
            indent = "" if is_continued else line[: len(line) - len(line.lstrip())]
            is_continued = line.endswith("\\")
            n_left_out += 1
            kept.append(f"{indent}pass" if indent else "")
        else:
            kept.append(line)
    if not n_left_out:
        return text, []
    lines_are = "line of IPython is" if n_left_out == 1 else "lines of IPython are"
    return "\n".join(kept), [f"{n_left_out} {lines_are} left out."]


def _is_python(text: str) -> bool:
    try:
        _quiet_parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _quiet_parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        # "\d" in somebody's string is not ours to warn of.
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _parse(text: str) -> ast.Module:
    try:
        tree = _quiet_parse(text)
    except SyntaxError as error:
        lines = text.split("\n")
        line = error.lineno or 0
        shown = lines[line - 1] if 0 < line <= len(lines) else ""
        reason = error.msg or "invalid syntax"
        where = f" in line {line}" if line else ""
        raise DiagramInvalid(
            f"The code is not valid Python{where}: {reason}.",
            "Correct the code and draw it again.",
            details=_place(line, error.offset or 0, shown, reason),
        ) from None
    except ValueError as error:
        raise DiagramInvalid(
            f"The code is not valid Python: {error}.",
            "Correct the code and draw it again.",
            details=_place(0, 0, "", str(error)),
        ) from None
    except (RecursionError, MemoryError):
        raise DiagramTooLarge(
            "The code is nested too deeply to be drawn.", "Draw a part of it."
        ) from None
    if not tree.body:
        raise DiagramInvalid(
            "There is no Python code to draw.",
            "Draw a cell that has statements.",
            details=_place(0, 0, "", "no statements"),
        )
    return tree


def _main_kind(tree: ast.Module) -> Literal["flow", "classes", "imports"]:
    """Tell what the code mainly is, by its lines."""
    n_lines = {"classes": 0, "imports": 0, "flow": 0}
    for statement in tree.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        size = (statement.end_lineno or statement.lineno) - statement.lineno + 1
        if isinstance(statement, ast.ClassDef):
            n_lines["classes"] += size
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            n_lines["imports"] += size
        else:
            n_lines["flow"] += size
    if n_lines["classes"] > n_lines["flow"]:
        return "classes"
    return "imports" if n_lines["imports"] and not n_lines["flow"] else "flow"


def _place(line: int, column: int, source_line: str, reason: str) -> dict[str, object]:
    return {
        "kind": "python",
        "line": line,
        "column": column,
        "source_line": source_line,
        "reason": reason,
    }
