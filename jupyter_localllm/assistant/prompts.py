"""The prompts behind ``/explain``, ``/fix`` and the other actions: Markdown files, ours and yours.

A file is ``NAME.md``: a head between two lines ``---`` with lines ``key: value`` (``title``,
``caption``, ``needs``), then the text. A file of the user's takes the place of ours of the same
name; of the head it may leave out everything, even itself. The text is sent as it stands, after
what is attached and before the user's own words: nothing is put into it, so braces and percent
signs are just text. ``server`` and ``magics`` call this.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

#: What an action needs to make sense: attached code, anything attached, the user's own words.
NEEDS = ("", "code", "text", "words")

_OURS = Path(__file__).with_name("prompts")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_KEYS = ("title", "caption", "needs")
_FENCE = "---"
_MAX_BYTES = 64 * 1024
_MAX_FILES = 200

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One action.

    Attributes
    ----------
    name : str
        As it is typed: ``/name``.
    title : str
        As it stands in menus.
    caption : str
        One line that says what it does.
    text : str
        What the model is told.
    needs : str
        One of :data:`NEEDS`; "" where it makes sense alone.
    """

    name: str
    title: str
    caption: str
    text: str
    needs: str = ""


def default_folder() -> Path:
    """Return the folder of the user's own prompts."""
    from ..models.catalog import data_folder

    return data_folder() / "prompts"


def load_prompts(
    folder: Path | None = None, *, report: Callable[[str], None] | None = None
) -> dict[str, Prompt]:
    """Return all prompts by name, ours first.

    Parameters
    ----------
    folder : Path, optional
        The user's own; :func:`default_folder` if not given. It need not exist.
    report : callable, optional
        Is given a sentence for each file that cannot be used; without it they go to the log.
    """
    report = report or _log.warning
    prompts = {path.stem: _read(path, None) for path in sorted(_OURS.glob("*.md"))}
    for path in _files_in(default_folder() if folder is None else folder, report):
        try:
            prompts[path.stem] = _read(path, prompts.get(path.stem))
        except OSError as error:
            report(f"The prompt file {path} cannot be read: {error.strerror}.")
        except ValueError as error:
            report(f"The prompt file {path} is left out: {error}.")
    return prompts


def _files_in(folder: Path, report: Callable[[str], None]) -> Iterable[Path]:
    try:
        # Hidden files are what editors and file managers leave behind.
        paths = sorted(p for p in folder.glob("*.md") if not p.name.startswith("."))
    except OSError as error:
        report(f"The folder of prompts {folder} cannot be read: {error.strerror}.")
        return []
    if len(paths) > _MAX_FILES:
        report(f"Of the {len(paths)} prompts in {folder}, only the first {_MAX_FILES} are used.")
    return paths[:_MAX_FILES]


def _read(path: Path, ours: Prompt | None) -> Prompt:
    """Read one file; what its head leaves out is as in ``ours``.

    Raises
    ------
    ValueError
        With what is wrong, to stand after a colon.
    """
    if _NAME.fullmatch(path.stem) is None:
        raise ValueError("its name may have only small letters, digits, - and _")
    if not path.is_file():
        raise ValueError("it is not a file")
    with path.open("rb") as file:
        raw = file.read(_MAX_BYTES + 1)
    if len(raw) > _MAX_BYTES:
        raise ValueError(f"it is longer than {_MAX_BYTES // 1024} KiB")
    try:
        # Editors on Windows put a mark at the beginning.
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    if "\0" in content:
        raise ValueError("it is not text")
    head, text = _parse(content)
    if not text:
        raise ValueError("it has no text")
    needs = head.get("needs", ours.needs if ours else "")
    if needs not in NEEDS:
        raise ValueError(f"needs must be one of {', '.join(filter(None, NEEDS))}, or empty")
    plain = path.stem.replace("-", " ").replace("_", " ").capitalize()
    return Prompt(
        name=path.stem,
        title=head.get("title") or (ours.title if ours else plain),
        caption=head.get("caption", ours.caption if ours else ""),
        text=text,
        needs=needs,
    )


def _parse(content: str) -> tuple[dict[str, str], str]:
    """Split a file into its head and its text."""
    content = content.replace("\r\n", "\n")
    # Not splitlines(): it would also cut at signs that belong to the text.
    lines = content.split("\n")
    if lines[0].rstrip() != _FENCE:
        return {}, content.strip()
    head: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        if line.rstrip() == _FENCE:
            return head, "\n".join(lines[number:]).strip()
        if not line.strip():
            continue
        key, colon, value = line.partition(":")
        key = key.strip()
        if not colon or key not in _KEYS:
            raise ValueError(f"line {number} of its head is not one of {', '.join(_KEYS)}")
        if key in head:
            raise ValueError(f"its head has {key} twice")
        head[key] = value.strip()
    raise ValueError(f"its head is not ended by a line {_FENCE}")
