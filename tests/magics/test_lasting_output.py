"""What stays in the notebook reads well where it is exported: folds, code, tables, no HTML."""

from __future__ import annotations

import warnings
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter, MarkdownExporter

from tests.gguf_builders.scripted import build_scripted

SCRIPTS = {
    "PONDER": "<think>Step one & <b>two</b>.</think>**It is 42.** <img src=http://h.invalid/x.png>",
    "BROKEN": "```python\nraise ValueError('MEN' + 'DED')\n```",
    "MENDED": "```python\nprint('works now')\n```",
    "ROWS": "| a | b |\n|---|---|\n| 1 | x |",
}
CELLS = (
    "%%llm -m ./model.gguf\nPONDER",
    "%%llm -x -m ./model.gguf\nBROKEN",
    "%%llm -f table -m ./model.gguf\nROWS",
    '%%llm -f json --schema \'{"type": "integer"}\' -m ./model.gguf\nROWS',
)


@pytest.fixture
def executed(tmp_path: Path) -> nbformat.NotebookNode:
    build_scripted(tmp_path / "model.gguf", SCRIPTS)
    sources = ("%load_ext jupyter_localllm", *CELLS)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    client = NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    nbformat.validate(notebook)
    return notebook


def test_every_output_has_text_and_markdown_and_nothing_else(
    executed: nbformat.NotebookNode,
) -> None:
    outputs = [output for cell in executed.cells for output in cell.outputs]
    kinds = {name for o in outputs if "data" in o for name in o.data}
    assert kinds == {"text/markdown", "text/plain"}
    for output in outputs:
        if "data" in output:
            assert output.metadata["jupyter_localllm"]["model"]


def test_exports_fold_what_was_folded_and_load_nothing(executed: nbformat.NotebookNode) -> None:
    with warnings.catch_warnings():
        # nbconvert's own: its table of contents module is deprecated where it is imported.
        warnings.simplefilter("ignore")
        page, _ = HTMLExporter(embed_images=False).from_notebook_node(executed)
        text, _ = MarkdownExporter().from_notebook_node(executed)
    outputs = page[page.index("<main") :] if "<main" in page else page
    assert outputs.count("<details><summary>") == 2
    assert "<summary>Thought for" in outputs
    assert "<summary>Attempt 1 of 3 failed: ValueError: MENDED</summary>" in outputs
    assert "<strong>It is 42.</strong>" in outputs
    assert "works now" in outputs
    assert "<img src=http" not in outputs
    assert "It is 42." in text
    assert "works now" in text
