"""Fixtures that drive a real JupyterLab in the system's Chromium.

Without a Chromium (or Chrome) the tests of this folder are skipped. ``browser`` ends with its
module: Playwright keeps an event loop running in this thread, where the server's tests need theirs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright import sync_api

from tests.gguf_builders.scripted import build_scripted
from tests.guard.loopback_only import is_local_host

from .diagram_chat import SCRIPTS
from .diagram_page import RECORD_CLIPBOARD
from .lab_process import FRONT_END, TOKEN, LabProcess

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # What the page's own requests cannot show: nothing else is resolved either.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
PAGE_TIMEOUT_MS = 60_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.ui)


def find_chromium() -> str | None:
    """The browser to drive: ``CHROMIUM`` or the first one on ``PATH`` that starts."""
    candidates = [os.environ.get("CHROMIUM"), *(shutil.which(name) for name in NAMES)]
    for candidate in filter(None, candidates):
        try:
            # A stand-in that only tells how to install a browser ends with an error.
            subprocess.run([candidate, "--version"], check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError):
            continue
        return candidate
    return None


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium: set CHROMIUM or install the package `chromium`")
    return found


def _require_front_end() -> None:
    if not (FRONT_END / "static" / "style.js").exists():
        pytest.fail("The front end is not built yet; `make env` builds it.")


@pytest.fixture(scope="session")
def lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabProcess]:
    """A running JupyterLab."""
    _require_front_end()
    with LabProcess(tmp_path_factory.mktemp("lab")) as process:
        yield process


@pytest.fixture(scope="module")
def chat_lab(
    chromium: str, tmp_path_factory: pytest.TempPathFactory, scripted_model: Path
) -> Iterator[LabProcess]:
    """A JupyterLab whose default model is the scripted one, with a history of its own.

    What the model answers stands in ``tests.model_fixtures.REPLIES``.
    """
    _require_front_end()
    options = [f"--LocalLLMExtension.model={scripted_model}"]
    with LabProcess(tmp_path_factory.mktemp("chat"), options=options) as process:
        yield process


@contextlib.contextmanager
def lab_with_models(
    home: Path, models: Mapping[str, Path], default: str, *options: str
) -> Iterator[LabProcess]:
    """A JupyterLab that knows these models by these names, and asks ``default``."""
    _require_front_end()
    folder = home / "models"
    folder.mkdir()
    for name, path in models.items():
        shutil.copy(path, folder / f"{name}.gguf")
    known = [f"--LocalLLMExtension.model_dirs={folder}", f"--LocalLLMExtension.model={default}"]
    with LabProcess(home, options=[*known, *options]) as process:
        yield process


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[sync_api.Browser]:
    """One browser for the tests of a module."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, headless=True, chromium_sandbox=False, args=FLAGS
        )
        yield browser
        browser.close()


@contextlib.contextmanager
def lab_page(browser: sync_api.Browser, lab: LabProcess) -> Iterator[sync_api.Page]:
    """A page with JupyterLab ready; fails the test that makes it ask another machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PAGE_TIMEOUT_MS)
    outside: list[str] = []

    def on_request(request: sync_api.Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and not is_local_host(url.hostname):
            outside.append(request.url)

    context.on("request", on_request)
    page = context.new_page()
    page.goto(f"{lab.url}/lab?token={TOKEN}&reset")
    page.wait_for_selector(".jp-Launcher")
    yield page
    context.close()
    assert not outside, f"the page asked another machine: {outside}"


@pytest.fixture
def page(browser: sync_api.Browser, lab: LabProcess) -> Iterator[sync_api.Page]:
    """A page of ``lab``."""
    with lab_page(browser, lab) as page:
        yield page


@pytest.fixture
def chat_page(browser: sync_api.Browser, chat_lab: LabProcess) -> Iterator[sync_api.Page]:
    """A page of ``chat_lab``; the chat is not open yet."""
    with lab_page(browser, chat_lab) as page:
        yield page


@pytest.fixture(scope="module")
def diagram_lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabProcess]:
    """A JupyterLab whose model draws."""
    home = tmp_path_factory.mktemp("diagrams")
    model = build_scripted(home / "draws.gguf", SCRIPTS)
    with lab_with_models(home, {"draws": model}, "draws") as process:
        yield process


@pytest.fixture
def diagram_page(browser: sync_api.Browser, diagram_lab: LabProcess) -> Iterator[sync_api.Page]:
    """A page of ``diagram_lab`` that tells what is copied."""
    with lab_page(browser, diagram_lab) as page:
        page.add_init_script(RECORD_CLIPBOARD)
        page.evaluate(f"() => {{ {RECORD_CLIPBOARD} }}")
        yield page
