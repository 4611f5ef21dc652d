"""Reading one file below the folder that the Jupyter server shows, and nothing else.

Jupyter's contents manager decides which files there are and which are hidden. It follows links
that lead out of its folder, and what it checked may be swapped before it reads; so files of a
local disk are opened here, one folder after the other, without following any link. Called by
``context``; what the bytes say is ``file_text``'s matter.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import stat
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.services.contents.fileio import FileManagerMixin
from tornado import web

from .. import errors

#: Bytes of a file that can be attached.
MAX_FILE_BYTES = 20 << 20

_MAX_PATH_CHARS = 2000

_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
#: Without waiting: opening a named pipe would last until somebody writes to it.
_FILE_FLAGS: int = (
    os.O_RDONLY
    | _NO_FOLLOW
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
#: O_PATH: a folder that may be passed through need not be readable.
_FOLDER_FLAGS: int = (
    getattr(os, "O_PATH", os.O_RDONLY)
    | _NO_FOLLOW
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


async def read_root_file(contents: Any, path: str) -> bytes:
    """Return the bytes of a file.

    Parameters
    ----------
    contents : ContentsManager
        The server's.
    path : str
        As the file browser shows it.

    Raises
    ------
    NotFound
        ``file_not_found``: there is none, or it is hidden or not below the server's folder.
    RequestError
        ``file_not_text``: a folder, a pipe, a device, or unreadable.
    RequestTooLarge
        ``file_too_large``.
    """
    clean = _checked_path(path)
    try:
        if await ensure_async(contents.is_hidden(clean)):
            raise _not_found(clean)
        model = await ensure_async(contents.get(clean, content=False))
        if model["type"] == "directory":
            raise _no_file(clean, "it is a folder")
        if (model.get("size") or 0) > MAX_FILE_BYTES:
            raise _too_large(clean, model["size"])
        if not isinstance(contents, FileManagerMixin):
            return await _read_foreign(contents, clean)
        files: Any = contents
        place = files._get_os_path(clean)
        return await asyncio.to_thread(_read_below, files.root_dir, place, clean)
    except web.HTTPError as error:
        if error.status_code in (403, 404):
            raise _not_found(clean) from None
        raise _no_file(clean, "the server cannot read it") from None
    except (OSError, ValueError, RuntimeError):
        # Links in a circle, names that the system does not take.
        raise _not_found(clean) from None


def _checked_path(path: str) -> str:
    """Return the path without slashes around it; refuse what climbs, hides or is no name."""
    clean = path.strip("/")
    parts = clean.split("/")
    is_name = clean and len(clean) <= _MAX_PATH_CHARS and "\0" not in clean
    # A part that begins with a dot is hidden, or climbs.
    if not is_name or any(not part or part.startswith(".") for part in parts):
        raise _not_found(path)
    return clean


def _read_below(root: str, place: str, name: str) -> bytes:
    """Read the file at ``place``, which is below ``root`` after all links are followed."""
    try:
        real_root = Path(root).resolve(strict=True)
        relative = Path(place).resolve(strict=True).relative_to(real_root)
        if any(part.startswith(".") for part in relative.parts) or not relative.parts:
            raise _not_found(name)
        with open(_open_below(real_root, relative), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise _no_file(name, "it is no regular file")
            content = file.read(MAX_FILE_BYTES + 1)
    except PermissionError:
        raise _no_file(name, "reading it is not allowed") from None
    except (OSError, ValueError, RuntimeError):
        raise _not_found(name) from None
    if len(content) > MAX_FILE_BYTES:
        raise _too_large(name, max(found.st_size, len(content)))
    return content


def _open_below(root: Path, relative: Path) -> int:
    """Open a file without following links, so that nothing can be swapped on the way to it."""
    if os.open not in os.supports_dir_fd:
        return os.open(root / relative, _FILE_FLAGS)
    *folders, name = relative.parts
    folder = os.open(root, _FOLDER_FLAGS & ~_NO_FOLLOW)
    try:
        for part in folders:
            inner = os.open(part, _FOLDER_FLAGS, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(name, _FILE_FLAGS, dir_fd=folder)
    finally:
        os.close(folder)


async def _read_foreign(contents: Any, path: str) -> bytes:
    """Read from a contents manager whose files lie somewhere else."""
    model = await ensure_async(contents.get(path, content=True, type="file", format="base64"))
    content = model["content"] or ""
    if model["format"] == "base64":
        with contextlib.suppress(ValueError):
            content = base64.b64decode(content)
    read: bytes = content.encode() if isinstance(content, str) else content
    if len(read) > MAX_FILE_BYTES:
        raise _too_large(path, len(read))
    return read


def _shown(path: str) -> str:
    # Letters of every script stay; what cannot be printed is escaped.
    return repr(path[-100:])


def _not_found(path: str) -> errors.NotFound:
    return errors.NotFound(
        f"There is no file {_shown(path)} to attach in the server's folder.",
        "Type its path as the file browser shows it. Hidden files, and links that lead out of the "
        "folder, are never attached.",
        code="file_not_found",
        param="path",
    )


def _no_file(path: str, reason: str) -> errors.RequestError:
    return errors.RequestError(
        f"{_shown(path)} cannot be attached: {reason}.",
        "Attach a text file or a notebook.",
        code="file_not_text",
        param="path",
    )


def _too_large(path: str, size: int) -> errors.RequestTooLarge:
    return errors.RequestTooLarge(
        f"{_shown(path)} has {size:,} bytes; files up to {MAX_FILE_BYTES:,} can be attached.",
        "Copy the part that matters into a smaller file or into a cell, and attach that.",
        code="file_too_large",
        param="path",
        details={"size_bytes": size, "limit_bytes": MAX_FILE_BYTES},
    )
