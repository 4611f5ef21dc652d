"""What the history asks of the file system: private files, which file it is, on whose disk."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from pathlib import Path

#: Kernels inherit this from the Jupyter server: the file that keeps its chats; empty where it keeps
#: none.
HISTORY_FILE_ENV = "LOCALLLM_HISTORY_FILE"

#: What SQLite keeps beside a file.
COMPANIONS = ("-wal", "-shm", "-journal")

_NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs")
_NETWORK_FUSE = ("sshfs", "glusterfs", "rclone", "s3fs", "ceph", "davfs", "smbnetfs", "gcsfuse")


def beside(path: Path, suffix: str) -> Path:
    """Return a companion of the file; the file itself for ""."""
    return path.with_name(path.name + suffix)


def make_private(path: Path) -> None:
    """Make the file where it is missing; nobody but its owner may read it or its companions."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    if os.name == "nt":
        return
    # SQLite gives what it makes beside the file the file's own permissions.
    for each in (beside(path, suffix) for suffix in ("", *COMPANIONS)):
        with contextlib.suppress(OSError):
            if each.stat().st_mode & 0o077:
                each.chmod(0o600)


def size_of(path: Path) -> int:
    """Return the bytes of a file; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def identity_of(path: Path) -> tuple[int, int] | None:
    """Return what tells the file at this path from another one there later."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_on_network(folder: Path) -> bool:
    """Tell whether other machines may have this folder open too."""
    import psutil

    real = folder.resolve()
    if str(real).startswith("\\\\"):
        return True
    longest, found = -1, None
    with contextlib.suppress(OSError, psutil.Error):
        for partition in psutil.disk_partitions(all=True):
            depth = len(Path(partition.mountpoint).parts)
            # Of two on one place, the later one is seen.
            if depth >= longest and real.is_relative_to(partition.mountpoint):
                longest, found = depth, partition
    if found is None:
        return False
    kind = found.fstype.lower()
    if kind.startswith("fuse"):
        return any(name in kind for name in _NETWORK_FUSE)
    return kind.startswith(_NETWORK_FILE_SYSTEMS) or "remote" in found.opts.split(",")


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder last through a loss of power, where the system can."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def is_no_room(error: OSError | sqlite3.Error) -> bool:
    """Tell whether it failed for want of room: the disk's or this user's share of it."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
    return "is full" in str(error)
