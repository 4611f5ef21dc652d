"""A chat whose model draws: what it writes, and the diagrams that come of it."""

from __future__ import annotations

from playwright.sync_api import Page

from .chat_driver import PANEL, Chat
from .diagram_page import Diagram

FLOW = "flowchart LR\n  A[Sun] --> B[Leaf]\n  B --> C[Sugar]"
GRAPH = "digraph {\n  root -> stem;\n  stem -> flower;\n}"
LISTED = "flowchart TD\n    X[Rain] --> Y[River]"
CORRECTED = "graph LR\n A[f(x)] --> B[Result]"
BROKEN = 'pie\n  "Sun" : many\n  "Leaf" : few'
GOOD = 'pie\n  "Sun" : 3\n  "Leaf" : 1'
STUBBORN = "digraph { a -> -> b [[[ }"
HOSTILE = [
    'flowchart LR\n  A["<img src=http://127.0.0.1:9/x.png onerror=window.pwned=1>"] --> B\n'
    '  click A "javascript:window.pwned=1"\n  click B href "http://127.0.0.1:9/" _blank',
    "flowchart LR\n  A --> B\n  style A fill:url(http://127.0.0.1:9/s),background:red",
]
HOSTILE_DOT = (
    'digraph { a [URL="javascript:window.pwned=1", image="/etc/passwd"]; '
    'b [href="http://127.0.0.1:9/"]; a -> b; stylesheet="http://127.0.0.1:9/x.css" }'
)


def fenced(source: str, language: str = "mermaid", after: str = "That is it.") -> str:
    """An answer with a diagram in it."""
    return f"Look:\n\n```{language}\n{source}\n```\n\n{after}"


SCRIPTS = {
    "FLOWCHART": fenced(FLOW),
    "GRAPHVIZ": fenced(GRAPH, "dot", "That was it."),
    "LISTED": f"1. First\n\n   ```mermaid\n   {LISTED.replace(chr(10), chr(10) + '   ')}\n   ```\n",
    "CORRECTED": fenced(CORRECTED, after="So it is."),
    "BROKEN": fenced(BROKEN, after="So be it."),
    "STUBBORN": fenced(STUBBORN, "dot", "And so on."),
    "HOSTILE": "\n\n".join(
        [
            *(fenced(text, after="Next.") for text in HOSTILE),
            fenced(HOSTILE_DOT, "graphviz", "Enough."),
        ]
    ),
    # Words of the parser, which are in the repair turn: about BROKEN, and about STUBBORN.
    "Unrecognized": f"```mermaid\n{GOOD}\n```",
    "is not expected": "```dot\ndigraph { c -> -> d [[[ }\n```",
}


def last_diagram(page: Page) -> Diagram:
    """The last one of the chat."""
    return Diagram(page.locator(f"{PANEL} .jp-LocalLLMDiagram").last)


def ask(page: Page, word: str) -> Diagram:
    """Have a diagram written in a new chat."""
    chat = Chat.open(page)
    chat.ask(f"{word} please")
    return last_diagram(page)
