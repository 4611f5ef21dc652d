"""A real kernel driven over its sockets; every message on iopub is kept with its time."""

from __future__ import annotations

import os
import queue
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

TIMEOUT_S = 60.0
ROOT = Path(__file__).parents[2]


def child_python_path(**changes: str) -> dict[str, str]:
    """Return an environment in which a child finds this package, installed or not."""
    paths = [os.environ.get("PYTHONPATH", ""), str(ROOT)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **changes}


@dataclass
class CellRun:
    """What one cell did."""

    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    reply: dict[str, Any] = field(default_factory=dict)

    def of_type(self, *kinds: str) -> list[dict[str, Any]]:
        return [message for _, message in self.messages if message["msg_type"] in kinds]

    @property
    def displays(self) -> list[dict[str, Any]]:
        """The contents of display messages, first showing and updates."""
        return [m["content"] for m in self.of_type("display_data", "update_display_data")]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The displays as a notebook keeps them: each in its last state, in order."""
        last = {content["transient"]["display_id"]: content for content in self.displays}
        return list(last.values())

    @property
    def stdout(self) -> str:
        streams = [message["content"] for message in self.of_type("stream")]
        return "".join(s["text"] for s in streams if s["name"] == "stdout")

    @property
    def stderr(self) -> str:
        streams = [message["content"] for message in self.of_type("stream")]
        return "".join(s["text"] for s in streams if s["name"] == "stderr")

    @property
    def error(self) -> dict[str, Any] | None:
        errors = self.of_type("error")
        return errors[0]["content"] if errors else None

    def check_ok(self) -> CellRun:
        assert self.reply["status"] == "ok", (self.reply, self.stderr)
        return self


class KernelSession:
    """One kernel. ``execute`` starts a cell, ``finish`` waits for it, ``run`` does both."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(cwd=str(folder), env=child_python_path(**environment))
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=TIMEOUT_S)

    def execute(self, code: str) -> str:
        """Send a cell and return its message id."""
        message_id: str = self.client.execute(code)
        return message_id

    def run(self, code: str) -> CellRun:
        return self.finish(self.execute(code))

    def finish(self, message_id: str, cell: CellRun | None = None) -> CellRun:
        """Wait until the kernel is idle again after this cell."""
        cell = cell or CellRun()
        while not _is_idle(self.next_message(message_id, cell)):
            pass
        cell.reply = self._reply(message_id)
        return cell

    def wait_for_text(self, message_id: str, text: str) -> CellRun:
        """Read until a display of the cell shows ``text``."""
        cell = CellRun()
        while True:
            message = self.next_message(message_id, cell)
            assert not _is_idle(message), f"the cell ended without showing {text!r}: {cell}"
            data = message["content"].get("data", {})
            if text in data.get("text/plain", "") or text in message["content"].get("text", ""):
                return cell

    def next_message(self, message_id: str, cell: CellRun) -> dict[str, Any]:
        """Return the next message of the cell, having noted it."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=max(0.1, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"the kernel is silent; so far: {cell}") from None
            if message["parent_header"].get("msg_id") == message_id:
                cell.messages.append((time.monotonic(), message))
                return message

    def _reply(self, message_id: str) -> dict[str, Any]:
        while True:
            reply = self.client.get_shell_msg(timeout=TIMEOUT_S)
            if reply["parent_header"].get("msg_id") == message_id:
                content: dict[str, Any] = reply["content"]
                return content

    def interrupt(self) -> float:
        """Interrupt the kernel; return when."""
        self.manager.interrupt_kernel()
        return time.monotonic()

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=False)
        self.manager.cleanup_resources()


def _is_idle(message: dict[str, Any]) -> bool:
    content = message["content"]
    return message["msg_type"] == "status" and content["execution_state"] == "idle"
