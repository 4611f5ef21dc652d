"""A checked JSON schema as GBNF: llama-cpp-python's port of llama.cpp's conversion, and more.

What is added: bounds of numbers, lists that go on behind a tuple, objects with names by pattern,
and literals whose quotes and backslashes stay what they are. Called by ``grammar``.
"""

from __future__ import annotations

import json
import math
from typing import Any

from llama_cpp import llama_grammar

from .number_rules import integer_rule, number_rule

_FAR = 10**15 - 1
_TOP = "answer"
_COMMA = ' "," space '


def schema_rules(schema: dict[str, Any]) -> str:
    """Return the GBNF text of a schema.

    Raises
    ------
    AssertionError, KeyError, ValueError, TypeError, RecursionError
        It is not one that can be converted.
    """
    rules = SchemaRules()
    # Under a name of its own: a part without one, such as that of the name "", would be the root.
    rules.add_root(rules.visit(rules.resolve_refs(json.loads(json.dumps(schema)), "stdin"), _TOP))
    return str(rules.format_grammar())


class SchemaRules(llama_grammar.SchemaConverter):
    """Collects the rules of one schema."""

    def __init__(self) -> None:
        super().__init__(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
        self._targets: dict[str, str] = {}

    def add_root(self, name: str) -> None:
        """Let the grammar begin with this rule."""
        self._add("root", name)

    def visit(self, schema: Any, name: str) -> str:
        """Add the rules of a schema, and return the name of its rule."""
        if schema is True:
            return str(self._add_primitive("value", llama_grammar.PRIMITIVE_RULES["value"]))
        rule_name = f"{name}-" if name in llama_grammar.RESERVED_NAMES else name or "root"
        if "enum" in schema or "const" in schema or "$ref" in schema:
            return str(super().visit(schema, name))
        kind = schema.get("type")
        if kind in ("integer", "number") and "pattern" in schema:
            return self._digits(schema["pattern"], rule_name)
        if kind in ("integer", "number") and ("minimum" in schema or "maximum" in schema):
            return self._add(rule_name, self._number(schema, kind))
        if kind in (None, "array") and "prefixItems" in schema and schema.get("items", False):
            return self._add(rule_name, self._list(schema, name))
        if kind in (None, "object") and "patternProperties" in schema:
            return self._add(rule_name, self._named_by_pattern(schema, name))
        return str(super().visit(schema, name))

    def _resolve_ref(self, ref: str) -> str:
        # The library names a rule by the last step, which two references, or a type, may share.
        name = self._targets.get(ref)
        if name is None:
            name = self._targets[ref] = f"{_TOP}-ref{len(self._targets)}"
            made = self.visit(self._refs[ref], name)
            if made != name:
                self._add(name, made)
        return name

    def _add(self, name: str, rule: str) -> str:
        return str(self._add_rule(name, rule))

    def _format_literal(self, literal: str) -> str:
        # What is written is JSON; its escapes for letters would be read as GBNF's.
        text = json.dumps(json.loads(literal), ensure_ascii=False)
        if not text.isprintable():
            # Half a pair of surrogates has no other form.
            text = literal
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{text}"'

    def _digits(self, pattern: str, name: str) -> str:
        """Add the rule of a number that is written by a pattern."""
        self._raw_pattern = True
        made = self._visit_pattern(pattern, f"{name}-digits")
        self._raw_pattern = False
        return self._add(name, f"{made} space")

    def _number(self, schema: dict[str, Any], kind: str) -> str:
        low, high = _bounds(schema)
        if kind == "integer":
            low, high = math.ceil(low), math.floor(high)
        if low > high:
            raise ValueError(f"no {kind} is between {low} and {high}")
        rule = integer_rule(int(low), int(high)) if kind == "integer" else number_rule(low, high)
        return f"({rule}) space"

    def _list(self, schema: dict[str, Any], name: str) -> str:
        prefix = f"{name}-" if name else ""
        first = [
            self.visit(item, f"{prefix}tuple-{number}")
            for number, item in enumerate(schema["prefixItems"])
        ]
        item = self.visit(schema["items"], f"{prefix}item")
        least = max(0, schema.get("minItems", 0) - len(first))
        most = schema.get("maxItems")
        more = _repeated(f'"," space {item}', least, None if most is None else most - len(first))
        return f'"[" space {_COMMA.join(first)} {more} "]" space'

    def _named_by_pattern(self, schema: dict[str, Any], name: str) -> str:
        prefix = f"{name}-" if name else ""
        entries = [
            f'{self._visit_pattern(pattern, f"{prefix}name-{number}")} ":" space '
            f"{self.visit(child, f'{prefix}value-{number}')}"
            for number, (pattern, child) in enumerate(schema["patternProperties"].items())
        ]
        rules = [self._add(f"{prefix}entry-{n}", entry) for n, entry in enumerate(entries)]
        least, most = schema.get("minProperties", 0), schema.get("maxProperties")
        # Several that must be there are told first, each by a pattern of its own.
        others = (rules[least:] or rules[-1:]) if least > 1 else rules
        entry = others[0]
        if len(others) > 1:
            entry = self._add(f"{prefix}entry", " | ".join(others))
        first = rules[:least] if least > 1 else [entry]
        rest = None if most is None else most - len(first)
        text = f"{_COMMA.join(first)} {_repeated(f'{_COMMA.strip()} {entry}', 0, rest)}"
        return f'"{{" space {text if least else f"({text})?"} "}}" space'


def _bounds(schema: dict[str, Any]) -> tuple[float, float]:
    """Return the bounds of a number; a far one where one of them is missing."""
    low: float = schema["minimum"] if "minimum" in schema else min(-_FAR, 2 * schema["maximum"])
    high: float = schema["maximum"] if "maximum" in schema else max(_FAR, 2 * low)
    return low, high


def _repeated(rule: str, least: int, most: int | None) -> str:
    return str(llama_grammar._build_repetition(f"({rule})", least, most)) if most != 0 else ""
