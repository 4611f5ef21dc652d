"""A drawn diagram as a value: what ``--into`` binds and ``_llm.last.diagram`` is.

Holds a :class:`Drawing` and shows or saves it; draws nothing. Made by ``drawing.py``.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError

from ...assistant.diagrams.bundle import mime_bundle
from ...assistant.diagrams.nouns import Drawing
from ..lines.commands import DiagramOptions
from ..output.plain_output import print_line
from .options import SUFFIXES


class Diagram:
    """A diagram with its source and its picture.

    Attributes
    ----------
    drawing : Drawing
        All of it.
    """

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing

    @property
    def kind(self) -> str:
        """``mermaid`` or ``dot``."""
        return self.drawing.kind

    @property
    def source(self) -> str:
        """What was drawn, after repairs."""
        return self.drawing.source

    @property
    def svg(self) -> str:
        """The picture as SVG, without scripts, links and references to anything outside."""
        return self.drawing.svg

    @property
    def png(self) -> bytes:
        """The picture as PNG, at twice the size."""
        return self.drawing.png

    @property
    def alt(self) -> str:
        """What it shows, in words."""
        return self.drawing.alt

    @property
    def changes(self) -> tuple[str, ...]:
        """What was changed in the source so that it could be drawn, a sentence each."""
        return self.drawing.changes

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Save the picture or its source, by the ending of the name.

        Parameters
        ----------
        path : str or Path
            Ends in .svg, .png or .pdf, or for the source in .mmd (Mermaid), .dot or .gv.
        force : bool
            Replace a file that is there.

        Raises
        ------
        UsageError
            The ending does not fit, a file is there, or it cannot be written.
        """
        path = Path(path).expanduser()
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES or SUFFIXES[suffix] not in ("", self.kind):
            fitting = [end for end, kind in SUFFIXES.items() if kind in ("", self.kind)]
            raise UsageError(f"{path} cannot hold this diagram. End its name with {fitting}.")
        refuse_to_replace(path, may_replace=force)
        content = {".svg": self.svg.encode(), ".png": self.png, ".pdf": self.drawing.pdf}
        try:
            with path.open("wb" if force else "xb") as file:
                file.write(content.get(suffix, f"{self.source.rstrip()}\n".encode()))
        except FileExistsError:
            refuse_to_replace(path, may_replace=False)
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written: {error.strerror}. Choose another folder."
            ) from None
        return path

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = mime_bundle(self.drawing)
        kept = {
            name: value
            for name, value in data.items()
            if (not include or name in include) and name not in (exclude or ())
        }
        return kept, {name: value for name, value in metadata.items() if name in kept}

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        return f"<{self.kind} diagram: {self.alt}>"


def refuse_to_replace(path: str | Path, *, may_replace: bool) -> None:
    """Refuse a file that is there, before any work is done for it.

    Raises
    ------
    UsageError
        It is there, and must stay.
    """
    path = Path(path).expanduser()
    if not may_replace and path.exists():
        raise UsageError(
            f"{path} is there already. Choose another name, or add --force to replace it."
        )


def save_value(value: object, options: DiagramOptions) -> None:
    """Save a diagram as its options say; text that could not be drawn here is not saved.

    Raises
    ------
    UsageError
        It cannot be written.
    """
    if isinstance(value, Diagram):
        path = value.save(options.save, force=options.may_replace)
        print_line(f"Saved the diagram in {path}.")
    else:
        print_line(f"Nothing was saved in {options.save}: the diagram could not be drawn.")
