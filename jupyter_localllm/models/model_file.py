"""Opening what should be a model file, and saying in plain words what it is if it is not.

Nothing here blocks on a FIFO or reads a device. ``gguf.py`` and ``catalog.py`` call it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..errors import ModelFileError

_AGAIN = "Copy or download the file again."
_WANTED = "Get a file of the same model whose name ends in .gguf."

#: The formats before GGUF; their first four bytes were written as one little-endian number.
_OLD_GGML = (b"ggml", b"lmgg", b"ggmf", b"fmgg", b"ggjt", b"tjgg", b"ggla", b"algg")
_HTML_STARTS = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--", b"<body")
_LFS_START = b"version https://git-lfs"
_BOM = b"\xef\xbb\xbf"


def display_name(path: Path) -> str:
    """Return the file's name, fit to be shown: printable and not too long."""
    name = path.name or str(path)
    name = "".join(c if c.isprintable() else "�" for c in name)
    return name if len(name) <= 80 else f"{name[:60]}…{name[-19:]}"


def size_of_file(path: Path) -> int:
    """Return the size in bytes of a regular file, links followed.

    Raises
    ------
    ModelFileError
        ``model_file_missing``, ``…_directory``, ``…_not_regular`` or ``…_unreadable``.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise _missing(path) from None
    except OSError as error:
        raise unreadable(path, error) from None
    _check_regular(path, status)
    return status.st_size


def open_model_file(path: Path) -> tuple[BinaryIO, os.stat_result]:
    """Open a regular file for reading, unbuffered; see :func:`size_of_file` for the errors."""
    size_of_file(path)
    # O_NONBLOCK: the name may have become a FIFO since it was looked at.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise unreadable(path, error) from None
    file = os.fdopen(descriptor, "rb", buffering=0)
    try:
        status = os.fstat(descriptor)
        _check_regular(path, status)
    except BaseException:
        file.close()
        raise
    return file, status


def _check_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ModelFileError(
            f"{display_name(path)} is a folder, not a model file.",
            "Give the path of the .gguf file in it.",
            code="model_file_directory",
        )
    if not stat.S_ISREG(status.st_mode):
        raise ModelFileError(
            f"{display_name(path)} is not an ordinary file.",
            "Give the path of a .gguf file on a disk.",
            code="model_file_not_regular",
        )


def _missing(path: Path) -> ModelFileError:
    return ModelFileError(
        f"There is no file {display_name(path)}.",
        "Check the path; a relative one starts at the current folder.",
        code="model_file_missing",
    )


def unreadable(path: Path, error: OSError) -> ModelFileError:
    """Return the error for a file that the system refuses to give."""
    reason = error.strerror or type(error).__name__
    return ModelFileError(
        f"{display_name(path)} cannot be read ({reason}).",
        "Check that your user may read the file and its folder.",
        code="model_file_unreadable",
    )


def not_gguf(path: Path, start: bytes) -> ModelFileError:
    """Return the error for a file that begins with ``start`` (its first 512 bytes)."""
    name = display_name(path)
    text = start.removeprefix(_BOM).lstrip().lower()
    if not start:
        return ModelFileError(f"{name} is empty.", _AGAIN, code="model_file_empty")
    if text.startswith(_HTML_STARTS):
        return ModelFileError(
            f"{name} is a web page, not a model: its download failed.",
            "Open the download address in a browser, then download the file itself.",
            code="model_file_html",
        )
    if text.startswith(_LFS_START):
        return ModelFileError(
            f"{name} is a Git LFS pointer, not the model itself.",
            "Run `git lfs pull` in its repository or download the file itself.",
            code="model_file_lfs_pointer",
        )
    if start[:4] in _OLD_GGML:
        return ModelFileError(
            f"{name} is in a GGML format of 2023, which llama.cpp no longer reads.",
            _WANTED,
            code="model_file_old_ggml",
        )
    if _is_safetensors(start):
        return ModelFileError(
            f"{name} is in the safetensors format, not GGUF.",
            _WANTED,
            code="model_file_safetensors",
        )
    if start[:4] == b"PK\x03\x04" or (start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05"):
        return ModelFileError(
            f"{name} is a PyTorch or pickle file, not GGUF; it was not opened.",
            _WANTED,
            code="model_file_pickle",
        )
    return ModelFileError(f"{name} is not a GGUF file.", _WANTED, code="model_file_not_gguf")


def _is_safetensors(start: bytes) -> bool:
    return len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 1 << 30
