"""Notebooks executed without a server: nbclient and ``nbconvert --execute``, with the example."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from jupyter_localllm.assistant.diagrams.nouns import DIAGRAM_MIME
from tests.gguf_builders.scripted import SCRIPTS
from tests.magics.kernel_session import ROOT, child_python_path

EXAMPLES = sorted((ROOT / "examples").glob("*.ipynb"))
FIRST_STEPS = ROOT / "examples" / "01_first_steps.ipynb"
LESSON = ROOT / "examples" / "02_magics.ipynb"
DIAGRAMS = ROOT / "examples" / "03_diagrams.ipynb"


def notebook(*cells: str) -> Any:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


@pytest.fixture(autouse=True)
def package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels are started with this process's environment."""
    monkeypatch.setenv("PYTHONPATH", child_python_path()["PYTHONPATH"])


def execute(nb: Any, folder: Path) -> Any:
    client = NotebookClient(
        nb, timeout=90, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return client.execute()


def test_an_executed_notebook_keeps_one_final_output(tmp_path: Path, scripted_model: Path) -> None:
    nb = notebook("%load_ext jupyter_localllm", f"%%llm -m {scripted_model}\nLONG\n", "6 * 7")
    executed = execute(nb, tmp_path)
    nbformat.validate(executed)
    [output] = executed.cells[1].outputs
    assert output.output_type == "display_data"
    assert output.data == {"text/markdown": SCRIPTS["LONG"], "text/plain": SCRIPTS["LONG"]}
    assert output.metadata["jupyter_localllm"]["finish_reason"] == "stop"
    assert executed.cells[2].outputs[0].data["text/plain"] == "42"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("%%llm -m ./none.gguf\nhi\n", "model_file_missing"),
        ("%%llm --bogus\nhi\n", "--bogus is not an option"),
        ("%llm nope", "has no command `nope`"),
    ],
)
def test_a_failing_cell_fails_the_notebook(tmp_path: Path, cell: str, expected: str) -> None:
    nb = notebook("%load_ext jupyter_localllm", cell, "print('must not run')")
    with pytest.raises(CellExecutionError) as caught:
        execute(nb, tmp_path)
    assert expected in str(caught.value)
    assert not nb.cells[2].outputs


def test_nbconvert_executes_and_draws_no_html_of_the_model(
    tmp_path: Path, scripted_model: Path
) -> None:
    nb = notebook("%load_ext jupyter_localllm", f"%%llm -m {scripted_model}\nMARKDOWN\n")
    nbformat.write(nb, tmp_path / "in.ipynb")
    run = subprocess.run(
        [sys.executable, "-m", "nbconvert", "--execute", "--to", "html", "in.ipynb"],
        cwd=tmp_path,
        env=child_python_path(),
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert run.returncode == 0, run.stderr
    html = (tmp_path / "in.html").read_text(encoding="utf-8")
    assert "<strong>Done.</strong>" in html
    assert "<code>code</code>" in html


def test_the_first_steps_run_with_the_packaged_model(tmp_path: Path, smollm2_path: Path) -> None:
    nb = nbformat.read(FIRST_STEPS, as_version=4)
    executed = execute(nb, tmp_path)
    cells = {cell.id: cell for cell in executed.cells}
    for name in ("ask", "error", "seed"):
        [output] = cells[name].outputs
        facts = output.metadata["jupyter_localllm"]
        assert facts["usage"]["completion_tokens"] > 3
        assert facts["finish_reason"] in ("stop", "length")
        assert set(output.data) == {"text/markdown", "text/plain"}
    assert "smollm2" in cells["list"].outputs[0].text.lower()
    assert "0 running, 0 waiting" in cells["status"].outputs[0].text
    assert "the memory is free again" in cells["unload"].outputs[0].text


@pytest.mark.timeout(400)
def test_the_lesson_runs_with_the_packaged_model(tmp_path: Path, smollm2_path: Path) -> None:
    nb = nbformat.read(LESSON, as_version=4)
    executed = execute(nb, tmp_path)
    cells = {cell.id: cell for cell in executed.cells}
    assert "One plum costs 0.2 euros." in cells["show"].outputs[0].text
    assert "Nothing was sent" in cells["show"].outputs[0].text
    assert [output.output_type for output in cells["wrong"].outputs] == ["error"]
    for name in ("ask", "explain", "doc", "error", "repair", "run", "json"):
        # What a line chose itself is said above its answer.
        answer = next(each for each in cells[name].outputs if each.output_type == "display_data")
        facts = answer.metadata["jupyter_localllm"]
        assert facts["model"]
    # At this temperature the packaged model repairs the cell, and the code is run.
    printed = [output.text for output in cells["repair"].outputs if output.output_type == "stream"]
    assert "".join(printed) == "3.0\n"
    assert "What is Paris known for?" in cells["place"].outputs[0].text
    assert "Paris" in cells["last"].outputs[0].data["text/plain"]
    assert "One plum costs" in cells["history"].outputs[0].text
    assert cells["reset"].outputs[0].text.startswith("Forgot ")


@pytest.mark.timeout(400)
def test_the_diagrams_run_with_the_packaged_model(tmp_path: Path, smollm2_path: Path) -> None:
    nb = nbformat.read(DIAGRAMS, as_version=4)
    executed = execute(nb, tmp_path)
    cells = {cell.id: cell for cell in executed.cells}

    def source_of(name: str) -> str:
        """The one picture of a cell; what it was drawn from."""
        [output] = [o for o in cells[name].outputs if o.get("data", {}).get("image/png")]
        return str(output.data[DIAGRAM_MIME]["source"])

    for name, start in {
        "mermaid": "flowchart LR",
        "dot": "digraph",
        "ask": "flowchart",
        "pie": "pie",
        "changes": "flowchart TD",
        "flow": "flowchart",
        "classes": "classDiagram",
        "tables": "erDiagram",
        "save": "flowchart LR",
    }.items():
        assert source_of(name).startswith(start), name
    assert "passed" in source_of("flow")
    assert "pupil" in source_of("tables")
    assert source_of("pie").strip() in cells["value"].outputs[0].text
    assert "Drawn with 2 changes" in cells["changes"].outputs[-1].text
    assert "line 3" in cells["wrong"].outputs[-1].traceback[0]
    # Whether this model can repair it or not, each attempt is seen.
    assert cells["fix"].outputs[0].data["text/plain"].startswith(("[Attempt 1", "digraph"))
    assert (tmp_path / "plant.svg").read_text().startswith("<svg")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_committed_without_outputs(path: Path) -> None:
    body = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(body)
    for cell in body["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_the_lines_that_the_first_steps_only_show_are_right() -> None:
    """Commands in the text are read by the real parser."""
    from jupyter_localllm.magics.lines.cell_arguments import parse_cell
    from jupyter_localllm.magics.lines.commands import Ask, UseModel
    from jupyter_localllm.magics.lines.line_arguments import parse_line

    text = "".join("".join(cell["source"]) for cell in json.loads(FIRST_STEPS.read_text())["cells"])
    assert "%%llm -m ~/models/another-model.gguf\n" in text
    assert isinstance(parse_cell("-m ~/models/another-model.gguf", {}), Ask)
    assert "%llm use ~/models/another-model.gguf" in text
    assert isinstance(parse_line("use ~/models/another-model.gguf", {}), UseModel)
