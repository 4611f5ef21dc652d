"""What a host may be told: models, limits, time-outs, outside servers.

Plain values with their defaults; no I/O. Made by the server extension from its traitlets and by
``__main__`` from its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class OutsideServer:
    """An OpenAI-compatible server that the user configured.

    Attributes
    ----------
    base_url : str
        As other OpenAI clients take it, for example ``http://localhost:11434/v1``.
    api_key : str, optional
        Sent as bearer token, to this server only.
    models : tuple of str
        Model names it answers for; empty: those it lists, as ``NAME/model``.
    """

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    models: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HostConfig:
    """Settings of one host; times in seconds.

    Attributes
    ----------
    model_dirs : tuple of Path
        Folders with GGUF files; empty: the default folder in Jupyter's data folder.
    default_model : str
        Name or path of the model used where a request names none; empty: the catalog's.
    context_window : int
        Tokens of one slot; 0: the model's own, at most 8192.
    n_slots : int
        Requests that one model answers at a time.
    idle_unload_s : float
        Seconds without a request after which a model's worker is ended; 0: never.
    max_waiting, max_waiting_per_user : int
        Bounds of each model's queue.
    max_loaded_models : int
        Idle models beyond this number are unloaded, the least recently used first.
    load_timeout_s : float
        Longest silence of a worker that is loading.
    hung_timeout_s : float
        Longest silence of a worker that is answering.
    terminate_grace_s : float
        Time given between asking a process to end and killing it.
    crash_limit, crash_window_s : int, float
        That many crashes in that time stop a model until it is loaded by hand.
    allow_paths : bool
        Whether a kernel of this user may name a model by its path.
    backends : dict
        Outside servers by name.
    """

    model_dirs: tuple[Path, ...] = ()
    default_model: str = ""
    context_window: int = 0
    n_slots: int = 4
    idle_unload_s: float = 1800.0
    max_waiting: int = 64
    max_waiting_per_user: int = 16
    max_loaded_models: int = 2
    load_timeout_s: float = 300.0
    hung_timeout_s: float = 30.0
    terminate_grace_s: float = 5.0
    crash_limit: int = 5
    crash_window_s: float = 60.0
    allow_paths: bool = True
    backends: dict[str, OutsideServer] = field(default_factory=dict)
