"""A JSON schema made tighter, so that a grammar can enforce it and an answer has an end.

Every value that fits the result fits the schema it was made from, apart from what no grammar can
say (``uniqueItems``, one-sided bounds of numbers, …): that is left out here and has to be checked
on the answer. Open strings and lists get a limit; formats and bounds become patterns and choices;
references are put in place. Pure; ``structured`` calls it.

Patterns are read twice: by the engine as text of the answer, by others as text of the value. The
ones made here mean an acceptable value either way.
"""

from __future__ import annotations

import math
import re
from typing import Any

Schema = dict[str, Any]

#: Values of a bounded number that are told one by one; more get wider steps.
_MAX_CHOICES = 1000
_MAX_STRING = 400
_MIN_STRING = 16
_MAX_ITEMS = 24
#: What one item of a list, or the name of a property, takes at least.
_ITEM_CHARS = 24
_OVERHEAD_CHARS = 8
#: How often a definition may stand inside itself.
_MAX_RECURSION = 2
_MAX_DEPTH = 24

#: Nothing that would have to be escaped in JSON, or an escape that is one.
_CHARACTER = r'([^"\\\x00-\x1F]|\\["\\/nt])'
_DATE = (
    "[12][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|"
    "(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
)
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
_NAME = "[a-z][a-z0-9]{0,20}"
_TOP = "(com|org|net|edu|info)"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_FORMATS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "email": f"{_NAME}([._]{_NAME})?@{_NAME}[.]{_TOP}",
    "hostname": f"{_NAME}([.]{_NAME})?[.]{_TOP}",
    "uri": f"https://{_NAME}[.]{_TOP}(/[a-z0-9_-]{{1,20}}){{0,3}}",
    "ipv4": f"{_OCTET}[.]{_OCTET}[.]{_OCTET}[.]{_OCTET}",
    "duration": "P([1-9][0-9]?D|T[1-9][0-9]?[HMS])",
}
_FORMATS["url"] = _FORMATS["iri"] = _FORMATS["uri-reference"] = _FORMATS["uri"]
_FORMATS["idn-email"] = _FORMATS["email"]
_KEPT_FORMATS = {"uuid"}
_NUMBER_KEYWORDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


class Unbounded(ValueError):
    """No finite value fits (or none within sensible depth); the message says where."""


def tight_schema(schema: Schema, budget_chars: int | None = None) -> Schema:
    """Return a schema that grammars can enforce and whose values have about this length at most.

    Raises
    ------
    Unbounded
        A definition contains itself without an end, or a reference leads nowhere.
    """
    return _Tightener(schema).visit(schema, budget_chars or 4000, ())


class _Tightener:
    def __init__(self, root: Schema) -> None:
        self._root = root

    def visit(self, schema: Any, budget: int, path: tuple[str, ...]) -> Schema:
        """Return the tight form of one schema; ``path`` names the references it stands in."""
        if len(path) > _MAX_DEPTH:
            raise Unbounded("the schema is nested too deeply")
        if schema is True or schema == {}:
            return _anything(budget)
        if not isinstance(schema, dict):
            raise Unbounded(f"nothing fits the schema {schema!r}")
        schema, path = self._resolved(schema, path)
        if "const" in schema:
            return {"const": schema["const"]}
        if "enum" in schema:
            return {"enum": _choices(schema)}
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                rest = {key: value for key, value in schema.items() if key != keyword}
                return self._any_of([_merged(rest, a) for a in schema[keyword]], budget, path)
        kind = schema.get("type") or _kind(schema)
        if isinstance(kind, list):
            return self._any_of([{**schema, "type": one} for one in kind], budget, path)
        match kind:
            case "string":
                return _string(schema, budget)
            case "integer" | "number":
                return _number(schema, kind)
            case "array":
                return self._array(schema, budget, path)
            case "object":
                return self._object(schema, budget, path)
            case "boolean" | "null":
                return {"type": kind}
        return _anything(budget)

    def _resolved(self, schema: Schema, path: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]]:
        """Put references and ``allOf`` in place."""
        while "$ref" in schema or "allOf" in schema:
            if "$ref" in schema:
                reference = schema["$ref"]
                if path.count(reference) >= _MAX_RECURSION or len(path) > _MAX_DEPTH:
                    raise Unbounded(f"{reference} contains itself without an end")
                path = (*path, reference)
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                schema = _merged(rest, self._target(reference))
            else:
                parts = schema["allOf"]
                schema = {key: value for key, value in schema.items() if key != "allOf"}
                for part in parts:
                    if isinstance(part, dict) and ("$ref" in part or "allOf" in part):
                        part, path = self._resolved(part, path)
                    schema = _merged(schema, part)
        return schema, path

    def _target(self, reference: str) -> Schema:
        target: Any = self._root
        if not reference.startswith("#"):
            raise Unbounded(f"{reference} is in another document")
        for step in filter(None, reference[1:].split("/")):
            step = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, dict) or step not in target:
                raise Unbounded(f"{reference} leads nowhere")
            target = target[step]
        return {} if target is True else target

    def _any_of(self, alternatives: list[Any], budget: int, path: tuple[str, ...]) -> Schema:
        tight: list[Schema] = []
        reason = Unbounded("there is no alternative")
        for alternative in alternatives:
            try:
                tight.append(self.visit(alternative, budget, path))
            except Unbounded as error:
                # The recursive one of a tree's alternatives ends here.
                reason = error
        if not tight:
            raise reason
        return tight[0] if len(tight) == 1 else {"anyOf": tight}

    def _array(self, schema: Schema, budget: int, path: tuple[str, ...]) -> Schema:
        prefix = schema.get("prefixItems") or schema.get("items")
        if isinstance(prefix, list):
            share = budget // max(1, len(prefix))
            items = [self.visit(item, share, path) for item in prefix]
            return {"type": "array", "prefixItems": items}
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", max(least, _MAX_ITEMS))
        most = max(least, min(most, budget // _ITEM_CHARS))
        if most == 0:
            return {"const": []}
        # Few items with room are better than many without.
        if "maxItems" not in schema:
            most = max(least, min(most, max(3, math.isqrt(budget) // 4)), 1)
        try:
            item = self.visit(schema.get("items", True), budget // most, path)
        except Unbounded:
            if least:
                raise
            return {"const": []}
        return {"type": "array", "items": item, "minItems": least, "maxItems": most}

    def _object(self, schema: Schema, budget: int, path: tuple[str, ...]) -> Schema:
        properties = schema.get("properties", {})
        required = list(schema.get("required", []))
        properties = {**properties, **{name: True for name in required if name not in properties}}
        if not properties:
            values = schema.get("additionalProperties", True)
            if values is False:
                return {"const": {}}
            share = max(_MIN_STRING, budget // 8)
            return {"type": "object", "additionalProperties": self.visit(values, share, path)}
        spare = budget - sum(len(name) + _OVERHEAD_CHARS for name in properties)
        n_open = sum(map(_is_open, properties.values()))
        share = max(_MIN_STRING, spare // max(1, n_open))
        tight: dict[str, Schema] = {}
        for name, child in properties.items():
            try:
                tight[name] = self.visit(child, share, path)
            except Unbounded:
                if name in required:
                    raise
        return {
            "type": "object",
            "properties": tight,
            "required": required,
            "additionalProperties": False,
        }


def _merged(first: Schema, second: Any) -> Schema:
    """Return what both ask for; what only one can ask for, the second one does."""
    if not isinstance(second, dict):
        return first
    both = {**first, **second}
    if "properties" in first and "properties" in second:
        both["properties"] = {**first["properties"], **second["properties"]}
    if "required" in first and "required" in second:
        both["required"] = list(dict.fromkeys([*first["required"], *second["required"]]))
    return both


def _kind(schema: Schema) -> str:
    signs = {
        "object": ("properties", "required", "additionalProperties"),
        "array": ("items", "prefixItems", "minItems", "maxItems"),
        "string": ("pattern", "minLength", "maxLength", "format"),
        "number": _NUMBER_KEYWORDS,
    }
    return next((kind for kind, keys in signs.items() if any(k in schema for k in keys)), "")


def _is_open(schema: Any) -> bool:
    """Whether values can be of any length."""
    if not isinstance(schema, dict):
        return True
    is_closed = "enum" in schema or "const" in schema
    return not is_closed and schema.get("type") not in ("integer", "number", "boolean", "null")


def _anything(budget: int) -> Schema:
    kinds = [{"type": "number"}, {"type": "boolean"}, {"type": "null"}]
    return {"anyOf": [_string({}, budget), *kinds]}


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    "null": (type(None),), "array": (list,), "object": (dict,),
}  # fmt: skip


def _choices(schema: Schema) -> list[Any]:
    kinds = schema.get("type")
    names = kinds if isinstance(kinds, list) else [kinds] if kinds else list(_TYPES)
    allowed = tuple(one for name in names for one in _TYPES.get(name, ()))
    fitting = [value for value in schema["enum"] if isinstance(value, allowed)]
    return fitting or list(schema["enum"])


# --- strings --------------------------------------------------------------------------------


def _string(schema: Schema, budget: int) -> Schema:
    least = schema.get("minLength", 0)
    room = min(max(budget, _MIN_STRING), _MAX_STRING)
    most = max(least, min(schema.get("maxLength", room), room))
    pattern = schema.get("pattern")
    if pattern is not None:
        portable = _portable(pattern, most)
        if portable is not None:
            return {"type": "string", "pattern": portable}
    kind = schema.get("format")
    if kind in _KEPT_FORMATS:
        return {"type": "string", "format": kind}
    if kind in _FORMATS:
        return {"type": "string", "pattern": f"^{_FORMATS[kind]}$"}
    return {"type": "string", "pattern": f"^{_CHARACTER}{{{least},{most}}}$"}


_CLASSES = {"d": "[0-9]", "w": "[A-Za-z0-9_]", "s": " ", "D": "[A-Za-z ]", "S": "[A-Za-z0-9]"}
_UNSUPPORTED = re.compile(r"\(\?|\\[bBAZzpPkux0-9]|[*+?}][?+]")


def _portable(pattern: str, most: int) -> str | None:
    """Return a pattern of the few signs that grammars know; ``None`` where that is not possible."""
    if _UNSUPPORTED.search(pattern):
        return None
    body = pattern.removeprefix("^").removesuffix("$")
    if "$" in body.replace("\\$", "") or re.search(r"(?<![\[\\])\^", body):
        return None
    pieces: list[str] = []
    position = 0
    while position < len(body):
        letter = body[position]
        if letter == "\\":
            escaped = body[position + 1 : position + 2]
            pieces.append(_CLASSES.get(escaped) or f"[{_class_sign(escaped)}]")
            position += 2
        elif letter == "[":
            end = _class_end(body, position)
            if end is None:
                return None
            pieces.append(_class(body[position + 1 : end]))
            position = end + 1
        else:
            pieces.append(
                {".": "[A-Za-z0-9 ,;:_-]", "*": f"{{0,{most}}}", "+": f"{{1,{most}}}"}.get(
                    letter, letter
                )
            )
            position += 1
    return f"^({''.join(pieces)})$"


def _class_sign(letter: str) -> str:
    return "\\" + letter if letter in "]\\^-[" else letter


def _class_end(body: str, start: int) -> int | None:
    position = start + 1
    while position < len(body):
        if body[position] == "\\":
            position += 1
        elif body[position] == "]":
            return position
        position += 1
    return None


def _class(inside: str) -> str:
    is_negated = inside.startswith("^")
    short = {"\\d": "0-9", "\\w": "A-Za-z0-9_", "\\s": " "}
    for sign, letters in short.items():
        inside = inside.replace(sign, letters)
    inside = re.sub(r"\\([^\]\\^\-\[])", r"\1", inside)
    return f'[{inside}"\\\\\\x00-\\x1F]' if is_negated else f"[{inside}]"


# --- numbers --------------------------------------------------------------------------------


def _number(schema: Schema, kind: str) -> Schema:
    low, high = _bounds(schema, kind)
    if low is None or high is None or low > high:
        return {"type": kind}
    step = schema.get("multipleOf") or (1 if kind == "integer" else _step(high - low))
    choices: list[float | int] = []
    number = math.ceil(low / step - 1e-9)
    while number * step <= high + 1e-9 and len(choices) <= _MAX_CHOICES:
        value = number * step
        choices.append(round(value) if kind == "integer" else round(value, 6))
        number += 1
    if not choices or len(choices) > _MAX_CHOICES:
        return {"type": kind}
    if kind == "number":
        choices = [int(value) if float(value).is_integer() else value for value in choices]
    return {"enum": choices}


def _bounds(schema: Schema, kind: str) -> tuple[float | None, float | None]:
    """Return the lowest and the highest value, both included."""
    low, high = schema.get("minimum"), schema.get("maximum")
    gap = 1 if kind == "integer" else 1e-6
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if isinstance(above, (int, float)) and not isinstance(above, bool):
        low = above + gap if low is None else max(low, above + gap)
    if isinstance(below, (int, float)) and not isinstance(below, bool):
        high = below - gap if high is None else min(high, below - gap)
    return low, high


def _step(width: float) -> float:
    """Return the finest decimal step that leaves few enough values."""
    return float(10.0 ** math.ceil(math.log10(max(width, 1e-6) / 400)))
