"""Answers of a real engine to every kind of schema, whatever the model wants to say, fit it."""

from __future__ import annotations

import pytest

from jupyter_localllm.assistant.structured import schema_of
from tests.schema_sentences import fitting, gbnf_of
from tests.typed_schemas import SCHEMAS, TYPES

from .conftest import Bench


@pytest.mark.parametrize(("question", "budget"), [("LONG", 200), ("HELLO", 1000)])
def test_every_answer_fits_its_schema(scripted: Bench, question: str, budget: int) -> None:
    for name, source in {**TYPES, **SCHEMAS}.items():
        grammar = gbnf_of(source, budget)
        answer = scripted.ask(question, grammar=grammar, max_tokens=900, temperature=1.0, seed=3)
        assert answer.done().finish_reason.value == "stop", name
        fitting(answer.text, schema_of(source))
