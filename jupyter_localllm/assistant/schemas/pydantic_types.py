"""JSON schemas of pydantic's models and types, narrower where its own say less than it checks.

Imported only where pydantic is there already. Called by ``structured``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

#: Decimals that a grammar of numbers writes, before and behind the point.
_WHOLE_DIGITS, _PLACES = 15, 6


def pydantic_schema(source: Any) -> dict[str, Any]:
    """Return the schema of a model or of any other type that pydantic knows."""
    if hasattr(source, "model_json_schema"):
        schema: dict[str, Any] = source.model_json_schema(schema_generator=_Narrower)
        return schema
    return TypeAdapter(source).json_schema(schema_generator=_Narrower)


class _Narrower(GenerateJsonSchema):
    """Decimals are numbers, or texts of digits; pydantic's own says any text."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        number = next(
            (
                one
                for one in super().decimal_schema(schema).get("anyOf", [])
                if one.get("type") == "number"
            ),
            {"type": "number"},
        )
        places = schema.get("decimal_places")
        digits = schema.get("max_digits")
        n_places = _PLACES if places is None else places
        n_whole = _WHOLE_DIGITS if digits is None else digits - (0 if places is None else places)
        if n_places >= _PLACES and n_whole >= _WHOLE_DIGITS and digits is None:
            return number
        return _few_digits(number, min(n_places, _PLACES), min(n_whole, _WHOLE_DIGITS), digits)


def _few_digits(
    number: dict[str, Any], places: int, whole: int, digits: int | None
) -> dict[str, Any]:
    """Return a decimal of so many digits: as a text where its bounds let it."""
    if digits is not None:
        places = max(0, min(places, digits - 1))
        whole = max(1, min(whole, digits - places))
    bounds = {key: value for key, value in number.items() if key != "type"}
    if places and bounds in ({}, {"minimum": 0}, {"exclusiveMinimum": 0}):
        sign = "" if bounds else "-?"
        zero = "" if "exclusiveMinimum" in bounds else "0|"
        text = f"^{sign}({zero}[1-9][0-9]{{0,{whole - 1}}})([.][0-9]{{1,{places}}})?$"
        return {"type": "string", "pattern": text}
    most = 10**whole - 1
    limits = [{"minimum": -most, "maximum": most}]
    return {"type": "integer", **bounds, "allOf": limits}
