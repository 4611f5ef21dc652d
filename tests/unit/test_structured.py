"""Schemas from whatever describes data, made tight; answers read, checked and shortened."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_localllm.assistant.partial_json import shortened_ends
from jupyter_localllm.assistant.schemas.checks import check_value, without_repeats
from jupyter_localllm.assistant.schemas.errors import Unbounded
from jupyter_localllm.assistant.schemas.tight import tight_schema
from jupyter_localllm.assistant.structured import (
    SchemaError,
    completed,
    read_json,
    response_format,
    schema_of,
)
from jupyter_localllm.engine.grammar import schema_to_gbnf
from jupyter_localllm.errors import AnswerCut, AnswerUnusable
from tests.gbnf import Grammar
from tests.magics.schemas import SCHEMAS


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


@pytest.mark.parametrize("name", [*SCHEMAS, *MORE])
def test_what_fits_the_tight_schema_fits_the_schema(name: str) -> None:
    schema = MORE[name] if name in MORE else schema_of(SCHEMAS[name][0])
    form = response_format(schema, budget_chars=200)
    assert form.json_schema is not None
    grammar = Grammar(schema_to_gbnf(form.json_schema.schema), may_be_open=True)
    for seed in range(25):
        value, _ = without_repeats(json.loads(grammar.sentence(seed)), schema)
        assert check_value(value, schema) == "", value


@pytest.mark.parametrize("name", [*SCHEMAS, *MORE])
def test_the_engine_takes_every_tight_schema(name: str) -> None:
    schema = MORE[name] if name in MORE else schema_of(SCHEMAS[name][0])
    form = response_format(schema, budget_chars=1000)
    assert form.json_schema is not None
    assert schema_to_gbnf(form.json_schema.schema).count("root ::=") == 1


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
        {"$ref": "#"},
        {"$ref": "#/$defs/none"},
        {"$ref": "http://h.invalid/schema.json"},
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
    ],
)
def test_what_describes_nothing_is_refused_in_a_sentence(source: Any, sentence: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(sentence)):
        schema_of(source)


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
