"""Any code can be drawn, or is refused with its line."""

from __future__ import annotations

import ast
import re
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jupyter_localllm
from jupyter_localllm.assistant.diagrams.sources.from_code import diagram_of_code
from jupyter_localllm.errors import DiagramInvalid, DiagramTooLarge, InvalidParameter

from .mermaid_pictures import parsed, texts

# -- Any code ---------------------------------------------------------------------------------


def _modules() -> list[Path]:
    package = Path(jupyter_localllm.__file__).parent
    library = Path(sysconfig.get_paths()["stdlib"])
    return sorted(package.rglob("*.py")) + sorted(library.glob("*.py"))[::4]


@pytest.mark.parametrize("what", ["flow", "classes", "imports"])
def test_every_module_can_be_drawn(what: Any) -> None:
    n_drawn = 0
    for path in _modules():
        try:
            diagram = diagram_of_code(path.read_text("utf-8"), what=what)
        except DiagramInvalid as error:
            assert error.details["reason"].startswith("no ")
            continue
        assert len(diagram.source.encode()) < 50_000
        parsed(diagram.source)
        n_drawn += 1
    assert n_drawn > 50


HOSTILE = [
    'x["a"] = "<b>&lt;#quot;#35;</b>" # ; end',
    "'%%{init: {}}%%'", "f'{a}{{b}}'", "'direction TB'", "a = 'fa:fa-car'", "'`**x**`'",
    "'https://a.b/c'", "r'\\n\\t'", "'\u202eabc\u2066'", "'$$x$$ ~y~ __z__'", "'--> A[b](c){d}'",
    "'学生 😀 \xa0'", "'1. a'", "-1", "+x", "'&amp;lt;'", "'click A'", "'-----'",
]  # fmt: skip


@pytest.mark.parametrize("line", HOSTILE)
def test_text_of_code_is_shown_as_it_is(line: str) -> None:
    code = ast.unparse(ast.parse(line))
    expected = " ".join(code.split())
    shown = (
        "".join(texts(diagram_of_code(f"if {code}:\n    pass", what="flow").source))
        if "=" not in code
        else "".join(texts(diagram_of_code(code, what="flow").source))
    )
    assert expected.replace(" ", "") in shown.replace(" ", "")


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=40), name=st.from_regex(r"[^\W\d]\w{0,8}", fullmatch=True))
def test_any_string_can_stand_in_code(text: str, name: str) -> None:
    # Python itself reads names in their compatible form.
    with suppress(SyntaxError, ValueError):
        ast.parse(name)
        code = (
            f"class K({name}0):\n    {name}1: {text!r} = {text!r}\n"
            f"    def f(self, a={text!r}):\n        while a[{text!r}]: return {text!r}\n"
        )
        for what in ("flow", "classes"):
            with suppress(DiagramInvalid):
                parsed(diagram_of_code(code, what=what).source)


def test_errors_name_the_place() -> None:
    with pytest.raises(DiagramInvalid) as caught:
        diagram_of_code("x = 1\nif x\n    y = 2\n")
    details = caught.value.details
    assert (details["line"], details["source_line"]) == (2, "if x")
    assert details["column"] == 5
    for code in ("", "# nothing\n", "\0"):
        with pytest.raises(DiagramInvalid):
            diagram_of_code(code)
    with pytest.raises(InvalidParameter):
        diagram_of_code("x", direction="UP")
    with pytest.raises(DiagramTooLarge):
        diagram_of_code("x = 1\n" * 400_000)
    with pytest.raises((DiagramTooLarge, DiagramInvalid)):
        diagram_of_code("x = " + "(" * 5000 + ")" * 5000)


def test_lines_of_ipython_are_left_out() -> None:
    diagram = diagram_of_code(
        "%matplotlib inline\n!ls -l \\\n  x\nfor i in x:\n    %time f(i)\nf?\n"
    )
    assert diagram.notes == ("5 lines of IPython are left out.",)
    assert texts(diagram.source)[:2] != []
    assert "for i in x" in diagram.source
    assert "matplotlib" not in diagram.source and "time" not in diagram.source
    # The same at the start of a line of a string is Python.
    assert diagram_of_code('x = """\n%d\n!a\n"""').notes == ()
    with pytest.raises(DiagramInvalid, match="%%bash"):
        diagram_of_code("%%bash\nls")


def test_auto_takes_what_the_code_mainly_is() -> None:
    assert diagram_of_code("import a\nfrom b import c").source.startswith("flowchart LR")
    assert diagram_of_code("import a\nclass B:\n    x = 1\nB()").source.startswith("classDiagram")
    assert "load" in diagram_of_code("import a\ndef load():\n    pass").source
    assert diagram_of_code("x = 1", direction="lr").source.startswith("flowchart LR")


def test_what_has_no_room_is_named() -> None:
    many = "".join(f"def f{i}(a):\n    if a:\n        return {i}\n" for i in range(90))
    diagram = diagram_of_code(many)
    assert diagram.source.count("subgraph") <= 40
    assert any(
        "functions are left out" in note and "f89" not in diagram.source for note in diagram.notes
    )
    parsed(diagram.source)
    long = "def f(a):\n" + "".join(
        f"    for i{i} in a:\n        if i{i}:\n            return {i}\n" for i in range(200)
    )
    diagram = diagram_of_code(long)
    assert len(re.findall(r"^ *n\d+[\[({]", diagram.source, re.M)) <= 125
    assert any("without what is inside" in note for note in diagram.notes)
    # The returns that are inside still lead to the end.
    assert re.search(r'\|"return"\|', diagram.source)
    parsed(diagram.source)
    elifs = "if a == 0:\n    pass\n" + "".join(f"elif a == {i}:\n    x = {i}\n" for i in range(400))
    parsed(diagram_of_code(elifs).source)
    assert diagram_of_code("def f():\n    return 1\n    x = 2").notes == (
        "Line 3 is never reached.",
    )
