"""``%llm diagram``: what a cell, a function, a module, data or a database is, as a diagram.

No model is asked: the code is parsed, the data are looked at. Called by ``magics.py``.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ...assistant.diagrams.sources.from_code import diagram_of_code
from ...assistant.diagrams.sources.from_data import (
    SourceDiagram,
    diagram_of_frames,
    diagram_of_sqlite,
)
from ..cells.cell_targets import CellTargets, cell_number
from ..lines.parsers import nearest, shortened
from ..output.plain_output import print_line
from ..values.interpolation import is_missing, value_of
from .arguments import DATABASES
from .output import show_diagram
from .value import Diagram

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..lines.commands import DrawTarget

_FRAMES = frozenset({"pandas", "polars", "geopandas"})
_FRAME_TYPES = frozenset({"DataFrame", "GeoDataFrame", "Series", "LazyFrame"})


def draw_target(
    shell: InteractiveShell,
    command: DrawTarget,
    targets: CellTargets,
    display_kind: str,
) -> Diagram:
    """Draw what the command names, and say what was left out or guessed.

    Raises
    ------
    UsageError
        There is nothing of this name.
    LocalLLMError
        It cannot be read or drawn.
    """
    made = _source_of(command, targets)
    diagram = show_diagram(
        shell, made.source, "mermaid", command.diagram, command.into, display_kind
    )
    for note in made.notes:
        print_line(note)
    return diagram


def _source_of(command: DrawTarget, targets: CellTargets) -> SourceDiagram:
    direction = command.diagram.direction or None
    names = command.targets
    if not names:
        return _of_code(targets.above().code or "", command)
    if len(names) == 1 and cell_number(names[0]) is not None:
        return _of_code(targets.named(names[0]).code or "", command)
    values = {name: value_of(name, targets.variables) for name in names}
    frames = _frames_in(values)
    if frames and command.what == "auto":
        return diagram_of_frames(frames, direction=direction)
    if len(names) > 1:
        raise UsageError(
            "Several names make one diagram only if all of them are DataFrames. Name one thing, "
            "as in %llm diagram In[3]."
        )
    [(name, value)] = values.items()
    if is_missing(value):
        path = Path(name).expanduser()
        if path.suffix.lower() in DATABASES or (path.suffix and path.is_file()):
            return _of_file(path, command)
        # Says what there is.
        return _of_code(targets.named(name).code or "", command)
    return _of_code(_source_of_value(name, value, targets), command)


def _of_code(code: str, command: DrawTarget) -> SourceDiagram:
    direction = command.diagram.direction or None
    return diagram_of_code(code, what=command.what, direction=direction)


def _of_file(path: Path, command: DrawTarget) -> SourceDiagram:
    if path.suffix.lower() == ".py":
        try:
            return _of_code(path.read_text(encoding="utf-8"), command)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read: {error}.") from None
    return diagram_of_sqlite(path, direction=command.diagram.direction or None)


def _frames_in(values: Mapping[str, object]) -> dict[str, Any]:
    """Return the DataFrames by their names; empty where anything else is among them."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if _is_frame(value):
            found[name] = value
        elif isinstance(value, dict) and value and all(map(_is_frame, value.values())):
            found |= {str(key): frame for key, frame in value.items()}
        else:
            return {}
    return found


def _is_frame(value: object) -> bool:
    kind = type(value)
    return kind.__module__.partition(".")[0] in _FRAMES and kind.__name__ in _FRAME_TYPES


def _source_of_value(name: str, value: object, targets: CellTargets) -> str:
    if inspect.isroutine(value) or inspect.isclass(value) or inspect.ismodule(value):
        source = targets.source_of(value)
        if source is None:
            raise UsageError(
                f"The code of {shortened(name)} is not there: it is not written in Python, or was "
                "not kept."
            )
        return source
    variables = targets.variables.items()
    frames = [each for each, held in variables if _is_frame(held) and each[0] != "_"]
    kind = type(value).__name__
    raise UsageError(
        f"{shortened(name)} has no diagram, as it is of type {kind}{nearest(name, frames)}"
        " Name a cell, a function, a class, a module, DataFrames or an SQLite file."
    )
