"""The main job, as a newcomer meets it: a cell and a page both stream from the packaged model."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .lab_process import TOKEN, LabProcess

#: The answer; a progress line stands below it while it is written.
OUTPUT = ".jp-Notebook .jp-CodeCell .jp-OutputArea-output.jp-RenderedMarkdown"

#: Watches one output from before the run and keeps every length its text had.
WATCH = """
() => {
  window.seenLengths = [];
  const look = () => {
    const output = document.querySelector('.jp-Notebook .jp-OutputArea .jp-RenderedMarkdown');
    const length = output ? output.textContent.length : 0;
    const last = window.seenLengths[window.seenLengths.length - 1];
    if (length && length !== last) window.seenLengths.push(length);
  };
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
}
"""

#: Asks over the page's websocket, as a front end would.
ASK = """
token => new Promise((resolve, reject) => {
  const url = new URL('localllm/chat', document.baseURI.replace(/\\/lab.*$/, '/'));
  url.protocol = 'ws:';
  url.searchParams.set('token', token);
  const socket = new WebSocket(url);
  const frames = [];
  socket.onerror = () => reject(new Error('socket'));
  socket.onmessage = message => {
    const frame = JSON.parse(message.data);
    frames.push(frame);
    if (frame.type === 'hello') {
      socket.send(JSON.stringify({type: 'start', request_id: 'page1', request: {
        messages: [{role: 'user', content: 'Name three colours.'}], max_tokens: 24}}));
    }
    if (frame.type === 'done' || frame.type === 'error') { socket.close(); resolve(frames); }
  };
})
"""


@pytest.fixture
def notebook(lab: LabProcess, smollm2_path: Path) -> str:
    """A notebook of two cells in Lab's folder; returns its name."""
    source = ["%load_ext jupyter_localllm", "%%llm --max-tokens 120 -t 0\nTell me about rivers."]
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"c{i}", "execution_count": None, "metadata": {}}
        | {"outputs": [], "source": text}
        for i, text in enumerate(source)
    ]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    body = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    (lab.home / "notebooks" / "first.ipynb").write_text(json.dumps(body))
    return "first.ipynb"


#: A notebook shows as idle before its session has a kernel; running cells then asks for one.
HAS_KERNEL = """
() => {
  const context = window.jupyterapp.shell.currentWidget?.context?.sessionContext;
  return context?.isReady === true && context.session?.kernel?.status === 'idle';
}
"""


def open_notebook(page: Page, lab: LabProcess, name: str) -> None:
    page.goto(f"{lab.url}/lab/tree/{name}?token={TOKEN}&reset")
    # Where Lab asks which kernel to use, take the one it proposes.
    choice = page.get_by_role("button", name="Select Kernel", exact=True)
    page.add_locator_handler(choice, lambda button: button.click())
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(2)
    page.wait_for_function(HAS_KERNEL)


def models_of_workers(lab: LabProcess) -> set[str]:
    """The models that the server has in memory; other tests may have asked others before."""
    return {worker["model"] for worker in lab.get_json("localllm/status")["workers"]}


def test_a_cell_streams_from_the_packaged_model(page: Page, lab: LabProcess, notebook: str) -> None:
    before = models_of_workers(lab)
    open_notebook(page, lab, notebook)
    page.evaluate(WATCH)
    page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    expect(page.locator(OUTPUT)).to_contain_text("river", timeout=60_000)
    idle = page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    expect(idle).to_have_count(1, timeout=60_000)
    lengths = page.evaluate("() => window.seenLengths")
    assert len(lengths) >= 5, f"the output did not grow: {lengths}"
    assert page.locator(OUTPUT).count() == 1
    # The server's own worker answered, not one that the kernel started.
    after = models_of_workers(lab)
    assert "smollm2-135m-instruct" in after
    # One of the others may have had to make room.
    assert after <= {*before, "smollm2-135m-instruct"}
    page.screenshot(path=str(lab.home / "first_answer.png"))


def test_a_page_streams_over_the_websocket(page: Page, lab: LabProcess, smollm2_path: Path) -> None:
    frames = page.evaluate(ASK, TOKEN)
    kinds = [frame["type"] for frame in frames]
    assert kinds[0] == "hello" and kinds[1] == "start" and kinds[-1] == "done", frames[-1]
    assert kinds.count("delta") >= 5
    seqs = [(f.get("first_seq", f["seq"]), f["seq"]) for f in frames[1:]]
    assert all(start == end + 1 for (_, end), (start, _) in itertools.pairwise(seqs))
    assert frames[-1]["usage"]["completion_tokens"] > 0
