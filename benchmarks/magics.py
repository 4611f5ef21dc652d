"""What ``%%llm`` costs beyond the model: ``python -m benchmarks.magics``.

In a real kernel that starts its own host: the time from the first text's leaving the worker to the
display message's arriving, and what an answer puts on the kernel's channel.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from .overhead import QUESTION, STAMPS, read_stamps
from .servers import starter_model

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 300.0

#: Run in the kernel: a thousand tokens at an even pace, through everything but a model. No model
#: here keeps to 20 tokens a second on every machine.
_PACED = """
import asyncio
from jupyter_localllm.magics.answers.answer import AnswerSettings, answer_question
from jupyter_localllm.magics.questions.question import Question
from jupyter_localllm.protocol import *

class Paced:
    async def stream(self, request):
        for number in range({n_tokens}):
            await asyncio.sleep(1 / {tokens_per_s})
            yield CompletionChunk("tokens, " if number % 40 else "next\\n\\n")
        yield CompletionDone(FinishReason.STOP, Usage(9, {n_tokens}), Timings(), "paced")

request = ChatCompletionRequest(messages=[ChatMessage("user", "Write.")], max_tokens=2000)
question = Question(action="ask", format="markdown", request=request, model_label="paced")
answer_question(get_ipython(), Paced(), question, AnswerSettings()) and None
"""


@contextmanager
def kernel(folder: Path) -> Iterator[BlockingKernelClient]:
    """A kernel with the magics loaded, its own folders, and a worker that notes its times."""
    paths = [str(STAMPS), str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "TMPDIR": str(folder),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    environment.pop("LOCALLLM_CONNECTION_FILE", None)
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(folder), env=environment)
    client: BlockingKernelClient = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        list(messages(client, "%load_ext jupyter_localllm"))
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def messages(
    client: BlockingKernelClient, code: str
) -> Iterator[tuple[float, dict[str, Any], int]]:
    """Run a cell; yield when each of its messages arrived, the message, and its bytes."""
    message_id = client.execute(code)
    socket, session = client.iopub_channel.socket, client.session
    while True:
        if not socket.poll(TIMEOUT_S * 1e3):
            raise queue.Empty
        frames = socket.recv_multipart()
        at = time.monotonic()
        _, parts = session.feed_identities(frames)
        message = session.deserialize(parts)
        if message["parent_header"].get("msg_id") != message_id:
            continue
        yield at, message, sum(map(len, frames))
        if message["content"].get("execution_state") == "idle":
            reply = client.get_shell_msg(timeout=TIMEOUT_S)["content"]
            if reply["status"] != "ok":
                raise SystemExit(f"the cell failed: {reply}")
            return


def is_display(message: dict[str, Any]) -> bool:
    """Whether the message shows or updates an output."""
    return message["msg_type"] in ("display_data", "update_display_data")


def first_update_ms(client: BlockingKernelClient, folder: Path, rounds: int) -> list[float]:
    """Return how long after the first text left the worker its display arrived here."""
    delays = []
    for turn in range(rounds + 1):
        read_stamps(folder)
        cell = f"%%llm --no-history --max-tokens 40 --seed {turn}\n{turn}. {QUESTION}"
        shown = [
            at
            for at, message, _ in messages(client, cell)
            if is_display(message) and not message["content"]["data"]["text/plain"].endswith("…")
        ]
        left = read_stamps(folder)
        # The first answer also loads the model.
        if turn:
            delays.append((shown[0] - left[0][0]) * 1e3)
    return delays


def channel_bytes(
    client: BlockingKernelClient, n_tokens: int, tokens_per_s: int
) -> tuple[int, int]:
    """Return the bytes of all messages of an answer, and how many showed or updated it."""
    total = n_updates = 0
    code = _PACED.format(n_tokens=n_tokens, tokens_per_s=tokens_per_s)
    for _, message, n_bytes in messages(client, code):
        total += n_bytes
        n_updates += is_display(message)
    return total, n_updates


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tokens", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="write all values to this file")
    options = parser.parse_args()
    starter_model()
    with tempfile.TemporaryDirectory(prefix="llm-") as name, kernel(Path(name)) as client:
        delays = first_update_ms(client, Path(name), options.rounds)
        slow = channel_bytes(client, options.tokens, 20)
        quick = channel_bytes(client, options.tokens, 100)
    p95 = statistics.quantiles(delays, n=20)[-1] if len(delays) > 1 else delays[0]
    print(
        f"first display update after the first text left the worker [ms]"
        f" {statistics.median(delays):8.2f}  p95 {p95:.2f}  target <= 30"
    )
    for name, (size, count) in {"20": slow, "100": quick}.items():
        target = "  target <= 1 MB" if name == "20" else ""
        print(
            f"{options.tokens:,} tokens at {name:>3} a second: {size / 1e6:6.3f} MB on the "
            f"channel, {count} updates{target}"
        )
    if options.json is not None:
        found = {"first_update_ms": delays, "bytes_at_20": slow, "bytes_at_100": quick}
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
