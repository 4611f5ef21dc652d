"""Whether a value fits a JSON schema, by ``jsonschema``; the only importer of that package.

Loaded with the first schema, so it is imported in the cheapest way.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator
    from referencing import Resource, Specification

#: Compiles a grammar of its own for 1.5 s when it is imported, for formats that hardly anybody
#: uses; ``jsonschema`` imports it where it is installed.
_SLOW = "rfc3987_syntax"
#: How often repeated items are looked for; once for each level of nesting.
_MAX_ROUNDS = 16
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


class CheckedSchema(dict[str, Any]):
    """A schema made from a type, which may check more than its schema says.

    Attributes
    ----------
    fault : callable
        Given a value as JSON, what the type finds wrong with it, or "".
    """

    def __init__(self, schema: dict[str, Any], fault: Callable[[str], str]) -> None:
        super().__init__(schema)
        self.fault = fault


def _jsonschema() -> ModuleType:
    """Import ``jsonschema``, with its slow part put off until it is used."""
    if "jsonschema" in sys.modules or _SLOW in sys.modules:
        return importlib.import_module("jsonschema")
    sys.modules[_SLOW] = _put_off(_SLOW, "is_valid_syntax")
    try:
        return importlib.import_module("jsonschema")
    finally:
        # Whoever imports it after this gets the real one.
        del sys.modules[_SLOW]


def _put_off(module: str, function: str) -> ModuleType:
    """Return a module whose only function imports the real one when it is called."""

    def call(*arguments: object) -> object:
        real: Callable[..., object] = getattr(importlib.import_module(module), function)
        return real(*arguments)

    stand_in = ModuleType(module)
    setattr(stand_in, function, call)
    return stand_in


def _validator_class(schema: Any) -> type[Validator]:
    """Return what checks schemas of this dialect; unknown ones are taken for the newest."""
    package = _jsonschema()
    dialect = schema.get("$schema") if isinstance(schema, dict) else None
    known = {"$schema": dialect} if isinstance(dialect, str) else {}
    found: type[Validator] = package.validators.validator_for(
        known, default=package.Draft202012Validator
    )
    return found


def fault_of_schema(schema: Any) -> str:
    """Return what is wrong with the schema itself, as one sentence, or ""."""
    try:
        _validator_class(schema).check_schema(schema)
    except _jsonschema().exceptions.SchemaError as error:
        place = ".".join(["$", *map(str, error.path)])
        return f"{' '.join(error.message.split())[:200]} at {place}"
    except RecursionError:
        return "it is nested too deeply"
    return ""


def _specification(schema: Any) -> Specification[Any]:
    """Return what knows where schemas of this dialect hold others, and what they are called."""
    from referencing.jsonschema import specification_with

    validator_class = _validator_class(schema)
    return specification_with(validator_class.ID_OF(validator_class.META_SCHEMA))


def document_of(schema: Any) -> tuple[Resource[Any], Any]:
    """Return a schema as a document, and what follows references in it; nothing is fetched."""
    from referencing import Registry

    document = _specification(schema).create_resource(schema)
    return document, Registry().resolver_with_root(document)


def looked_up(reference: str, resolver: Any) -> Any:
    """Return what a reference leads to, and what follows others from there, or ``None``."""
    from referencing.exceptions import Unresolvable

    try:
        return resolver.lookup(reference)
    except (Unresolvable, ValueError, TypeError, LookupError):
        return None


def lost_reference(schema: dict[str, Any]) -> str:
    """Return a reference that leads nowhere in the schema, or ""; nothing is fetched."""
    made = _specification(schema).create_resource
    document, whole = document_of(schema)
    seen: list[object] = []

    def look(resource: Resource[Any], resolver: Any, is_inner: bool) -> Iterator[str]:
        contents = resource.contents
        if not isinstance(contents, dict):
            return
        # The pointers of a schema that is bundled in another are not followed by ``tight``.
        is_inner = is_inner or (contents is not schema and resource.id() is not None)
        for reference in filter(None, map(contents.get, _REFERENCES)):
            found = looked_up(reference, resolver)
            if found is None:
                yield reference
                continue
            if is_inner and reference.startswith("#"):
                yield reference
            # Wherever it stands, it is a schema because of the reference.
            if not any(one is found.contents for one in seen):
                seen.append(found.contents)
                yield from look(made(found.contents), found.resolver, is_inner)
        for part in resource.subresources():
            yield from look(part, resolver.in_subresource(part), is_inner)

    return next(look(document, whole, False), "")


def validator_of(schema: Any) -> Validator:
    """Return what checks values, their formats too; it fetches nothing."""
    import referencing

    validator_class = _validator_class(schema)
    validator: Validator = validator_class(
        schema,
        registry=referencing.Registry(),
        format_checker=validator_class.FORMAT_CHECKER,
    )
    return validator


def check_value(value: Any, schema: Any) -> str:
    """Return what is wrong with a value, as one sentence, or ""."""
    validator = validator_of(schema)
    error = _jsonschema().exceptions.best_match(validator.iter_errors(value))
    if error is None:
        fault = schema.fault(json.dumps(value)) if isinstance(schema, CheckedSchema) else ""
        return " ".join(fault.split())[:200]
    message = " ".join(error.message.split())
    return f"at {error.json_path}, {message[:200]}"


def without_repeats(value: Any, schema: Any) -> tuple[Any, bool]:
    """Leave out what a list says again where its schema wants unique items.

    No grammar can count what a list has said already. A value that fits as it is stays as it is.

    Returns
    -------
    tuple
        The value, changed in place where it is a list or an object, and whether it was changed.
    """
    validator = validator_of(schema)
    is_changed = False
    for _ in range(_MAX_ROUNDS):
        places = {
            tuple(error.absolute_path)
            for error in _all_errors(validator.iter_errors(value))
            if error.validator == "uniqueItems"
        }
        if not places:
            break
        # Inner ones first: they may make outer ones the same.
        for place in sorted(places, key=len, reverse=True):
            items = value
            for step in place:
                items = items[step]
            items[:] = distinct(items)
        is_changed = True
    return value, is_changed


def _all_errors(errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
    for error in errors:
        yield error
        yield from _all_errors(error.context or ())


def distinct(values: Iterable[Any]) -> list[Any]:
    """Return the values without those that JSON Schema takes for the same as an earlier one."""
    return list({same_key(value): value for value in reversed(list(values))}.values())[::-1]


def same_key(value: Any) -> str:
    """Return a text that two values share exactly where they are equal in JSON."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
