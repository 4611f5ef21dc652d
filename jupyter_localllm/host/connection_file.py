"""Where a running host is found: the connection file in Jupyter's runtime folder.

Also makes the private folders that sockets lie in. Standard library only (``jupyter_core`` when a
folder is asked for): magics import this on ``%load_ext``. Nothing here starts or asks a host.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import errors

#: Kernels inherit this from the Jupyter server: the path of its host's connection file.
CONNECTION_FILE_ENV = "LOCALLLM_CONNECTION_FILE"

#: Longest socket path that every system takes (sockaddr_un has 104 to 108 bytes), with room.
MAX_SOCKET_PATH_BYTES = 100

_PREFIX = "localllm-"
_CONNECT_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class ConnectionInfo:
    """How to reach one host.

    Attributes
    ----------
    pid : int
        The process the host runs in.
    socket : str
        Path of its Unix socket; empty where it listens on ``url``.
    url : str
        Address to send requests to (with a socket, only its path part matters).
    api_key : str
        Bearer key; empty with a Unix socket, whose folder is the guard.
    scope : str
        ``server`` or ``child``: a child belongs to the process that started it.
    path : Path, optional
        The file this was read from.
    """

    pid: int = 0
    protocol_version: int = 0
    server_version: str = ""
    socket: str = ""
    url: str = "http://localhost"
    api_key: str = ""
    scope: str = "server"
    path: Path | None = None

    def __repr__(self) -> str:
        return f"ConnectionInfo(pid={self.pid}, {self.socket or self.url})"


def runtime_dir() -> Path:
    """Return Jupyter's runtime folder, made private if it is new."""
    from jupyter_core.paths import jupyter_runtime_dir

    folder = Path(jupyter_runtime_dir())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_connection_file(info: ConnectionInfo) -> Path:
    """Write ``info`` with mode 0600 and return the path of the new file."""
    body = {
        "protocol_version": info.protocol_version,
        "server_version": info.server_version,
        "pid": info.pid,
        "scope": info.scope,
        "api_key": info.api_key,
        "url": info.url,
    }
    if info.socket:
        body["socket"] = info.socket
    path = runtime_dir() / f"{_PREFIX}{info.pid}-{secrets.token_hex(4)}.json"
    partial = path.with_suffix(".partial")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(partial, flags, 0o600), "w", encoding="utf-8") as file:
        json.dump(body, file, indent=1)
    partial.replace(path)
    return path


def read_connection_file(path: Path) -> ConnectionInfo | None:
    """Read a connection file; ``None`` where it is gone, damaged or writable by others."""
    try:
        with path.open(encoding="utf-8") as file:
            if not _is_ours(os.fstat(file.fileno())):
                return None
            body: Any = json.load(file)
        return ConnectionInfo(
            pid=int(body["pid"]),
            protocol_version=int(body["protocol_version"]),
            server_version=str(body["server_version"]),
            socket=str(body.get("socket") or ""),
            url=str(body.get("url") or "http://localhost"),
            api_key=str(body.get("api_key") or ""),
            scope=str(body.get("scope") or "server"),
            path=path,
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def find_connection() -> ConnectionInfo | None:
    """Return the host to use, or ``None`` where none runs.

    First the one this process inherited, then the one of the server that started this kernel,
    then the newest live one of a server. Files of dead hosts are removed on the way.
    """
    inherited = os.environ.get(CONNECTION_FILE_ENV)
    if inherited:
        info = read_connection_file(Path(inherited))
        if info is not None and is_alive(info):
            return info
    candidates = [info for info in _all_connections() if info.scope == "server"]
    parent = os.environ.get("JPY_PARENT_PID", "")
    candidates.sort(key=lambda info: str(info.pid) != parent)
    return next((info for info in candidates if is_alive(info)), None)


def is_alive(info: ConnectionInfo) -> bool:
    """Whether the host's process lives and its socket takes a connection."""
    if not _pid_exists(info.pid):
        return False
    try:
        if info.socket:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(_CONNECT_TIMEOUT_S)
                probe.connect(info.socket)
        else:
            address = _address(info.url)
            if address is None:
                return False
            socket.create_connection(address, _CONNECT_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def remove_connection(info: ConnectionInfo) -> None:
    """Remove the file of a dead host, and the socket folder it left behind."""
    if info.path is not None:
        with contextlib.suppress(OSError):
            info.path.unlink()
    if info.socket:
        folder = Path(info.socket).parent
        with contextlib.suppress(OSError):
            if folder.name.startswith(_PREFIX) and _is_ours(folder.lstat()):
                shutil.rmtree(folder, ignore_errors=True)


def make_private_folder() -> Path:
    """Make a new 0700 folder whose sockets have short enough paths.

    In Jupyter's runtime folder where that is short and its file system takes sockets (network
    and shared folders may not), else under the system's temporary folder.

    Raises
    ------
    HostUnavailable
        Neither place will do.
    """
    reason = ""
    for parent in (runtime_dir, lambda: Path(tempfile.gettempdir())):
        folder: Path | None = None
        try:
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent()))
            _check_takes_sockets(folder)
            return folder
        except (OSError, errors.HostUnavailable) as error:
            reason = str(error)
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
    raise errors.HostUnavailable(
        f"No folder could be made for the model's private socket ({reason}).",
        "Point JUPYTER_RUNTIME_DIR or TMPDIR to a short path that you may write to.",
    )


def private_socket_path(folder: Path, name: str) -> Path:
    """Return the path of a socket in a folder of :func:`make_private_folder`, checked again.

    Raises
    ------
    HostUnavailable
        Someone else owns or may enter the folder, or the path is too long for a socket.
    """
    state = folder.lstat()
    if not (stat.S_ISDIR(state.st_mode) and _is_ours(state, others=0o077)):
        raise errors.HostUnavailable(
            f"The socket folder {folder} can be entered by other users.",
            "Remove it and start again.",
        )
    path = folder / name
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        raise errors.HostUnavailable(
            f"The socket path {path} is longer than {MAX_SOCKET_PATH_BYTES} bytes.",
            "Point JUPYTER_RUNTIME_DIR or TMPDIR to a shorter path.",
        )
    return path


def _check_takes_sockets(folder: Path) -> None:
    # The longest name used in it is that of a worker's socket.
    path = private_socket_path(folder, "worker-9999.sock")
    if hasattr(socket, "AF_UNIX"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(path))
        path.unlink()


def _all_connections() -> list[ConnectionInfo]:
    """Live-looking hosts, newest first; files of processes that are gone are removed."""
    try:
        paths = [(path.stat().st_mtime, path) for path in runtime_dir().glob(f"{_PREFIX}*.json")]
    except OSError:
        return []
    found = []
    for _, path in sorted(paths, reverse=True):
        info = read_connection_file(path)
        if info is None:
            continue
        if _pid_exists(info.pid) and not _is_refused(info):
            found.append(info)
        else:
            remove_connection(info)
    return found


def _is_refused(info: ConnectionInfo) -> bool:
    """Whether nobody listens there any more (a slow answer is not a refusal)."""
    if not info.socket:
        return False
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_CONNECT_TIMEOUT_S)
            probe.connect(info.socket)
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except OSError:
        return False
    return False


def _address(url: str) -> tuple[str, int] | None:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        return None
    return parts.hostname, parts.port


def _is_ours(state: os.stat_result, others: int = 0o022) -> bool:
    """Whether we own it and other users lack the rights in ``others`` (always, on Windows)."""
    if not hasattr(os, "getuid"):
        return True
    return state.st_uid == os.getuid() and not state.st_mode & others


def _pid_exists(pid: int) -> bool:
    if pid <= 0:
        return False
    if os.name == "nt":
        # os.kill(pid, 0) would end the process there.
        import psutil

        return bool(psutil.pid_exists(pid))
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
