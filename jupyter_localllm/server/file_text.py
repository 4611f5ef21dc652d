"""The text of a file as a model is given it: decoded, notebooks written out, all of it bounded.

Pure; the bytes come from ``root_files``. Called by ``context``.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import msgspec

from .. import errors
from ..assistant.code_blocks import fenced
from ..chat_protocol import ContextItem

#: Characters of one attachment.
MAX_CHARS = 100_000

#: Characters of one output of a cell.
_MAX_OUTPUT_CHARS = 1000

#: Longer marks first: that of UTF-32 begins as that of UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_LANGUAGES = {
    ".bash": "bash",
    ".c": "c",
    ".cpp": "cpp",
    ".css": "css",
    ".csv": "csv",
    ".h": "c",
    ".html": "html",
    ".ipynb": "markdown",
    ".java": "java",
    ".jl": "julia",
    ".js": "javascript",
    ".json": "json",
    ".jsx": "jsx",
    ".md": "markdown",
    ".py": "python",
    ".r": "r",
    ".rs": "rust",
    ".sh": "bash",
    ".sql": "sql",
    ".tex": "latex",
    ".toml": "toml",
    ".ts": "typescript",
    ".tsx": "tsx",
    ".xml": "xml",
    ".yaml": "yaml",
    ".yml": "yaml",
}


def file_item(path: str, content: bytes) -> ContextItem:
    """Return a file as an attachment.

    Parameters
    ----------
    path : str
        Its name decides about the language, and whether it is a notebook.
    content : bytes
        The whole file.

    Raises
    ------
    RequestError
        ``file_not_text``, with what is wrong.
    """
    suffix = PurePosixPath(path).suffix.lower()
    text = decoded(content, path)
    if suffix == ".ipynb":
        text, is_truncated = _joined(_notebook_parts(text, path))
    else:
        is_truncated = len(text) > MAX_CHARS
        text = text[:MAX_CHARS]
    return ContextItem(
        "file",
        "",
        text,
        source=path.strip("/"),
        language=_LANGUAGES.get(suffix, ""),
        is_truncated=is_truncated,
    )


def decoded(content: bytes, path: str) -> str:
    """Return the text of a file: UTF-8, or what its byte order mark says."""
    mark, encoding = next(((m, e) for m, e in _MARKS if content.startswith(m)), (b"", "utf-8"))
    try:
        text = content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        at = error.start + len(mark)
        if b"\0" in content or encoding != "utf-8":
            raise _not_text(path, "it is not text, or is damaged", _CHOOSE) from None
        raise _not_text(
            path,
            f"it is not UTF-8 (byte {content[at]:#04x} at position {at:,}); it may be Latin-1",
            "Save it as UTF-8, then attach it again.",
        ) from None
    if "\0" in text:
        raise _not_text(path, "it is binary, not text", _CHOOSE)
    # Kept line ends would look like changes to the model's own.
    return text.replace("\r\n", "\n").replace("\r", "\n")


_CHOOSE = "Attach a text file or a notebook."


def _not_text(path: str, reason: str, hint: str) -> errors.RequestError:
    return errors.RequestError(
        f"{path[-100:]!a} cannot be attached: {reason}.",
        hint,
        code="file_not_text",
        param="path",
    )


# --- notebooks ------------------------------------------------------------------------------


class _Output(msgspec.Struct):
    output_type: str = ""
    text: str | list[str] = ""
    data: dict[str, Any] = {}
    ename: str = ""
    evalue: str = ""


class _Cell(msgspec.Struct):
    cell_type: str = ""
    source: str | list[str] = ""
    outputs: list[_Output] = []


class _Notebook(msgspec.Struct):
    cells: list[_Cell]
    metadata: dict[str, Any] = {}


def _notebook_parts(text: str, path: str) -> Iterator[str]:
    """Yield a notebook's cells as text, numbered as people count them."""
    try:
        notebook = msgspec.json.decode(text, type=_Notebook)
    except (msgspec.DecodeError, RecursionError):
        raise _not_text(
            path,
            "it is not a notebook of format 4",
            "Open it and save it in JupyterLab, then attach it again.",
        ) from None
    language = _language_of(notebook.metadata)
    for number, cell in enumerate(notebook.cells, 1):
        source = _text_of(cell.source)
        if cell.cell_type != "code":
            kind = "Markdown" if cell.cell_type == "markdown" else "raw"
            yield f"Cell {number} ({kind}):\n{source}"
            continue
        yield f"Cell {number} (code):\n{fenced(source, language)}"
        for output in cell.outputs:
            if shown := _output_text(output):
                yield f"Output of cell {number}:\n{fenced(shown)}"


def _language_of(metadata: dict[str, Any]) -> str:
    info = metadata.get("language_info")
    name = info.get("name") if isinstance(info, dict) else None
    return name if isinstance(name, str) and name.isalnum() and len(name) <= 40 else "python"


def _text_of(value: Any) -> str:
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _output_text(output: _Output) -> str:
    """Return the plain text of an output, shortened; pictures and HTML are left out."""
    if output.output_type == "error":
        text = f"{output.ename}: {output.evalue}"
    elif output.output_type == "stream":
        text = _text_of(output.text)
    else:
        text = _text_of(output.data.get("text/plain"))
    text = text.strip("\n")
    return text if len(text) <= _MAX_OUTPUT_CHARS else f"{text[:_MAX_OUTPUT_CHARS]}…"


def _joined(parts: Iterator[str]) -> tuple[str, bool]:
    """Join parts up to ``MAX_CHARS``; also return whether some did not fit."""
    taken: list[str] = []
    room = MAX_CHARS
    for part in parts:
        if len(part) > room:
            return "\n\n".join([*taken, part[: max(0, room)]]), True
        taken.append(part)
        room -= len(part) + 2
    return "\n\n".join(taken), False
