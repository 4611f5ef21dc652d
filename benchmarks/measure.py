"""One streamed answer with its times, and tables of medians and ratios."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx


@dataclass
class Streamed:
    """What a client saw of one answer; seconds since the request was sent."""

    first_s: float = 0.0
    total_s: float = 0.0
    n_tokens: int = 0
    text: str = ""
    finish_reason: str | None = None
    times_s: list[float] = field(default_factory=list)

    @property
    def tokens_per_s(self) -> float:
        """Decoding speed after the first token."""
        return (self.n_tokens - 1) / (self.times_s[-1] - self.times_s[0])


def stream_chat(client: httpx.Client, messages: list[dict[str, str]], **options: Any) -> Streamed:
    """Ask and read the stream to its end."""
    seen = Streamed()
    body = {"model": "m", "messages": messages, "stream": True, **options}
    body.setdefault("stream_options", {"include_usage": True})
    started = time.perf_counter()
    with client.stream("POST", "/v1/chat/completions", json=body) as reply:
        if reply.status_code != 200:
            raise SystemExit(f"{reply.status_code}: {reply.read().decode()[:500]}")
        for line in reply.iter_lines():
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line[6:])
            if "error" in chunk:
                raise SystemExit(chunk["error"])
            if chunk.get("usage"):
                seen.n_tokens = chunk["usage"]["completion_tokens"]
            for choice in chunk["choices"]:
                if choice["delta"].get("content"):
                    seen.times_s.append(time.perf_counter() - started)
                    seen.text += choice["delta"]["content"]
                seen.finish_reason = choice.get("finish_reason") or seen.finish_reason
    seen.total_s = time.perf_counter() - started
    seen.n_tokens = seen.n_tokens or len(seen.times_s)
    seen.first_s = seen.times_s[0] if seen.times_s else seen.total_s
    return seen


def user(text: str) -> list[dict[str, str]]:
    """Return a conversation of one question."""
    return [{"role": "user", "content": text}]


@dataclass
class Row:
    """One measured thing: values per system, and what it should reach."""

    what: str
    unit: str
    values: dict[str, list[float]]
    target: str = ""

    def median(self, name: str) -> float:
        """Return the median of a system's values."""
        return statistics.median(self.values[name])

    def ratio(self, name: str, base: str) -> float:
        """Return the median of the pairwise ratios: noise that hits a pair cancels."""
        pairs = zip(self.values[name], self.values[base], strict=True)
        return statistics.median(a / b for a, b in pairs)


def print_table(rows: Iterable[Row], base: str) -> None:
    """Print medians per system and the ratio of ours to ``base``."""
    print(f"{'':44} {'ours':>10} {base:>10} {'others':>24} {'ratio':>6}  target")
    for row in rows:
        others = ", ".join(
            f"{name} {row.median(name):,.2f}" for name in row.values if name not in ("ours", base)
        )
        has_base = base in row.values
        base_text = f"{row.median(base):,.2f}" if has_base else "–"
        ratio = f"{row.ratio('ours', base):.2f}" if has_base else "–"
        title = f"{row.what} [{row.unit}]"
        print(
            f"{title:44} {row.median('ours'):>10,.2f} {base_text:>10} {others:>24} {ratio:>6}  "
            f"{row.target}"
        )


def write_json(path: Path | None, rows: Iterable[Row]) -> None:
    """Keep every single value, with the machine it was measured on."""
    if path is None:
        return
    body = {
        "machine": {"cpu": platform.processor() or platform.machine(), "system": platform.system()},
        "rows": [row.__dict__ for row in rows],
    }
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
