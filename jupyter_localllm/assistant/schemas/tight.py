"""A JSON schema made tighter, so that a grammar can enforce it and an answer has an end.

Every value that fits the result fits the schema it was made from, but for repeated items, which
``checks.without_repeats`` leaves out. What cannot be said that way is refused by its name,
and so is what no value fits. Open strings and lists get a limit; formats and bounds become
patterns and choices; references are put in place. Pure; ``structured`` calls it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from .arrays import tight_array
from .checks import distinct, validator_of
from .errors import SchemaRefused, Unbounded, Unenforceable
from .exclusive import excludes
from .merging import TYPES, complement, merged
from .numbers import tight_number
from .objects import tight_object
from .strings import tight_string

Schema = dict[str, Any]
Path = tuple[str, ...]

#: How often a definition may stand inside itself.
_MAX_RECURSION = 2
_MAX_DEPTH = 24
#: Schemas that are looked at; more would make no grammar that an engine takes.
_MAX_VISITS = 4000
_DEFAULT_BUDGET = 4000

#: Keywords that become others before anything else is looked at.
_REWRITTEN = ("$ref", "allOf", "const", "not", "if", "dependentSchemas", "dependencies")
_DYNAMIC = ("$dynamicRef", "$recursiveRef")
_SIGNS = {
    "object": ("properties", "required", "additionalProperties", "patternProperties",
               "propertyNames", "minProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "contains", "uniqueItems"),
    "string": ("pattern", "minLength", "maxLength", "format", "contentEncoding"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}  # fmt: skip


def tight_schema(schema: Schema, budget_chars: int | None = None) -> Schema:
    """Return a schema that grammars can enforce and whose values have about this length at most.

    Raises
    ------
    Unbounded
        No value fits: two keywords exclude each other, a definition contains itself without an
        end, or a reference leads nowhere.
    Unenforceable
        A keyword that no grammar can say.
    """
    return Tightener(schema).visit(schema, budget_chars or _DEFAULT_BUDGET, (), "$")


class Tightener:
    """Makes schemas of one document tight."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._validator = validator_of(root)
        self._n_visits = 0

    def visit(self, schema: Any, budget: int, path: Path, place: str) -> Schema:
        """Return the tight form of one schema.

        Parameters
        ----------
        budget : int
            About how many characters a value may have.
        path : tuple of str
            The references that it stands in.
        place : str
            Where its values stand, for messages.
        """
        try:
            return self._visit(schema, budget, path, place)
        except SchemaRefused as error:
            # The innermost place is the one that says something.
            error.place = error.place or place
            raise

    def fits(self, value: Any, schema: Any) -> bool:
        """Whether a value fits a schema of this document."""
        return bool(self._validator.evolve(schema=schema).is_valid(value))

    def resolved(self, schema: Any, path: Path = ()) -> tuple[Any, Path]:
        """Return a schema without references, ``allOf``, ``not`` and conditions."""
        while isinstance(schema, dict):
            keyword = next((one for one in _REWRITTEN if one in schema), None)
            if keyword is None:
                break
            rest = {key: value for key, value in schema.items() if key != keyword}
            value = schema[keyword]
            match keyword:
                case "$ref":
                    path = self._entered(value, path)
                    schema = _both(rest, self._target(value))
                case "allOf":
                    schema = rest or True
                    for part in value:
                        part, path = self.resolved(part, path)
                        schema = merged(self.resolved(schema, path)[0], part)
                case "const":
                    schema = _both(rest, {"enum": [value]})
                case "not" if "enum" not in rest:
                    schema = _both(rest, complement(value, lambda one: self.resolved(one)[0]))
                case "if" if "enum" not in rest:
                    schema = _both(_without(rest, "then", "else"), _condition(schema))
                case "dependentSchemas" | "dependencies" if "enum" not in rest:
                    schema = _both(rest, _dependent(value))
                case _:
                    # The values are looked at one by one.
                    schema = rest
        return (True if schema == {} else schema), path

    def _entered(self, reference: str, path: Path) -> Path:
        if path.count(reference) >= _MAX_RECURSION or len(path) > _MAX_DEPTH:
            raise Unbounded(f"{reference} contains itself without an end")
        return (*path, reference)

    def _target(self, reference: str) -> Any:
        target: Any = self._root
        if not reference.startswith("#"):
            raise Unbounded(f"{reference} is in another document")
        for step in filter(None, unquote(reference[1:]).split("/")):
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and step.isdecimal() and int(step) < len(target):
                target = target[int(step)]
            elif isinstance(target, dict) and step in target:
                target = target[step]
            else:
                raise Unbounded(f"{reference} leads nowhere")
        return target

    def _visit(self, given: Any, budget: int, path: Path, place: str) -> Schema:
        self._n_visits += 1
        if self._n_visits > _MAX_VISITS or len(path) > _MAX_DEPTH:
            raise Unbounded("the schema is nested too deeply")
        schema, path = self.resolved(given, path)
        if schema is False:
            raise Unbounded("nothing fits the schema False")
        if schema is True:
            schema = {}
        for keyword in _DYNAMIC:
            if keyword in schema:
                raise Unenforceable(f"`{keyword}` cannot be said in a grammar")
        if "enum" in schema:
            return self._choices(schema["enum"], given)
        for keyword in ("oneOf", "anyOf"):
            if keyword in schema:
                return self._any_of(keyword, schema, budget, path, place)
        kinds = schema["type"] if "type" in schema else _kinds(schema)
        if isinstance(kinds, list):
            if not kinds:
                raise Unbounded("no `type` fits")
            options = [{**schema, "type": one} for one in kinds]
            return self._any_of("anyOf", {"anyOf": options}, budget, path, place)
        return self._of_kind(schema, kinds, budget, path, place)

    def _of_kind(self, schema: Schema, kind: str, budget: int, path: Path, place: str) -> Schema:
        plain = {key: value for key, value in schema.items() if key != "_forbidden"}
        forbidden = [value for value in schema.get("_forbidden", ()) if self.fits(value, plain)]
        match kind:
            case "string":
                return tight_string(schema, budget, forbidden)
            case "integer" | "number":
                return tight_number(schema, kind, forbidden)
            case "boolean" | "null":
                values = [True, False] if kind == "boolean" else [None]
                left = [value for value in values if value not in forbidden]
                if not left:
                    raise Unbounded("`not` leaves nothing")
                return {"type": kind} if left == values else {"enum": left}
            case "array":
                if any(value != [] for value in forbidden):
                    raise Unenforceable("`not` with a list in it")
                schema = _filled(schema, forbidden, "minItems")
                return tight_array(self, schema, budget, path, place)
        if any(value != {} for value in forbidden):
            raise Unenforceable("`not` with an object in it")
        return tight_object(self, _filled(schema, forbidden, "minProperties"), budget, path, place)

    def _choices(self, values: list[Any], given: Any) -> Schema:
        fitting = distinct(value for value in values if self.fits(value, given))
        if not fitting:
            raise Unbounded("no value of its `enum` or `const` fits")
        return {"enum": fitting}

    def _any_of(self, keyword: str, schema: Schema, budget: int, path: Path, place: str) -> Schema:
        rest, options = _without(schema, keyword), schema[keyword]
        tight: list[tuple[int, Schema]] = []
        failures: list[SchemaRefused] = []
        for number, option in enumerate(options):
            # Where nothing else is asked, an alternative stays as it is, for messages.
            both = {"allOf": [rest, option]} if rest else option
            try:
                tight.append((number, self.visit(both, budget, path, place)))
            except SchemaRefused as error:
                # The recursive one of a tree's alternatives ends here.
                failures.append(error)
        lost = [error for error in failures if isinstance(error, Unenforceable)]
        if lost and all(_is_null(shape) for _, shape in tight):
            raise lost[0]
        if not tight:
            raise failures[0] if failures else Unbounded(f"`{keyword}` has no alternative")
        if keyword == "oneOf":
            self._hold_apart(tight, options)
        shapes = [shape for _, shape in tight]
        return shapes[0] if len(shapes) == 1 else {"anyOf": shapes}

    def _hold_apart(self, tight: list[tuple[int, Schema]], options: list[Any]) -> None:
        for number, shape in tight:
            for other, option in enumerate(options):
                if other != number and not excludes(
                    shape, option, lambda one: self.resolved(one)[0], self.fits
                ):
                    raise Unenforceable(
                        "a value may fit two alternatives of `oneOf`; write `anyOf` if it may"
                    )


def _both(first: Any, second: Any) -> Any:
    """Return a schema that asks for both, with what has to be rewritten first."""
    if not first or first is True:
        return second
    return {"allOf": [first, second]}


def _without(schema: Schema, *keywords: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in keywords}


def _condition(schema: Schema) -> Any:
    """Return ``if``, ``then`` and ``else`` as alternatives."""
    condition = schema["if"]
    then, other = schema.get("then", True), schema.get("else", True)
    if then is True and other is True:
        return True
    return {"anyOf": [{"allOf": [condition, then]}, {"allOf": [{"not": condition}, other]}]}


def _dependent(schemas: dict[str, Any]) -> Any:
    """Return what must hold where a name is there, as alternatives for each name."""
    parts: list[Any] = []
    for name, schema in schemas.items():
        if isinstance(schema, list):
            schema = {"required": schema}
        parts.append({"anyOf": [{"properties": {name: False}}, schema]})
    return {"allOf": parts}


def _filled(schema: Schema, forbidden: list[Any], keyword: str) -> Schema:
    """Return the schema of a list or an object, not empty where that is forbidden."""
    return {**schema, keyword: max(1, schema.get(keyword, 0))} if forbidden else schema


def _kinds(schema: Schema) -> str | list[str]:
    """Return the kinds of values where the schema names none."""
    found = [kind for kind, keys in _SIGNS.items() if any(key in schema for key in keys)]
    if found:
        return found[0]
    return list(TYPES) if "_forbidden" in schema else ["string", "number", "boolean", "null"]


def _is_null(shape: Schema) -> bool:
    return shape in ({"type": "null"}, {"enum": [None]})
