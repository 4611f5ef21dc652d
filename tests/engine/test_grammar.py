"""Schemas that a grammar can enforce are enforced; all others are refused by the keyword."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_localllm.engine.grammar import MAX_GRAMMAR_CHARS, grammar_of, schema_to_gbnf
from jupyter_localllm.errors import InvalidGrammar
from jupyter_localllm.protocol import CompletionRequest, ResponseFormat
from tests.gbnf import Grammar

from .conftest import Bench

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer"},
        "kind": {"enum": ["cat", "dog"]},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 2},
    },
    "required": ["name", "age", "kind", "tags"],
    "additionalProperties": False,
}

REFUSED: dict[str, Any] = {
    "multipleOf": {"type": "integer", "multipleOf": 3},
    "needs the type": {"minimum": 3},
    "is above": {"type": "integer", "minimum": 3, "maximum": 2},
    "uniqueItems": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    "and other names": {"type": "object", "properties": {"a": {}}, "minProperties": 1},
    "share no name": {
        "type": "object",
        "patternProperties": {"^a[b-d]$": {}, "^a[d-f]$": {}},
        "additionalProperties": False,
        "minProperties": 2,
    },
    "patternProperties": {"type": "object", "patternProperties": {"a": {}}},
    "another document": {"$ref": "http://example.com/schema.json"},
    "format `email`": {"type": "string", "format": "email"},
    "not a schema": {"type": "object", "properties": {"a": 3}},
    "requires `b`": {"type": "object", "properties": {"a": {}}, "required": ["b"]},
    "maxItems": {"type": "array", "items": {"type": "string"}, "maxItems": 10**9},
    "share no name, differing": {
        "type": "object",
        "patternProperties": {"^a$": {"type": "null"}, "^[a-c]$": {"type": "integer"}},
        "additionalProperties": False,
    },
    "not one of digits": {"type": "number", "pattern": "^[a-z]$"},
    "cannot be enforced": {"type": "nonsense"},
    "not a filled list": {"enum": []},
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_cannot_be_enforced_is_refused_by_name(said: str) -> None:
    with pytest.raises(InvalidGrammar, match=said.partition(",")[0]) as caught:
        schema_to_gbnf(REFUSED[said])
    assert caught.value.hint and caught.value.param == "response_format"


@settings(deadline=None)
@given(low=st.integers(-(10**7), 10**7), width=st.integers(0, 10**6), seed=st.integers(0, 99))
def test_bounds_of_whole_numbers_are_kept_exactly(low: int, width: int, seed: int) -> None:
    schema = {"type": "integer", "minimum": low, "maximum": low + width}
    grammar = Grammar(schema_to_gbnf(schema))
    assert low <= int(grammar.sentence(seed)) <= low + width
    for number in (low, low + 1, low + width // 2, low + width):
        assert grammar.accepts(str(number)) == (number <= low + width)
    for number in (low - 1, low + width + 1, low * 10 - 99, (low + width) * 10 + 99):
        assert grammar.accepts(str(number)) == (low <= number <= low + width)


@settings(deadline=None)
@given(low=st.floats(-1e7, 1e7), width=st.floats(0, 1e6), seed=st.integers(0, 99))
def test_bounds_of_numbers_are_kept(low: float, width: float, seed: int) -> None:
    schema = {"type": "number", "minimum": low, "maximum": low + width}
    number = float(Grammar(schema_to_gbnf(schema)).sentence(seed))
    assert low <= number <= low + width


@pytest.mark.parametrize(
    "value", ['a "quote"', "back\\slash", "two\nlines", "grün 😀", "\ud800", {'k"': ["\\"]}]
)
def test_a_constant_is_written_as_it_is(value: Any) -> None:
    for schema in ({"const": value}, {"enum": [value]}):
        text = Grammar(schema_to_gbnf(schema)).sentence(0)
        assert json.loads(text) == value


def test_a_list_goes_on_behind_its_tuple() -> None:
    schema = {"type": "array", "prefixItems": [{"type": "null"}], "items": {"type": "boolean"},
              "minItems": 2, "maxItems": 3}  # fmt: skip
    grammar = Grammar(schema_to_gbnf(schema))
    assert grammar.accepts("[null, true]") and grammar.accepts("[null,true,false]")
    assert not grammar.accepts("[null]") and not grammar.accepts("[null,true,true,true]")


def test_names_by_pattern_are_as_many_as_asked_for() -> None:
    child = {"type": "null"}
    schema = {"type": "object", "patternProperties": {"^a[x]$": child, "^a[y-z]$": child},
              "additionalProperties": False, "minProperties": 2, "maxProperties": 3}  # fmt: skip
    grammar = Grammar(schema_to_gbnf(schema))
    assert grammar.accepts('{"ax":null, "ay":null}')
    assert grammar.accepts('{"ax":null,"ay":null,"az":null}')
    assert not grammar.accepts('{"ax":null}') and not grammar.accepts('{"ay":null,"az":null}')


def test_names_by_patterns_that_differ_have_each_a_value_of_their_own() -> None:
    schema = {"type": "object", "patternProperties": {"^a[x]$": {"type": "null"},
              "^b[x]$": {"type": "boolean"}}, "additionalProperties": False}  # fmt: skip
    for least in (0, 1):
        text = schema_to_gbnf({**schema, "minProperties": least})
        grammar = Grammar(text, may_be_open=True)
        assert grammar.accepts('{"bx":true,"ax":null}') and grammar.accepts('{"ax":null}')
        assert not grammar.accepts('{"bx":null}')
        assert grammar.accepts("{}") == (not least)


def test_a_property_without_a_name_is_not_the_whole() -> None:
    schema = {"type": "object", "properties": {"": {"type": "null"}, "root": {"type": "boolean"}},
              "required": ["", "root"], "additionalProperties": False}  # fmt: skip
    grammar = Grammar(schema_to_gbnf(schema))
    assert grammar.accepts('{"":null,"root":true}') and not grammar.accepts("null")


def test_a_schema_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(100):
        schema = {"type": "array", "items": schema}
    with pytest.raises(InvalidGrammar, match="nested"):
        schema_to_gbnf(schema)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "integer", "minimum": "a", "maximum": 3}, "`$.minimum` is not a number"),
        ({"minItems": 1, "maxItems": "a"}, "`$.maxItems` is not a number"),
        ({"type": "integer", "pattern": 5}, "expected string"),
        ({"type": "string", "pattern": 5}, "'int'"),
        ({"required": [["a"]], "properties": {}}, "unhashable"),
        ({"format": [1]}, "unhashable"),
        ({"type": "object", "additionalProperties": False,
          "patternProperties": {"^[z-a]$": {}, "^b$": {"type": "null"}}}, "bad character range"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_in_a_schema_is_refused_and_no_fault_of_the_program(
    schema: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidGrammar, match=re.escape(said)):
        schema_to_gbnf(schema)


@pytest.mark.parametrize(
    ("grammar", "said"), [("#" * (MAX_GRAMMAR_CHARS + 1), "65,537"), (" ", "0")]
)
def test_an_empty_or_too_long_grammar_is_refused(grammar: str, said: str) -> None:
    with pytest.raises(InvalidGrammar, match=f"has {said} characters"):
        grammar_of(CompletionRequest(prompt="x", grammar=grammar))


def test_json_object_means_any_object() -> None:
    request = CompletionRequest(prompt="x", response_format=ResponseFormat("json_object"))
    assert "root" in (grammar_of(request) or "")


@pytest.mark.parametrize("question", ["HELLO", "LONG", "STOPWORD", "no trigger"])
def test_an_answer_follows_the_schema_whatever_the_model_wants(
    scripted: Bench, question: str
) -> None:
    answer = scripted.ask(question, grammar=schema_to_gbnf(PERSON), max_tokens=400)
    answer.done()
    value = json.loads(answer.text)
    assert list(value) == ["name", "age", "kind", "tags"]
    assert value["kind"] in ("cat", "dog") and isinstance(value["age"], int)
    assert len(value["name"]) <= 20 and len(value["tags"]) <= 2


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "pattern": "^(-[1-9][0-9]{0,2}|0)[.]([05][0-9]|[1-4][5])$"},
        {"type": "object", "properties": {"": {"type": "number", "minimum": 1e-7, "maximum": 9e-7}},
         "required": [""], "additionalProperties": False},
        {"type": "object", "patternProperties": {"^a[x]{1,3}$": {"type": "null"},
         "^b[x]{1,3}$": {"type": "boolean"}}, "additionalProperties": False, "maxProperties": 3},
    ],
)  # fmt: skip
def test_the_engine_takes_numbers_by_digits_and_names_by_patterns(
    scripted: Bench, schema: dict[str, Any]
) -> None:
    answer = scripted.ask("LONG", grammar=schema_to_gbnf(schema), max_tokens=400)
    answer.done()
    value = json.loads(answer.text)
    assert isinstance(value, dict if schema["type"] == "object" else float)


@pytest.mark.parametrize("grammar", ['root ::= "yes" | "no"', "root ::= [0-9] [0-9] [0-9]"])
def test_a_gbnf_grammar_is_followed(scripted: Bench, grammar: str) -> None:
    answer = scripted.ask("HELLO", grammar=grammar)
    answer.done()
    assert answer.text in ("yes", "no") or (len(answer.text) == 3 and answer.text.isdecimal())


@pytest.mark.parametrize("grammar", ["root ::= missing", "not a grammar", 'leaf ::= "x"'])
def test_a_broken_grammar_is_one_error_and_the_next_request_works(
    scripted: Bench, grammar: str
) -> None:
    assert scripted.ask("HELLO", grammar=grammar).error().error_code == "invalid_grammar"
    answer = scripted.ask("HELLO")
    answer.done()
    assert answer.text == "Hello from the scripted model."
