"""Mermaid ER diagrams of data: the tables of DataFrames or of an SQLite file.

The data are read where they are, and no model is asked. ``data_frames.py`` and
``sqlite_schema.py`` look at them; the magics call this.
"""

from __future__ import annotations

from .data_frames import diagram_of_frames
from .mermaid_text import SourceDiagram
from .sqlite_schema import diagram_of_sqlite

__all__ = ["SourceDiagram", "diagram_of_frames", "diagram_of_sqlite"]
