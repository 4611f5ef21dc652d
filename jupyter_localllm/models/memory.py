"""Whether a model fits into memory, before anything is loaded.

The host calls :func:`check_fits` before it starts a worker. Numbers are bytes; estimates err on the
side of too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ModelFileError, NotEnoughMemory
from .gguf import GGUFHeader, read_header

if TYPE_CHECKING:
    from .catalog import CatalogEntry

#: Process, libraries and compute buffers of a worker, without what depends on the vocabulary.
PROCESS_BYTES = 120 << 20
#: Room that is left to the system and the notebook.
RESERVE_BYTES = 64 << 20

_KV_ELEMENT_BYTES = 2
_LOGIT_BYTES = 4
_CELL_STEP = 256
_SMALLEST_WINDOW = 512
#: cgroup v1 writes "no limit" as the largest page-aligned number.
_NO_LIMIT = 1 << 60
_PROC_CGROUP = Path("/proc/self/cgroup")
_CGROUP_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """What a worker with this model will need, in bytes."""

    file_bytes: int
    kv_cache_bytes: int
    overhead_bytes: int

    @property
    def total_bytes(self) -> int:
        """The sum."""
        return self.file_bytes + self.kv_cache_bytes + self.overhead_bytes


def estimate(header: GGUFHeader, *, context_window: int, n_slots: int) -> MemoryEstimate:
    """Return what a model needs at a context window.

    Parameters
    ----------
    header : GGUFHeader
        Of the model file.
    context_window : int
        Tokens of one slot, and cells of the one KV cache that the slots share.
    n_slots : int
        Requests that run at once; each needs rows of logits.

    Notes
    -----
    KV cache = layers x cells x (keys + values per token) x 2 bytes (float16). Sliding-window layers
    count in full: the engine keeps all their cells, to reuse prefixes.
    """
    cells = -(-max(1, context_window) // _CELL_STEP) * _CELL_STEP
    # A model without causal attention (embeddings) has no KV cache.
    layers = header.kv_heads_per_layer if header.causal_attention else ()
    per_head = header.key_length + header.value_length
    kv_bytes = sum(layers) * per_head * cells * _KV_ELEMENT_BYTES
    # One row of logits per slot, at llama.cpp and as a copy here; the prompt's last rows beside.
    logits_bytes = header.vocab_size * _LOGIT_BYTES * 2 * (max(1, n_slots) + 1)
    return MemoryEstimate(header.size_bytes, kv_bytes, PROCESS_BYTES + logits_bytes)


def check_fits(
    header: GGUFHeader,
    *,
    context_window: int,
    n_slots: int,
    name: str = "",
    available: int | None = None,
    alternatives: Iterable[CatalogEntry] = (),
) -> MemoryEstimate:
    """Return the estimate, or refuse with need, have and what would fit.

    Parameters
    ----------
    header, context_window, n_slots
        As for :func:`estimate`.
    name : str
        What the user calls the model; the name in the file if empty.
    available : int, optional
        Bytes that may be used; :func:`available_bytes` if not given.
    alternatives : iterable of CatalogEntry
        Models to offer where this one fits at no context window.

    Raises
    ------
    NotEnoughMemory
        ``details`` has ``need_bytes``, ``have_bytes`` and ``fitting_context_window`` or
        ``fitting_model``.
    """
    needed = estimate(header, context_window=context_window, n_slots=n_slots)
    have = max(0, (available_bytes() if available is None else available) - RESERVE_BYTES)
    if needed.total_bytes <= have:
        return needed
    details: dict[str, object] = {"need_bytes": needed.total_bytes, "have_bytes": have}
    window = _fitting_window(header, context_window, n_slots, have)
    model = None if window else _fitting_model(alternatives, n_slots, have)
    if window:
        hint = f"A context window of {window:,} tokens would fit."
        details["fitting_context_window"] = window
    elif model:
        hint = f"The model {model} would fit, or close other programs and kernels."
        details["fitting_model"] = model
    else:
        hint = "No installed model would fit: close other programs or kernels and try again."
    raise NotEnoughMemory(
        f"{name or header.name} needs {_readable(needed.total_bytes)} of memory at a context "
        f"window of {context_window:,} tokens, and {_readable(have)} are free.",
        hint,
        details=details,
    )


def _fitting_window(header: GGUFHeader, below: int, n_slots: int, have: int) -> int | None:
    """Return the largest power of two below ``below`` that fits, if there is one."""
    window = 1 << max(0, below - 1).bit_length() >> 1
    while window >= _SMALLEST_WINDOW:
        if estimate(header, context_window=window, n_slots=n_slots).total_bytes <= have:
            return window
        window >>= 1
    return None


def _fitting_model(alternatives: Iterable[CatalogEntry], n_slots: int, have: int) -> str | None:
    by_size: Sequence[CatalogEntry] = sorted(alternatives, key=lambda entry: -entry.size_bytes)
    for entry in by_size:
        if entry.size_bytes >= have:
            continue
        try:
            header = read_header(entry.path)
        except ModelFileError:
            continue
        smallest = estimate(header, context_window=_SMALLEST_WINDOW, n_slots=n_slots)
        if smallest.total_bytes <= have:
            return entry.id
    return None


def _readable(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def available_bytes() -> int:
    """Return the memory that a new process may take without swapping.

    The system's available memory, or what the cgroup (container, batch job, hub) leaves of its
    limit, if that is less.
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    in_group = cgroup_available_bytes()
    return free if in_group is None else min(free, in_group)


def cgroup_available_bytes(
    proc_cgroup: Path = _PROC_CGROUP, root: Path = _CGROUP_ROOT
) -> int | None:
    """Return what the tightest of this process's cgroups leaves, or ``None`` without a limit.

    File cache that the kernel can drop does not count as used.
    """
    try:
        lines = proc_cgroup.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    left: list[int] = []
    for line in lines:
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            names = ("memory.max", "memory.current", "inactive_file")
            left += _left_in(root, group, names)
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            left += _left_in(root / "memory", group, names)
    return min(left, default=None)


def _left_in(root: Path, group: str, names: tuple[str, str, str]) -> list[int]:
    """Return what is left in a group and in each group around it."""
    limit_name, usage_name, cache_name = names
    parts = [part for part in group.split("/") if part not in ("", ".", "..")]
    left = []
    # Inside a container the path may be the host's, and the limit lie in the root as seen here.
    for depth in range(len(parts), -1, -1):
        folder = root.joinpath(*parts[:depth])
        limit, usage = _number(folder / limit_name), _number(folder / usage_name)
        if limit is None or usage is None or limit >= _NO_LIMIT:
            continue
        left.append(max(0, limit - max(0, usage - _statistic(folder, cache_name))))
    return left


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _statistic(folder: Path, name: str) -> int:
    try:
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        return next((int(line.split()[1]) for line in lines if line.split()[:1] == [name]), 0)
    except (OSError, ValueError, IndexError):
        return 0
