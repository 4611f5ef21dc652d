"""System prompts by name: ``-p NAME``.

A persona stands in the setting ``personas``, or is a Markdown file ``NAME.md`` in the folder
``localllm/personas`` of Jupyter's data folder or, as cellmage has it, in ``llm_personas`` beside
the notebook. A head between two lines ``---`` is left out. Called by ``composer.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from IPython.core.error import UsageError

from ..lines.parsers import nearest, shortened

_NAME = re.compile(r"[\w][\w .-]{0,79}")
_HEAD = re.compile(r"\A---[ \t]*\n.*?\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_MAX_BYTES = 64 * 1024


def folders() -> list[Path]:
    """Return where personas are looked for, in this order."""
    from ...assistant.prompts import default_folder

    return [default_folder().parent / "personas", Path("llm_personas")]


def persona_names(settings: Mapping[str, str]) -> list[str]:
    """Return the names of all personas."""
    names = list(settings)
    for folder in folders():
        names += [path.stem for path in sorted(folder.glob("*.md")) if path.is_file()]
    return list(dict.fromkeys(names))


def persona_text(name: str, settings: Mapping[str, str]) -> str:
    """Return a system prompt by its name.

    Raises
    ------
    UsageError
        There is none, or its file cannot be read; the next step is said.
    """
    if name in settings:
        return settings[name]
    if _NAME.fullmatch(name) is not None:
        for folder in folders():
            path = folder / f"{name}.md"
            if path.is_file():
                return _read(path)
    known = persona_names(settings)
    if known:
        listed = ", ".join(known[:10])
        raise UsageError(
            f"There is no persona {shortened(name)}{nearest(name, known)} There are {listed}."
        )
    raise UsageError(
        f"There is no persona {shortened(name)}. Write its text into {folders()[0] / 'NAME.md'}, "
        "or use --system."
    )


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
        if len(content) > _MAX_BYTES:
            raise UsageError(
                f"The persona {path} is longer than {_MAX_BYTES // 1024} KiB. Shorten it."
            )
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise UsageError(
            f"The persona {path} cannot be read: {error.strerror}. Check its permissions."
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"The persona {path} is not UTF-8 text. Save it as UTF-8.") from None
    return _HEAD.sub("", text, count=1).strip()
