"""Types of Python and pydantic, and schemas that say more: what answers are made to fit."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import ipaddress
import pathlib
import uuid
from typing import Annotated, Any, Literal, NamedTuple

import annotated_types
import msgspec
import pydantic
from pydantic import Field
from typing_extensions import TypedDict


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Node(pydantic.BaseModel):
    name: str
    parent: Node | None = None
    children: list[Node] = []


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    tags: set[Literal["a", "b", "c"]]
    codes: set[int]


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    at: datetime.datetime = datetime.datetime(2020, 1, 1)
    names: Annotated[list[Annotated[str, Field(min_length=2, max_length=4)]], Field(min_length=2)]


@dataclasses.dataclass
class Place:
    name: str
    where: tuple[float, float]
    seen: frozenset[int] = frozenset()


class Pair(NamedTuple):
    left: int
    right: str = ""


class Film(TypedDict, total=False):
    title: str
    year: int


@dataclasses.dataclass
class Person:
    age: Annotated[int, Field(ge=0, le=10)]
    names: Annotated[list[str], Field(min_length=2)]
    share: Annotated[float, annotated_types.Interval(ge=0, le=1)]
    born: datetime.datetime
    scores: dict[Literal["x", "y"], int]


class Bounded(TypedDict):
    age: Annotated[int, Field(ge=0, le=10)]


@pydantic.dataclasses.dataclass
class Named:
    name: Annotated[str, Field(pattern="^[a-z]+$")]


class Stripped(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(str_strip_whitespace=True, str_min_length=3)
    name: str


def _decimal(**bounds: Any) -> Any:
    return Annotated[decimal.Decimal, Field(**bounds)]


_DAY = datetime.date(2024, 2, 28)
_HOUR = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.timezone.utc)

#: Types whose values pydantic reads again.
TYPES: dict[str, Any] = {
    "set of str": set[str],
    "set of int": set[int],
    "frozenset": frozenset[float],
    "set of Literal": set[Literal["a", "b"]],
    "set of many": set[Literal["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]],
    "set of enum": set[Colour],
    "set of bool": set[bool],
    "sets with a least": Annotated[set[str], Field(min_length=3)],
    "ints with a least": Annotated[set[int], Field(min_length=4, max_length=6)],
    "dates with a least": Annotated[set[datetime.date], Field(min_length=2)],
    "enums with a least": Annotated[set[Colour], Field(min_length=2)],
    "tuples in a set": Annotated[set[tuple[int, str]], Field(min_length=2)],
    "tuple": tuple[int, str, bool],
    "tuple of any length": tuple[int, ...],
    "empty tuple": tuple[()],
    "optional": int | None,
    "union": int | str | list[bool],
    "dict": dict[str, int],
    "dict of lists": dict[str, list[float]],
    "dict by enum": dict[Colour, int],
    "dict by Literal": dict[Literal["x", "y"], bool],
    "dict by pattern": dict[Annotated[str, Field(pattern="^[a-z]{2,5}$")], int],
    "dict by date": dict[datetime.date, float],
    "dict with a least": Annotated[dict[str, int], Field(min_length=3, max_length=4)],
    "int bounds": Annotated[int, Field(ge=-7, lt=1234)],
    "positive": pydantic.PositiveInt,
    "negative": pydantic.NegativeFloat,
    "at least": Annotated[int, Field(ge=1998)],
    "at most": Annotated[float, Field(le=0.25)],
    "share": Annotated[float, Field(gt=0, lt=1)],
    "latitude": Annotated[float, Field(ge=-90, le=90)],
    "odd bounds": Annotated[float, Field(ge=-1.75, le=3.14)],
    "narrow": Annotated[float, Field(ge=0.205, le=0.207)],
    "multiples": Annotated[int, Field(multiple_of=25, ge=30)],
    "steps": Annotated[float, Field(multiple_of=0.25)],
    "lengths": Annotated[str, Field(min_length=3, max_length=5)],
    "pattern": Annotated[str, Field(pattern=r"^\d{3}-[A-Z]+$")],
    "loose pattern": Annotated[str, Field(pattern="[0-9]")],
    "pattern and lengths": Annotated[str, Field(pattern="^[a-z]+( [a-z]+)*$", max_length=12)],
    "pattern and a least": Annotated[str, Field(pattern="^(a|bc)*x?$", min_length=9)],
    "stripped": Annotated[str, pydantic.StringConstraints(strip_whitespace=True, min_length=1)],
    "datetime": datetime.datetime,
    "date": datetime.date,
    "time": datetime.time,
    "timedelta": datetime.timedelta,
    "uuid": uuid.UUID,
    "uuid4": pydantic.UUID4,
    "decimal": decimal.Decimal,
    "decimal places": Annotated[decimal.Decimal, Field(decimal_places=8, ge=0)],
    "price": Annotated[decimal.Decimal, Field(max_digits=6, decimal_places=2, gt=0)],
    "digits": Annotated[decimal.Decimal, Field(max_digits=3, le=50)],
    "whole decimal": Annotated[decimal.Decimal, Field(decimal_places=0)],
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "ipv4 network": ipaddress.IPv4Network,
    "ipv6 network": ipaddress.IPv6Network,
    "ipv4 interface": ipaddress.IPv4Interface,
    "decimals between": _decimal(decimal_places=2, ge=0, le=100),
    "prices between": _decimal(max_digits=6, decimal_places=2, gt="0.99", lt="250.5"),
    "a part of one": _decimal(decimal_places=2, gt=0, lt=1),
    "below nought": _decimal(max_digits=5, decimal_places=2, lt=0),
    "about nought": _decimal(max_digits=4, ge=-3, le="1.5"),
    "nothing whole": _decimal(max_digits=3, decimal_places=3),
    "one digit": _decimal(max_digits=1),
    "decimals below": _decimal(lt=5),
    "fraction": fractions.Fraction,
    "fraction with a bound": Annotated[fractions.Fraction, Field(ge=0, le=2)],
    "complex": complex,
    "past": pydantic.PastDate,
    "future": pydantic.FutureDate,
    "past time": pydantic.PastDatetime,
    "future time": pydantic.FutureDatetime,
    "naive": pydantic.NaiveDatetime,
    "aware": pydantic.AwareDatetime,
    "date bounds": pydantic.condate(gt=_DAY, le=datetime.date(2026, 11, 3)),
    "days of a month": pydantic.condate(ge=_DAY, lt=datetime.date(2024, 3, 12)),
    "hours": Annotated[datetime.datetime, Field(gt=_HOUR, lt=_HOUR.replace(year=2025))],
    "naive from": Annotated[pydantic.NaiveDatetime, Field(ge=datetime.datetime(2024, 1, 1))],
    "dict by int": dict[int, str],
    "dict by float": dict[float, str],
    "dict by bool": dict[bool, int],
    "dict by decimal": dict[decimal.Decimal, int],
    "dict by prices": dict[_decimal(max_digits=5, decimal_places=2, ge=0), int],
    "dict by bounds": dict[Annotated[int, Field(ge=-12, le=345)], int],
    "dict by int enum": dict[Level, int],
    "dict by one of two": dict[Colour | str, int],
    "dict by lengths and pattern": dict[
        Annotated[str, Field(pattern="^[a-z]+$", min_length=2, max_length=4)], int
    ],
    "dict by stripped": dict[
        Annotated[str, pydantic.StringConstraints(strip_whitespace=True, min_length=3)], int
    ],
    "bounds behind a validator": Annotated[int, pydantic.AfterValidator(abs), Field(gt=5, lt=90)],
    "lengths behind a validator": Annotated[
        list[int], pydantic.BeforeValidator(list), Field(min_length=2)
    ],
    "optional with bounds": Annotated[int | None, Field(ge=0, le=9)],
    "postgres": pydantic.PostgresDsn,
    "file address": pydantic.FileUrl,
    "web socket": pydantic.WebsocketUrl,
    "other addresses": tuple[
        pydantic.RedisDsn,
        pydantic.MongoDsn,
        pydantic.FtpUrl,
        pydantic.AmqpDsn,
        pydantic.NatsDsn,
        pydantic.MySQLDsn,
    ],
    "json of int": pydantic.Json[int],
    "bytes with a most": Annotated[bytes, Field(min_length=3, max_length=5)],
    "stripped of two": Annotated[
        str, pydantic.StringConstraints(strip_whitespace=True, min_length=2, max_length=4)
    ],
    "stripped by its model": Stripped,
    "number of bytes": pydantic.ByteSize,
    "conint": pydantic.conint(ge=0, le=10),
    "conlist": pydantic.conlist(int, min_length=2),
    "list of bounds": list[Annotated[int, Field(ge=0)]],
    "interval": Annotated[int, annotated_types.Interval(ge=3, lt=7)],
    "dataclass with bounds": Person,
    "typed dict with bounds": Bounded,
    "dataclass of pydantic": Named,
    "path": pathlib.Path,
    "url": pydantic.HttpUrl,
    "any url": pydantic.AnyUrl,
    "bytes": bytes,
    "base64": pydantic.Base64Bytes,
    "json": pydantic.Json,
    "secret": pydantic.SecretStr,
    "enum": Colour,
    "int enum": Level,
    "Literal": Literal["it's", 'a "quote"', "back\\slash", "grün", "😀", 3, None],
    "any": Any,
    "list with bounds": Annotated[list[int], Field(min_length=2, max_length=3)],
    "lists of lists": list[list[str]],
    "discriminated": Annotated[Cat | Dog, Field(discriminator="kind")],
    "recursive": Node,
    "sets in a model": Strict,
    "defaults": Open,
    "dataclass": Place,
    "named tuple": Pair,
    "typed dict": Film,
    "models in a list": Annotated[list[Strict], Field(min_length=1, max_length=2)],
}


class Point(msgspec.Struct, tag="point", rename="camel"):
    at_x: Annotated[int, msgspec.Meta(ge=1, le=5)]
    when: Annotated[datetime.datetime, msgspec.Meta(tz=True)]
    label: Annotated[str, msgspec.Meta(pattern="^x")] | None = None


class Line(msgspec.Struct, array_like=True):
    points: list[Point]
    names: dict[Annotated[str, msgspec.Meta(max_length=4)], int] = {}


#: Types whose values msgspec reads again.
STRUCTS: dict[str, Any] = {
    "struct": Point,
    "array": Line,
    "structs": list[Point],
    "notes": Annotated[int, msgspec.Meta(ge=1, le=9)],
}

#: What JSON Schema says and no type of Python.
SCHEMAS: dict[str, Any] = {
    "unique with an enum": {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 3,
                            "uniqueItems": True},
    "unique booleans": {"items": {"type": "boolean"}, "uniqueItems": True, "minItems": 2},
    "unique objects": {"type": "array", "uniqueItems": True, "minItems": 2, "items": {
        "type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}},
    "unique of a large enum": {"type": "array", "items": {"enum": list(range(40))},
                               "minItems": 5, "uniqueItems": True},
    "not a string": {"not": {"type": "string"}},
    "not a word": {"type": "string", "not": {"enum": ["", "a", "ab", "admin"]}, "maxLength": 5},
    "not an empty text": {"type": "string", "not": {"maxLength": 0}},
    "not a number": {"type": "integer", "minimum": 0, "maximum": 9, "not": {"enum": [0, 5, 9]}},
    "not required": {"type": "object", "properties": {"a": {"type": "null"}, "b": True},
                     "not": {"required": ["a"]}},
    "not of an enum": {"enum": ["a", "b", "c"], "not": {"const": "b"}},
    "not a part": {"type": "object", "properties": {"a": {"enum": [1, 2]}},
                   "not": {"properties": {"a": {"const": 2}}, "required": ["a"]}},
    "not an empty list": {"type": "array", "items": {"type": "integer"}, "not": {"const": []}},
    "names by pattern": {"type": "object", "patternProperties": {"^x": {"type": "integer"}},
                         "minProperties": 2},
    "names by two patterns": {"patternProperties": {"^a": {"type": "integer"}, "b$": {"minimum": 3,
                              "type": "integer"}}, "minProperties": 1},
    "property by pattern": {"properties": {"x1": {"type": "integer"}}, "required": ["x1", "y"],
                            "patternProperties": {"^x": {"minimum": 7}},
                            "additionalProperties": {"type": "boolean"}},
    "least of optional": {"properties": {n: {"type": "null"} for n in "abc"}, "minProperties": 2},
    "most of optional": {"properties": {n: {"type": "null"} for n in "abc"}, "maxProperties": 1},
    "condition": {"type": "object", "properties": {"country": {"enum": ["US", "NL"]}, "code": {
        "type": "string"}}, "required": ["country", "code"],
        "if": {"properties": {"country": {"const": "US"}}, "required": ["country"]},
        "then": {"properties": {"code": {"pattern": "^[0-9]{5}$"}}},
        "else": {"properties": {"code": {"pattern": "^[0-9]{4} [A-Z]{2}$"}}}},
    "dependent names": {"properties": {"card": {"type": "integer"}, "owner": {"type": "string"}},
                        "dependentRequired": {"card": ["owner"]}},
    "dependent schema": {"properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
                         "dependentSchemas": {"a": {"required": ["b"]}}},
    "contains": {"type": "array", "items": {"type": "integer"}, "contains": {"minimum": 100},
                 "minContains": 2},
    "weaker bound last": {"allOf": [{"type": "integer", "minimum": 5}, {"minimum": 1}]},
    "closed parts": {"allOf": [{"properties": {"a": {"type": "null"}, "c": {"type": "null"}}},
                     {"properties": {"a": True, "b": {"type": "null"}},
                      "additionalProperties": False}]},
    "names that are not allowed": {"properties": {"y": {"type": "null"}, "x": {"type": "null"}},
                                   "propertyNames": {"pattern": "^x"}},
    "two unions": {"anyOf": [{"type": "integer"}, {"type": "string"}],
                   "allOf": [{"anyOf": [{"minimum": 3}, {"maximum": -3}]}]},
    "tuple and more": {"type": "array", "prefixItems": [{"type": "null"}], "minItems": 3,
                       "items": {"type": "boolean"}},
    "old tuple": {"$schema": "http://json-schema.org/draft-07/schema#", "type": "array",
                  "items": [{"type": "null"}, {"const": 1}], "additionalItems": False},
    "old bound": {"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer",
                  "minimum": 3, "exclusiveMinimum": True, "maximum": 5},
    "closed": {"type": "object", "properties": {"a": {"type": "null"}},
               "unevaluatedProperties": False},
    "pointer with a sign": {"$ref": "#/$defs/a%20b", "$defs": {"a b": {"type": "boolean"}}},
    "enum and pattern": {"enum": ["aa", "b", 3], "type": "string", "pattern": "^a+$"},
    "quotes in names": {"properties": {'a"b\\c': {"const": 'x"y\\z\n'}}, "required": ['a"b\\c']},
    "a quote in a pattern": {"type": "string", "pattern": '^"[a-z]\\\\"$'},
}  # fmt: skip


#: Those of :data:`SCHEMAS` that one value fits.
SINGLE = {"old tuple", "enum and pattern", "quotes in names"}
