"""What kind of statement or expression a piece of Python is, for ``flow_graph.py``."""

from __future__ import annotations

import ast
import sys


def is_try(node: ast.stmt) -> bool:
    """Tell whether a statement is a ``try``, with ``except`` or ``except*``."""
    return isinstance(node, ast.Try) or (
        sys.version_info >= (3, 11) and isinstance(node, ast.TryStar)
    )


def has_body(statement: ast.stmt) -> bool:
    """Tell whether other statements stand inside of one, other than a definition."""
    compound = (ast.If, ast.While, ast.For, ast.AsyncFor, ast.With, ast.AsyncWith, ast.Match)
    return isinstance(statement, compound) or is_try(statement)


def is_true(test: ast.expr) -> bool:
    """Tell whether a condition is a constant that always holds."""
    return isinstance(test, ast.Constant) and bool(test.value)


def is_wildcard(pattern: ast.pattern) -> bool:
    """Tell whether a pattern takes everything."""
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None


def ends_errors(manager: ast.expr) -> bool:
    """Tell whether a context manager is known to end errors."""
    call = manager.func if isinstance(manager, ast.Call) else manager
    name = call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "")
    return name == "suppress" or name.startswith(("raises", "assertRaises"))
