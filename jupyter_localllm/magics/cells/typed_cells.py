"""Whether a cell is one that a person ran, or one that some code runs: for ``-x``.

In a kernel, a person's cell is the text of the front end's own request, run once. In a terminal it
is what its prompt returned; in a program, what its main thread runs itself. Code that a cell left
behind (a thread, a task, a callback, a hook) is none of these. Code in the process of the person
has all rights of the person and could change this very module: what is refused here is every plain
way, not a determined one. Called by ``cell_runs.py``.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class TypedCells:
    """Tells the cells of one shell's person from those of programs; made at their beginning."""

    def __init__(self, shell: InteractiveShell) -> None:
        from IPython.core.interactiveshell import InteractiveShell

        self._shell = shell
        self._run_cell = InteractiveShell.run_cell.__code__
        self._run_cell_async = InteractiveShell.run_cell_async.__code__
        #: The requests that have begun; one begins once.
        self._begun: set[str] = set()
        self._root = _root_of_main_thread()

    def begins(self, info: Any) -> bool:
        """Whether the cell that begins now is a person's; asked once, as it begins."""
        frames = list(_frames())
        if not _is_main_thread() or self._is_run_by_a_cell(frames):
            return False
        if not hasattr(self._shell, "get_parent"):
            return self._is_of_main_program(frames)
        if not self.is_requested(info):
            return False
        message_id = self.request()["header"].get("msg_id")
        is_new = message_id not in self._begun
        self._begun.add(message_id)
        return is_new

    def is_requested(self, info: Any) -> bool:
        """Whether it is, word for word, what a front end asked this kernel to run."""
        request = self.request()
        header, content = request.get("header"), request.get("content")
        if not isinstance(header, dict) or not isinstance(content, dict):
            return False
        is_execution = header.get("msg_type") == "execute_request"
        return is_execution and content.get("code") == info.raw_cell

    def request(self) -> dict[str, Any]:
        """Return the message of a front end that the shell works at; empty where there is none."""
        get_parent = getattr(self._shell, "get_parent", None)
        request = get_parent() if get_parent is not None else None
        return request if isinstance(request, dict) else {}

    def _is_run_by_a_cell(self, frames: list[FrameType]) -> bool:
        """Whether another cell, or what one left behind, is what runs this one."""
        n_running = 0
        name_of = self._shell.compile.format_code_name
        for frame in frames:
            if frame.f_code is self._run_cell_async:
                n_running += frame.f_locals.get("self") is self._shell
            elif name_of(frame.f_code.co_filename) is not None:
                return True
        return n_running > 1

    def _is_of_main_program(self, frames: list[FrameType]) -> bool:
        callers = [frame.f_back for frame in frames if frame.f_code is self._run_cell]
        prompts = [
            frame
            for frame in frames
            if frame.f_code.co_name == "interact" and frame.f_locals.get("self") is self._shell
        ]
        if prompts:
            # What else calls while a prompt waits is a timer, a signal or a trace.
            return callers[-1:] == prompts[:1]
        # At the exit of the process, the program itself is no more beneath what runs.
        return not _has_running_loop() and frames[-1].f_code is self._root


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _frames() -> Iterator[FrameType]:
    """Return what runs in this thread, innermost first."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back


def _root_of_main_thread() -> CodeType | None:
    """Return the code of the program: what is beneath everything that the main thread runs."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    return None if frame is None else frame.f_code


def _has_running_loop() -> bool:
    # Not imported for this: where nobody has, no loop runs.
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None
