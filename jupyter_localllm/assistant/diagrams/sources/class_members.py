"""What a class of Python code has: attributes and methods, read from its syntax.

Called by ``code_classes.py``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_MAX_VALUE = 20
_QUOTED = re.compile(r"'([\w.\[\], |]+)'")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
#: Types that hold many of what stands in their brackets.
_MANY = {
    "list", "set", "frozenset", "tuple", "deque", "dict", "defaultdict", "OrderedDict", "Counter",
    "List", "Set", "FrozenSet", "Tuple", "Deque", "Dict", "DefaultDict", "Sequence",
    "MutableSequence", "Iterable", "Iterator", "Collection", "Mapping", "MutableMapping",
}  # fmt: skip
#: Types that are about a class and hold none of its objects.
_NONE_HELD = {"type", "Type", "Callable", "ClassVar", "Literal"}


@dataclass(slots=True)
class Attribute:
    """An attribute of the class or of its objects."""

    name: str
    annotation: ast.expr | None = None
    value: str = ""

    @property
    def type(self) -> str:
        """The annotation as text; "" where there is none."""
        return unparsed(self.annotation)


@dataclass(frozen=True, slots=True)
class Method:
    """A method; ``arguments`` are without ``self`` and ``cls``."""

    name: str
    arguments: str
    returns: str
    is_static: bool
    is_abstract: bool


@dataclass(slots=True)
class Members:
    """The members in the order in which they first stand in the code."""

    attributes: list[Attribute] = field(default_factory=list)
    methods: list[Method] = field(default_factory=list)


def members_of(node: ast.ClassDef) -> Members:
    """Read the attributes and methods of a class.

    Attributes are those that the class's own statements set, those that its methods set on their
    first argument, and properties.
    """
    attributes: dict[str, Attribute] = {}
    methods: dict[str, Method] = {}
    is_enum = any(dotted_name(base).endswith(("Enum", "Flag")) for base in node.bases)
    for statement in _own(node.body):
        if isinstance(statement, _FUNCTIONS):
            decorators = set(_decorators(statement))
            if decorators & {"property", "cached_property", "functools.cached_property"}:
                _set(attributes, statement.name, statement.returns)
            elif not any(name.endswith((".setter", ".deleter", ".getter")) for name in decorators):
                methods[statement.name] = _method(statement, decorators)
            if "staticmethod" not in decorators:
                _instance_attributes(statement, attributes)
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            _set(attributes, statement.target.id, statement.annotation)
        elif isinstance(statement, (ast.Assign, ast.AugAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for name in (name for target in targets for name in _names(target)):
                # Names with two underscores on both sides are for Python itself.
                if not (name.startswith("__") and name.endswith("__")):
                    value = _constant(statement.value) if len(targets) == 1 or is_enum else ""
                    _set(attributes, name, None, value)
    return Members(list(attributes.values()), list(methods.values()))


def _own(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements of a class, those under its conditions too."""
    for statement in body:
        yield statement
        if not isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            for name in ("body", "orelse", "finalbody"):
                yield from _own(getattr(statement, name, []))
            for handler in getattr(statement, "handlers", []):
                yield from _own(handler.body)


def _set(
    attributes: dict[str, Attribute], name: str, annotation: ast.expr | None, value: str = ""
) -> None:
    found = attributes.setdefault(name, Attribute(name, None, value))
    if found.annotation is None:
        found.annotation = annotation


def _instance_attributes(
    method: ast.FunctionDef | ast.AsyncFunctionDef,
    attributes: dict[str, Attribute],
) -> None:
    """Add what a method sets on its first argument."""
    arguments = [*method.args.posonlyargs, *method.args.args]
    if not arguments:
        return
    own = arguments[0].arg
    types = {argument.arg: argument.annotation for argument in arguments[1:]}
    types |= {argument.arg: argument.annotation for argument in method.args.kwonlyargs}
    waiting: list[ast.AST] = list(reversed(method.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.AnnAssign) and _is_of(node.target, own):
            assert isinstance(node.target, ast.Attribute)
            _set(attributes, node.target.attr, node.annotation)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and _is_of(target, own):
                    _set(attributes, target.attr, _type_of(node.value, types))
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and _is_of(node, own)
        ):
            _set(attributes, node.attr, None)
        # Inside of a nested class the name means something else.
        if not isinstance(node, ast.ClassDef):
            waiting += reversed(list(ast.iter_child_nodes(node)))


def _is_of(target: ast.expr, own: str) -> bool:
    return (
        isinstance(target, ast.Attribute)
        and isinstance(target.value, ast.Name)
        and target.value.id == own
    )


def _type_of(value: ast.expr, types: dict[str, ast.expr | None]) -> ast.expr | None:
    """Return the type of what is assigned, where the code itself says it."""
    if isinstance(value, ast.Name):
        return types.get(value.id)
    if isinstance(value, ast.Call):
        # Name(…): only a class of the code will be found under it.
        name = dotted_name(value.func)
        if name and name.split(".")[-1][:1].isupper():
            return value.func
    return None


def _method(node: ast.FunctionDef | ast.AsyncFunctionDef, decorators: set[str]) -> Method:
    is_static = bool(decorators & {"staticmethod", "classmethod"})
    has_own = "staticmethod" not in decorators
    prefix = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    return Method(
        prefix + node.name,
        ", ".join(_arguments(node.args, has_own)),
        unparsed(node.returns),
        is_static,
        any(name.split(".")[-1].startswith("abstract") for name in decorators),
    )


def _arguments(arguments: ast.arguments, has_own: bool) -> Iterator[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    for i, argument in enumerate(positional):
        if i or not has_own:
            yield _argument(argument)
        if i + 1 == len(arguments.posonlyargs) and (i or not has_own):
            yield "/"
    if arguments.vararg:
        yield f"*{_argument(arguments.vararg)}"
    elif arguments.kwonlyargs:
        yield "*"
    yield from map(_argument, arguments.kwonlyargs)
    if arguments.kwarg:
        yield f"**{_argument(arguments.kwarg)}"


def _argument(argument: ast.arg) -> str:
    kind = unparsed(argument.annotation)
    return f"{argument.arg}: {kind}" if kind else argument.arg


def _decorators(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        if name := dotted_name(call):
            yield name


def _names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from _names(element)
    elif isinstance(target, ast.Starred):
        yield from _names(target.value)


def _constant(value: ast.expr) -> str:
    if isinstance(value, ast.UnaryOp) and isinstance(value.operand, ast.Constant):
        value_text = unparsed(value)
    elif isinstance(value, ast.Constant) and value.value is not None:
        value_text = repr(value.value)
    else:
        return ""
    return value_text if len(value_text) <= _MAX_VALUE else ""


def dotted_name(node: ast.expr) -> str:
    """Return ``a.b.c`` of a name or its attributes; "" for any other expression."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def unparsed(node: ast.expr | None) -> str:
    """Return an annotation as text; one in quotes loses them."""
    if node is None:
        return ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return " ".join(node.value.split())
    try:
        text = ast.unparse(node)
    except RecursionError:
        return "…"
    # Names of classes that come later are in quotes; other strings are not names.
    return text if "Literal" in text else _QUOTED.sub(r"\1", text)


def named_in(annotation: ast.expr | None) -> Iterator[tuple[str, str]]:
    """Yield the names of types that an annotation holds, with how many: "", "0..1" or "0..*"."""
    waiting: list[tuple[ast.expr, str]] = [(annotation, "")] if annotation is not None else []
    while waiting:
        node, many = waiting.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                waiting.append((ast.parse(node.value.strip(), mode="eval").body, many))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
        elif isinstance(node, ast.Subscript):
            outer = dotted_name(node.value).split(".")[-1]
            if outer in _NONE_HELD and outer != "ClassVar":
                continue
            held = "0..*" if outer in _MANY else "0..1" if outer == "Optional" else many
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if outer == "Annotated":
                parts = parts[:1]
            waiting += [(part, many if many == "0..*" else held) for part in reversed(parts)]
            waiting.append((node.value, many))
        elif isinstance(node, ast.BinOp):
            has_none = any(
                isinstance(side, ast.Constant) and side.value is None
                for side in (node.left, node.right)
            )
            held = "0..1" if has_none and not many else many
            waiting += [(node.right, held), (node.left, held)]
        elif name := dotted_name(node):
            yield name, many
