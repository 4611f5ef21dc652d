"""``%llm diagram``: code and data as they are, drawn without a model."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics import register
from jupyter_localllm.magics.lines.commands import DiagramOptions, DrawTarget
from jupyter_localllm.magics.lines.line_arguments import parse_line
from tests.magics.kernel_session import KernelSession
from tests.magics.test_diagrams_answers import kinds

StartKernel = Callable[..., KernelSession]

GRADE = "def grade(points):\n    if points > 50:\n        return 'passed'\n    return 'failed'\n"
SHAPES = "class Shape:\n    name: str = ''\n\nclass Circle(Shape):\n    def area(self): ...\n"


@pytest.fixture
def kernel(start_kernel: StartKernel) -> KernelSession:
    return start_kernel()


def source(kernel: KernelSession, line: str) -> str:
    """Draw, and return what was drawn."""
    cell = kernel.run(f"%llm diagram {line} --into d").check_ok()
    assert kinds(cell) == ["mermaid"]
    return kernel.run("print(d.source)").check_ok().stdout


def test_the_cell_above_a_numbered_cell_and_a_function_are_drawn(kernel: KernelSession) -> None:
    number = kernel.run(GRADE).check_ok().reply["execution_count"]
    above = source(kernel, "")
    assert above.startswith("flowchart")
    assert "passed" in above
    assert source(kernel, f"In[{number}]") == above
    assert source(kernel, str(number)) == above
    assert "passed" in source(kernel, "grade")
    assert source(kernel, "grade --direction LR").startswith("flowchart LR")
    assert "No model host is running" in kernel.run("%llm status").stdout


def test_the_kind_of_diagram_of_code_is_chosen(kernel: KernelSession) -> None:
    number = kernel.run(f"import math\n{SHAPES}").check_ok().reply["execution_count"]
    assert source(kernel, "").startswith("classDiagram")
    assert "c0 <|-- c1" in source(kernel, f"In[{number}] --type classes")
    assert "math" in source(kernel, f"In[{number}] --type imports")
    assert "Circle" in source(kernel, "Circle")


def test_a_module_and_a_file_are_code(kernel: KernelSession, tmp_path: Path) -> None:
    (tmp_path / "shapes.py").write_text(SHAPES)
    kernel.run("import shapes").check_ok()
    assert source(kernel, "shapes").startswith("classDiagram")
    assert source(kernel, "shapes.py") == source(kernel, "shapes")


def test_data_frames_are_an_er_diagram_with_their_relation(kernel: KernelSession) -> None:
    pytest.importorskip("pandas")
    kernel.run(
        "import pandas as pd\n"
        "customers = pd.DataFrame({'id': [1, 2], 'name': ['Ada', 'Bo']})\n"
        "orders = pd.DataFrame({'id': [1, 2, 3], 'customer_id': [1, 1, 2]})"
    ).check_ok()
    alone = source(kernel, "customers")
    assert alone.startswith("erDiagram")
    assert "name" in alone
    cell = kernel.run("%llm diagram orders customers --into d").check_ok()
    assert "customer" in cell.stdout, "the relation is a guess, which is said"
    both = kernel.run("print(d.source)").stdout
    assert "customers" in both
    assert "||..|{" in both
    kernel.run("tables = {'orders': orders, 'customers': customers}").check_ok()
    assert source(kernel, "tables") == both


def test_a_database_file_is_an_er_diagram(kernel: KernelSession, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "school.sqlite") as database:
        database.execute("CREATE TABLE class (id INTEGER PRIMARY KEY, name TEXT)")
        database.execute("CREATE TABLE pupil (id INTEGER, class_id REFERENCES class (id))")
    database.close()
    drawn = source(kernel, "school.sqlite")
    assert drawn.startswith("erDiagram")
    assert "pupil" in drawn


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("%llm diagram", "No cell with code ran before this one"),
        ("%llm diagram nothing", "`nothing` is neither a cell such as In[3]"),
        ("%llm diagram number", "number has no diagram, as it is of type int"),
        ("%llm diagram length", "The code of length is not there"),
        ("%llm diagram number length", "Several names make one diagram only if"),
        ("%llm diagram --type pie", "--type pie is none of flow, classes, imports"),
        ("%llm diagram --save x.dot", "would hold mermaid source"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, sentence: str
) -> None:
    register(shell)
    shell.user_ns |= {"number": 3, "length": len}
    assert not shell.run_cell(line).success
    shown = capsys.readouterr().err.strip()
    assert sentence in shown
    assert len(shown.splitlines()) == 1


def test_a_missing_database_is_said(kernel: KernelSession) -> None:
    cell = kernel.run("%llm diagram nowhere.sqlite")
    assert cell.error is not None
    assert len(cell.error["traceback"]) <= 2
    assert "nowhere.sqlite" in cell.error["traceback"][0]


def test_the_line_as_a_command() -> None:
    assert parse_line("diagram", {}) == DrawTarget(diagram=DiagramOptions(kind="mermaid"))
    assert parse_line("diagram a b --type flow --theme dark --save x.svg --force --into d", {}) == (
        DrawTarget(
            ("a", "b"),
            "flow",
            DiagramOptions(kind="mermaid", theme="dark", save="x.svg", may_replace=True),
            "d",
        )
    )
