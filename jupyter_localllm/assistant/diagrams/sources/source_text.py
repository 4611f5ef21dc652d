"""Parts of Python code as they are written, in one line each. Called by the flowcharts of code."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .statement_kinds import is_try

#: Longer texts are cut before they are looked at in any detail.
_MAX_TEXT = 2_000
#: A longer default says less than that there is one.
_MAX_DEFAULT = 12


class SourceText:
    """Parts of the code as they are written, on one line."""

    def __init__(self, code: str) -> None:
        self._lines = [line.encode("utf-8", "surrogatepass") for line in code.split("\n")]

    def of(self, node: ast.expr | ast.stmt | ast.pattern) -> str:
        """Return the text of a statement or an expression."""
        line, end = node.lineno, node.end_lineno or node.lineno
        if line == end:
            raw = self._lines[line - 1][node.col_offset : node.end_col_offset]
            return raw[: 4 * _MAX_TEXT].decode("utf-8", "replace")[:_MAX_TEXT]
        first = self._lines[line - 1][node.col_offset :]
        if end - line < 100 and sum(map(len, self._lines[line - 1 : end])) < _MAX_TEXT:
            try:
                return ast.unparse(node)
            except RecursionError:
                pass
        return first[:_MAX_TEXT].decode("utf-8", "replace") + " …"

    def signature(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        """Return the name and the arguments, without annotations."""
        return f"{node.name}({', '.join(_arguments(node.args))})"

    def head(self, node: ast.stmt) -> str:
        """Return a statement without what stands inside of it."""
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            prefix = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
            return f"{prefix} {self.signature(node)}"
        if isinstance(node, ast.ClassDef):
            return f"class {node.name}"
        if isinstance(node, ast.If):
            return f"if {self.of(node.test)}"
        if isinstance(node, ast.While):
            return f"while {self.of(node.test)}"
        if isinstance(node, (ast.For, ast.AsyncFor)):
            prefix = "async for" if isinstance(node, ast.AsyncFor) else "for"
            return f"{prefix} {self.of(node.target)} in {self.of(node.iter)}"
        if isinstance(node, (ast.With, ast.AsyncWith)):
            prefix = "async with" if isinstance(node, ast.AsyncWith) else "with"
            items = [
                self.of(item.context_expr)
                + (f" as {self.of(item.optional_vars)}" if item.optional_vars else "")
                for item in node.items
            ]
            return f"{prefix} {', '.join(items)}"
        if isinstance(node, ast.Match):
            return f"match {self.of(node.subject)}"
        return "try" if is_try(node) else self.of(node)


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    """Yield the arguments as they are written, with ``…`` for what is given when none is."""
    positional = [*arguments.posonlyargs, *arguments.args]
    n_required = len(positional) - len(arguments.defaults)
    for i, argument in enumerate(positional):
        default = arguments.defaults[i - n_required] if i >= n_required else None
        yield argument.arg + _default(default)
        if i + 1 == len(arguments.posonlyargs):
            yield "/"
    if arguments.vararg:
        yield f"*{arguments.vararg.arg}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield argument.arg + _default(default)
    if arguments.kwarg:
        yield f"**{arguments.kwarg.arg}"


def _default(value: ast.expr | None) -> str:
    if value is None:
        return ""
    if isinstance(value, ast.Constant) and len(repr(value.value)) <= _MAX_DEFAULT:
        return f"={value.value!r}"
    return f"={value.id}" if isinstance(value, ast.Name) else "=…"
