"""Classes of Python code as a Mermaid class diagram: members, inheritance, composition.

``class_members.py`` reads one class; this finds the classes, relates and writes them. Called by
``from_code.py``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ....errors import DiagramInvalid
from .class_members import Attribute, Members, Method, dotted_name, members_of, named_in
from .mermaid_text import SourceDiagram, is_short_enough, label, member, shortened

_MAX_CLASSES = 60
#: Members of each kind that a class shows, and characters of each.
_SIZES = ((16, 60), (8, 40), (3, 30), (0, 20))
#: Bases that say what a class is; the stereotype names them.
_STEREOTYPES = {
    "ABC": "abstract",
    "Protocol": "protocol",
    "Enum": "enumeration",
    "IntEnum": "enumeration",
    "StrEnum": "enumeration",
    "Flag": "enumeration",
    "IntFlag": "enumeration",
    "NamedTuple": "tuple",
    "TypedDict": "dict",
}
_NOT_DRAWN = {"object", "Generic", *_STEREOTYPES}


@dataclass(slots=True)
class _Class:
    """A class of the code; ``scope`` is the name before its own, with a dot."""

    node: ast.ClassDef
    scope: str
    members: Members

    @property
    def name(self) -> str:
        return self.scope + self.node.name

    @property
    def bases(self) -> Iterator[str]:
        """Yield the names of the bases, without what stands in brackets behind them."""
        for base in self.node.bases:
            inner = base.value if isinstance(base, ast.Subscript) else base
            if name := dotted_name(inner):
                yield name

    @property
    def stereotype(self) -> str:
        for base in self.bases:
            if found := _STEREOTYPES.get(base.split(".")[-1]):
                return found
        for decorator in self.node.decorator_list:
            call = decorator.func if isinstance(decorator, ast.Call) else decorator
            if dotted_name(call).split(".")[-1] == "dataclass":
                return "dataclass"
        return "abstract" if any(m.is_abstract for m in self.members.methods) else ""


def classes_diagram(tree: ast.Module, direction: str | None) -> SourceDiagram:
    """Draw the classes of a module, those inside of functions and other classes too.

    Raises
    ------
    DiagramInvalid
        The code has no classes.
    """
    classes = {found.name: found for found in _classes(tree)}
    if not classes:
        raise DiagramInvalid(
            "The code has no classes.",
            "Draw its control flow instead.",
            details={"kind": "python", "reason": "no classes"},
        )
    notes = []
    shown = dict(list(classes.items())[:_MAX_CLASSES])
    if n_left_out := len(classes) - len(shown):
        are = "class is" if n_left_out == 1 else "classes are"
        notes.append(f"{n_left_out} {are} left out for want of room.")
    relations = list(_Relations(shown))
    for n_members, n_characters in _SIZES:
        said: list[str] = []
        lines = ["classDiagram"]
        if direction:
            lines.append(f"    direction {'TB' if direction == 'TD' else direction}")
        for i, found in enumerate(shown.values()):
            lines += _class_lines(f"c{i}", found, n_members, n_characters, said)
        lines += relations
        if is_short_enough(lines):
            break
    names = [shortened(name, 32) for name in shown]
    title = f"Classes {', '.join(names[:5])}" if len(names) > 1 else f"Class {names[0]}"
    if len(names) > 5:
        title += f" and {len(names) - 5} more"
    return SourceDiagram("\n".join(lines) + "\n", title, (*notes, *said))


def _classes(tree: ast.Module) -> Iterator[_Class]:
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, scope = waiting.pop()
        if isinstance(node, ast.ClassDef):
            yield _Class(node, scope, members_of(node))
            scope = f"{scope}{node.name}."
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            scope = f"{scope}{node.name}."
        elif isinstance(node, ast.expr):
            continue
        waiting += [(child, scope) for child in reversed(list(ast.iter_child_nodes(node)))]


def _class_lines(
    word: str, found: _Class, n_members: int, n_characters: int, notes: list[str]
) -> Iterator[str]:
    of_class = found.members
    attributes = [_attribute_line(attribute, n_characters) for attribute in of_class.attributes]
    methods = [_method_line(method, n_characters) for method in of_class.methods]
    lines = []
    for kind, members in (("attributes", attributes), ("methods", methods)):
        lines += members[:n_members]
        if (n_more := len(members) - n_members) > 0:
            lines.append(f"… {n_more} more {kind}")
            notes.append(f"{n_more} {kind} of {found.name} are left out for want of room.")
    stereotype = found.stereotype
    yield f'    class {word}["{label(found.name, n_characters)}"]' + (" {" if lines else "")
    if lines:
        yield from (f"        {line}" for line in lines)
        yield "    }"
    if stereotype:
        yield f"    <<{stereotype}>> {word}"


def _attribute_line(attribute: Attribute, n_characters: int) -> str:
    text = attribute.name
    if attribute.type:
        text += f": {attribute.type}"
    if attribute.value:
        text += f" = {attribute.value}"
    # A bracket would make it a method.
    return _without_brackets(member(text, n_characters))


def _method_line(method: Method, n_characters: int) -> str:
    mark = "*" if method.is_abstract else "$" if method.is_static else ""
    arguments = label(method.arguments, n_characters) if method.arguments else ""
    returns = f" {label(method.returns, n_characters)}" if method.returns else ""
    # The last brackets of the line are taken for those of the method.
    name, arguments, returns = member(method.name), *map(_without_brackets, (arguments, returns))
    return f"{name}({arguments}){mark}{returns}"


def _without_brackets(text: str) -> str:
    return text.replace("(", "#40;").replace(")", "#41;")


class _Relations:
    """The lines for inheritance and composition between classes."""

    def __init__(self, classes: dict[str, _Class]) -> None:
        self._classes = classes
        self._words = {name: f"c{i}" for i, name in enumerate(classes)}
        #: Bases that are not in the code.
        self._others: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        lines: dict[str, None] = {}
        for found in self._classes.values():
            word = self._words[found.name]
            for base in found.bases:
                if parent := self._base(found, base):
                    lines[f"    {parent} <|-- {word}"] = None
            for attribute in found.members.attributes:
                for name, many in named_in(attribute.annotation):
                    part = self._resolved(found, name)
                    if part is not None:
                        count = f'"{many}" ' if many else ""
                        text = label(attribute.name)
                        lines[f"    {word} *-- {count}{self._words[part]} : {text}"] = None
        yield from (f'    class {word}["{label(name, 60)}"]' for name, word in self._others.items())
        yield from lines

    def _base(self, found: _Class, base: str) -> str | None:
        resolved = self._resolved(found, base)
        if resolved == found.name:
            # class Path(Path): the base is what had the name before.
            resolved = None
        if resolved is not None:
            return self._words[resolved]
        if base.split(".")[-1] in _NOT_DRAWN:
            return None
        return self._others.setdefault(base, f"b{len(self._others)}")

    def _resolved(self, found: _Class, name: str) -> str | None:
        """Return the class that a name means where ``found`` stands, from inside out."""
        scope = found.name + "."
        while True:
            if scope + name in self._classes:
                return scope + name
            if not scope:
                return None
            scope = scope[:-1].rpartition(".")[0]
            scope = f"{scope}." if scope else ""
