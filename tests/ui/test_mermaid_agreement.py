"""Our parser takes what mermaid.js takes, and refuses what it refuses.

The page has mermaid.js from the front end's development packages and no network. What is compared
is the corpus: its valid sources, its broken ones, what those were meant to be, and what the
repairs make of them.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright import sync_api

from jupyter_localllm.assistant.diagrams.repair.repairs import repair
from tests.unit.diagram_corpus import cases, check_of

MERMAID = (
    Path(__file__).parents[2] / "labextension" / "node_modules" / "mermaid" / "dist"
) / "mermaid.min.js"
MIN_SOURCES = 250
MIN_AGREEMENT = 0.99

#: Dates of Gantt charts are read with the layout, so those are drawn, too.
_ASK = """async sources => {
  const answers = [];
  for (const [number, source] of sources.entries()) {
    try {
      const { diagramType } = await mermaid.parse(source);
      if (diagramType === "gantt") await mermaid.render(`diagram${number}`, source);
      answers.push("");
    } catch (error) {
      answers.push(String(error.message ?? error).slice(0, 300) || "refused");
    }
  }
  return answers;
}"""


@pytest.fixture
def mermaid_page(browser: sync_api.Browser) -> sync_api.Page:
    """A blank page with mermaid.js; every request fails."""
    if not MERMAID.exists():
        pytest.fail("mermaid.js is not installed; `make env` installs the front end's packages.")
    context = browser.new_context()
    context.route("**/*", lambda route: route.abort())
    page = context.new_page()
    page.add_script_tag(content=MERMAID.read_text(encoding="utf-8"))
    page.evaluate("mermaid.initialize({ startOnLoad: false, suppressErrorRendering: true })")
    return page


def _sources() -> list[str]:
    """The corpus' different Mermaid sources."""
    check = check_of("mermaid")
    sources: dict[str, None] = {}
    for case in (*cases("valid"), *cases("broken"), *cases("broken_held_out")):
        if case.kind != "mermaid":
            continue
        sources[case.source] = sources[case.meant] = None
        repaired = repair(case.source, "mermaid", check)
        if repaired is not None:
            sources[repaired.source] = None
    return list(sources)


def test_agrees_with_mermaid_js(mermaid_page: sync_api.Page) -> None:
    sources = _sources()
    assert len(sources) >= MIN_SOURCES
    theirs = mermaid_page.evaluate(_ASK, sources)
    check = check_of("mermaid")
    ours = [check(source) for source in sources]
    assert any(theirs) and not all(theirs)
    differing = [
        f"{json.dumps(source, ensure_ascii=False)}\n  mermaid.js: {refused or 'takes it'}\n  "
        f"ours: {error or 'takes it'}"
        for source, refused, error in zip(sources, theirs, ours, strict=True)
        if bool(refused) != (error is not None)
    ]
    agreement = 1 - len(differing) / len(sources)
    print(f"agreement on {len(sources)} sources: {agreement:.4f}")
    assert agreement >= MIN_AGREEMENT, "\n".join(differing)
    for text in differing:
        print(text)
