"""Fails any connection off loopback, in this process, with an audit hook.

An audit hook is asked by the C code of ``socket`` itself and cannot be taken off again. It is
installed by ``tests/conftest.py`` and, in every Python child that inherits ``PYTHONPATH``, by the
``sitecustomize.py`` beside it. Only the standard library is imported here.

Whoever swallows the exception is found all the same: each attempt is a line in a log, and a test
fails when there are new lines after it. The log lies in the folder on ``PYTHONPATH`` whose name
starts with ``localllm-guard-``, because a worker inherits that variable and few others.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

#: Overrides the log; for the tests of the guard.
LOG_VARIABLE = "LOCALLLM_GUARD_LOG"

FOLDER_PREFIX = "localllm-guard-"

_LOCAL_NAMES = {"", "localhost", "localhost.localdomain", "ip6-localhost", "0.0.0.0", "::"}


class OffMachineConnection(RuntimeError):
    """Something tried to reach another machine. Not an ``OSError``: no retry may eat it."""


def is_local_host(host: object) -> bool:
    """Tell whether a host name or address is this machine, without resolving it."""
    if host is None:
        return True
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("utf-8", "replace")
    if not isinstance(host, str):
        return False
    name = host.strip("[]").split("%")[0].lower().removeprefix("::ffff:")
    if name in _LOCAL_NAMES or name == "::1" or name == socket.gethostname().lower():
        return True
    octets = name.split(".")
    return len(octets) == 4 and octets[0] == "127" and all(octet.isdigit() for octet in octets)


def _log_path() -> str | None:
    if path := os.environ.get(LOG_VARIABLE):
        return path
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    ours = [f for f in folders if f.replace("\\", "/").rpartition("/")[2].startswith(FOLDER_PREFIX)]
    return f"{ours[0]}/refused.log" if ours else None


def _refuse(event: str, target: object) -> None:
    line = f"{event} {target!r} in {os.getpid()} {' '.join(sys.argv[:3])}"
    if log := _log_path():
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, (line.replace("\n", " ") + "\n").encode())
        finally:
            os.close(descriptor)
    raise OffMachineConnection(f"A connection off this machine was tried: {line}")


def _check_address(event: str, address: object) -> None:
    # Unix sockets have a path here, netlink a pair of numbers: neither leaves the machine.
    if not isinstance(address, tuple) or not address or not isinstance(address[0], (str, bytes)):
        return
    if not is_local_host(address[0]):
        _refuse(event, address)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        _check_address(event, arguments[1])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr") and (
        not is_local_host(arguments[0])
    ):
        _refuse(event, arguments[0])


def install() -> None:
    """Install the hook once in this process."""
    if not getattr(sys, "_localllm_loopback_only", False):
        sys.addaudithook(_audit)
        sys._localllm_loopback_only = True
