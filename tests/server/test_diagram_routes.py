"""The routes that draw: what they answer, whom they keep waiting, and the model that repairs."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import struct
from pathlib import Path
from typing import Any

import pytest

from jupyter_localllm.assistant.diagrams import renderer
from jupyter_localllm.assistant.diagrams.nouns import Drawing
from jupyter_localllm.server.diagrams import MAX_PER_USER
from tests.gguf_builders.scripted import build_scripted

from .conversation import ask_json
from .page import Visitor
from .test_openai_routes import until_idle

MERMAID = "flowchart LR\n  A[Sun] --> B[Leaf]"
DOT = 'digraph { a [label="Sun"]; b [label="Leaf"]; a -> b; }'
#: No rule can know the numbers.
BROKEN = 'pie\n  "Sun" : many\n  "Leaf" : few'
GOOD = 'pie\n  "Sun" : 3\n  "Leaf" : 1'
#: Words of the parser, which are in the repair turn: about ``BROKEN``, and about another text.
REASON, OTHER_REASON = "Unrecognized", "Negative values"

MODELS = {
    "repairs": {REASON: f"Here it is:\n\n```mermaid\n{GOOD}\n```\n"},
    "second": {
        REASON: '```mermaid\npie\n  "Sun" : -3\n```',
        OTHER_REASON: f"```mermaid\n{GOOD}\n```",
    },
    "fails": {REASON: '```mermaid\npie\n  "Sun" : lots\n```'},
}

#: Takes longer to lay out than it may.
DENSE = "graph TD\n" + "\n".join(
    f"n{i}-->n{(i * 7 + j * 13 + 1) % 200}" for i in range(200) for j in range(20)
)
HOSTILE = [
    ("mermaid", 'flowchart LR\n  A["<img src=http://evil.example/x.png>"] --> B\n  '
     'click A "javascript:alert(1)"\n  click B href "http://evil.example/"'),
    ("mermaid", '%%{init: {"themeCSS": "* {background: url(http://evil.example/c)}"}}%%\n'
     "flowchart LR\n  A --> B\n  style A fill:url(http://evil.example/s)"),
    ("dot", 'digraph { a [URL="javascript:alert(1)", image="/etc/passwd", '
     'fontname="x\\" onload=\\"alert(1)"]; b [href="http://evil.example"]; a -> b }'),
    ("dot", 'digraph { stylesheet="http://evil.example/x.css"; '
     'a [label=<<table href="http://evil.example"><tr><td>x</td></tr></table>>] }'),
]  # fmt: skip


@pytest.fixture
def model_dir(model_dir: Path) -> Path:
    """Also a model that repairs, one that needs a second attempt, and one that fails."""
    for name, scripts in MODELS.items():
        build_scripted(model_dir / f"{name}.gguf", scripts, name=name)
    return model_dir


async def draw(visitor: Visitor, source: str, status: int = 200, **fields: Any) -> Any:
    return await ask_json(visitor, "diagrams", {"source": source, **fields}, status=status)


async def repair(visitor: Visitor, model: str, status: int = 200, **fields: Any) -> Any:
    body = {"source": BROKEN, "kind": "mermaid", "model": model, **fields}
    return await ask_json(visitor, "diagrams/repair", body, status=status)


def size_of(png: str) -> tuple[int, int]:
    """Width and height in a PNG's header."""
    data = base64.b64decode(png, validate=True)
    assert data.startswith(b"\x89PNG\r\n")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


@pytest.mark.parametrize(("kind", "source"), [("mermaid", MERMAID), ("dot", DOT)])
async def test_a_picture_comes_as_json(visitor: Visitor, kind: str, source: str) -> None:
    response = await visitor.fetch("localllm/diagrams", "POST", body={"source": source})
    assert response.code == 200
    assert response.headers["Content-Type"].startswith("application/json")
    drawn = json.loads(response.body)
    assert (drawn["kind"], drawn["source"], drawn["given"]) == (kind, source, source)
    assert drawn["changes"] == []
    assert drawn["theme"] == "neutral"
    assert drawn["svg"].lstrip().startswith("<svg")
    assert "Sun" in drawn["alt"]
    assert "Leaf" in drawn["alt"]
    # Twice as many pixels, give or take a rounding.
    width, height = size_of(drawn["png"])
    assert abs(width - 2 * drawn["width"]) <= 2
    assert abs(height - 2 * drawn["height"]) <= 2
    assert "pdf" not in drawn


async def test_each_theme_has_its_colours(visitor: Visitor) -> None:
    pictures = {
        theme: (await draw(visitor, MERMAID, theme=theme))["svg"]
        for theme in ("default", "dark", "neutral")
    }
    assert len(set(pictures.values())) == 3


async def test_rules_tell_what_they_changed(visitor: Visitor) -> None:
    given = "graph LR\n A[f(x)] --> B"
    drawn = await draw(visitor, given, kind="mermaid")
    assert drawn["given"] == given
    assert drawn["source"] != given
    assert drawn["changes"]
    assert all(change.endswith(".") for change in drawn["changes"])
    again = await draw(visitor, drawn["source"], kind="mermaid")
    assert again["changes"] == []


async def test_an_error_says_where(visitor: Visitor) -> None:
    error = (await draw(visitor, BROKEN, 400, kind="mermaid"))["error"]
    assert error["code"] == "diagram_invalid"
    assert error["details"]["line"] == 2
    assert error["details"]["column"] > 0
    assert error["details"]["source_line"] == '  "Sun" : many'
    assert error["hint"]


@pytest.mark.parametrize(
    ("path", "body", "code", "param"),
    [
        ("diagrams", {"source": MERMAID, "html": True}, "unknown_parameter", "html"),
        ("diagrams", {"source": MERMAID, "kind": "svg"}, "invalid_parameter", "kind"),
        ("diagrams", {"source": MERMAID, "theme": "pink"}, "invalid_parameter", "theme"),
        ("diagrams", {}, "invalid_parameter", "source"),
        ("diagrams/repair", {"source": BROKEN}, "invalid_parameter", "kind"),
        (
            "diagrams/repair",
            {"source": BROKEN, "kind": "mermaid", "retry": 3},
            "invalid_parameter",
            "retry",
        ),
    ],
)
async def test_other_requests_are_refused(
    visitor: Visitor, path: str, body: Any, code: str, param: str
) -> None:
    error = (await ask_json(visitor, path, body, status=400))["error"]
    assert (error["code"], error["param"]) == (code, param)


@pytest.mark.parametrize(("kind", "source"), HOSTILE)
async def test_nothing_hostile_gets_into_a_picture(
    visitor: Visitor, kind: str, source: str
) -> None:
    response = await visitor.fetch(
        "localllm/diagrams", "POST", body={"source": source, "kind": kind}
    )
    reply = json.loads(response.body)
    if response.code != 200:
        assert reply["error"]["code"] in ("diagram_invalid", "diagram_too_large")
        return
    svg = reply["svg"]
    assert not re.search(r"<(script|a|image|foreignObject|use|style)\b", svg, re.IGNORECASE)
    assert not re.search(r"\bon\w+\s*=|href\s*=|javascript:|@import", svg, re.IGNORECASE)
    # Names of namespaces apart.
    assert set(re.findall(r"https?://[^\"' ]+", svg)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


async def test_others_are_answered_while_a_dense_graph_is_laid_out(visitor: Visitor) -> None:
    order: list[str] = []

    async def dense() -> None:
        error = (await draw(visitor, DENSE, 400, kind="mermaid"))["error"]
        assert error["code"] == "diagram_too_large"
        assert error["hint"]
        order.append("dense")

    drawing = asyncio.create_task(dense())
    for _ in range(20):
        # The renderer has begun once its child is there.
        await ask_json(visitor, "status")
        order.append("status")
    await drawing
    assert order == ["status"] * 20 + ["dense"]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Drawings that wait until the test lets them go; set it once."""
    release = asyncio.Event()

    async def draw(source: str, kind: Any = None, theme: Any = "neutral") -> Drawing:
        await release.wait()
        return Drawing("dot", source, source, theme, "<svg></svg>", b"", b"", 1, 1, "")

    monkeypatch.setattr(renderer, "draw", draw)
    return release


async def test_one_user_does_not_fill_the_line(visitor: Visitor, held: asyncio.Event) -> None:
    async def code() -> int:
        reply = await visitor.fetch("localllm/diagrams", "POST", body={"source": DOT})
        if reply.code == 503:
            assert json.loads(reply.body)["error"]["code"] == "queue_full"
            held.set()
        return reply.code

    codes = await asyncio.gather(*(code() for _ in range(MAX_PER_USER + 1)))
    assert sorted(codes) == [200] * MAX_PER_USER + [503]
    assert (await visitor.fetch("localllm/diagrams", "POST", body={"source": DOT})).code == 200


async def test_the_model_repairs_what_rules_cannot(visitor: Visitor) -> None:
    drawn = await repair(visitor, "repairs", theme="dark")
    assert drawn["source"] == GOOD
    assert drawn["theme"] == "dark"
    assert drawn["attempts"] == 1
    assert drawn["svg"].lstrip().startswith("<svg")


async def test_the_second_attempt_is_told_what_was_wrong_with_the_first(visitor: Visitor) -> None:
    error = (await repair(visitor, "second", 400, retry=1))["error"]
    assert error["details"]["attempts"] == 1
    drawn = await repair(visitor, "second")
    assert (drawn["source"], drawn["attempts"]) == (GOOD, 2)


async def test_a_repair_that_fails_tells_about_the_source_that_was_given(visitor: Visitor) -> None:
    given = (await draw(visitor, BROKEN, 400, kind="mermaid"))["error"]
    error = (await repair(visitor, "fails", 400))["error"]
    assert error["code"] == "diagram_invalid"
    assert error["message"] == given["message"]
    assert error["details"] == {**given["details"], "attempts": 2}
    assert "model" in error["hint"]


async def test_a_source_that_can_be_drawn_does_not_cost_an_answer(visitor: Visitor) -> None:
    drawn = await repair(visitor, "fails", source=MERMAID)
    assert (drawn["source"], drawn["attempts"]) == (MERMAID, 0)


async def test_hanging_up_stops_the_model(visitor: Visitor) -> None:
    await visitor.fetch("localllm/models/load", "POST", body={"model": "slow"})
    body = json.dumps({"source": BROKEN, "kind": "mermaid", "model": "slow"}).encode()
    host, port = visitor.address.split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = [
        f"POST {visitor.base_url}localllm/diagrams/repair HTTP/1.1",
        f"Host: {visitor.address}",
        f"Authorization: token {visitor.token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode() + body)
    await writer.drain()
    while (await ask_json(visitor, "status"))["running"] == 0:
        pass
    writer.close()
    # Without the cancel it would write for most of a minute.
    await until_idle(visitor)
