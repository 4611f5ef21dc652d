"""The two ends of the pipe between a kernel or server and the child process that draws.

``renderer.py`` (parent) and ``__main__.py`` (child) use it. A message is four bytes of length,
little end first, and that many bytes of MessagePack.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from msgspec import Struct

from ... import errors
from .nouns import Drawing

#: What a picture may take on the pipe; the child keeps its pictures far below.
MAX_MESSAGE_BYTES = 64 << 20

_LENGTH = struct.Struct("<I")

#: ``-m`` and ``-c`` put the current folder in front of the path, where the user's files are;
#: a ``json.py`` there would run in the child. The folder of this package goes last instead.
_START = (
    "import sys; sys.path[:] = [p for p in sys.path if p] + sys.argv[1:]; "
    "from jupyter_localllm.assistant.diagrams.__main__ import main; main()"
)

_KEPT = re.compile(
    r"""
    PATH | HOME | USERPROFILE | LANG | LANGUAGE | LC_\w+ | TZ | TMPDIR | TEMP | TMP
    | SYSTEMROOT | SYSTEMDRIVE | WINDIR | COMSPEC | PATHEXT
    | LD_LIBRARY_PATH | DYLD_LIBRARY_PATH | DYLD_FALLBACK_LIBRARY_PATH
    | PYTHONPATH | PYTHONHOME | PYTHONUTF8 | PYTHONDONTWRITEBYTECODE | VIRTUAL_ENV | CONDA_PREFIX
    """,
    re.VERBOSE | re.IGNORECASE,
)


class Failure(Struct, omit_defaults=True):
    """An error of ours, as it goes over the pipe.

    Attributes
    ----------
    code, message, hint : str
    details : dict
    """

    code: str
    message: str
    hint: str = ""
    details: dict[str, Any] = {}


class Reply(Struct, omit_defaults=True):
    """The answer to one :class:`~.nouns.DrawRequest`: a picture or an error."""

    drawing: Drawing | None = None
    failure: Failure | None = None


_CLASSES: dict[str, type[errors.LocalLLMError]] = {
    kind.code: kind
    for kind in (errors.DiagramInvalid, errors.DiagramTooLarge, errors.DiagramsUnavailable)
}


def failure_of(error: errors.LocalLLMError) -> Failure:
    """Return what the parent is told about an error."""
    return Failure(error.code, error.message, error.hint, error.details)


def error_of(failure: Failure) -> errors.LocalLLMError:
    """Return the error that :func:`failure_of` described."""
    kind = _CLASSES.get(failure.code, errors.DiagramsUnavailable)
    return kind(failure.message, failure.hint, details=failure.details)


def write_message(pipe: IO[bytes], payload: bytes) -> None:
    """Write one message.

    Raises
    ------
    OSError
        The other side is gone.
    """
    pipe.write(_LENGTH.pack(len(payload)) + payload)
    pipe.flush()


def read_message(pipe: IO[bytes]) -> bytes | None:
    """Return the next message; ``None`` when the other side is gone or talks nonsense."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    if size > MAX_MESSAGE_BYTES:
        return None
    payload = pipe.read(size)
    return payload if len(payload) == size else None


def start(environ: Mapping[str, str] = os.environ) -> subprocess.Popen[bytes]:
    """Start the child that draws.

    It gets a cleared environment (no token of the server reaches it), a folder that holds
    nothing of the user's, and a process group of its own, so that it can be ended with the
    layout program that it may have running.

    Raises
    ------
    OSError
        The program cannot be run.
    """
    root = Path(__file__).resolve().parents[3]
    environment = {name: value for name, value in environ.items() if _KEPT.fullmatch(name)}
    if paths := environment.get("PYTHONPATH"):
        # The child starts elsewhere.
        absolute = [str(Path(path).absolute()) for path in paths.split(os.pathsep) if path]
        environment["PYTHONPATH"] = os.pathsep.join(absolute)
    environment["PYTHONUTF8"] = "1"
    return subprocess.Popen(
        [sys.executable, "-c", _START, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=Path(__file__).parent,
        # Ctrl-C in the terminal is for the kernel or the server.
        start_new_session=True,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the child and what it started, at once. Harmless when it is gone."""
    if process.poll() is not None:
        return
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, 9)
