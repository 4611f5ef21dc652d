"""How busy a page's main thread was, read from Chromium's own trace; and how typing felt.

The trace tells each task of the renderer's main thread with its duration, and when a frame was
made. The work of a frame is the time of all tasks between two frames.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page

_CATEGORIES = [
    "__metadata",
    "devtools.timeline",
    "disabled-by-default-devtools.timeline",
    "toplevel",
]
#: Frames further apart than this had nothing to paint between them.
_LONGEST_FRAME_MS = 200.0

#: Notes, for each key that is typed, when the frame that shows it was handed over.
TYPING_PROBE = """selector => {
  const delays = window.__typingDelays = [];
  document.querySelector(selector).addEventListener('input', event => {
    const typed = event.timeStamp;
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => delays.push(performance.now() - typed);
      channel.port2.postMessage(0);
    });
  });
}"""


@dataclass(frozen=True)
class MainThread:
    """The work of each frame, and of each single task; milliseconds."""

    frame_ms: list[float]
    task_ms: list[float]


def start_tracing(browser: Browser, page: Page) -> None:
    """Begin to trace a page."""
    browser.start_tracing(page=page, categories=_CATEGORIES)


def stop_tracing(browser: Browser) -> MainThread:
    """End, and return what the main thread of the page did."""
    return read_trace(json.loads(browser.stop_tracing())["traceEvents"])


def read_trace(events: list[dict[str, Any]]) -> MainThread:
    """Return the work per frame of the renderer that made the most frames: the page."""
    main_threads = {
        (event["pid"], event["tid"])
        for event in events
        if event.get("name") == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    frames: dict[tuple[int, int], list[float]] = {}
    tasks: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for event in events:
        thread = (event.get("pid", 0), event.get("tid", 0))
        if thread not in main_threads:
            continue
        if event["name"] == "Commit":
            frames.setdefault(thread, []).append(event["ts"] / 1e3)
        elif event["name"] == "ThreadControllerImpl::RunTask" and event["ph"] == "X":
            tasks.setdefault(thread, []).append((event["ts"] / 1e3, event.get("dur", 0) / 1e3))
    page = max(frames, key=lambda thread: len(frames[thread]))
    starts = sorted(frames[page])
    work = [0.0] * len(starts)
    for at, duration in tasks[page]:
        index = bisect_right(starts, at) - 1
        if index >= 0 and at - starts[index] <= _LONGEST_FRAME_MS:
            work[index] += duration
    # The last frame's end is not known.
    return MainThread(work[:-1], [duration for _, duration in tasks[page]])
