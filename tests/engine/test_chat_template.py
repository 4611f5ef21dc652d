"""A model's template is a program from a stranger: right output, or one clear error."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from jupyter_localllm.engine.chat_template import (
    BUILT_IN,
    MAX_TEMPLATE_CHARS,
    RENDER_TIMEOUT_S,
    TemplateRenderer,
    choose_template,
)
from jupyter_localllm.errors import InvalidParameter, TemplateFailed
from jupyter_localllm.protocol import ChatMessage, TextPart

Maker = Callable[..., TemplateRenderer]
QUESTION = [ChatMessage("user", "Why {x} and {{y}} and {% z %}?")]

#: Ways out of the sandbox: what they reach must be nothing.
ESCAPES = {
    "class walk": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ raise_exception.__globals__ }}",
    "format walk": "{{ '{0.__class__}'.format(messages) }}",
    "attr filter": "{{ ''|attr('__class__') }}",
    "import": "{% import 'os' as os %}{{ os }}",
    "include": "{% include '/etc/passwd' %}",
    "cycler": "{{ cycler.__init__.__globals__ }}",
    "mutate": "{{ messages.append(1) }}{{ messages }}",
}
#: Ways to take all time or memory, and plain failures.
BOMBS = {
    "multiply": "{{ 'A' * 10**9 }}",
    "double": "{% set n = namespace(x='AAAAAAAA') %}{% for i in range(40) %}"
    "{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
    "pad": "{{ '%1000000000d' % 1 }}",
    "center": "{{ 'a'|center(1000000000) }}",
    "long output": "{% for i in range(9000) %}{{ 'A' * 1000 }}{% endfor %}",
    "loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}"
    "{% endfor %}{% endfor %}{% endfor %}",
    "big range": "{% for i in range(10**9) %}{% endfor %}",
    "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "power": "{{ 9 ** (9 ** 9) }}",
    "syntax": "{% for %}",
    "raises": "{{ raise_exception('roles must alternate') }}",
}


def test_a_conversation_is_written_as_the_template_says(renderer: Maker) -> None:
    messages = [
        ChatMessage("developer", "Be brief."),
        ChatMessage("user", [TextPart("Hel"), TextPart("lo")]),
    ]
    assert renderer().render(messages) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_braces_in_a_question_are_text(renderer: Maker) -> None:
    assert QUESTION[0].text in renderer().render(QUESTION)


def test_what_published_templates_use_is_there(renderer: Maker) -> None:
    source = (
        "{{ bos_token }}{{ messages | tojson }}{{ strftime_now('%Y') | length }}"
        "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{% endfor %}"
    )
    text = renderer(source).render([ChatMessage("user", "é<")])
    assert text == '<s>[{"role": "user", "content": "é<"}]4'


@pytest.mark.parametrize("name", ESCAPES)
def test_a_template_reaches_nothing_outside(name: str, renderer: Maker) -> None:
    try:
        text = renderer(ESCAPES[name]).render(QUESTION)
    except TemplateFailed as error:
        text = error.message
    assert not any(mark in text for mark in ("<class", "<module", "root:", "<built-in", ", 1]"))


@pytest.mark.parametrize("name", BOMBS)
def test_a_hostile_template_ends_in_one_error_and_the_next_render_works(
    name: str, renderer: Maker
) -> None:
    hostile = renderer(BOMBS[name])
    started = time.monotonic()
    with pytest.raises(TemplateFailed) as caught:
        hostile.render(QUESTION)
    assert time.monotonic() - started < RENDER_TIMEOUT_S + 5
    assert caught.value.hint
    hostile.template = BUILT_IN["chatml"]
    assert "assistant" in hostile.render(QUESTION)


def test_a_file_without_template_gets_a_named_built_in_and_a_warning() -> None:
    chatml = choose_template(None, has_chatml_tokens=True)
    plain = choose_template(None, has_chatml_tokens=False)
    assert (chatml.name, plain.name) == ("chatml", "plain")
    assert "base model" in chatml.warning and "'plain'" in plain.warning
    assert choose_template("{{ x }}", has_chatml_tokens=True).name == "model"
    too_long = choose_template("x" * (MAX_TEMPLATE_CHARS + 1), has_chatml_tokens=False)
    assert "characters" in too_long.warning


def test_an_unknown_built_in_is_refused_by_name() -> None:
    with pytest.raises(InvalidParameter, match="nonsense"):
        choose_template(None, has_chatml_tokens=True, override="nonsense")


def test_the_plain_template_reads_as_a_dialogue(renderer: Maker) -> None:
    messages = [ChatMessage("system", "Rules."), ChatMessage("user", "Hi")]
    assert renderer(BUILT_IN["plain"].source).render(messages) == "Rules.\n\nUser: Hi\nAssistant:"
