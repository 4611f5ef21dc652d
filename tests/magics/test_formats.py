"""``-f``: each format's output, value and way to fail, in a real kernel."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import nbformat
import pydantic
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient

from jupyter_localllm.errors import AnswerUnusable
from jupyter_localllm.magics import register
from tests.gguf_builders.scripted import build_scripted
from tests.magics.conftest import owner_of
from tests.magics.kernel_session import CellRun, KernelSession
from tests.magics.schemas import SCHEMAS

StartKernel = Callable[..., KernelSession]

SCRIPTS = {
    "FORMULA": "```latex\n\\frac{1}{2} \\href{http://h.invalid}{x}\n```",
    "GRAPH": "```mermaid\ngraph TD; A-->B\n```",
    "PAGE": "<p>Hi</p><script>x</script>",
    "WORDS": "# not a heading <b>\x1b[31m",
    "PROGRAM": "Sure:\n\n```python\nprint(1)\n```\n\nBye.",
    "SORRY": "I cannot write that.",
    "ROWS": "| a | b |\n|---|---|\n| 1 | x |\n| 2 | <img src=x> |",
    "MANY": " ".join(f"word{i}" for i in range(300)),
}


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_scripted(tmp_path_factory.mktemp("formats") / "formats.gguf", SCRIPTS)


@pytest.fixture
def kernel(start_kernel: StartKernel, model: Path) -> KernelSession:
    session = start_kernel()
    session.run(f"%llm use {model}").check_ok()
    return session


def last(cell: CellRun) -> dict[str, Any]:
    data: dict[str, Any] = cell.displays[-1]["data"]
    return data


def test_text_is_shown_as_it_is(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -f text\nWORDS\n").check_ok()
    assert last(cell) == {"text/plain": SCRIPTS["WORDS"]}


def test_math_becomes_a_formula_without_links(kernel: KernelSession) -> None:
    data = last(kernel.run("%%llm -f math\nFORMULA\n").check_ok())
    assert data["text/markdown"] == "$$\n\\frac{1}{2} \\ href{http://h.invalid}{x}\n$$"


def test_svg_is_its_source(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -f svg --into source\nGRAPH\n").check_ok()
    assert last(cell)["text/plain"] == "graph TD; A-->B"
    # A fence of a language that the page draws would load what the model says.
    assert last(cell)["text/markdown"] == "```text\ngraph TD; A-->B\n```"
    assert kernel.run("print(source)").stdout == "graph TD; A-->B\n"


def test_html_is_source_unless_rendered(kernel: KernelSession) -> None:
    data = last(kernel.run("%%llm -f html\nPAGE\n").check_ok())
    assert data == {
        "text/markdown": f"```html\n{SCRIPTS['PAGE']}\n```",
        "text/plain": SCRIPTS["PAGE"],
    }
    data = last(kernel.run("%%llm -f html --render\nPAGE\n").check_ok())
    assert data["text/html"].startswith('<iframe sandbox="" srcdoc=')
    assert "script" not in data["text/html"].lower()
    assert data["text/plain"] == SCRIPTS["PAGE"]


def test_an_answer_is_shown_again_as_what_it_is(kernel: KernelSession) -> None:
    for name, trigger in (("text", "WORDS"), ("math", "FORMULA"), ("svg", "GRAPH")):
        shown = last(kernel.run(f"%%llm -f {name}\n{trigger}\n").check_ok())
        assert last(kernel.run("%llm show").check_ok()) == shown
        [value] = kernel.run("_llm.last").check_ok().of_type("execute_result")
        assert value["content"]["data"].get("text/markdown") == shown.get("text/markdown")
    # Rendering is a wish of that one cell.
    source = last(kernel.run("%%llm -f html\nPAGE\n").check_ok())
    kernel.run("%%llm -f html --render\nPAGE\n").check_ok()
    assert last(kernel.run("%llm show").check_ok()) == source


def test_no_other_format_makes_html(kernel: KernelSession) -> None:
    for name, trigger in itertools.product(
        ("markdown", "text", "math", "mermaid", "json", "code", "table"), ("PAGE", "ROWS")
    ):
        cell = kernel.run(f"%%llm -f {name} --retry 0\n{trigger}\n")
        for content in cell.displays:
            assert "text/html" not in content["data"]
            outside_fences = content["data"].get("text/markdown", "").split("```")[::2]
            assert "<img" not in "".join(outside_fences)


def test_code_goes_into_the_next_cell(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm code\nPROGRAM\n").check_ok()
    assert cell.reply["payload"] == [
        {"source": "set_next_input", "text": "print(1)", "replace": False}
    ]
    assert last(cell)["text/plain"] == "print(1)"
    assert last(cell)["text/markdown"] == (
        "<details><summary>1 line of Python in the next cell</summary>\n\n"
        "```python\nprint(1)\n```\n\n</details>"
    )
    assert "1\n" not in cell.stdout


def test_prose_and_fences_are_no_code(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -f code\nSORRY\n").check_ok()
    assert cell.reply["payload"] == []
    assert last(cell)["text/plain"] == (
        "I cannot write that.\n\n[The answer has no code. No cell was made.]"
    )


def test_where_no_cell_can_be_made_the_code_is_shown(model: Path, tmp_path: Path) -> None:
    cells = ["%load_ext jupyter_localllm", f"%%llm code -m {model}\nPROGRAM"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    client = NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    [output] = notebook.cells[1].outputs
    assert output.data["text/markdown"] == "```python\nprint(1)\n```"
    assert output.metadata["jupyter_localllm"]["finish_reason"] == "stop"


def test_a_table_is_a_data_frame(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -f table --into rows\nROWS\n").check_ok()
    assert "|" in last(cell)["text/markdown"]
    kind = kernel.run("print(type(rows).__name__, rows is _llm.last.value, len(rows) > 0)").stdout
    assert kind == "DataFrame True True\n"


SCHEMA = '{"type": "object", "properties": {"a": {"type": "string"}, "n": {"type": "integer"}}, '
SCHEMA += '"required": ["a", "n"]}'


def test_json_fits_its_schema_however_long_the_model_is(kernel: KernelSession) -> None:
    kernel.run(f"S = {SCHEMA}").check_ok()
    cell = kernel.run("%%llm --schema S --into v --max-tokens 60\nMANY\n").check_ok()
    assert last(cell)["text/markdown"].startswith('```json\n{\n  "a": "')
    out = kernel.run("print(sorted(v), type(v['n']).__name__, v == _llm.last.json())").stdout
    assert out == "['a', 'n'] int True\n"


def test_a_schema_comes_from_a_file_a_variable_or_the_line(
    kernel: KernelSession, tmp_path: Path
) -> None:
    (tmp_path / "schema.json").write_text(SCHEMA)
    kernel.run(f"S = {SCHEMA}\nimport dataclasses").check_ok()
    kernel.run("@dataclasses.dataclass\nclass Thing:\n    a: str\n    n: int").check_ok()
    for argument in ("schema.json", "S", "{S}", "Thing", f"'{SCHEMA}'"):
        kernel.run(f"%%llm --schema {argument} --into v\nMANY\n").check_ok()
        assert kernel.run("print(sorted(v))").stdout == "['a', 'n']\n"


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("nowhere.json", "this file cannot be read (No such file or directory)"),
        ("nothing", "there is no variable and no file of this name"),
        ("'{\"type\": 3}'", "this is not a JSON schema"),
        ("'{\"type\": }'", "this is not JSON"),
        ('{"type": "object"', "--schema {…: the { at its beginning is not closed in this line"),
        ("{nothing}", "--schema {nothing}: there is no variable of this name"),
        (
            '\'{"type": "integer", "minimum": 5, "maximum": 1}\'',
            "This schema cannot be enforced: no integer has `minimum` 5 and `maximum` 1 at `$`.",
        ),
        (
            '\'{"properties": {"a": {"type": "string", "pattern": "^(?=a)"}}}\'',
            "has a look-ahead or look-behind at `$.a`. Leave it out, and check that on the answer.",
        ),
        ('\'{"$ref": "#"}\'', "`$ref` # leads to itself at `$`."),
        (
            '\'{"anyOf": [{"$ref": "http://h.invalid/a"}, {"type": "integer"}]}\'',
            "its reference http://h.invalid/a leads nowhere in it, and nothing is fetched.",
        ),
        ('\'{"type": "integer", "minimum": NaN}\'', "this is not a JSON schema: Out of range"),
    ],
)
def test_a_bad_schema_is_one_line(shell: InteractiveShell, argument: str, sentence: str) -> None:
    register(shell)
    with pytest.raises(UsageError, match=re.escape(sentence)) as raised:
        shell.run_cell_magic("llm", f"--schema {argument}", "MANY\n")
    assert "\n" not in str(raised.value)


def test_a_model_is_asked_again_where_a_validator_says_no(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interval(pydantic.BaseModel):
        low: Annotated[int, pydantic.Field(ge=5, le=9)]

        @pydantic.field_validator("low")
        @classmethod
        def check(cls, value: int) -> int:
            raise ValueError("no number is low enough")

    asking.user_ns["Interval"] = Interval
    result = asking.run_cell("%%llm --schema Interval --into v --retry 1\nHELLO")
    assert isinstance(result.error_in_exec, AnswerUnusable)
    assert result.error_in_exec.message == (
        "The answer does not fit the schema: at $.low, Value error, no number is low enough."
    )
    assert "v" not in asking.user_ns
    assert "Attempt 1 of 2 failed: The answer does not fit" in capsys.readouterr().out
    told = owner_of(asking).answers().newest
    assert told is not None and "Value error, no number is low enough." in told.question


def test_unique_items_are_unique_whatever_the_model_says(kernel: KernelSession) -> None:
    least = '"minItems": 3, "maxItems": 3, "uniqueItems": true'
    for schema, kind in (
        (f'{{"type": "array", "items": {{"enum": [1, 2, 3]}}, {least}}}', "int"),
        (f'{{"type": "array", "items": {{"type": "string", "maxLength": 5}}, {least}}}', "str"),
    ):
        kernel.run(f"%%llm --schema '{schema}' --into v --retry 0\nMANY\n").check_ok()
        out = kernel.run("print(len(set(v)), type(v[0]).__name__, _llm.last.json() is v)").stdout
        assert out == f"3 {kind} True\n"


def test_there_is_an_llm_before_the_first_answer(shell: InteractiveShell) -> None:
    register(shell)
    assert str(shell.user_ns["_llm"]).startswith("No answer yet. Ask with %%llm")
    assert not shell.run_cell("%%llm --schema nothing\nthis question fails\n").success
    with pytest.raises(AnswerUnusable, match=r"There is no answer yet\.") as raised:
        shell.run_cell("_llm.last.text").raise_error()
    assert raised.value.hint == "Ask with %%llm."


def test_code_that_was_cut_says_so_and_how_to_get_all_of_it(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -x --retry 0 --max-tokens 3\nPROGRAM\n")
    assert cell.error is not None
    message, hint = cell.error["traceback"]
    assert message == (
        "The answer was cut before its code was complete. Nothing was run. [answer_cut]"
    )
    assert hint == "Write --max-tokens 64, or ask for less."


def test_json_that_was_cut_says_so_and_binds_nothing(kernel: KernelSession) -> None:
    schema = '{"type": "array", "items": {"type": "integer"}, "minItems": 60, "maxItems": 60}'
    line = f"%%llm --schema '{schema}' --into v --max-tokens 20"
    cell = kernel.run(f"{line} --retry 1\nMANY\n")
    assert cell.error is not None
    message, hint = cell.error["traceback"]
    assert message == "The JSON was cut after 20 tokens, before it was complete. [answer_cut]"
    assert hint == "Write --max-tokens 64, or ask for less."
    assert "Attempt 1 of 2 failed: The JSON was cut" in str(cell.displays)
    assert kernel.run("print('v' in globals())").stdout == "False\n"


@pytest.mark.parametrize("name", ["markdown", "text", "json", "code", "html", "math"])
def test_a_file_name_is_text_in_every_format(
    start_kernel: StartKernel, tmp_path: Path, name: str
) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("the content of the file")
    replies = {"FILE": str(secret), "FOLDER": str(tmp_path), "ADDRESS": "http://h.invalid/x.png"}
    build_scripted(tmp_path / "names.gguf", replies)
    kernel = start_kernel()
    for trigger in replies:
        cell = kernel.run(f"%%llm -f {name} --retry 0 -m ./names.gguf\n{trigger}\n")
        assert "the content of the file" not in str(cell.messages)
        assert set().union(*(c["data"] for c in cell.displays)) <= {"text/markdown", "text/plain"}


def _run_schemas(shell: InteractiveShell, seeds: range) -> None:
    shell.run_line_magic("load_ext", "jupyter_localllm")
    for name, (source, question) in SCHEMAS.items():
        for seed in seeds:
            shell.user_ns.pop("value", None)
            shell.user_ns["Shape"] = source
            line = f"-f json --schema Shape --into value --no-history --seed {seed}"
            shell.run_cell_magic("llm", f"{line} --max-tokens 400", question)
            # Bound only after it was checked against the schema as it was given.
            assert "value" in shell.user_ns, (name, seed)
    shell.run_line_magic("unload_ext", "jupyter_localllm")


@pytest.mark.timeout(600)
def test_a_real_models_answers_fit_their_schemas(
    make_shell: Callable[..., InteractiveShell], smollm2_path: Path
) -> None:
    _run_schemas(make_shell(), range(1))


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_220_of_220_answers_fit_their_schema(
    make_shell: Callable[..., InteractiveShell], smollm2_path: Path
) -> None:
    _run_schemas(make_shell(), range(20))
