"""Whatever a grammar of a schema allows fits the schema, and the type that it was made from.

Sentences are written by chance from the grammar that the engine makes, without a model.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import msgspec
import pydantic
import pytest

from jupyter_localllm.assistant.schemas.checks import check_value, without_repeats
from jupyter_localllm.assistant.schemas.errors import Unbounded, Unenforceable
from jupyter_localllm.assistant.structured import response_format
from tests.schema_sentences import sentences
from tests.typed_schemas import SCHEMAS, SINGLE, STRUCTS, TYPES

pytestmark = pytest.mark.usefixtures("deep_recursion")

N_SENTENCES = 30
BUDGET = 300


@pytest.mark.parametrize("name", TYPES)
def test_every_sentence_is_a_value_of_the_type(name: str) -> None:
    adapter = pydantic.TypeAdapter(TYPES[name])
    for value in sentences(TYPES[name], N_SENTENCES, BUDGET):
        adapter.validate_json(json.dumps(value))


@pytest.mark.parametrize("name", STRUCTS)
def test_every_sentence_is_a_value_of_the_struct(name: str) -> None:
    for value in sentences(STRUCTS[name], N_SENTENCES, BUDGET):
        msgspec.json.decode(json.dumps(value), type=STRUCTS[name])


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_sentence_fits_the_schema(name: str) -> None:
    values = list(sentences(SCHEMAS[name], N_SENTENCES, BUDGET))
    n_different = len({json.dumps(value) for value in values})
    assert (n_different == 1) == (name in SINGLE), values


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "integer", "minimum": 5, "maximum": 1}, "no integer has `minimum` 5"),
        ({"type": "string", "minLength": 5, "maxLength": 1}, "`minLength` 5 is above"),
        ({"type": "array", "minItems": 5, "maxItems": 1}, "`minItems` 5 is above"),
        ({"type": "object", "minProperties": 5, "maxProperties": 1}, "`minProperties` 5 is above"),
        ({"type": "array", "items": {"enum": [1, 2]}, "minItems": 3, "uniqueItems": True},
         "`uniqueItems` with `minItems` 3, but only 2 items differ"),
        ({"enum": ["a"], "type": "integer"}, "no value of its `enum` or `const` fits"),
        ({"allOf": [{"type": "string"}, {"type": "null"}]}, "no `type` fits"),
        ({"type": "string", "pattern": "^(?!x)a"}, "has a look-ahead or look-behind"),
        ({"type": "string", "pattern": r"\bword\b"}, "has a word boundary"),
        ({"type": "string", "pattern": r"^(a)\1$"}, r"has the escape \1"),
        ({"type": "string", "pattern": "^a$", "not": {"const": "b"}, "format": "date"},
         "`pattern` together with `format` date"),
        ({"type": "string", "not": {"pattern": "a"}}, "`not` with `pattern` in it"),
        ({"allOf": [{"pattern": "^a"}, {"pattern": "b$"}], "type": "string"}, "`pattern` stands"),
        ({"type": "array", "contains": {"type": "null"}, "maxContains": 1}, "`maxContains`"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "two alternatives of `oneOf`"),
        ({"$dynamicRef": "#x"}, "`$dynamicRef`"),
        ({"type": "array", "items": {"type": "array"}, "uniqueItems": True, "minItems": 2},
         "`uniqueItems` with `minItems` above 1"),
    ],
)  # fmt: skip
def test_what_no_grammar_can_say_and_no_value_fits_is_refused_by_its_keyword(
    schema: dict[str, Any], said: str
) -> None:
    inside = {"properties": {"p": schema}, "required": ["p"]}
    for whole, place in ((schema, "at `$`"), (inside, "at `$.p")):
        with pytest.raises((Unbounded, Unenforceable), match=re.escape(said)) as raised:
            response_format(whole, budget_chars=BUDGET)
        assert place in str(raised.value)


def test_an_optional_field_that_cannot_be_enforced_is_refused_and_not_left_out() -> None:
    shape = {"type": "string", "pattern": "^(?=a)"}
    for child in (shape, {"anyOf": [shape, {"type": "null"}]}):
        with pytest.raises(Unenforceable, match="look-ahead"):
            response_format({"properties": {"p": child}})


def test_a_discriminated_union_keeps_all_alternatives() -> None:
    kinds = {value["kind"] for value in sentences(TYPES["discriminated"], N_SENTENCES, BUDGET)}
    assert kinds == {"cat", "dog"}


def test_repeats_are_left_out_where_items_are_unique_and_nowhere_else() -> None:
    schema = {"properties": {"a": {"uniqueItems": True, "items": {"uniqueItems": True}}}}
    value = {"a": [[1, 1.0], [1], True, 1, 1.0, "1"], "b": [2, 2]}
    assert without_repeats(value, schema) == ({"a": [[1], True, 1, "1"], "b": [2, 2]}, True)
    either = {"anyOf": [{"uniqueItems": True}, {"type": "array"}]}
    assert without_repeats([3, 3], either) == ([3, 3], False)


def test_checking_json_does_not_compile_a_grammar_for_addresses() -> None:
    script = (
        "import sys\n"
        "from jupyter_localllm.assistant.schemas.checks import check_value\n"
        "assert check_value(1, {'type': 'string'})\n"
        # Whose grammars it would compile.
        "assert 'lark' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_format_whose_check_was_put_off_is_checked() -> None:
    assert check_value("not an address", {"format": "iri"}) != ""
    assert check_value("https://grün.example/ü", {"format": "iri"}) == ""
