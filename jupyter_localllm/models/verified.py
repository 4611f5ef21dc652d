"""Which files were hashed and found right, so that 100 MB are hashed once and not at every start.

One small JSON file. A damaged, missing or read-only one only costs a second hashing. ``catalog.py``
calls it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

_VERSION = 1
_MAX_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """Return a file's sha256 in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()


class VerifiedFiles:
    """Remembers sha256 by path, as long as size and time of change stay the same."""

    def __init__(self, store: Path) -> None:
        self._store = store

    def is_known(self, path: Path, sha256: str) -> bool:
        """Return whether this very file was found to have this hash."""
        return self._load().get(str(path)) == _record(path, sha256)

    def remember(self, path: Path, sha256: str) -> None:
        """Keep that the file has this hash; silently not, where nothing can be written."""
        files = self._load()
        files[str(path)] = _record(path, sha256)
        text = json.dumps({"version": _VERSION, "files": files}, indent=1)
        with contextlib.suppress(OSError):
            _replace_file(self._store, text)

    def _load(self) -> dict[str, Any]:
        try:
            with self._store.open("rb") as file:
                content = json.loads(file.read(_MAX_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(content, dict) or content.get("version") != _VERSION:
            return {}
        files = content.get("files")
        return files if isinstance(files, dict) else {}


def _record(path: Path, sha256: str) -> dict[str, Any]:
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": sha256}


def _replace_file(target: Path, text: str) -> None:
    """Write a file whole or not at all."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
