"""The child process that draws diagrams; started by ``renderer`` through ``child``.

Sources come from models and from notebooks of other people. Everything that reads them (rules
with regular expressions, two parsers, layout, rasterising) runs here, under a memory limit that
the operating system keeps and a time limit that the parent keeps by ending this process. It ends
when its stdin does. Imports what draws only with the first request of that kind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback

import msgspec

from ... import errors
from .child import Reply, failure_of, read_message, write_message
from .nouns import DrawRequest
from .pipeline import draw_here

#: Address space, of this process and of the layout program each. A new child that has drawn one
#: picture of each kind takes 0.2 GB; the rest is for large ones.
MEMORY_LIMIT_BYTES = 1536 << 20
#: One drawing that is not ended by the parent, because the parent is gone, ends after this.
ORPHAN_LIMIT_S = 30


def _limit() -> None:
    # Windows has none of these: there the parent's deadline and the size limits remain.
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(AttributeError, OSError):
        os.nice(5)


def _watch(seconds: int) -> None:
    """End this process after so many seconds, wherever it is; 0 takes that back."""
    if sys.platform != "win32":
        signal.alarm(seconds)


def _reply(payload: bytes) -> Reply:
    try:
        request = msgspec.msgpack.decode(payload, type=DrawRequest)
        return Reply(drawing=draw_here(request))
    except errors.LocalLLMError as error:
        return Reply(failure=failure_of(error))
    except (MemoryError, RecursionError):
        return Reply(
            failure=failure_of(
                errors.DiagramTooLarge(
                    "Drawing this diagram took too much memory.",
                    "Ask for a smaller one, or split it.",
                )
            )
        )
    except Exception:
        # The parent logs what comes on stderr.
        traceback.print_exc()
        return Reply(
            failure=failure_of(
                errors.DiagramsUnavailable(
                    "The diagram could not be drawn because of an error in the renderer.",
                    "Change the diagram a little; the log has the details.",
                )
            )
        )


def main() -> None:
    """Say that it is there, with an empty message, and answer requests until stdin ends."""
    _limit()
    # Replies have a pipe of their own, so that nothing a library prints can get between them.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = sys.stdin.buffer
    write_message(replies, b"")
    while (payload := read_message(requests)) is not None:
        _watch(ORPHAN_LIMIT_S)
        reply = _reply(payload)
        _watch(0)
        write_message(replies, msgspec.msgpack.encode(reply))


if __name__ == "__main__":
    main()
