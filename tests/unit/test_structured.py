"""Schemas from whatever describes data, made tight; answers read, checked and shortened."""

from __future__ import annotations

import dataclasses
import decimal
import json
import re
import socket
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_localllm.assistant.partial_json import shortened_ends
from jupyter_localllm.assistant.schemas.checks import check_value
from jupyter_localllm.assistant.schemas.errors import Unbounded
from jupyter_localllm.assistant.schemas.tight import tight_schema
from jupyter_localllm.assistant.structured import (
    SchemaError,
    completed,
    read_json,
    schema_of,
)
from jupyter_localllm.errors import AnswerCut, AnswerUnusable
from tests.magics.schemas import SCHEMAS
from tests.schema_sentences import sentences


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(levels):
        schema = {"properties": {"a": schema}}
    return schema


class Pair(NamedTuple):
    left: int
    right: str


@dataclasses.dataclass
class Point:
    x: float
    label: str = ""


MORE = {
    "multiples": {"type": "integer", "minimum": 10, "exclusiveMaximum": 100, "multipleOf": 7},
    "open bound": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "types": {"type": ["string", "null"], "maxLength": 4},
    "all of": {"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}},
                          "required": ["a"]}, {"properties": {"b": {"enum": [1, "x"]}}}]},
    "siblings": {"type": "object", "required": ["k"], "properties": {"k": {"const": 1}},
                 "anyOf": [{"properties": {"v": {"type": "string", "minLength": 2}},
                            "required": ["v"]}, {"properties": {"w": {"type": "null"}}}]},
    "anything": {},
    "any items": {"type": "array", "maxItems": 4},
    "free keys": {"type": "object", "additionalProperties": {"type": "boolean"}},
    "formats": {"type": "array", "prefixItems": [
        {"type": "string", "format": f} for f in
        ("date", "time", "date-time", "email", "hostname", "uri", "ipv4", "duration", "uuid")]},
    "pattern": {"type": "string", "pattern": r"^\d+\.[^x]\w*(\s|a|b){2}$"},
    "alternatives": {"type": "string", "pattern": "^(cat|dog)s?$"},
}  # fmt: skip


@pytest.mark.usefixtures("deep_recursion")
@pytest.mark.parametrize("budget", [200, 1000])
@pytest.mark.parametrize("name", [*SCHEMAS, *MORE])
def test_what_fits_the_tight_schema_fits_the_schema(name: str, budget: int) -> None:
    source = MORE[name] if name in MORE else SCHEMAS[name][0]
    assert len(list(sentences(source, 25, budget))) == 25


def test_the_budget_bounds_texts_and_lists() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    for budget, most in ((100, 41), (1000, 400)):
        pattern = tight_schema(schema, budget)["properties"]["a"]["pattern"]
        assert pattern.endswith(f"{{0,{most}}}$")
    numbers = tight_schema({"type": "array", "items": {"type": "integer"}}, 100)
    assert numbers["maxItems"] <= 4
    kept = tight_schema({"type": "array", "items": {"type": "integer"}, "minItems": 9}, 10)
    assert (kept["minItems"], kept["maxItems"]) == (9, 9)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"me": {"$ref": "#"}}, "required": ["me"]},
        False,
    ],
)
def test_a_schema_without_an_end_is_refused(schema: Any) -> None:
    with pytest.raises(Unbounded):
        tight_schema(schema, 500)


@pytest.mark.parametrize(
    ("source", "fitting", "wrong"),
    [
        (Point, {"x": 1.5}, {"label": "no x"}),
        (Point(1.0), {"x": 2, "label": "y"}, {"x": "1"}),
        (Pair, [1, "a"], [1]),
        (list[int], [1, 2], ["1"]),
        (dict[str, float], {"a": 0.5}, {"a": "b"}),
        ('{"type": "integer"}', 3, "3"),
        ({"enum": ["a", 1]}, 1, 2),
    ],
)
def test_schemas_come_from_whatever_describes_data(source: Any, fitting: Any, wrong: Any) -> None:
    schema = schema_of(source)
    assert check_value(fitting, schema) == ""
    assert check_value(wrong, schema) != ""


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("{not json", "this is not JSON"),
        ({"type": "nothing"}, "this is not a JSON schema"),
        ([1, 2], "neither a JSON schema nor a class"),
        (None, "neither a JSON schema nor a class"),
        (len, "no JSON schema can be made from 'len'"),
        ('"x"', "neither a JSON schema nor a class"),
        ("true", "neither a JSON schema nor a class"),
        ("[" * 100_000, "this JSON is nested too deeply"),
        ('{"type": "integer", "minimum": NaN}', "this is not a JSON schema: Out of range float"),
        ('{"maximum": 1e999}', "this is not a JSON schema: Out of range float"),
        ({"minimum": decimal.Decimal("1.5")}, "this is not a JSON schema: Object of type Decimal"),
        ({"enum": {1, 2}}, "this is not a JSON schema: Object of type set"),
        ({"properties": {("a",): {}}}, "this is not a JSON schema: keys must be str"),
        (nested(150), "this is not a JSON schema: it is nested too deeply"),
        (nested(100_000), "this is not a JSON schema: it is nested too deeply"),
        ({"$schema": ["x"]}, "this is not a JSON schema"),
        ({"$ref": "#/$defs/none"}, "its reference #/$defs/none leads nowhere in it"),
        ({"$ref": "#/title/x", "title": "t"}, "its reference #/title/x leads nowhere in it"),
        ({"$dynamicRef": "#x"}, "its reference #x leads nowhere in it"),
        ({"anyOf": [{"$ref": "other.json"}, {"type": "integer"}]}, "its reference other.json"),
        ({"enum": [1], "not": {"$ref": "http://h.invalid/a"}}, "its reference http://h.invalid/a"),
        ({"$ref": "#/x/y", "x": {"y": {"not": {"$ref": "b"}}}}, "its reference b leads nowhere"),
        ({"$id": "http://h.invalid/a", "$ref": "b"}, "its reference b leads nowhere"),
        ({"$defs": {"a": {"$id": "b", "$ref": "#/c", "c": {}}}}, "its reference #/c leads nowhere"),
    ],
)
def test_what_describes_nothing_is_refused_in_a_sentence(source: Any, sentence: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(sentence)):
        schema_of(source)


@pytest.mark.parametrize(
    ("schema", "fitting", "wrong"),
    [
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}}, 1, "1"),
        ({"$ref": "#a", "$defs": {"x": {"$anchor": "a", "type": "integer"}}}, 1, "1"),
        ({"$id": "http://h.invalid/s", "items": {"$ref": "/s"}, "type": "array"}, [[]], [1]),
        # Names and values that are no references.
        ({"properties": {"$ref": {"type": "integer"}}}, {"$ref": 1}, {"$ref": "a"}),
        ({"const": {"$ref": "other.json"}}, {"$ref": "other.json"}, {}),
        ({"properties": {1: {"type": "integer"}}}, {"1": 2}, {"1": "2"}),
        ({"enum": (1, 2)}, 1, 3),
        ('{"type": "array", "maxItems": 2.0}', [1], [1, 2, 3]),
        ({"$schema": "http://h.invalid/draft", "type": "integer"}, 1, "1"),
    ],
)
def test_a_schema_is_taken_as_json_has_it(schema: Any, fitting: Any, wrong: Any) -> None:
    plain = schema_of(schema)
    assert json.loads(json.dumps(plain)) == plain
    assert check_value(fitting, plain) == ""
    assert check_value(wrong, plain) != ""


def test_counts_with_a_point_are_whole() -> None:
    schema = schema_of('{"maxItems": 3.0, "items": {"minLength": 1.0, "minimum": 2.0}}')
    assert json.dumps(schema) == '{"maxItems": 3, "items": {"minLength": 1, "minimum": 2.0}}'


@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef", "$recursiveRef"])
def test_nothing_is_fetched(keyword: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a"
        schema = {"enum": [1, 2], "not": {keyword: address}}
        with pytest.raises(SchemaError, match="nothing is fetched"):
            schema_of(schema)
        # Also of a schema that nobody looked at before.
        with pytest.raises(Exception, match="Unresolvable"):
            check_value(1, {"$ref": address})
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ('Here:\n\n```json\n{"a": 1}\n```\nDone.', {"a": 1}),
        ("```\n[1]\n```", [1]),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
    ],
)
def test_json_is_read_fenced_or_not(text: str, value: Any) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize("text", ["", "no json", '{"a": ', "[" * 100_000, "```json\n{\n```"])
def test_what_is_no_json_is_one_sentence(text: str) -> None:
    with pytest.raises(AnswerUnusable) as raised:
        read_json(text)
    assert raised.value.message.startswith("The answer is not JSON: ")
    assert raised.value.hint


LIST = {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "string"}},
                                   "required": ["n"]}}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('[{"n": "a"}, {"n": "b"}, {"n": "c', [{"n": "a"}, {"n": "b"}]),
        ('[{"n": "a"}, {"n": "b"', [{"n": "a"}, {"n": "b"}]),
        ('[{"n": "a, ]"}, {"', [{"n": "a, ]"}]),
        ('[{"n": "quote \\" and ]"}, ', [{"n": 'quote " and ]'}]),
        ("[", []),
    ],
)
def test_a_cut_list_keeps_what_was_finished(text: str, value: Any) -> None:
    assert completed(text, LIST) == value


def test_a_cut_object_is_not_made_up() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
              "required": ["a", "b"]}  # fmt: skip
    with pytest.raises(AnswerCut):
        completed('{"a": 1, "b"', schema)
    with pytest.raises(AnswerCut):
        completed('{"a": 1, ', schema)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=8),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner)),
       st.floats(0, 1))  # fmt: skip
@settings(deadline=None)
def test_every_shortened_end_is_bounded_by_the_text(value: Any, part: float) -> None:
    text = json.dumps(value)
    cut = text[: int(len(text) * part)]
    for candidate in shortened_ends(cut):
        assert len(candidate) <= len(cut) + cut.count("{") + cut.count("[")
