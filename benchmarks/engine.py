"""Our worker against llama.cpp's own server and llama-cpp-python's.

Run as ``python -m benchmarks.engine``.

Same file, threads, prompts and client; the servers stand side by side and are asked in turn, so
that a busy minute hits all of them. Prints medians and the median of pairwise ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .measure import Row, print_table, stream_chat, user, write_json
from .servers import RunningServer, running, starter_model

PEER = "llama.cpp"
TOPICS = ["a hash table", "the Fibonacci numbers", "photosynthesis", "the water cycle"]
TOPICS += ["recursion", "the atom", "gravity", "prime numbers"]
QUESTIONS = [f"Write a long story about {topic} with many details." for topic in TOPICS]
SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "steps": {"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 6},
        "level": {"enum": ["easy", "medium", "hard"]},
    },
    "required": ["title", "steps", "level"],
    "additionalProperties": False,
}
SCHEMA_FORMAT: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "schema": SCHEMA},
}
#: llama-cpp-python's server knows another spelling only.
OTHER_SCHEMA_FORMAT = {"type": "json_object", "schema": SCHEMA}


def decode_one(server: RunningServer, turn: int) -> float:
    """Tokens per second of one stream."""
    with server.client() as client:
        question = QUESTIONS[turn % len(QUESTIONS)]
        return stream_chat(client, user(question), max_tokens=192, temperature=0).tokens_per_s


def decode_eight(server: RunningServer, turn: int) -> float:
    """Tokens per second of eight streams together, first request to last token."""

    def ask(question: str) -> int:
        with server.client() as client:
            return stream_chat(client, user(question), max_tokens=128, temperature=0).n_tokens

    started = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(ask, QUESTIONS))
    return total / (time.perf_counter() - started)


def follow_up(server: RunningServer, turn: int) -> float:
    """Milliseconds to the first token of the next turn in a chat of about 1,500 tokens."""
    chance = random.Random(turn)
    nouns = ["river", "stone", "cloud", "tree", "seven"]
    words = " ".join(chance.choice(nouns) for _ in range(1400))
    chat = [{"role": "system", "content": "You help with notes."}, *user(f"Notes: {words}")]
    with server.client() as client:
        first = stream_chat(client, chat, max_tokens=16, temperature=0)
        chat += [{"role": "assistant", "content": first.text}, *user("Which word comes first?")]
        return stream_chat(client, chat, max_tokens=4, temperature=0).first_s * 1e3


def schema_speed(server: RunningServer, turn: int) -> float:
    """Tokens per second under a JSON schema, relative to free text on the same prompt."""
    question = f"Give me a JSON plan for: {QUESTIONS[turn % len(QUESTIONS)]}"
    shape = OTHER_SCHEMA_FORMAT if server.name == "llama_cpp" else SCHEMA_FORMAT
    with server.client() as client:
        shaped = stream_chat(
            client, user(question), max_tokens=160, temperature=0, response_format=shape
        )
        free = stream_chat(client, user(question), max_tokens=shaped.n_tokens, temperature=0)
        return shaped.tokens_per_s / free.tokens_per_s


def eight_complete(server: RunningServer) -> float:
    """How many of eight simultaneous clients get their whole answer."""

    def ask(question: str) -> bool:
        try:
            with server.client() as client:
                answer = stream_chat(client, user(question), max_tokens=48, temperature=0)
                return answer.finish_reason in ("stop", "length")
        except (Exception, SystemExit):
            return False

    with ThreadPoolExecutor(8) as pool:
        return float(sum(pool.map(ask, QUESTIONS)))


def interleaved(
    servers: list[RunningServer], rounds: int, measure: Callable[[RunningServer, int], float]
) -> dict[str, list[float]]:
    """Ask all servers in turn, in changing order; one unmeasured round first."""
    values: dict[str, list[float]] = {server.name: [] for server in servers}
    for turn in range(-1, rounds):
        order = servers if turn % 2 else servers[::-1]
        for server in order:
            value = measure(server, turn)
            if turn >= 0:
                values[server.name].append(value)
    return values


def cold_start(model: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds from starting the process to the first token."""
    values: dict[str, list[float]] = {"ours": [], PEER: []}
    for _ in range(rounds):
        for name, found in values.items():
            with running(name, model, slots=4) as server, server.client() as client:
                answer = stream_chat(client, user("Hello"), max_tokens=2, temperature=0)
                found.append(server.ready_s + answer.first_s)
    return values


def memory(model: Path) -> dict[str, list[float]]:
    """MiB beyond the file and the KV cache, after an answer of 256 tokens."""
    window, kv_bytes_per_token = 8192, 30 * 2 * 3 * 64 * 2
    known = model.stat().st_size + window * kv_bytes_per_token
    values: dict[str, list[float]] = {}
    for name in ("ours", PEER):
        with running(name, model, slots=4, window=window) as server, server.client() as client:
            stream_chat(client, user("word " * 1500), max_tokens=256, temperature=0)
            values[name] = [(server.memory_bytes() - known) / 2**20]
    return values


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write all values to this file")
    parser.add_argument("--only", default="", help="decode, follow, schema, start, memory, eight")
    options = parser.parse_args()
    model = starter_model()
    rows: list[Row] = []

    def wanted(name: str) -> bool:
        return not options.only or name in options.only.split(",")

    def pair(what: str, unit: str, measure: Any, target: str, peers: list[str]) -> None:
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(running(name, model)) for name in peers]
            values = interleaved(servers, options.rounds, measure)
        rows.append(Row(what, unit, values, target))
        print(f"measured: {what}", file=sys.stderr)

    both = ["ours", PEER]
    if wanted("decode"):
        pair("decode, 1 stream", "tokens/s", decode_one, ">= 0.97", [*both, "llama_cpp"])
        pair("decode, 8 streams", "tokens/s", decode_eight, ">= 0.97", both)
    if wanted("follow"):
        pair("follow-up in 1,500 tokens, first", "ms", follow_up, "<= 1.2", both)
    if wanted("schema"):
        peers = [*both, "llama_cpp"]
        pair("JSON schema / free", "ratio", schema_speed, "ours >= 0.9", peers)
    if wanted("eight"):
        counts: dict[str, list[float]] = {}
        for name in (*both, "llama_cpp"):
            with running(name, model) as server:
                counts[name] = [eight_complete(server)]
        rows.append(Row("8 clients at once, answered", "of 8", counts, "8"))
    if wanted("start"):
        values = cold_start(model, max(3, options.rounds // 2))
        rows.append(Row("cold start to first token", "s", values, "ours <= 2.5"))
    if wanted("memory"):
        rows.append(Row("memory beyond file and KV", "MiB", memory(model), "ours <= 120"))
    print_table(rows, PEER)
    write_json(options.json, rows)


if __name__ == "__main__":
    main()
