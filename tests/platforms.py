"""Why a test cannot run on every system, said once."""

from __future__ import annotations

import os
import socket

import pytest

needs_signals = pytest.mark.skipif(
    os.name != "posix", reason="Windows has no signals from one process to another"
)
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork a process")
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)
needs_unix_sockets = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX"), reason="Python has no Unix sockets on Windows"
)
