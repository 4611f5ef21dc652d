"""Keywords of a schema that stand together: answers fit all of them, or it is said which do not.

Each case was once an answer that did not fit, one that was always the same, or a crash.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_localllm.assistant.schemas.errors import Unbounded, Unenforceable
from jupyter_localllm.assistant.structured import response_format
from jupyter_localllm.engine.grammar import schema_to_gbnf
from jupyter_localllm.errors import InvalidGrammar
from tests import schema_sentences
from tests.gbnf import Grammar

N_SENTENCES = 40
BUDGET = 300
NULL: dict[str, Any] = {"type": "null"}
INTEGER: dict[str, Any] = {"type": "integer"}
TEXT: dict[str, Any] = {"type": "string", "maxLength": 9}
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"


def grammar_of(schema: dict[str, Any]) -> Grammar:
    return schema_sentences.grammar_of(schema, BUDGET)


def sentences(schema: dict[str, Any], count: int = N_SENTENCES) -> Iterator[Any]:
    return schema_sentences.sentences(schema, count, BUDGET)


def properties(names: str) -> dict[str, Any]:
    return dict.fromkeys(names, NULL)


#: Schemas whose answers did not fit, or which ended in a traceback.
FITTING: dict[str, dict[str, Any]] = {
    "counts with a point": {"type": "array", "items": INTEGER, "minItems": 1.0, "maxItems": 3.0},
    "a large count with a point": {"type": "array", "items": INTEGER, "maxItems": 1e3},
    "contained as often as a count with a point": {
        "type": "array", "items": INTEGER, "contains": {"minimum": 7}, "minContains": 2.0},
    "names as many as a count with a point": {"type": "object", "minProperties": 2.0},
    "a property without a name": {"type": "object", "properties": {"": INTEGER, "b": NULL},
                                  "required": [""]},
    "closed by a pattern in the other part": {
        "type": "object", "allOf": [{"properties": {"a": NULL, "x1": INTEGER}},
                  {"patternProperties": {"^x": INTEGER}, "additionalProperties": False}]},
    "a pattern that the other part narrows": {
        "type": "object", "allOf": [{"patternProperties": {"^x": {}}},
                                    {"additionalProperties": INTEGER}]},
    "names of a union that are unevaluated elsewhere": {
        "type": "object", "properties": properties("b"), "unevaluatedProperties": False,
        "anyOf": [{"properties": properties("a")}, {"properties": {"c": INTEGER}}]},
    "names that only another part knows": {
        "type": "object", "allOf": [{"properties": properties("ac"),
                                     "unevaluatedProperties": False},
                                    {"properties": properties("b")}]},
    "names that only the other parts of a definition know": {
        "type": "object", "properties": {"x": {"$ref": "#/$defs/A"}}, "required": ["x"],
        "$defs": {"A": {"type": "object", "allOf": [{"properties": properties("a")}],
                        "unevaluatedProperties": False}}},
    "dependent names in a row": {"type": "object", "properties": {"a": NULL, "d": INTEGER},
                                 "dependentRequired": {"b": ["c"], "a": ["b"]}},
    "dependent names of one that is required": {
        "type": "object", "properties": {"a": INTEGER}, "required": ["b"],
        "dependentRequired": {"b": ["c"]}},
    "dependent names of an open object": {"type": "object", "dependentRequired": {"a": ["b"]}},
    "items of one part beside first ones of another": {
        "type": "array", "minItems": 2, "allOf": [{"prefixItems": [{"type": "number"}]},
                                                  {"items": INTEGER}]},
    "items of an old list beside items of one kind": {
        "$schema": DRAFT_7, "type": "array", "minItems": 2,
        "allOf": [{"items": [{"type": "number"}]}, {"items": INTEGER}]},
    "a count of contained ones that the draft does not know": {
        "$schema": DRAFT_7, "type": "array", "items": INTEGER, "contains": {"minimum": 9},
        "minContains": 0},
    "a repetition without a least": {"type": "string", "pattern": "^a{,3}$"},
    "old flags of two bounds": {
        "$schema": DRAFT_4, "type": "integer", "allOf": [
            {"maximum": 5, "exclusiveMaximum": True, "minimum": 3},
            {"maximum": 7, "exclusiveMaximum": False}]},
    "an old flag beside values": {
        "$schema": DRAFT_4, "maximum": 5, "exclusiveMaximum": True,
        "anyOf": [{"enum": [5, 4, 3]}, {"type": "null"}]},
    "a word that is not meant beside a union": {
        "not": {"const": "a"}, "anyOf": [{"enum": ["a", "b"]}, {"enum": ["c"]}]},
    "a reference to an anchor": {"type": "object", "properties": {"a": {"$ref": "#foo"}},
                                 "required": ["a"], "$defs": {"x": {"$anchor": "foo", **INTEGER}}},
    "a reference to the document's own name": {
        "$id": "https://example.com/a.json", "type": "object", "required": ["a"],
        "properties": {"a": {"$ref": "https://example.com/a.json#/$defs/x"}},
        "$defs": {"x": INTEGER}},
    "an old keyword for a name, which says nothing now, beside a reference": {
        "type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/x"}},
        "$defs": {"x": {"id": "x.json", **INTEGER}}},
    "a narrow range": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-6},
    "one of two names": {"type": "object", "properties": properties("ab"),
                         "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
    "one of two closed objects": {"oneOf": [
        {"type": "object", "properties": properties("a"), "additionalProperties": False},
        {"type": "object", "properties": properties("b"), "additionalProperties": False}]},
    "a word or a pattern": {"oneOf": [{"enum": ["auto", "1px"]},
                                      {"type": "string", "pattern": "^[0-9]+em$"}]},
    "a word or any other text": {"oneOf": [{"enum": ["auto"]}, {**TEXT, "minLength": 2}]},
    "lists of one kind or another": {"oneOf": [{"type": "array", "items": TEXT},
                                               {"type": "array", "items": INTEGER}]},
    "lists of one length or another": {"oneOf": [{"type": "array", "items": TEXT, "maxItems": 1},
                                                 {"type": "array", "items": TEXT, "minItems": 2}]},
    "an address with a beginning": {"type": "string", "format": "uri", "pattern": "^https?://"},
    "a day and its digits": {"type": "string", "format": "date", "pattern": r"^\d{4}-\d\d-\d\d$"},
    "a number and its signs": {"type": "string", "format": "uuid", "pattern": "^[0-9a-f-]{36}$"},
    "unique ones that contain one": {"type": "array", "items": {"enum": ["a", "b", "c"]},
                                     "contains": {"const": "b"}, "uniqueItems": True},
}  # fmt: skip


@pytest.mark.parametrize("name", FITTING)
def test_answers_fit_what_stands_together_and_differ(name: str) -> None:
    found = {json.dumps(value) for value in sentences(FITTING[name])}
    assert len(found) > 1, found


def test_what_is_not_of_a_condition_inside_of_a_condition_is_not_more_than_that() -> None:
    inner = {"if": {"properties": {"b": INTEGER}}, "then": {"maxProperties": 0}}
    schema = {"if": inner, "then": {"type": "object", "properties": {"b": TEXT}}}
    assert len(list(sentences(schema))) == N_SENTENCES
    with pytest.raises(Unenforceable, match="`not` of what a `not` or an `if` inside of it"):
        list(sentences({"not": {"allOf": [{"not": INTEGER}]}}))
    assert len(set(sentences({"not": {"not": {"type": "integer"}}}))) > 1


REFUSED: dict[str, tuple[type[Exception], dict[str, Any]]] = {
    "`$ref` #/$defs/typo leads nowhere": (
        Unenforceable, {"properties": {"a": {"$ref": "#/$defs/typo"}, "b": NULL}}),
    "`$ref` https://example.com/x.json leads nowhere": (
        Unenforceable, {"properties": {"a": {"$ref": "https://example.com/x.json"}, "b": NULL}}),
    "`$id` inside of it": (Unenforceable, {
        "properties": {"a": {"$ref": "x.json"}}, "$defs": {"x": {"$id": "x.json", **INTEGER}}}),
    "`$ref` # leads to itself": (Unenforceable, {"$ref": "#"}),
    "`$ref` #/$defs/a leads to itself": (
        Unenforceable,
        {"anyOf": [{"$ref": "#/$defs/a"}, NULL], "$defs": {"a": {"$ref": "#/$defs/a"}}},
    ),
    "`$ref` #/$defs/b leads to itself": (
        Unenforceable,
        {"anyOf": [{"$ref": "#/$defs/b"}, NULL],
         "$defs": {"b": {"$ref": "#/$defs/b", "unevaluatedProperties": False}}},
    ),
    "`unevaluatedProperties` together with `if` at `$.x`": (Unenforceable, {
        "type": "object", "properties": {"x": {"$ref": "#/$defs/A"}}, "required": ["x"],
        "$defs": {"A": {"type": "object", "if": {"required": ["a"]},
                        "then": {"properties": properties("c")},
                        "unevaluatedProperties": False}}}),
    "`unevaluatedProperties` together with `dependentSchemas`": (
        Unenforceable,
        {
            "unevaluatedProperties": False,
            "anyOf": [{"dependentSchemas": {"a": {"properties": properties("x")}}}],
        },
    ),
    "has a look-ahead": (
        Unenforceable, {"anyOf": [{"type": "string", "pattern": "^(?!x)[a-z]+$"}, INTEGER]}),
    "`unevaluatedProperties` together with `not`": (Unenforceable, {
        "type": "object", "properties": properties("b"), "not": {"required": ["a"]},
        "unevaluatedProperties": False}),
    "`unevaluatedProperties` together with `if`": (Unenforceable, {
        "type": "object", "if": {"required": ["a"]}, "then": {"properties": properties("c")},
        "unevaluatedProperties": False}),
    "only Rust reads": (Unenforceable, {"type": "string", "pattern": "^[[:alpha:]]+$"}),
    "`pattern` together with `format` date": (
        Unenforceable, {"type": "string", "format": "date", "pattern": "^[a-z]+$"}),
    "of which one name may match several": (Unenforceable, {
        "type": "object", "patternProperties": {"a": TEXT, "b": INTEGER}}),
    "`multipleOf` 1e-320 is too small": (Unenforceable, {"type": "number", "multipleOf": 1e-320}),
    "too many combinations of `anyOf`": (Unenforceable, {
        "type": "object", "properties": {f"p{n}": NULL for n in range(20)},
        "allOf": [{"anyOf": [{"required": [f"p{n + more}"]} for more in range(3)]}
                  for n in range(17)]}),
    "a draft before the fourth": (
        Unenforceable, {"$schema": "http://json-schema.org/draft-03/schema#", **INTEGER}),
    "two alternatives of `oneOf`": (Unenforceable, {"oneOf": [
        {"type": "object", "properties": {"t": TEXT, name: INTEGER}, "required": ["t"]}
        for name in "ab"]}),
    "nothing fits the schema False": (Unbounded, {
        "type": "array", "minItems": 1, "allOf": [{"items": NULL}, {"unevaluatedItems": False}]}),
}  # fmt: skip


@pytest.mark.parametrize("said", REFUSED)
def test_what_cannot_be_said_is_refused_by_its_keyword_at_once(said: str) -> None:
    kind, schema = REFUSED[said]
    start = time.monotonic()
    with pytest.raises(kind, match=re.escape(said)):
        response_format(schema, budget_chars=BUDGET)
    assert time.monotonic() - start < 5


def test_a_condition_for_each_of_many_values_leaves_all_of_them() -> None:
    count = 20
    schema = {
        "type": "object", "required": ["c", "z"],
        "properties": {"c": {"enum": [f"C{n}" for n in range(count)]}, "z": TEXT},
        "allOf": [{"if": {"properties": {"c": {"const": f"C{n}"}}},
                   "then": {"properties": {"z": {"pattern": f"^{n}$"}}}} for n in range(count)],
    }  # fmt: skip
    start = time.monotonic()
    found = {(value["c"], value["z"]) for value in sentences(schema, 200)}
    assert found == {(f"C{n}", f"{n}") for n in range(count)}
    assert time.monotonic() - start < 20


def test_names_that_depend_on_each_other_in_a_row_are_said_quickly() -> None:
    names = [f"p{n}" for n in range(18)]
    schema = {
        "type": "object", "properties": dict.fromkeys(names, NULL),
        "dependentSchemas": {names[n]: {"required": [names[n + 1]]} for n in range(17)},
    }  # fmt: skip
    assert len({json.dumps(value) for value in sentences(schema)}) > 5


def test_prices_are_of_any_size_and_have_any_cents() -> None:
    schema = {"type": "number", "multipleOf": 0.01, "minimum": 0, "maximum": 500}
    found = list(sentences(schema, 300))
    assert max(found) > 400 and len(set(found)) > 200
    grammar = grammar_of(schema)
    assert all(grammar.accepts(text) for text in ("0.00", "49.90", "7.50", "12.34", "500.00"))
    assert not any(grammar.accepts(text) for text in ("500.01", "-1.00", "1.005", "01.00"))


@pytest.mark.parametrize(
    ("step", "bounds", "fitting", "wrong"),
    [
        (2, {}, ["0", "4", "-1998", "123456"], ["3", "-0", "04"]),
        (2, {"minimum": 3, "maximum": 100_001}, ["4", "100000", "98"], ["2", "100002", "5"]),
        (25, {"maximum": 0}, ["-25", "0", "-1075"], ["25", "-30"]),
        (1000, {}, ["0", "7000", "-12000"], ["700", "0000"]),
        (7, {"minimum": 0, "maximum": 10**6}, ["0"], ["1", "-7"]),
        (0.25, {"minimum": -1}, ["-0.25", "1.50", "300.75"], ["0.30", "-1.25"]),
        (0.1, {"minimum": 0.1, "maximum": 10}, ["0.1", "10.0", "5.5"], ["0.0", "10.1"]),
    ],
)
def test_multiples_are_told_by_their_digits(
    step: float, bounds: dict[str, Any], fitting: list[str], wrong: list[str]
) -> None:
    kind = "integer" if isinstance(step, int) else "number"
    schema = {"type": kind, "multipleOf": step, **bounds}
    found = list(sentences(schema, 100))
    assert len(set(found)) > 10
    grammar = grammar_of(schema)
    assert [text for text in fitting if not grammar.accepts(text)] == []
    assert [text for text in wrong if grammar.accepts(text)] == []


def test_multiples_that_are_told_one_by_one_are_spread_over_the_range() -> None:
    found = list(sentences({"type": "integer", "multipleOf": 7, "maximum": 10**6, "minimum": 0}))
    assert max(found) > 500_000
    assert min(sentences({"type": "integer", "multipleOf": 7})) < 0


def test_names_by_two_patterns_have_values_of_both() -> None:
    schema = {"type": "object", "patternProperties": {"^S_": TEXT, "^I_": INTEGER}}
    for more in ({}, {"minProperties": 1}, {"additionalProperties": False}):
        names = {name[0] for value in sentences({**schema, **more}) for name in value}
        assert names == {"S", "I"}


def test_a_list_that_contains_one_has_others_too() -> None:
    schema = {"type": "array", "items": TEXT, "contains": {"const": "main"}}
    assert {len(value) > 1 for value in sentences(schema)} == {True, False}


def test_an_object_without_one_name_may_have_others() -> None:
    found = list(sentences({"type": "object", "not": {"required": ["a"]}}))
    assert any(found) and not any("a" in value for value in found)


@pytest.mark.parametrize("keyword", ["minProperties", "maxProperties"])
def test_what_counts_names_and_says_no_type_has_objects(keyword: str) -> None:
    assert all(isinstance(value, dict) for value in sentences({keyword: 2}))


def test_each_alternative_of_one_of_two_names_is_there() -> None:
    found = {tuple(value) for value in sentences(FITTING["one of two names"])}
    assert found == {("a",), ("b",)}


def test_references_with_the_same_last_step_are_not_mixed_up() -> None:
    schema = {
        "type": "array",
        "prefixItems": [{"$ref": "#/$defs/root"}, {"$ref": "#/definitions/root"}],
        "$defs": {"root": NULL},
        "definitions": {"root": {"type": "boolean"}},
    }
    grammar = Grammar(schema_to_gbnf(schema), may_be_open=True)
    assert grammar.accepts("[null,true]") and not grammar.accepts("[null,null]")


def test_a_schema_that_is_too_long_is_told_how_long_it_is() -> None:
    schema = {"enum": ["x" * 1000] * 100}
    with pytest.raises(InvalidGrammar, match=r"put in place it has 100,4.. characters, and"):
        schema_to_gbnf(schema)
