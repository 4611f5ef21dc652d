"""The notebook that this kernel runs, as it was last saved: where it is, and its cells.

A kernel is not told what stands in its notebook. The Jupyter server names the file when it starts
the kernel, and VS Code puts its path into the namespace; both go stale when it is renamed. What was
typed since it was saved is not in it. Reads one file; called by ``notebook_context.py``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors_of_cells import without_colours

#: Larger files are mostly pictures, and would take longer to read than a model to answer.
MAX_FILE_BYTES = 32 << 20


@dataclass(frozen=True)
class NotebookCell:
    """One saved cell; ``number`` is that of its last run, 0 where it has not run."""

    kind: str
    source: str
    cell_id: str
    number: int
    output: str = ""


def notebook_path(variables: Mapping[str, object]) -> Path | None:
    """Return the notebook's file, if it is known and still there."""
    told = variables.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
    if not isinstance(told, str) or not told.endswith(".ipynb"):
        return None
    path = Path(told)
    try:
        return path if path.is_file() else None
    except OSError:
        return None


def read_cells(path: Path) -> list[NotebookCell] | None:
    """Return the cells of a notebook; ``None`` if it cannot be read as one."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return None
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    cells = body.get("cells") if isinstance(body, dict) else None
    if not isinstance(cells, list):
        return None
    return [_cell(each) for each in cells if isinstance(each, dict)]


def _cell(cell: dict[str, Any]) -> NotebookCell:
    number = cell.get("execution_count")
    cell_id = cell.get("id")
    return NotebookCell(
        kind=str(cell.get("cell_type", "")),
        source=_joined(cell.get("source")),
        cell_id=cell_id if isinstance(cell_id, str) else "",
        number=number if isinstance(number, int) else 0,
        output=_output_text(cell.get("outputs")),
    )


def _joined(lines: object) -> str:
    if isinstance(lines, list):
        return "".join(line for line in lines if isinstance(line, str))
    return lines if isinstance(lines, str) else ""


def _output_text(outputs: object) -> str:
    """Return the plain text of what a cell has shown."""
    texts = []
    for output in outputs if isinstance(outputs, list) else []:
        if not isinstance(output, dict):
            continue
        data = output.get("data")
        plain = data.get("text/plain") if isinstance(data, dict) else output.get("text")
        if output.get("output_type") == "error":
            plain = f"{output.get('ename', '')}: {output.get('evalue', '')}"
        texts.append(_joined(plain))
    return without_colours("\n".join(text.rstrip("\n") for text in texts if text.strip()))
