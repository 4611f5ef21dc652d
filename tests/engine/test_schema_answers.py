"""Answers of a real engine to every kind of schema, whatever the model wants to say, fit it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_localllm.assistant.schemas.checks import check_value, without_repeats
from jupyter_localllm.assistant.schemas.pydantic_types import pydantic_schema
from jupyter_localllm.assistant.structured import response_format
from jupyter_localllm.engine.grammar import schema_to_gbnf
from tests.typed_schemas import SCHEMAS, TYPES

from .conftest import Bench


@pytest.mark.parametrize(("question", "budget"), [("LONG", 200), ("HELLO", 1000)])
def test_every_answer_fits_its_schema(scripted: Bench, question: str, budget: int) -> None:
    schemas: dict[str, Any] = {name: pydantic_schema(one) for name, one in TYPES.items()}
    for name, schema in {**schemas, **SCHEMAS}.items():
        form = response_format(schema, budget_chars=budget)
        assert form.json_schema is not None
        grammar = schema_to_gbnf(form.json_schema.schema)
        answer = scripted.ask(question, grammar=grammar, max_tokens=900, temperature=1.0, seed=3)
        assert answer.done().finish_reason.value == "stop", name
        value, _ = without_repeats(json.loads(answer.text), schema)
        assert check_value(value, schema) == "", (name, value)
