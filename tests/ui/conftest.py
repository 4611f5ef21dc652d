"""Fixtures that drive a real JupyterLab in the system's Chromium.

Without a Chromium (or Chrome) the tests of this folder are skipped. ``context`` ends with the
folder: Playwright keeps an event loop running in this thread, where the server's tests need theirs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright import sync_api

from tests.gguf_builders.scripted import build_scripted

from .diagram_chat import SCRIPTS
from .diagram_page import record_clipboard
from .lab_process import FRONT_END, LabProcess
from .lab_tab import SharedTab, watched

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


@pytest.fixture(scope="package")
def lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabProcess]:
    """A running JupyterLab."""
    _require_front_end()
    with LabProcess(tmp_path_factory.mktemp("lab")) as process:
        yield process


@pytest.fixture(scope="package")
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
    home: Path,
    models: Mapping[str, Path],
    default: str,
    *options: str,
    server: type[LabProcess] = LabProcess,
) -> Iterator[LabProcess]:
    """A JupyterLab that knows these models by these names, and asks ``default``."""
    _require_front_end()
    folder = home / "models"
    folder.mkdir()
    for name, path in models.items():
        shutil.copy(path, folder / f"{name}.gguf")
    known = [f"--LocalLLMExtension.model_dirs={folder}", f"--LocalLLMExtension.model={default}"]
    with server(home, options=[*known, *options]) as process:
        yield process


@pytest.fixture(scope="package")
def context(
    chromium: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sync_api.BrowserContext]:
    """The browser's window for pages with a Lab.

    Its profile lies on the disk: there Chromium keeps Lab's programs as it has compiled them, which
    saves a third of the work of loading Lab.
    """
    profile = tmp_path_factory.mktemp("profile")
    with sync_api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium,
            headless=True,
            chromium_sandbox=False,
            args=FLAGS,
            viewport={"width": 1280, "height": 800},
        )
        context.set_default_timeout(PAGE_TIMEOUT_MS)
        for page in context.pages:
            page.close()
        yield context
        context.close()


@pytest.fixture(scope="package")
def browser(context: sync_api.BrowserContext) -> sync_api.Browser:
    """The same browser, for tests that want windows of their own, which know no cache."""
    assert context.browser is not None
    return context.browser


@contextlib.contextmanager
def local_page(browser: sync_api.Browser) -> Iterator[sync_api.Page]:
    """An empty page in a window of its own; fails the test that makes it ask another machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PAGE_TIMEOUT_MS)
    with watched(context):
        yield context.new_page()
        context.close()


@pytest.fixture(scope="package")
def shared_tab(context: sync_api.BrowserContext, lab: LabProcess) -> SharedTab:
    """The tab of ``lab`` that is lent."""
    return SharedTab(context, lab)


@pytest.fixture(scope="package")
def shared_chat_tab(context: sync_api.BrowserContext, chat_lab: LabProcess) -> SharedTab:
    """The tab of ``chat_lab`` that is lent."""
    return SharedTab(context, chat_lab)


@pytest.fixture(scope="package")
def shared_diagram_tab(context: sync_api.BrowserContext, diagram_lab: LabProcess) -> SharedTab:
    """The tab of ``diagram_lab`` that is lent."""
    return SharedTab(context, diagram_lab)


@pytest.fixture
def page(shared_tab: SharedTab) -> Iterator[sync_api.Page]:
    """A page of ``lab``."""
    with shared_tab.lend() as page:
        yield page


@pytest.fixture
def chat_page(shared_chat_tab: SharedTab) -> Iterator[sync_api.Page]:
    """A page of ``chat_lab``; the chat is not open yet."""
    with shared_chat_tab.lend() as page:
        yield page


@pytest.fixture(scope="package")
def diagram_lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabProcess]:
    """A JupyterLab whose model draws."""
    home = tmp_path_factory.mktemp("diagrams")
    model = build_scripted(home / "draws.gguf", SCRIPTS)
    with lab_with_models(home, {"draws": model}, "draws") as process:
        yield process


@pytest.fixture
def diagram_page(shared_diagram_tab: SharedTab) -> Iterator[sync_api.Page]:
    """A page of ``diagram_lab`` that has drawn nothing yet, and tells what is copied."""
    with shared_diagram_tab.lend(is_anew=True) as page:
        record_clipboard(page)
        yield page
