"""A chat as a file: Markdown and notebook for people, our own JSON to be imported again.

Pure text. Markdown and notebook hold the branch that is shown, our own format the whole tree.
Nothing is run and nothing rendered: what a model wrote stays text.
"""

from __future__ import annotations

import html
import re
from typing import Any

import msgspec

from ..chat_protocol import Chat, ContextItem, MessageRecord, MessageState
from .chat_tree import MAX_EXACT, branch, in_order, invalid_chat
from .code_blocks import CodeBlock, closed, fenced, split
from .safe_markdown import safe_markdown

FORMAT = "jupyter_localllm.chat"
VERSION = 1
#: Bytes of a file that is imported.
MAX_FILE_BYTES = 16 << 20

_MAX_INT = 2**63 - 1

#: An error's body is the one part without a declared shape.
_MAX_ERROR_DEPTH = 16

_SPECIAL = re.compile(r"([\\`*_\[\]<>#~|$])")
_ENDINGS = {
    MessageState.WRITING: "This answer was still being written.",
    MessageState.STOPPED: "This answer was stopped before its end.",
    MessageState.INTERRUPTED: "This answer was interrupted: the server ended.",
    MessageState.FAILED: "This answer failed.",
}


# --- Markdown ---------------------------------------------------------------------------------


def to_markdown(chat: Chat) -> str:
    """Return the branch that is shown, as Markdown."""
    parts = [f"# {_title(chat)}"]
    for message in branch(chat):
        if message.role == "user":
            parts += ["## Question", *_question(message)]
        else:
            parts += [_answer_heading(message), closed(message.content), _ending(message)]
    return "\n\n".join(part.strip("\r\n") for part in parts if part.strip()) + "\n"


def _title(chat: Chat) -> str:
    return _escaped(" ".join(chat.title.split())) or "Chat"


def _answer_heading(message: MessageRecord) -> str:
    by = f" ({_escaped(message.model)})" if message.model else ""
    return f"## Answer{by}"


def _question(message: MessageRecord) -> list[str]:
    """Return the parts of a question: what was asked for, the words, what was attached."""
    action = f"`/{message.action.replace('`', '')}`" if message.action else ""
    return [action, closed(message.content), *map(_attachment, message.context)]


def _attachment(item: ContextItem) -> str:
    source = f" ({item.source})" if item.source else ""
    shortened = ", shortened" if item.is_truncated else ""
    name = " ".join(f"{item.label or item.kind}{source}{shortened}".split())
    text = fenced(item.text, item.language)
    return f"<details>\n<summary>{html.escape(name)}</summary>\n\n{text}\n\n</details>"


def _ending(message: MessageRecord) -> str:
    sentence = _ENDINGS.get(message.state)
    if sentence is None:
        return ""
    reason = (message.error or {}).get("message")
    detail = f" {_escaped(' '.join(reason.split()))}" if isinstance(reason, str) else ""
    return f"*{sentence}*{detail}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


# --- notebook ---------------------------------------------------------------------------------


def to_notebook(chat: Chat) -> str:
    """Return the branch that is shown, as a notebook (nbformat 4.5) without outputs.

    Questions and prose are Markdown cells. Code of an answer in Python, or in no language, is a
    code cell; in another language it stays in the prose around it.
    """
    cells = [("markdown", f"# {_title(chat)}")]
    for message in branch(chat):
        if message.role == "user":
            question = (part.strip("\r\n") for part in _question(message) if part.strip())
            cells.append(("markdown", "\n\n".join(["## Question", *question])))
        else:
            cells += _answer_cells(message)
    notebook = {
        "cells": [_cell(number, kind, source) for number, (kind, source) in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return msgspec.json.format(msgspec.json.encode(notebook), indent=1).decode() + "\n"


def _answer_cells(message: MessageRecord) -> list[tuple[str, str]]:
    cells: list[tuple[str, str]] = []
    prose = f"{_answer_heading(message)}\n\n"
    for part in split(closed(message.content)):
        if not isinstance(part, CodeBlock):
            # Opened in Lab, a cell's pictures load by themselves; the chat has not shown them.
            prose += safe_markdown(part.source).text
        elif not part.is_python:
            prose += part.source
        elif part.code.strip():
            cells += [("markdown", prose), ("code", part.code)]
            prose = ""
    ending = _ending(message)
    cells.append(("markdown", f"{prose.rstrip()}\n\n{ending}" if ending else prose))
    return [(kind, source.strip("\r\n")) for kind, source in cells if source.strip()]


def _cell(number: int, kind: str, source: str) -> dict[str, Any]:
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": f"message-{number}",
        "metadata": {},
        "source": [f"{line}\n" for line in lines[:-1]] + lines[-1:],
    }
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell


# --- our own format ---------------------------------------------------------------------------


class _ChatFile(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    version: int
    chat: Chat


def to_json(chat: Chat) -> str:
    """Return the whole chat in our own format, all branches, to be read by :func:`from_json`."""
    encoded = msgspec.json.encode(_ChatFile(FORMAT, VERSION, chat))
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def from_json(text: str) -> Chat:
    """Read a chat in our own format.

    Returns
    -------
    Chat
        With its ids as they were; every message after the one it answers.

    Raises
    ------
    RequestError
        ``invalid_chat_file``, with the reason.
    """
    raw = _decoded(text)
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise invalid_chat("it is not a chat of this program")
    version = raw.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise invalid_chat("it does not say which version of the format it has")
    if version > VERSION:
        raise invalid_chat(f"it was made by a newer version (format {version})")
    _check_fields(raw)
    try:
        chat = msgspec.convert(raw, _ChatFile).chat
    except msgspec.ValidationError as error:
        raise invalid_chat(_one_line(error)) from None
    chat.messages = in_order(chat.messages)
    _check_values(chat)
    return chat


def _decoded(text: str) -> Any:
    try:
        encoded = text.removeprefix("\ufeff").encode()
        if len(encoded) > MAX_FILE_BYTES:
            raise invalid_chat(f"it is larger than {MAX_FILE_BYTES >> 20} MiB")
        return msgspec.json.decode(encoded)
    except RecursionError:
        raise invalid_chat("it is nested too deeply") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise invalid_chat(f"it is not JSON ({_one_line(error)})") from None


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:200].rstrip(".")


def _check_fields(raw: dict[str, Any]) -> None:
    """Refuse what would be lost: the nouns themselves pass over fields that they do not know."""
    chat = raw.get("chat")
    if not isinstance(chat, dict):
        raise invalid_chat("it holds no chat")
    messages = chat.get("messages", [])
    records = messages if isinstance(messages, list) else []
    for record, noun in [(chat, Chat), *((each, MessageRecord) for each in records)]:
        if not isinstance(record, dict):
            continue
        unknown = sorted(set(record) - set(noun.__struct_fields__))
        if unknown:
            raise invalid_chat(f"it has a field that is not known: {unknown[0][:40]}")


def _check_values(chat: Chat) -> None:
    ids = {message.message_id for message in chat.messages}
    if chat.current_id is not None and chat.current_id not in ids:
        raise invalid_chat("the branch to be shown is not in it")
    if any(_depth(message.error) > _MAX_ERROR_DEPTH for message in chat.messages):
        raise invalid_chat("it is nested too deeply")
    if any(not _has_fair_numbers(message) for message in chat.messages):
        raise invalid_chat("a number in it is out of range")


def _has_fair_numbers(message: MessageRecord) -> bool:
    """Python reads whole numbers of any length; nobody behind it does."""
    usage = msgspec.structs.astuple(message.usage) if message.usage else ()
    counts = (*usage, message.n_left_out, *(item.tokens or 0 for item in message.context))
    times = msgspec.structs.astuple(message.timings) if message.timings else ()
    return (
        -_MAX_INT - 1 <= (message.seed or 0) <= _MAX_INT
        and all(0 <= count <= MAX_EXACT for count in counts)
        and all(abs(time) <= MAX_EXACT for time in times)
    )


def _depth(value: object) -> int:
    """Return how deeply lists and objects are nested, at most one more than is allowed."""
    level: list[object] = [value]
    depth = 0
    while level and depth <= _MAX_ERROR_DEPTH:
        inner: list[object] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        level = [each for each in inner if isinstance(each, (dict, list))]
        depth += bool(inner)
    return depth
