"""Imports of Python code as a Mermaid flowchart: from which modules it takes what.

Called by ``from_code.py``.
"""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from ....errors import DiagramInvalid
from .mermaid_text import SourceDiagram, is_short_enough, label

_MAX_MODULES = 60
#: Names that a module's node shows, and characters of a line; the later ones for long sources.
_SIZES = ((12, 44), (4, 32), (1, 24))
#: Characters of a line of names.
_WIDTH = 36
_GROUPS = ("Standard library", "Packages", "This package")


@dataclass(slots=True)
class _Module:
    """One module and what is taken from it.

    Attributes
    ----------
    name : str
        With the dots of a relative import in front.
    names : list of str
        ``name`` or ``name as other``, in the order of the code.
    conditions : set of str
        Where it is imported; "" for the top level.
    """

    name: str
    names: list[str] = field(default_factory=list)
    conditions: set[str] = field(default_factory=set)

    @property
    def group(self) -> str:
        if self.name.startswith("."):
            return _GROUPS[2]
        # What a Python of another version or system has counts as a package here.
        return _GROUPS[self.name.split(".")[0] not in sys.stdlib_module_names]


def imports_diagram(tree: ast.Module, direction: str | None) -> SourceDiagram:
    """Draw the modules that code imports, with the names it takes from each.

    Imports that only run in a function, after a condition or in a ``try`` have dotted arrows that
    say so.

    Raises
    ------
    DiagramInvalid
        The code imports nothing.
    """
    modules: dict[str, _Module] = {}
    for statement, condition in _imports(tree):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                module = modules.setdefault(alias.name, _Module(alias.name))
                module.conditions.add(condition)
                if alias.asname:
                    _add(module, f"as {alias.asname}")
        else:
            name = "." * statement.level + (statement.module or "")
            module = modules.setdefault(name, _Module(name))
            module.conditions.add(condition)
            for alias in statement.names:
                _add(module, alias.name + (f" as {alias.asname}" if alias.asname else ""))
    if not modules:
        raise DiagramInvalid(
            "The code imports nothing.",
            "Draw its control flow or its classes.",
            details={"kind": "python", "reason": "no imports"},
        )
    shown = list(modules.values())[:_MAX_MODULES]
    notes = []
    if n_left_out := len(modules) - len(shown):
        are = "module is" if n_left_out == 1 else "modules are"
        notes.append(f"{n_left_out} {are} left out for want of room.")
    for n_names, n_characters in _SIZES:
        said: list[str] = []
        lines = [
            f"flowchart {direction or 'LR'}",
            '    code(["this code"])',
            *_written(shown, n_names, n_characters, said),
        ]
        if is_short_enough(lines):
            break
    count = "1 module" if len(modules) == 1 else f"{len(modules)} modules"
    return SourceDiagram("\n".join(lines) + "\n", f"Imports from {count}", (*notes, *said))


def _add(module: _Module, name: str) -> None:
    if name not in module.names:
        module.names.append(name)


def _imports(tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """Yield the imports in the order of the code, with the condition under which each runs."""
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, condition = waiting.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, condition
        elif not isinstance(node, ast.expr):
            inside = _condition(node) or condition
            waiting += [(child, inside) for child in reversed(list(ast.iter_child_nodes(node)))]


def _condition(node: ast.AST) -> str:
    """Return what an import inside of this node waits for; "" where it always runs."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return f"in {node.name}()"
    if isinstance(node, ast.If):
        name = node.test.attr if isinstance(node.test, ast.Attribute) else ""
        name = node.test.id if isinstance(node.test, ast.Name) else name
        return "for types only" if name == "TYPE_CHECKING" and not node.orelse else "if"
    if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
        return "in a loop"
    if isinstance(node, ast.Match):
        return "in a case"
    return "try" if type(node).__name__ in ("Try", "TryStar") else ""


def _written(
    modules: list[_Module], n_names: int, n_characters: int, notes: list[str]
) -> Iterator[str]:
    numbered = list(enumerate(modules))
    for i, group in enumerate(_GROUPS):
        members = [(place, module) for place, module in numbered if module.group == group]
        if not members:
            continue
        yield f'    subgraph g{i}["{group}"]'
        for place, module in members:
            names = module.names
            if len(names) > n_names:
                n_more = len(names) - n_names + 1
                names = [*names[: n_names - 1], f"… {n_more} more"]
                note = f"Of modules with more than {n_names} names, the first are shown."
                if note not in notes:
                    notes.append(note)
            text = "<br>".join(label(line, n_characters) for line in _lines(module.name, names))
            yield f'        m{place}["{text}"]'
        yield "    end"
    for place, module in numbered:
        if "" in module.conditions:
            yield f"    code --> m{place}"
        else:
            text = label(", ".join(sorted(module.conditions)), n_characters)
            yield f'    code -.->|"{text}"| m{place}'


def _lines(name: str, names: list[str]) -> list[str]:
    """Return the module with its other names, then what is taken from it, several on a line."""
    aliases = [taken for taken in names if taken.startswith("as ")]
    taken = [other for other in names if other not in aliases]
    wrapped = textwrap.wrap(", ".join(taken), _WIDTH, break_long_words=False)
    # A name of dots alone says little.
    title = name if name.strip(".") else f"from {name}"
    return [" ".join([title, ", ".join(aliases)]).strip(), *wrapped]
