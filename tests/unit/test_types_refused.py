"""Types that no schema or no grammar can say: refused at once, or checked on the answer."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import re
import sys
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
import pydantic
import pytest
from pydantic import Field

from jupyter_localllm.assistant.schemas import msgspec_types
from jupyter_localllm.assistant.schemas.checks import check_value
from jupyter_localllm.assistant.structured import SchemaError, completed, schema_of
from jupyter_localllm.errors import AnswerCut

PYDANTIC_TYPES = msgspec_types.__name__.replace("msgspec", "pydantic")


class Plain:
    pass


class Rows:
    def __repr__(self) -> str:
        return "a  b\n1  2"

    def __bool__(self) -> bool:
        raise ValueError("this has no truth")


class Hooked:
    @classmethod
    def __get_pydantic_core_schema__(cls, *arguments: object) -> Any:
        raise ImportError("validator is not installed, run `pip install validator`")


Lost = dataclasses.make_dataclass("Lost", [("there", "Nowhere")])


class WithCallable(pydantic.BaseModel):
    f: Callable[[int], int]


class WithPlain(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    thing: Plain


Undefined = pydantic.create_model("Undefined", x=("Nowhere", ...))


class Film(typing.TypedDict):
    title: str


class Odd(enum.Enum):
    ONE = 1
    PAIR = (1, 2)


class Struct(msgspec.Struct):
    when: datetime.datetime


class Mixed(msgspec.Struct):
    age: Annotated[int, Field(ge=0)]


@dataclasses.dataclass
class Dated:
    when: datetime.datetime


@dataclasses.dataclass
class Aged:
    age: Annotated[int, Field(ge=0)]


@dataclasses.dataclass
class Simple:
    name: str
    born: datetime.date
    at: Annotated[datetime.datetime, msgspec.Meta(tz=True)]


class Interval(pydantic.BaseModel):
    low: int
    high: int

    @pydantic.model_validator(mode="after")
    def _check(self) -> Interval:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Plain, "'Plain' (write one, a pydantic model, a dataclass, a TypedDict or a type"),
        (WithCallable, "'WithCallable' (JSON has nothing for `callable`)"),
        (WithPlain, "'WithPlain' (JSON has nothing for `Plain`)"),
        (Undefined, "'Undefined' (it names a class that is not defined"),
        (Rows(), "from a value of the type Rows (write one, a pydantic model"),
        (Lost, "'Lost' (it names a class that is not defined"),
        (Hooked, "'Hooked' (validator is not installed, run `pip install validator`)"),
        ((int, str), "from a value of the type tuple"),
        (lambda: 1, "JSON has nothing for `call`"),
        (type[int], "JSON has nothing for `int`"),
        (typing, "'typing' (write one, "),
        (Odd, "no grammar can say `Odd.PAIR`"),
        (Literal[b"x"], "no grammar can say a `Literal` of bytes"),
        (dict[Literal[1, 2], int], "whose keys are of the kind `literal`"),
        (dict[tuple[int, int], int], "whose keys are of the kind `tuple`"),
        (Annotated[datetime.timedelta, Field(gt=datetime.timedelta(0))], "`gt` of a `timedelta`"),
        (Annotated[datetime.time, Field(lt=datetime.time(1))], "`lt` of a `time`"),
        (pydantic.condate(gt=datetime.date(3000, 1, 1)), "no whole day of a `date`"),
        (Annotated[pydantic.Json[list[int]], "note"], "`Json` of a type other than int and float"),
        (pydantic.Base64Str, "Base64Str"),
        (Annotated[str, Field(pattern="^[a-z&&[^aeiou]]+$")], "which has a set in a set"),
        (Annotated[str, Field(pattern=re.compile("^a b$", re.X))], "with `re.VERBOSE`"),
        (Annotated[int | str, Field(ge=3)], "no grammar can say `ge` of such a type"),
        (Annotated[pydantic.SecretBytes, Field(max_length=3)], "`max_length` of such a type"),
        (Struct, "write `Annotated[datetime, msgspec.Meta(tz=True)]`"),
        (Mixed, "write `msgspec.Meta` instead"),
        (Annotated[int, pydantic.WithJsonSchema({"type": "x"})], "this is not a JSON schema: 'x'"),
    ],
)
def test_what_its_schema_would_not_say_is_refused_in_one_sentence(source: Any, said: str) -> None:
    with pytest.raises(SchemaError) as raised:
        schema_of(source)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Dated, "msgspec does not say how a `datetime` is written"),
        (Aged, "`FieldInfo` is kept where pydantic is installed"),
        (list[pydantic.PositiveInt], "is kept where pydantic is installed"),
        (dict[int, str], "keys of a dict that are no `str`"),
    ],
)
def test_no_bound_is_dropped_where_pydantic_is_missing(
    source: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, PYDANTIC_TYPES, None)
    with pytest.raises(SchemaError) as raised:
        schema_of(source)
    assert said in str(raised.value)


def test_dataclasses_are_taken_where_pydantic_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PYDANTIC_TYPES, None)
    schema = schema_of(Simple)
    value = {"name": "a", "born": "2020-01-01", "at": "2020-01-01T00:00:00Z"}
    assert check_value(value, schema) == ""
    assert "format" in json.dumps(schema)


def test_a_typed_dict_that_pydantic_refuses_is_taken() -> None:
    assert check_value({"title": "x"}, schema_of(Film)) == ""
    assert check_value({"title": 1}, schema_of(Film)) != ""


def test_validators_of_a_model_check_the_answer() -> None:
    schema = schema_of(Interval)
    assert check_value({"low": 1, "high": 2}, schema) == ""
    assert check_value({"low": 3, "high": 2}, schema) == "at $, Value error, low is above high"
    with pytest.raises(AnswerCut):
        completed('{"low": 3, "high": 2', schema)


def test_a_validator_that_breaks_is_a_fault_and_no_traceback() -> None:
    def broken(value: int) -> int:
        raise KeyError("nothing")

    schema = schema_of(Annotated[int, pydantic.AfterValidator(broken)])
    assert check_value(3, schema) == "KeyError: 'nothing'"
