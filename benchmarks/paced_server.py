"""A stand-in for a model that writes a given text at a given speed, so that a page can be measured.

It speaks as much of OpenAI's API as the model host asks of an outside server. Run as a process of
its own: ``python -m benchmarks.paced_server PORT TOKENS_PER_S N_TOKENS`` prints one line when it
listens.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any

from tornado.web import Application, RequestHandler

MODEL = "paced"
N_TOKENS = 2000

#: Prose, a list, a table, mathematics and code in the proportions of a long lesson.
_LESSON = """## Step {n}: sums and loops

A **loop** repeats its body once for each value. The sum of the first $n$ squares is known in
closed form, which is a good test of a program that adds them one by one:

$$\\sum_{{k=1}}^{{n}} k^2 = \\frac{{n(n+1)(2n+1)}}{{6}}$$

1. Start with a total of zero.
2. Add the square of each number, *in order*.
3. Compare the total with the formula.

| n | by loop | by formula | equal |
|--:|--------:|-----------:|:-----:|
| 1 | 1 | 1 | yes |
| 10 | 385 | 385 | yes |
| 100 | 338350 | 338350 | yes |

```python
def sum_of_squares(n: int) -> int:
    \"\"\"Add the squares of 1 to n, one after the other.\"\"\"
    total = 0
    for k in range(1, n + 1):
        total += k * k
    assert total == n * (n + 1) * (2 * n + 1) // 6, "the formula disagrees"
    return total

print([sum_of_squares(n) for n in range(10)])
```

> Note that `range(1, n + 1)` stops at `n`, not at `n + 1`: the end of a range is left out.

"""


def lesson_tokens(n_tokens: int = N_TOKENS) -> list[str]:
    """Return the text in pieces of about a token each: words, blanks with them, and signs."""
    tokens: list[str] = []
    step = 1
    while len(tokens) < n_tokens:
        tokens += re.findall(r"\s*\w{1,7}|\s*[^\w\s]|\s+", _LESSON.format(n=step))
        step += 1
    return tokens[:n_tokens]


class _Models(RequestHandler):
    def get(self) -> None:
        self.write({"object": "list", "data": [{"id": MODEL, "object": "model"}]})


class _Chat(RequestHandler):
    async def post(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        rate: float = self.settings["tokens_per_s"]
        tokens = lesson_tokens(self.settings["n_tokens"])
        started = time.monotonic()
        for index, token in enumerate(tokens):
            await asyncio.sleep(max(0.0, started + index / rate - time.monotonic()))
            self._event({"choices": [{"index": 0, "delta": {"content": token}}]})
            await self.flush()
        usage = {"prompt_tokens": 20, "completion_tokens": len(tokens)}
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}
        self._event(last)
        self.write("data: [DONE]\n\n")

    def _event(self, body: dict[str, Any]) -> None:
        head = {"id": "paced", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
        self.write(f"data: {json.dumps({**head, **body})}\n\n")


async def _serve(port: int, tokens_per_s: float, n_tokens: int) -> None:
    rules = [("/v1/models", _Models), ("/v1/chat/completions", _Chat)]
    application = Application(rules, tokens_per_s=tokens_per_s, n_tokens=n_tokens)
    application.listen(port, "127.0.0.1")
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
