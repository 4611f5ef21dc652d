"""What the chat costs in the browser: ``python -m benchmarks.chat``.

A real Chromium, a real JupyterLab. The answers come from a stand-in that writes a lesson with
code, tables and mathematics at 100 tokens/s (``paced_server``), so that the page is measured and
not a model. Lab's start is measured in pairs, with the extension and with it disabled, in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, Page, sync_playwright

from tests.ui.conftest import FLAGS, find_chromium
from tests.ui.lab_process import FRONT_END, TOKEN, LabProcess
from tests.ui.notebook_page import NotebookPage, code, write_notebook

from .paced_server import MODEL, N_TOKENS, lesson_tokens
from .page_trace import TYPING_PROBE, start_tracing, stop_tracing
from .servers import free_port

TOKENS_PER_S = 100
CELL_TOKENS_PER_S, CELL_TOKENS = 20, 1000
N_MESSAGES = 500
INPUT = ".jp-LocalLLMChat-input"
ANSWER = '.jp-LocalLLMChat-message[data-role="assistant"]'
OPEN = "() => window.jupyterapp.commands.execute('localllm:open-chat')"
EXTENSION = "jupyter-localllm"
TIMEOUT_MS = 120_000

#: From the click that opens a chat to the frame that shows its last message; milliseconds.
OPEN_CHAT = """async chatId => {
  const started = performance.now();
  document.querySelector(`.jp-LocalLLMChat-chatItem[data-chat-id="${chatId}"] button`).click();
  for (;;) {
    await new Promise(requestAnimationFrame);
    const messages = document.querySelectorAll('.jp-LocalLLMChat-message');
    if (messages.length >= COUNT) break;
  }
  const channel = new MessageChannel();
  const painted = new Promise(resolve => { channel.port1.onmessage = resolve; });
  channel.port2.postMessage(0);
  await painted;
  return performance.now() - started;
}"""


def percentile(values: list[float], part: float) -> float:
    """Return the value that ``part`` of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


@contextlib.contextmanager
def paced_server(tokens_per_s: float, n_tokens: int) -> Iterator[int]:
    """Run the stand-in; yield its port."""
    port = free_port()
    numbers = [str(number) for number in (port, tokens_per_s, n_tokens)]
    command = [sys.executable, "-m", "benchmarks.paced_server", *numbers]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield port
        finally:
            process.terminate()


@contextlib.contextmanager
def running_lab(port: int) -> Iterator[LabProcess]:
    """Run JupyterLab with the stand-in as its default model."""
    backends = {"stand-in": {"base_url": f"http://127.0.0.1:{port}/v1", "models": [MODEL]}}
    options = [
        f"--LocalLLMExtension.backends={backends!r}",
        f"--LocalLLMExtension.model=stand-in/{MODEL}",
    ]
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        LabProcess(Path(home), options) as lab,
    ):
        yield lab


def open_lab(browser: Browser, lab: LabProcess, query: str = "reset") -> Page:
    """Open Lab in a fresh context."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(f"{lab.url}/lab?token={TOKEN}&{query}")
    page.wait_for_selector(".jp-Launcher")
    return page


def measure_streaming(browser: Browser, lab: LabProcess) -> dict[str, float]:
    """Stream one long answer twice: once traced, once with somebody typing."""
    page = open_lab(browser, lab)
    page.evaluate(OPEN)
    seen: dict[str, float] = {}
    for is_typing in (False, True):
        page.locator(INPUT).fill("Explain sums and loops.")
        page.keyboard.press("Enter")
        answer = page.locator(ANSWER).last
        page.wait_for_selector(f'{ANSWER}[data-state="writing"]')
        if is_typing:
            page.evaluate(TYPING_PROBE, INPUT)
            page.locator(INPUT).focus()
        else:
            start_tracing(browser, page)
        while answer.get_attribute("data-state") == "writing":
            if is_typing:
                page.keyboard.press("a")
            page.wait_for_timeout(150)
        if is_typing:
            delays = page.evaluate("() => window.__typingDelays")
            seen["input to frame, median"] = statistics.median(delays)
            seen["input to frame, 95th percentile"] = percentile(delays, 0.95)
        else:
            main = stop_tracing(browser)
            seen["frames"] = len(main.frame_ms)
            seen["work per frame, median"] = statistics.median(main.frame_ms)
            seen["work per frame, 95th percentile"] = percentile(main.frame_ms, 0.95)
            seen["longest task"] = max(main.task_ms)
        page.locator(INPUT).fill("")
    page.context.close()
    return seen


def measure_cell(browser: Browser, lab: LabProcess) -> dict[str, float]:
    """Stream an answer into a cell's output, traced."""
    cells = [code("%load_ext jupyter_localllm"), code("%%llm --max-tokens 4000\nExplain loops.")]
    write_notebook(lab, "cell.ipynb", cells)
    page = open_lab(browser, lab)
    notebook = NotebookPage.open(page, lab, "cell.ipynb", len(cells))
    notebook.run_cell(0)
    start_tracing(browser, page)
    notebook.run_cell(1)
    main = stop_tracing(browser)
    page.context.close()
    return {
        "frames": len(main.frame_ms),
        "work per frame, median": statistics.median(main.frame_ms),
        "work per frame, 95th percentile": percentile(main.frame_ms, 0.95),
        "longest task": max(main.task_ms),
    }


def long_chat() -> dict[str, Any]:
    """Return an export of a chat with 500 messages, answers of about 100 tokens."""
    text = "".join(lesson_tokens())
    messages: list[dict[str, Any]] = []
    parent = None
    for index in range(N_MESSAGES):
        is_answer = index % 2 == 1
        message = {
            "message_id": f"m{index}",
            "role": "assistant" if is_answer else "user",
            "content": text[:900] if is_answer else f"Question {index // 2}: why?",
            "created_ms": 1_700_000_000_000 + index,
            **({"parent_id": parent} if parent else {}),
        }
        parent = message["message_id"]
        messages.append(message)
    chat = {
        "chat_id": "long",
        "title": "A long chat",
        "created_ms": 1_700_000_000_000,
        "updated_ms": 1_700_000_000_000,
        "current_id": parent,
        "messages": messages,
    }
    return {"format": "jupyter_localllm.chat", "version": 1, "chat": chat}


def measure_opening(browser: Browser, lab: LabProcess, rounds: int) -> dict[str, float]:
    """Open a chat of 500 messages from the list, with the panel ready."""
    request = Request(
        f"{lab.url}/localllm/chats/import",
        data=json.dumps(long_chat()).encode(),
        headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
    )
    with urlopen(request, timeout=60) as reply:
        chat_id = json.load(reply)["chat_id"]
    times = []
    for _ in range(rounds):
        page = open_lab(browser, lab)
        page.evaluate(OPEN)
        page.wait_for_selector(INPUT)
        page.locator(".jp-LocalLLMChat-openList").click()
        page.wait_for_selector(f'.jp-LocalLLMChat-chatItem[data-chat-id="{chat_id}"]')
        times.append(page.evaluate(OPEN_CHAT.replace("COUNT", str(N_MESSAGES)), chat_id))
        page.context.close()
    return {f"open {N_MESSAGES} messages, median": statistics.median(times)}


def measure_start(browser: Browser, lab: LabProcess, rounds: int) -> dict[str, float]:
    """Start Lab with the extension and with it disabled, in turn; milliseconds to the launcher."""
    config = lab.home / "config" / "labconfig" / "page_config.json"
    original = config.read_text()
    times: dict[bool, list[float]] = {True: [], False: []}
    try:
        for index in range(2 * rounds + 2):
            # Which of a pair is first changes: whatever drifts hits both alike.
            is_enabled = index % 4 in (0, 3)
            settings = json.loads(original)
            settings["disabledExtensions"][EXTENSION] = not is_enabled
            config.write_text(json.dumps(settings))
            page = open_lab(browser, lab)
            spent = page.evaluate("() => performance.now()")
            page.context.close()
            # The first pair fills the server's caches.
            if index >= 2:
                times[is_enabled].append(spent)
    finally:
        config.write_text(original)
    differences = [a - b for a, b in zip(times[True], times[False], strict=True)]
    return {
        "Lab's start without, median": statistics.median(times[False]),
        "added by the extension, median of pairs": statistics.median(differences),
        "added, quartiles apart": statistics.quantiles(differences, n=4)[2]
        - statistics.quantiles(differences, n=4)[0],
    }


def measure_bundle(browser: Browser, lab: LabProcess) -> dict[str, float]:
    """Weigh what the extension loads, gzipped, at Lab's start and with the panel's opening; KB."""
    sizes = {
        path.name: len(gzip.compress(path.read_bytes())) / 1024
        for path in (FRONT_END / "static").glob("*.js")
    }
    loaded: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    page.on("request", lambda request: loaded.append(request.url.split("?")[0]))
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(f"{lab.url}/lab?token={TOKEN}&reset")
    page.wait_for_selector(".jp-Launcher")

    def weight() -> float:
        names = {url.rsplit("/", 1)[1] for url in loaded if f"/{EXTENSION}/static/" in url}
        return sum(sizes.get(name, 0.0) for name in names)

    at_start = weight()
    page.evaluate(OPEN)
    page.wait_for_selector(INPUT)
    opened = weight()
    context.close()
    return {
        "loaded at Lab's start": at_start,
        "loaded when the panel is opened": opened - at_start,
        "all files": sum(sizes.values()),
    }


def print_figures(title: str, unit: str, figures: dict[str, float]) -> None:
    """Print one group."""
    print(f"\n{title} [{unit}]")
    for what, value in figures.items():
        print(f"  {what:44} {value:10,.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="starts of Lab, and openings (count)")
    options = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("Install Chromium first: make browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, headless=True, chromium_sandbox=False, args=FLAGS
        )
        measure(browser, options.rounds)
        browser.close()


def measure(browser: Browser, rounds: int) -> None:
    """Measure everything in turn."""
    with paced_server(TOKENS_PER_S, N_TOKENS) as port, running_lab(port) as lab:
        print_figures("bundle, gzipped", "KB", measure_bundle(browser, lab))
        print_figures(
            f"streaming {N_TOKENS:,} tokens at {TOKENS_PER_S} a second",
            "ms",
            measure_streaming(browser, lab),
        )
        print_figures("opening a chat", "ms", measure_opening(browser, lab, rounds))
        print_figures("starting Lab", "ms", measure_start(browser, lab, rounds))
    with paced_server(CELL_TOKENS_PER_S, CELL_TOKENS) as port, running_lab(port) as lab:
        title = f"%%llm: {CELL_TOKENS:,} tokens at {CELL_TOKENS_PER_S} a second"
        print_figures(title, "ms", measure_cell(browser, lab))


if __name__ == "__main__":
    main()
