"""A JSON schema made tighter, so that a grammar can enforce it and an answer has an end.

Every value that fits the result fits the schema it was made from, but for repeated items, which
``checks.without_repeats`` leaves out. What cannot be said that way is refused by its name,
and so is what no value fits. Open strings and lists get a limit; formats and bounds become
patterns and choices; references are put in place. Pure; ``structured`` calls it.
"""

from __future__ import annotations

from typing import Any

from .arrays import tight_array
from .checks import distinct, validator_of
from .errors import SchemaRefused, Unbounded, Unenforceable
from .exclusive import apart, excludes
from .merging import SIGNS, TYPES, complement, merged
from .numbers import tight_number
from .objects import tight_object
from .references import References
from .strings import tight_string
from .unions import (
    UNEVALUATED,
    both,
    closed,
    condensed,
    condition,
    dependent,
    is_empty,
    is_implied,
    next_union,
    refuse_hidden,
    refuse_open,
    standard,
    without,
)

Schema = dict[str, Any]
Path = tuple[str, ...]

#: How often a definition may stand inside itself.
_MAX_RECURSION = 2
_MAX_DEPTH = 24
#: Schemas that are looked at; more would make no grammar that an engine takes.
_MAX_VISITS = 6000
#: Unions that are looked at, each time one stands beside another alternative.
_MAX_UNIONS = 2000
_TOO_MANY = "too many combinations of `anyOf`, `oneOf`, `if` or `dependentSchemas`"
_DEFAULT_BUDGET = 4000

#: Keywords that become others before anything else is looked at.
_REWRITTEN = ("$ref", "allOf", "const", "not", "if", "dependentSchemas", "dependencies")
_DYNAMIC = ("$dynamicRef", "$recursiveRef")
#: Keywords that change what others mean, but not in a draft that does not know this one.
_NEWER = {
    "prefixItems": "prefixItems",
    "minContains": "dependentRequired",
    "maxContains": "dependentRequired",
}


def tight_schema(schema: Schema, budget_chars: int | None = None) -> Schema:
    """Return a schema that grammars can enforce and whose values have about this length at most.

    Raises
    ------
    Unbounded
        No value fits: two keywords exclude each other, or a definition contains itself without
        an end.
    Unenforceable
        A keyword that no grammar can say, or a reference that leads nowhere.
    """
    try:
        return Tightener(schema).visit(schema, budget_chars or _DEFAULT_BUDGET, (), "$")
    except RecursionError:
        raise Unenforceable("the schema is nested too deeply") from None


class Tightener:
    """Makes schemas of one document tight."""

    def __init__(self, root: Schema) -> None:
        self._references = References(root)
        self._validator = validator_of(root)
        known = self._validator.VALIDATORS
        if "properties" not in known or "allOf" not in known:
            raise Unenforceable("`$schema` names a draft before the fourth")
        self._ignored = [keyword for keyword, sign in _NEWER.items() if sign not in known]
        self._n_visits = self._n_unions = 0

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
        return bool(self._validator.evolve(schema=standard(schema)).is_valid(value))

    def resolved(
        self, schema: Any, path: Path = (), followed: tuple[str, ...] = ()
    ) -> tuple[Any, Path]:
        """Return a schema without references, ``allOf``, ``not`` and conditions."""
        while isinstance(schema, dict):
            if any(name in schema for name in UNEVALUATED):
                refuse_hidden(schema, self._references.target)
                late = {name: schema[name] for name in UNEVALUATED if name in schema}
                inner, path = self.resolved(without(schema, *late), path, followed)
                return closed(inner, late), path
            keyword = next((one for one in _REWRITTEN if one in schema), None)
            if keyword is None:
                break
            rest = self._plain(without(schema, keyword))
            value = schema[keyword]
            match keyword:
                case "$ref":
                    if value in followed:
                        raise Unenforceable(f"`$ref` {value} leads to itself")
                    followed = (*followed, value)
                    path = self._entered(value, path)
                    schema = both(rest, self._references.target(value))
                case "allOf":
                    schema, path = self._all_of(rest, value, path)
                case "const":
                    schema = both(rest, {"enum": [value]})
                case "not" if "enum" not in rest:
                    schema = both(rest, complement(value, lambda one: self.resolved(one)[0]))
                case "if" if "enum" not in rest:
                    schema = both(without(rest, "then", "else"), condition(schema))
                case "dependentSchemas" | "dependencies" if "enum" not in rest:
                    schema = both(rest, dependent(value))
                case _:
                    # The values are looked at one by one.
                    schema = rest
        return (True if schema == {} else self._plain(schema)), path

    def _all_of(self, rest: Schema, parts: list[Any], path: Path) -> tuple[Any, Path]:
        result: Any = rest or True
        for part in parts:
            part, path = self.resolved(part, path)
            refuse_open(part)
            result, path = self.resolved(result, path)
            result = merged(result, part)
        return result, path

    def _plain(self, schema: Any) -> Any:
        """Return the schema with the keywords of its draft, and bounds as they are said now."""
        if not isinstance(schema, dict):
            return schema
        schema = without(schema, *self._ignored)
        for keyword, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            # In the fourth draft, a flag beside the bound.
            flag = schema.get(keyword)
            if isinstance(flag, bool):
                schema = without(schema, keyword)
                if flag and plain in schema:
                    schema = {**without(schema, plain), keyword: schema[plain]}
        return schema

    def _entered(self, reference: str, path: Path) -> Path:
        if path.count(reference) >= _MAX_RECURSION or len(path) > _MAX_DEPTH:
            raise Unbounded(f"{reference} contains itself without an end")
        return (*path, reference)

    def _visit(self, given: Any, budget: int, path: Path, place: str) -> Schema:
        self._n_visits += 1
        if self._n_visits > _MAX_VISITS and self._n_unions > _MAX_UNIONS // 10:
            raise Unenforceable(_TOO_MANY)
        if self._n_visits > _MAX_VISITS:
            raise Unenforceable(f"the schema has more than {_MAX_VISITS:,} parts, with references")
        if len(path) > _MAX_DEPTH:
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
        schema = condensed(schema, lambda one: self.resolved(one, path)[0], self.fits)
        union = next_union(schema)
        if union:
            return self._any_of(*union, budget, path, place)
        kinds = schema["type"] if "type" in schema else _kinds(schema)
        if isinstance(kinds, list):
            if not kinds:
                raise Unbounded("no `type` fits")
            options = [{**schema, "type": one} for one in kinds]
            return self._any_of("anyOf", options, {}, budget, path, place)
        return self._of_kind(schema, kinds, budget, path, place)

    def _of_kind(self, schema: Schema, kind: str, budget: int, path: Path, place: str) -> Schema:
        plain = without(schema, "_forbidden")
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

    def _any_of(
        self, keyword: str, options: list[Any], rest: Schema, budget: int, path: Path, place: str
    ) -> Schema:
        self._n_unions += bool(rest)
        if self._n_unions > _MAX_UNIONS:
            raise Unenforceable(_TOO_MANY)
        if is_empty(rest):
            raise Unbounded(f"nothing fits what stands beside `{keyword}`")
        if keyword == "anyOf" and any(is_implied(option, rest) for option in options) and rest:
            return self.visit(rest, budget, path, place)
        tight: dict[int, Schema] = {}
        failure: SchemaRefused | None = None
        for number, option in enumerate(options):
            # Where nothing else is asked, an alternative stays as it is, for messages.
            try:
                tight[number] = self.visit(both(rest, option), budget, path, place)
            except Unbounded as error:
                # The recursive one of a tree's alternatives ends here.
                failure = failure or error
        if not tight:
            raise failure or Unbounded(f"`{keyword}` has no alternative")
        if keyword == "oneOf":
            for number, shape in tight.items():
                tight[number] = self._held_apart(number, shape, options, rest, budget, path, place)
        shapes: list[Schema] = []
        for shape in tight.values():
            if shape != {"enum": []}:
                shapes += shape.get("anyOf", [shape])
        if not shapes:
            raise Unbounded(f"what fits one alternative of `{keyword}` fits another one too")
        return shapes[0] if len(shapes) == 1 else {"anyOf": shapes}

    def _held_apart(
        self, number: int, shape: Schema, options: list[Any], rest: Schema, budget: int,
        path: Path, place: str,
    ) -> Schema:  # fmt: skip
        """Return an alternative of ``oneOf`` without what may fit another one."""

        def is_apart(shape: Schema, option: Any) -> bool:
            return excludes(shape, option, lambda one: self.resolved(one)[0], self.fits)

        narrowed = both(rest, options[number])
        for other, option in enumerate(options):
            if other == number or is_apart(shape, option):
                continue
            if "enum" in shape:
                shape = {"enum": [one for one in shape["enum"] if not self.fits(one, option)]}
                continue
            for more in apart(shape, self.resolved(option)[0]):
                try:
                    candidate = self.visit(both(narrowed, more), budget, path, place)
                except SchemaRefused:
                    continue
                if is_apart(candidate, option):
                    shape, narrowed = candidate, both(narrowed, more)
                    break
            else:
                raise Unenforceable(
                    "a value may fit two alternatives of `oneOf`; write `anyOf` if it may"
                )
        return shape


def _filled(schema: Schema, forbidden: list[Any], keyword: str) -> Schema:
    """Return the schema of a list or an object, not empty where that is forbidden."""
    return {**schema, keyword: max(1, schema.get(keyword, 0))} if forbidden else schema


def _kinds(schema: Schema) -> str | list[str]:
    """Return the kinds of values where the schema names none."""
    found = [kind for kind, keys in SIGNS.items() if any(key in schema for key in keys)]
    if found:
        return found[0]
    return list(TYPES) if "_forbidden" in schema else ["string", "number", "boolean", "null"]
