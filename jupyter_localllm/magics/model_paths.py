"""Models that were named by path, and the names that the host lists them by.

The host forgets such a name with the model's process; the path loads it again. Filled by
``magics.py`` with each answer, asked by ``session_commands.py``. Imported by ``%load_ext``:
standard library and IPython only.
"""

from __future__ import annotations

from .lines.words import is_path


class ModelPaths:
    """The models of one session that were named by path."""

    def __init__(self) -> None:
        self._paths: dict[str, str] = {}

    def note(self, asked: str, name: str) -> None:
        """Note the name that the host answered by to what was asked for."""
        if is_path(asked) and name != asked:
            self._paths[name] = asked

    def path_of(self, name: str) -> str:
        """Return the path of a model that the host calls so; "" where none is known."""
        return self._paths.get(name, "")

    def name_of(self, model: str) -> str:
        """Return the name of a model, which may be given by path."""
        return next((name for name, path in self._paths.items() if path == model), model)
