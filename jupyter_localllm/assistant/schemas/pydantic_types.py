"""JSON schemas of pydantic's models and types, narrower where its own say less than it checks.

What can be said neither in JSON Schema nor as a pattern is refused by its name. Imported only
where pydantic is there already. Called by ``structured``.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timezone
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema
from pydantic.types import ByteSize, EncodedStr

from .checks import CheckedSchema
from .errors import Unbounded, Unenforceable
from .numbers import bounds
from .ranges import dates_between, day_after, numbers_between
from .strings import FORMATS
from .unions import without

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

#: Decimals that a grammar of numbers writes, before and behind the point.
_WHOLE_DIGITS, _PLACES = 15, 6
_BOUNDS = ("ge", "gt", "le", "lt", "now_op")
_NUMERIC = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum",
            "multiple_of": "multipleOf"}  # fmt: skip
_KEYWORDS = {
    "integer": _NUMERIC,
    "number": _NUMERIC,
    "string": {"min_length": "minLength", "max_length": "maxLength"},
    "array": {"min_length": "minItems", "max_length": "maxItems"},
    "object": {"min_length": "minProperties", "max_length": "maxProperties"},
}
#: Where the checks of bounds stand that pydantic puts behind validators.
_BOUND_CHECKS = "pydantic._internal._validators"
_FIRST_DAY, _LAST_DAY = date(1000, 1, 1), date(2999, 12, 31)
_MONTH_DAY = FORMATS["date"].removeprefix("[12][0-9]{3}-")
_TIME = FORMATS["time"]
_REAL = FORMATS["decimal"].removeprefix("-?")

#: What is a set of signs in a set to pydantic, and are signs of one set to JSON Schema.
_OF_RUST = re.compile(r"(?<!\\)\[(\\.|[^]\\])*?(\[|&&|--|~~)")


def pydantic_schema(source: Any) -> CheckedSchema:
    """Return the schema of a model or of any other type that pydantic knows.

    Raises
    ------
    Unbounded, Unenforceable
        No value fits, or no grammar can say what it checks.
    pydantic.errors.PydanticUserError, NameError, TypeError
        Pydantic makes no schema of it.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(source)

    def fault(text: str) -> str:
        try:
            adapter.validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            return f"at {'.'.join(['$', *map(str, first['loc'])])}, {first['msg']}"
        except Exception as error:
            # Validators are code of the user's, which may raise anything.
            return f"{type(error).__name__}: {error}"
        return ""

    return CheckedSchema(adapter.json_schema(schema_generator=_Narrower), fault)


def _bounded(said: JsonSchemaValue, asked: dict[str, Any]) -> JsonSchemaValue:
    """Return a schema with bounds that stand behind a validator of the user's."""
    keywords = _KEYWORDS.get(str(said.get("type")), {})
    for name, value in asked.items():
        if name not in keywords or "format" in said or keywords[name] in said:
            raise _unsaid(f"`{name}` of such a type")
        said = {**said, keywords[name]: value}
    return said


def _unsaid(what: str) -> Unenforceable:
    return Unenforceable(f"no grammar can say {what}; leave it out, and check that on the answer")


class _Narrower(GenerateJsonSchema):
    """Says what pydantic checks and its own schemas leave out."""

    # What it leaves out of a union, and a default, cannot make an answer wrong.
    def emit_warning(self, kind: Any, detail: str) -> None:
        pass

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        kind = getattr(schema.get("cls"), "__name__", schema["type"])
        raise PydanticInvalidForJsonSchema(f"JSON has nothing for `{kind}`")

    def call_schema(self, schema: core_schema.CallSchema) -> JsonSchemaValue:
        return self.handle_invalid_for_json_schema(schema, "")

    def is_subclass_schema(self, schema: core_schema.IsSubclassSchema) -> JsonSchemaValue:
        return self.handle_invalid_for_json_schema(schema, "")

    # --- texts ------------------------------------------------------------------------------

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        said = super().str_schema(schema)
        if _OF_RUST.search(said.get("pattern", "")):
            raise _unsaid(f"the pattern {said['pattern']}, which has a set in a set")
        if isinstance(given := schema.get("pattern"), re.Pattern) and given.flags & re.VERBOSE:
            raise _unsaid("a pattern with `re.VERBOSE`")
        is_stripped = schema.get("strip_whitespace", self._config.str_strip_whitespace)
        if schema.get("ascii_only") and "pattern" not in said:
            said["pattern"] = "^[ -~]*$"
        elif schema.get("ascii_only"):
            raise _unsaid("`ascii_only` together with `pattern`")
        if is_stripped and said.get("minLength", 0) > 1 and "pattern" not in said:
            # Its length counts without the spaces around it.
            said["pattern"] = r"^\S[ -~]*\S$"
        return said

    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:
        said = super().bytes_schema(schema)
        if getattr(self._config, "val_json_bytes", "utf8") != "utf8":
            raise _unsaid("bytes that are not written as UTF-8")
        if "maxLength" in said:
            # What is counted are bytes, and these signs take one each.
            said["pattern"] = "^[ -~]*$"
            said.pop("format", None)
        return said

    def function_after_schema(
        self, schema: core_schema.AfterValidatorFunctionSchema
    ) -> JsonSchemaValue:
        function: Any = schema["function"]["function"]
        if isinstance(getattr(function, "__self__", None), EncodedStr):
            raise _unsaid("which base64 is a text of UTF-8 (Base64Str)")
        if getattr(function, "__self__", None) is ByteSize:
            return {"type": "integer", "minimum": 0}
        said = super().function_after_schema(schema)
        if isinstance(function, partial) and function.func.__module__ == _BOUND_CHECKS:
            return _bounded(said, function.keywords)
        return said

    def json_schema(self, schema: core_schema.JsonSchema) -> JsonSchemaValue:
        said = super().json_schema(schema)
        if said["contentSchema"] not in ({}, {"type": "integer"}, {"type": "number"}):
            raise _unsaid("`Json` of a type other than int and float")
        return said

    def url_schema(self, schema: core_schema.UrlSchema) -> JsonSchemaValue:
        return _url(super().url_schema(schema), schema)

    def multi_host_url_schema(self, schema: core_schema.MultiHostUrlSchema) -> JsonSchemaValue:
        return _url(super().multi_host_url_schema(schema), schema)

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        for member in schema["members"]:
            if not isinstance(member.value, (str, int, float, type(None))):
                raise _unsaid(f"`{member}`, whose value JSON does not have")
        return super().enum_schema(schema)

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        if any(isinstance(value, bytes) for value in schema["expected"]):
            raise _unsaid("a `Literal` of bytes")
        return super().literal_schema(schema)

    # --- numbers ----------------------------------------------------------------------------

    def fraction_schema(self, schema: Any) -> JsonSchemaValue:
        said = super().fraction_schema(schema)
        if any(name in schema for name in _BOUNDS):
            return next(one for one in said["anyOf"] if one.get("type") == "number")
        return {"type": "string", "pattern": "^-?(0|[1-9][0-9]{0,8})(/[1-9][0-9]{0,8})?$"}

    def complex_schema(self, schema: core_schema.ComplexSchema) -> JsonSchemaValue:
        return {"type": "string", "pattern": f"^-?{_REAL}[+-]{_REAL}j$"}

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Decimals are numbers, or texts of digits; pydantic's own says any text."""
        number = next(
            (
                one
                for one in super().decimal_schema(schema).get("anyOf", [])
                if one.get("type") == "number"
            ),
            {"type": "number"},
        )
        digits, places = schema.get("max_digits"), schema.get("decimal_places")
        if digits is None and (places is None or places >= _PLACES):
            return number
        if schema.get("multiple_of") is not None:
            raise _unsaid("`multiple_of` together with `max_digits` or `decimal_places`")
        if places == 0:
            most = 10 ** min(_WHOLE_DIGITS, digits or _WHOLE_DIGITS) - 1
            return {**number, "type": "integer", "allOf": [{"minimum": -most, "maximum": most}]}
        texts = [text for n_whole, n_behind in _digit_counts(digits, places)
                 for text in _decimals(schema, n_whole, n_behind)]  # fmt: skip
        if not texts:
            raise Unbounded("no decimal has such bounds and digits")
        return {"type": "string", "pattern": f"^({'|'.join(texts)})$"}

    # --- times ------------------------------------------------------------------------------

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:
        if not any(name in schema for name in _BOUNDS):
            return super().date_schema(schema)
        return {"type": "string", "pattern": f"^{_dates(schema)}$"}

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        zone = schema.get("tz_constraint")
        if isinstance(zone, int) and zone != 0:
            raise _unsaid("a `datetime` of another time zone than UTC")
        is_naive = zone == "naive"
        if not is_naive and not any(name in schema for name in _BOUNDS):
            return super().datetime_schema(schema)
        time = _TIME.removesuffix("Z") if is_naive else _TIME
        return {"type": "string", "pattern": f"^{_dates(schema)}T{time}$"}

    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:
        _refuse_bounds(schema, "a `time`")
        if schema.get("tz_constraint") == "naive":
            return {"type": "string", "pattern": f"^{_TIME.removesuffix('Z')}$"}
        return super().time_schema(schema)

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        _refuse_bounds(schema, "a `timedelta`")
        return super().timedelta_schema(schema)

    # --- names of a dict --------------------------------------------------------------------

    def dict_schema(self, schema: Any) -> JsonSchemaValue:
        said = super().dict_schema(schema)
        if "keys_schema" not in schema:
            return said
        names = self._names(schema["keys_schema"])
        if names is None and "propertyNames" in said and "patternProperties" in said:
            # Both are of the names, and the grammar takes them in one place only.
            [(pattern, values)] = said.pop("patternProperties").items()
            said["additionalProperties"] = values
            names = {**said["propertyNames"], "pattern": pattern}
        return said if names is None else {**said, "propertyNames": names}

    ordered_dict_schema = counter_schema = frozendict_schema = dict_schema

    def _names(self, keys: Any) -> JsonSchemaValue | None:
        """Return the schema of names that stand for other keys than texts; ``None``: texts."""
        said = self.generate_inner(keys)
        if "$ref" in said:
            said = self.resolve_ref_schema(said)
        values = said.get("enum", [said["const"]] if "const" in said else [])
        if (
            said == {}
            or said.get("type") == "string"
            or {"type": "string"} in said.get("anyOf", ())
        ):
            return None
        if values and all(isinstance(value, str) for value in values):
            return {"enum": values}
        if values and keys.get("sub_type") == "int":
            return {"enum": [str(int(value)) for value in values]}
        if said == {"type": "boolean"}:
            return {"enum": ["true", "false"]}
        if said == {"type": "number"}:
            return {"pattern": f"^-?{_REAL}$"}
        if said.get("type") == "integer" and not values and "multipleOf" not in said:
            low, high = bounds(said, "integer")
            return {"pattern": f"^({'|'.join(numbers_between(int(low), int(high)))})$"}
        raise _unsaid(f"names of a dict whose keys are of the kind `{keys['type']}`")


def _url(said: JsonSchemaValue, schema: Any) -> JsonSchemaValue:
    """Return the schema of an address with a scheme that it may have."""
    schemes = schema.get("allowed_schemes") or ["https"]
    if "https" in schemes:
        return said
    options = [
        "file://(/[a-z0-9_-]{1,20}){1,3}" if scheme == "file"
        else FORMATS["uri"].replace("https", re.escape(scheme), 1)
        for scheme in schemes
    ]  # fmt: skip
    return {**without(said, "format"), "pattern": f"^({'|'.join(options)})$"}


def _refuse_bounds(schema: Any, what: str) -> None:
    for name in _BOUNDS:
        if name in schema:
            raise _unsaid(f"`{name}` of {what}")


def _digit_counts(digits: int | None, places: int | None) -> list[tuple[int, int]]:
    """Return how many digits stand before and behind the point: pairs that are allowed."""
    if places is None:
        assert digits is not None
        pairs = [(digits - behind, behind) for behind in range(min(_PLACES, digits - 1) + 1)]
    else:
        whole = _WHOLE_DIGITS if digits is None else digits - places
        pairs = [(whole, 0), (whole, min(places, _PLACES))]
    return [
        (min(whole, _WHOLE_DIGITS), behind)
        for whole, behind in pairs
        if whole > 0 or (whole == 0 and behind)
    ]


def _decimals(schema: Any, n_whole: int, n_behind: int) -> list[str]:
    """Return patterns of the decimals with so many digits that are within the bounds."""
    unit = 10**n_behind
    high = 10 ** (n_whole + n_behind) - 1
    low = -high
    if schema.get("ge") is not None:
        low = max(low, math.ceil(Fraction(schema["ge"]) * unit))
    if schema.get("gt") is not None:
        low = max(low, math.floor(Fraction(schema["gt"]) * unit) + 1)
    if schema.get("le") is not None:
        high = min(high, math.floor(Fraction(schema["le"]) * unit))
    if schema.get("lt") is not None:
        high = min(high, math.ceil(Fraction(schema["lt"]) * unit) - 1)
    return numbers_between(low, high, n_behind)


def _dates(schema: Any) -> str:
    """Return the pattern of the days that are within the bounds with all their hours."""
    first, last = _FIRST_DAY, _LAST_DAY
    today = date.today()
    # A clock elsewhere may be on another day.
    gap = 1 if schema["type"] == "date" else 2
    if schema.get("now_op") == "past":
        last = min(last, day_after(today, -gap))
    elif schema.get("now_op") == "future":
        first = max(first, day_after(today, gap))
    for name in ("ge", "gt", "le", "lt"):
        if name not in schema:
            continue
        day, is_start = _day(schema[name])
        if name in ("ge", "gt"):
            is_in = is_start and name == "ge"
            first = max(first, day if is_in else day_after(day))
        else:
            # The hours of a day that is only begun are not told apart.
            is_in = name == "le" and not isinstance(schema[name], datetime)
            last = min(last, day if is_in else day_after(day, -1))
    texts = dates_between(first, last, _MONTH_DAY)
    if not texts:
        raise Unbounded(f"no whole day of a `{schema['type']}` is within its bounds")
    return f"({'|'.join(texts)})"


def _day(bound: date) -> tuple[date, bool]:
    """Return the day of a bound in UTC, and whether it is its very beginning."""
    if not isinstance(bound, datetime):
        return bound, True
    if bound.tzinfo is not None:
        bound = bound.astimezone(timezone.utc)
    day = bound.date()
    return day, bound.replace(tzinfo=None) == datetime(day.year, day.month, day.day)
