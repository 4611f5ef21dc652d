"""Hostile text in the chat: nothing of it runs, loads, leaves or acts.

The texts of ``tests/data/hostile`` come the way a model's text comes: from a scripted model
through a real worker, whole and letter by letter, and as restored history. They also stand where
the user's and the server's words stand. What must not happen is counted by ``hostile_page``; the
first test shows that it can be.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Route, expect

from jupyter_localllm.chat_protocol import ContextItem, MessageState
from tests.gguf_builders import scripted

from .conftest import PAGE_TIMEOUT_MS
from .hostile_chat import (
    ANSWERS,
    MESSAGES,
    ask,
    attach,
    choose_chat_file,
    hosts_of_links,
    import_chat,
    new_chat,
    show_all,
    touch_all,
)
from .hostile_page import WatchedPage
from .hostile_text import (
    HostileText,
    Sink,
    Turn,
    every_prefix,
    hostile_texts,
    joined_replies,
    make_chat,
)
from .lab_process import TOKEN, LabProcess

DRIP = Path(__file__).with_name("hostile_drip.js")
#: So many answers hold all texts.
N_REPLIES = 14
#: A model's name is its file's.
MODEL_NAME = "<img src=x onerror=window.__pwned=1>"

#: The texts that are cut everywhere: short ones of every kind.
MAX_CUT_LENGTH = 90
N_CUT = 36
#: So many of them are restored from history, too.
N_RESTORED = 8


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """Where requests go that leave the server."""
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def texts(sink: Sink) -> list[HostileText]:
    """All payloads that a model's vocabulary can hold."""
    return [text for text in hostile_texts(sink.address) if "\0" not in text.text]


@pytest.fixture(scope="module")
def cut_texts(texts: list[HostileText]) -> list[HostileText]:
    """A sample in which every kind is there, spread over the corpus."""
    short = [text for text in texts if 6 < len(text.text) <= MAX_CUT_LENGTH]
    kinds = sorted({text.kind for text in short})
    by_kind = [[text for text in short if text.kind == kind] for kind in kinds]
    rounds = [group[at] for at in range(N_CUT) for group in by_kind if at < len(group)]
    return rounds[:N_CUT]


@pytest.fixture(scope="module")
def hostile_lab(
    chromium: str,
    texts: list[HostileText],
    cut_texts: list[HostileText],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LabProcess]:
    """A JupyterLab whose only model answers with the corpus, and has a hostile name."""
    home = tmp_path_factory.mktemp("hostile")
    replies = joined_replies(texts, N_REPLIES)
    scripts = {f"REPLY{index:02}": reply for index, reply in enumerate(replies)}
    scripts |= {f"CUT{index:02}": f"{text.text} ." for index, text in enumerate(cut_texts)}
    models = home / "models"
    models.mkdir()
    scripted.build_scripted(models / f"{MODEL_NAME}.gguf", scripts, context_length=32768)
    (home / "config").mkdir()
    settings = {"LocalLLMExtension": {"model_dirs": [str(models)], "model": MODEL_NAME}}
    (home / "config" / "jupyter_server_config.json").write_text(json.dumps(settings))
    with LabProcess(home) as process:
        yield process


@pytest.fixture(scope="module")
def shared(browser: Browser, hostile_lab: LabProcess, sink: Sink) -> Iterator[WatchedPage]:
    """One page with the chat open, for all tests."""
    context = browser.new_context(viewport={"width": 1280, "height": 2000})
    context.set_default_timeout(PAGE_TIMEOUT_MS)
    WatchedPage.prepare(context)
    context.add_init_script(path=DRIP)
    page = context.new_page()
    watched = WatchedPage(page, sink, hostile_lab.url)
    page.goto(f"{hostile_lab.url}/lab?token={TOKEN}&reset")
    page.wait_for_selector(".jp-Launcher")
    page.evaluate("() => window.jupyterapp.restored")
    page.evaluate("() => { void window.jupyterapp.commands.execute('localllm:open-chat'); }")
    page.wait_for_selector(".jp-LocalLLMChat-input")
    yield watched
    context.close()


@pytest.fixture
def watched(shared: WatchedPage) -> WatchedPage:
    """The page, with nothing seen yet."""
    shared.start()
    return shared


def test_the_watch_sees_what_hostile_text_does(
    browser: Browser, sink: Sink, texts: list[HostileText]
) -> None:
    """Without any sanitiser the same texts run, ask, open and load; else the rest says nothing."""
    context = browser.new_context()
    WatchedPage.prepare(context)
    page = context.new_page()
    watched = WatchedPage(page, sink, "http://127.0.0.1:1")
    page.set_content('<div class="jp-LocalLLMChat"><p class="jp-RenderedHTMLCommon"></p></div>')
    watched.start()
    live = [text.text for text in texts if text.kind in ("handler", "image", "style", "frame")]
    # Those that leave the page would take the watch along.
    staying = [text for text in live if "location=" not in text and "print()" not in text]
    page.evaluate(
        """texts => {
          const parent = document.querySelector('.jp-RenderedHTMLCommon');
          for (const text of texts) {
            const host = document.createElement('div');
            host.innerHTML = text;
            parent.append(host);
          }
        }""",
        staying,
    )
    page.wait_for_function("() => window.__pwned > 20")
    page.wait_for_load_state("networkidle")
    page.evaluate("() => { open('about:blank'); }")
    seen = watched.seen()
    context.close()
    expected = {"scripts", "dialogs", "requests", "sink", "connections", "windows", "markup"}
    expected |= {"navigations", "frames"}
    assert expected <= set(seen)
    assert len(seen["sink"]) > 25 and len(seen["markup"]) > 100


def test_answers_as_they_are_written(watched: WatchedPage, texts: list[HostileText]) -> None:
    page = watched.page
    for index in range(N_REPLIES):
        ask(page, f"REPLY{index:02}")
    show_all(page)
    watched.assert_quiet()
    shown = set(page.locator(f"{ANSWERS} strong").all_text_contents())
    missing = [text.text_id for text in texts if text.text_id not in shown]
    assert missing == [], "these were swallowed by what stands before them"
    assert watched.n_elements > len(texts)


def test_every_prefix_of_an_answer_as_it_is_written(
    watched: WatchedPage, cut_texts: list[HostileText]
) -> None:
    page = watched.page
    new_chat(page)
    page.evaluate("() => { window.hostileDrip.isOn = true; }")
    for index in range(len(cut_texts)):
        ask(page, f"CUT{index:02}")
    drip = page.evaluate("() => { window.hostileDrip.isOn = false; return window.hostileDrip; }")
    show_all(page)
    watched.assert_quiet()
    assert drip["nLetters"] >= sum(len(text.text) for text in cut_texts)
    assert drip["nSeen"] > drip["nLetters"] / 2, "most letters must have been painted"


def test_restored_chats(watched: WatchedPage, sink: Sink) -> None:
    """Each text alone in a message of its own, as question and answer; also pointed at, clicked."""
    page = watched.page
    texts = hostile_texts(sink.address)
    import_chat(page, make_chat("restored", [Turn(text.text, text.text) for text in texts]))
    show_all(page)
    assert page.locator(ANSWERS).count() == len(texts)
    watched.assert_quiet()
    assert touch_all(page) > 2 * len(texts)
    watched.assert_quiet()


def test_restored_prefixes(watched: WatchedPage, cut_texts: list[HostileText]) -> None:
    """What an answer was when it was stopped; as questions, too."""
    page = watched.page
    stopped = {"state": MessageState.STOPPED}
    parts = [part for text in cut_texts[:N_RESTORED] for part in every_prefix(text.text)]
    import_chat(page, make_chat("cut", [Turn(part, part, fields=stopped) for part in parts]))
    show_all(page)
    watched.assert_quiet()


def test_a_link_says_its_host_and_opens_a_window_without_opener(
    watched: WatchedPage, sink: Sink
) -> None:
    page, context = watched.page, watched.page.context
    kinds = ("scheme", "spoof", "server", "clobber", "document", "macro")
    texts = hostile_texts(sink.address, *kinds)
    import_chat(page, make_chat("links", [Turn("", text.text) for text in texts]))
    show_all(page)
    said = hosts_of_links(page)
    assert len(said) > 20
    assert [link for link in said if link["host"] not in link["shown"]] == []
    watched.assert_quiet()

    def answer(route: Route) -> None:
        route.fulfill(status=200, content_type="text/html", body="<title>outside</title>")

    outside = re.compile(r"^https?://(?!127\.0\.0\.1:)")
    context.route(outside, answer)
    web = page.locator(f'{ANSWERS} a[href^="http"]')
    for index in range(0, web.count(), 4):
        with context.expect_page() as opened:
            web.nth(index).click()
        window = opened.value
        window.wait_for_load_state()
        assert urlsplit(window.url).scheme in ("http", "https")
        assert window.evaluate("() => window.opener") is None
        assert window.evaluate("() => document.referrer") == ""
        window.close()
    context.unroute(outside, answer)
    assert page.evaluate("() => window.hostileWatch.isStarted")


def test_names_labels_and_errors_are_text(watched: WatchedPage, sink: Sink) -> None:
    page = watched.page
    for text in hostile_texts(sink.address, "handler", "image", "frame")[::4]:
        bad = text.text.replace("\0", "")
        item = ContextItem("file", bad[:300], bad, source=bad, language=bad[:40])
        error = {"code": bad, "message": bad, "hint": bad}
        fields = {"state": MessageState.FAILED, "error": error, "model": bad}
        turn = Turn(bad, "answer", (item,), fields)
        import_chat(page, make_chat(bad, [turn], system_prompt=bad))
        page.locator(f"{MESSAGES} .jp-LocalLLMChat-chip summary").click()
        expect(page.locator(".jp-LocalLLMChat-itemText pre").first).to_have_text(bad)
        expect(page.locator(f"{MESSAGES} .jp-LocalLLMChat-error")).to_contain_text(bad)
    page.locator(".jp-LocalLLMChat-openList").click()
    page.locator(".jp-LocalLLMChat-search").fill("onerror")
    found = page.locator(".jp-LocalLLMChat-snippet").filter(has_text="onerror")
    expect(found).not_to_have_count(0)
    page.keyboard.press("Escape")
    page.locator(".jp-LocalLLMChat-modelButton").click()
    names = page.locator(".jp-LocalLLMChat-models .jp-LocalLLMChat-modelName")
    expect(names.filter(has_text=MODEL_NAME)).to_have_count(1)
    page.keyboard.press("Escape")
    watched.assert_quiet()


def test_words_of_the_server_are_text(watched: WatchedPage, sink: Sink) -> None:
    page = watched.page
    bad = f"<img src=http://{sink.address}/e.png onerror=window.__pwned=1> [x](javascript:1)"
    body = json.dumps({"error": {"code": "internal_error", "message": bad, "hint": bad}})

    def refuse(route: Route) -> None:
        route.fulfill(status=500, content_type="application/json", body=body)

    page.route("**/localllm/chats/import*", refuse)
    choose_chat_file(page, make_chat("refused", [Turn("q", "a")]))
    expect(page.locator(".jp-LocalLLMChat-notice")).to_contain_text(bad)
    page.unroute("**/localllm/chats/import*", refuse)
    watched.assert_quiet()


def test_formulas_of_an_answer_do_not_change_those_of_notebooks(
    watched: WatchedPage, hostile_lab: LabProcess, sink: Sink
) -> None:
    """Lab has one typesetter for all: what an answer defines must not stay defined."""
    page = watched.page
    texts = hostile_texts(sink.address, "bomb")
    import_chat(page, make_chat("bombs", [Turn("", text.text) for text in texts]))
    show_all(page)
    source = r"$\frac12 \sum \alpha \pi \begin{matrix}1\end{matrix}$"
    (hostile_lab.home / "notebooks" / "formula.md").write_text(source)
    options = {"path": "formula.md", "factory": "Markdown Preview"}
    watched.assert_quiet()
    page.evaluate(
        "options => { void window.jupyterapp.commands.execute('docmanager:open', options); }",
        options,
    )
    shown = page.locator(".jp-MarkdownViewer mjx-container")
    expect(shown.locator("mjx-mfrac")).to_have_count(1)
    expect(shown.locator("mjx-mtable")).to_have_count(1)
    tex = shown.locator("mjx-assistive-mml").inner_text()
    assert "".join(unicodedata.normalize("NFKC", tex).split()) == "12∑απ1"


def test_instructions_in_a_file_stay_in_its_chip(
    watched: WatchedPage, hostile_lab: LabProcess, sink: Sink
) -> None:
    page = watched.page
    for text in hostile_texts(sink.address, "injection"):
        name = "<img src=x onerror=window.__pwned=1>.md"
        (hostile_lab.home / "notebooks" / name).write_text(text.text, encoding="utf-8")
        new_chat(page)
        attach(page, '@file:"<img src=x')
        chip = page.locator(".jp-LocalLLMChat-chips .jp-LocalLLMChat-chip")
        chip.locator("button").first.click()
        shown = page.locator(".jp-LocalLLMChat-itemText pre")
        assert shown.evaluate("node => node.textContent") == text.text
        chip.locator('[data-action="remove"]').click()
        expect(chip).to_have_count(0)
    watched.assert_quiet()
