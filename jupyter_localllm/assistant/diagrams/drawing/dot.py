"""Graphviz source -> SVG by the program of ``graphviz-pure``; the child's ``pipeline`` calls it.

The program has no network. It is run without a shell, on its stdin, with a cleared environment,
in which ``SERVER_NAME`` is what makes Graphviz refuse to read any file. A system ``dot`` is never
used: old ones draw other pictures, and they do read files.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

from .... import errors
from .. import faults
from ..nouns import DiagramTheme, Rendered

#: Seconds of one layout, of both tries together; below what the whole drawing is given.
LAYOUT_LIMIT_S = 4.0
#: Seconds of the first try; a graph that takes longer is tried once more with straight edges.
CAREFUL_LIMIT_S = 2.5
#: So many edges, and so many of them a node, take seconds to lead around each other.
_MANY_EDGES = 150
_DENSE = 1.6
#: Less work on crossings and places, and edges that are straight.
_QUICK = ["-Gsplines=line", "-Gmclimit=0.1", "-Gnslimit=1", "-Gnslimit1=1"]
_STRAIGHT = "The edges are drawn straight: there are too many to lead around each other."
MAX_OUTPUT_BYTES = 48 << 20

#: Background, text and lines.
COLORS: dict[DiagramTheme, tuple[str, str, str]] = {
    "default": ("#FFFFFF", "#000000", "#000000"),
    "dark": ("#1F2020", "#EEEEEE", "#CCCCCC"),
    "neutral": ("#FFFFFF", "#222222", "#444444"),
}
#: Its widths are known to the layout, and fonts of that width are on most machines.
FONT = "Helvetica"

_PACKAGE = "graphviz-pure"
_SYNTAX = re.compile(r"syntax error in line (\d+)(?: near '([^']*)'| (scanning [^\n(]*))?")
_HTML = re.compile(
    r"Error: (.*) in line (\d+)\s*(?:\n\.\.\. (.*) \.\.\.)?\s*\nin label of ([^\n]*)"
)
_ERROR = re.compile(r"Error: (.*)")
_STRING = re.compile(r'String starting:"([^\n]{0,40})')

#: A width of a wide character is underestimated (three bytes, each as wide as a space: 0.83 em of
#: 1 em); a space of no width after five of them makes up for it and is taken out again.
_WIDE = re.compile(
    "[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]"
    "{1,5}"
)
_FILLER = "\u200b"


def render(source: str, theme: DiagramTheme) -> Rendered:
    """Lay out one graph.

    Parameters
    ----------
    source : str
        Sanitised.
    theme : str
        Colours of what the source gives no colour.

    Raises
    ------
    DiagramInvalid
    DiagramTooLarge
        It could not be laid out in time.
    DiagramsUnavailable
        The program is not installed.
    """
    program = _program()
    if program is None:
        raise faults.unavailable("dot", _PACKAGE)
    if not source.strip():
        raise faults.invalid("dot", source, "there is no text in it")
    # The filler is only for the layout, and nothing tells apart what the source had of it.
    filled = _WIDE.sub(rf"\g<0>{_FILLER}", source.replace(_FILLER, ""))
    code, output, messages, is_quick = _run_fittingly(program, filled, theme)
    if code or not output.strip():
        raise _fault(source, messages.replace(_FILLER, ""))
    svg, _, rest = output.decode("utf-8", "replace").replace(_FILLER, "").partition("</svg>")
    graph = _graph(rest)
    nodes, edges = _nodes_and_edges(graph)
    kind = "digraph" if graph.get("directed") else "graph"
    notes = (_STRAIGHT,) if is_quick else ()
    return Rendered(f"{svg}</svg>", kind, nodes, edges, _text_widths(graph), notes)


def _run_fittingly(program: str, source: str, theme: DiagramTheme) -> tuple[int, bytes, str, bool]:
    """Lay out with care, or quickly where care would take too long; tell which it was."""
    formats = ["-Tsvg", "-Tjson"]
    limit_s = LAYOUT_LIMIT_S
    n_edges = len(re.findall("->|--", source))
    n_words = len(set(re.findall(r"\w+", source)))
    if n_edges < _MANY_EDGES or n_edges < _DENSE * n_words:
        started_s = time.monotonic()
        with contextlib.suppress(errors.DiagramTooLarge):
            return (*_run(program, source, theme, formats, CAREFUL_LIMIT_S), False)
        limit_s -= time.monotonic() - started_s
    return (*_run(program, source, theme, [*formats, *_QUICK], max(limit_s, 0.5)), True)


def png(source: str, theme: DiagramTheme) -> bytes:
    """Return the picture of a graph as PNG, for machines that lack the usual rasteriser.

    Parameters
    ----------
    source : str
        Sanitised, and laid out before.
    theme : str
    """
    code, output, _ = _run(_program() or "", source, theme, ["-Tpng", "-Gdpi=192"], LAYOUT_LIMIT_S)
    if code or not output:
        raise faults.unavailable("dot", _PACKAGE)
    return output


def _run(
    program: str, source: str, theme: DiagramTheme, options: list[str], limit_s: float
) -> tuple[int, bytes, str]:
    background, text, lines = COLORS[theme]
    command = [program, *options, f"-Gbgcolor={background}", f"-Gcolor={lines}"]
    command += [f"-{part}fontname={FONT}" for part in "GNE"]
    command += [f"-{part}fontcolor={text}" for part in "GNE"]
    command += [f"-Ncolor={lines}", f"-Ecolor={lines}"]
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "WINDIR") if name in os.environ}
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**kept, "SERVER_NAME": "localllm"},
        )
    except OSError:
        raise faults.unavailable("dot", _PACKAGE) from None
    _limit(process)
    try:
        output, messages = process.communicate(source.encode(), limit_s)
    except subprocess.TimeoutExpired:
        raise faults.too_large(
            f"The graph could not be laid out within {LAYOUT_LIMIT_S:g} seconds."
        ) from None
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
    if process.returncode < 0:
        raise faults.too_large("Laying out this graph took too much time or memory.")
    if len(output) > MAX_OUTPUT_BYTES:
        raise faults.too_large("The picture of this graph is too large.")
    return process.returncode, output, messages.decode("utf-8", "replace")


def _limit(process: subprocess.Popen[bytes]) -> None:
    """Give the program a limit that holds also where nobody is left to end it."""
    if sys.platform == "linux":
        import resource

        limit = int(LAYOUT_LIMIT_S) + 2
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (limit, limit))


@functools.lru_cache(maxsize=1)
def _program() -> str | None:
    """The command beside this Python, which need not be on the path."""
    folders = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    with contextlib.suppress(KeyError):
        folders.append(sysconfig.get_path("scripts", f"{os.name}_user"))
    for folder in folders:
        if found := shutil.which("graphviz-pure", path=folder):
            return found
    return shutil.which("graphviz-pure")


def _fault(source: str, messages: str) -> errors.LocalLLMError:
    if found := _SYNTAX.search(messages):
        line, near, scanning = int(found.group(1)), found.group(2), found.group(3)
        if scanning:
            # It names the last line; the string began earlier.
            start = _STRING.search(messages)
            place = source.find(f'"{start.group(1)}') if start and start.group(1) else -1
            line = source.count("\n", 0, place) + 1 if place >= 0 else line
            return faults.invalid("dot", source, "a quote is not closed", line=line)
        if near is None:
            return faults.invalid(
                "dot", source, "the graph ends before its last } is there", line=line
            )
        return faults.invalid(
            "dot",
            source,
            f"“{near}” is not expected",
            line=line,
            column=_column(source, line, near),
        )
    if found := _HTML.search(messages):
        where = f"{found.group(4)}: {found.group(1).strip()}"
        near = f" near “{found.group(3)}”" if found.group(3) else ""
        return faults.invalid("dot", source, f"the HTML in the label of {where}{near}")
    if "memory" in messages.lower() or "overflow" in messages.lower():
        return faults.too_large("Laying out this graph took too much time or memory.")
    found = _ERROR.search(messages)
    reason = found.group(1).replace("<stdin>:", "").strip() if found else "there is no graph in it"
    return faults.invalid("dot", source, reason[:200])


def _column(source: str, line: int, near: str) -> int:
    """Where the token stands, if the line has it once; 0 otherwise."""
    lines = source.split("\n")
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    return text.index(near) + 1 if near and text.count(near) == 1 else 0


def _graph(text: str) -> dict[str, Any]:
    """The first JSON object of the output; it says what the SVG only draws."""
    start = text.find("{")
    try:
        # The program writes a lone \ and a control character as they are.
        found, _ = json.JSONDecoder(strict=False).raw_decode(text[start:] if start >= 0 else "")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _nodes_and_edges(
    graph: dict[str, Any],
) -> tuple[tuple[str, ...], tuple[tuple[str, str, str], ...]]:
    names = {
        item["_gvid"]: _label(item)
        for item in graph.get("objects", [])
        if "nodes" not in item and "subgraphs" not in item and "_gvid" in item
    }
    edges = tuple(
        (names.get(edge["tail"], ""), names.get(edge["head"], ""), _text_of(edge))
        for edge in graph.get("edges", [])
    )
    return tuple(names.values()), edges


def _label(item: dict[str, Any]) -> str:
    return _text_of(item) or str(item.get("name", ""))


def _text_of(item: dict[str, Any]) -> str:
    """What is written on a node or an edge, from the drawing itself: labels may be HTML."""
    texts = [str(step["text"]) for step in item.get("_ldraw_", []) if step.get("op") == "T"]
    return " ".join(" ".join(texts).split())


def _is_measured(text: str) -> bool:
    """Latin, Greek and Cyrillic; of other letters the layout only guesses the width."""
    return all(letter < "\u0530" for letter in text)


def _text_widths(graph: dict[str, Any]) -> dict[tuple[str, float], float]:
    """Width that the layout took, by text and size; for texts whose width it really knows."""
    widths: dict[tuple[str, float], float] = {}
    items = [graph, *graph.get("objects", []), *graph.get("edges", [])]
    for item in items:
        for name in ("_ldraw_", "_hldraw_", "_tldraw_"):
            size = 14.0
            for step in item.get(name, []):
                if step.get("op") == "F":
                    size = float(step["size"])
                elif step.get("op") == "T" and _is_measured(str(step["text"])):
                    widths[str(step["text"]), size] = float(step["width"])
    return widths
