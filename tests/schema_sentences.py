"""Values by chance of whatever describes data: what the grammar made of its schema allows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jupyter_localllm.assistant.schemas.checks import check_value, without_repeats
from jupyter_localllm.assistant.structured import response_format, schema_of
from jupyter_localllm.engine.grammar import schema_to_gbnf

from .gbnf import Grammar


def gbnf_of(source: Any, budget: int) -> str:
    """Return what an engine gets for a schema, a class or a type."""
    form = response_format(schema_of(source), budget_chars=budget)
    assert form.json_schema is not None
    return schema_to_gbnf(form.json_schema.schema)


def grammar_of(source: Any, budget: int) -> Grammar:
    """Return a grammar that writes sentences and recognises them."""
    return Grammar(gbnf_of(source, budget), may_be_open=True)


def fitting(text: str, schema: dict[str, Any]) -> Any:
    """Return the value of an answer; it fits."""
    value, _ = without_repeats(json.loads(text), schema)
    assert check_value(value, schema) == "", value
    return value


def sentences(source: Any, count: int, budget: int) -> Iterator[Any]:
    """Yield values of sentences; all fit."""
    schema = schema_of(source)
    grammar = grammar_of(source, budget)
    for seed in range(count):
        yield fitting(grammar.sentence(seed), schema)
