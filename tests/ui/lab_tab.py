"""A tab of the browser with JupyterLab in it: loaded anew, or tidied up for the next test.

Loading Lab costs a few seconds of one core, so the tests of one Lab share a tab where a loaded page
is not their point. What the page asks of another machine, or fails with, fails the test that
caused it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Dialog, Page, Request, WebError, expect

from tests.guard.loopback_only import is_local_host

from .lab_process import TOKEN, LabProcess

#: All that a page can find of what was before it; the caches are the browser's own.
_MEMORY = "local_storage,indexeddb,service_workers,file_systems,websql"

#: In the address of every file of our front end.
OWN_FILES = "/extensions/jupyter-localllm/"

_CLOSE_ALL = """
async () => {
  const { commands, serviceManager, shell } = window.jupyterapp;
  for (const widget of [...shell.widgets('main')]) {
    if (widget.context !== undefined) {
      widget.context.model.dirty = false;
    }
    widget.close();
  }
  await serviceManager.sessions.shutdownAll();
  const panel = [...shell.widgets('right')].find(({ id }) => id === 'jp-localllm-chat');
  const model = panel?.chat?.model;
  if (model !== undefined) {
    model.stop();
    model.newChat();
    model.state.chips.forEach(({ chipId }) => model.removeChip(chipId));
    model.state.notices.forEach(({ noticeId }) => model.dismiss(noticeId));
  }
  shell.collapseRight();
  shell.expandLeft();
  await commands.execute('filebrowser:go-to-path', { path: '/' });
  if (document.querySelector('.jp-Launcher') === null) {
    await commands.execute('launcher:create');
  }
}
"""


@contextlib.contextmanager
def watched(context: BrowserContext) -> Iterator[None]:
    """Fail with what the pages ask of other machines meanwhile, and with our errors in them."""
    outside: list[str] = []
    errors: list[str] = []

    def on_request(request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and not is_local_host(url.hostname):
            outside.append(request.url)

    def on_error(error: WebError) -> None:
        # Lab has errors of its own, such as timers of documents that were closed.
        if OWN_FILES in (error.error.stack or ""):
            errors.append(f"{error.error.message}\n{error.error.stack}")

    context.on("request", on_request)
    context.on("weberror", on_error)
    try:
        yield
    finally:
        context.remove_listener("request", on_request)
        context.remove_listener("weberror", on_error)
    assert not outside, f"the page asked another machine: {outside}"
    assert not errors, "the page had errors:\n" + "\n".join(errors)


def load_lab(page: Page, lab: LabProcess, workspace: str = "default") -> None:
    """Load a Lab that nobody has used, in a browser that does not know it."""
    context = page.context
    context.clear_cookies()
    session = context.new_cdp_session(page)
    forget = {"origin": lab.url, "storageTypes": _MEMORY}
    session.send("Storage.clearDataForOrigin", forget)
    session.detach()
    if page.url.startswith(lab.url):
        page.evaluate("() => sessionStorage.clear()")
    path = "lab" if workspace == "default" else f"lab/workspaces/{workspace}"
    page.goto(f"{lab.url}/{path}?token={TOKEN}&reset")
    page.wait_for_selector(".jp-Launcher")


@contextlib.contextmanager
def lab_page(
    context: BrowserContext, lab: LabProcess, workspace: str = "default"
) -> Iterator[Page]:
    """A tab of its own, with JupyterLab ready.

    Where another tab has the same Lab, it needs a workspace of its own: Lab would move it to one.
    """
    with watched(context):
        page = context.new_page()
        load_lab(page, lab, workspace)
        yield page
        page.close()


def _leave_or_dismiss(dialog: Dialog) -> None:
    if dialog.type == "beforeunload":
        dialog.accept()
    else:
        dialog.dismiss()


class SharedTab:
    """A tab with one Lab, which is lent to one test after the other."""

    def __init__(self, context: BrowserContext, lab: LabProcess) -> None:
        self._context = context
        self._lab = lab
        self._page: Page | None = None

    @contextlib.contextmanager
    def lend(self, *, is_anew: bool = False) -> Iterator[Page]:
        """The page, with nothing open in Lab and no chat begun; on wish just loaded."""
        with watched(self._context):
            is_new = self._page is None
            page = self._page or self._open()
            # Whatever goes wrong from here on, the next test gets a new one.
            self._page = None
            # Chromium hardly paints the tabs behind.
            page.bring_to_front()
            if is_new or is_anew:
                load_lab(page, self._lab)
            yield page
            self._tidy(page)
            self._page = page

    def _open(self) -> Page:
        page = self._context.new_page()
        # Lab asks before a document with changes is left, where a test before has clicked.
        page.on("dialog", _leave_or_dismiss)
        return page

    def _tidy(self, page: Page) -> None:
        page.unroute_all(behavior="ignoreErrors")
        dialogs = page.locator(".jp-Dialog, .lm-Menu, #modal-command-palette:not(.lm-mod-hidden)")
        for _ in range(dialogs.count()):
            page.keyboard.press("Escape")
        expect(dialogs).to_have_count(0)
        page.evaluate(_CLOSE_ALL)
        page.mouse.move(0, 0)
        page.wait_for_selector(".jp-Launcher")
