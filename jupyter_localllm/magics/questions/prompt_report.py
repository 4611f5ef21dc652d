"""What ``--show-prompt`` shows: exactly what a model would be sent, with its tokens.

The counts are the model's own; where it cannot be asked, they are estimates and say so. Nothing
is generated. Called by ``magics.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ...assistant.fitting import TokenCounter
from ...errors import LocalLLMError
from ...protocol import ChatCompletionRequest
from ..values.value_text import tokens_of

if TYPE_CHECKING:
    from ...client.host_client import HostClient

#: Fields that are no choice of anybody's.
_HIDDEN = {"messages", "stream", "return_progress", "user"}


async def count_tokens(
    client: HostClient, request: ChatCompletionRequest, counter: TokenCounter
) -> list[int] | None:
    """Return the tokens of each message; ``None`` where the model cannot be asked."""
    try:
        return [
            await counter.count(client, request.model, message.text) for message in request.messages
        ]
    except LocalLLMError:
        return None


def prompt_text(
    request: ChatCompletionRequest, counts: list[int] | None, enforced: str = ""
) -> str:
    """Return the messages as they would be sent, then the options.

    Parameters
    ----------
    counts : list of int, optional
        Tokens of each message; estimated where they are not known.
    enforced : str
        The format, where a grammar holds the answer to it.
    """
    is_exact = counts is not None
    if counts is None:
        counts = [tokens_of(message.text) for message in request.messages]
    about = "" if is_exact else "about "
    lines = []
    for message, n_tokens in zip(request.messages, counts, strict=True):
        lines += [f"--- {message.role}, {about}{_tokens(n_tokens)}", message.text, ""]
    total = sum(counts)
    lines.append(f"--- In all {about}{_tokens(total)}, and what the model's chat template adds.")
    if not is_exact:
        lines.append("The model could not be asked to count; these are estimates by length.")
    options = msgspec.to_builtins(request)
    shown = [f"{name} {value}" for name, value in options.items() if name not in _HIDDEN]
    lines.append(f"Options: {', '.join(shown) or 'the defaults of the model'}.")
    if enforced:
        lines.append(f"A grammar holds the answer to the format {enforced}.")
    lines.append("Nothing was sent to be answered. Take --show-prompt out to ask.")
    return "\n".join(lines)


def _tokens(count: int) -> str:
    return "1 token" if count == 1 else f"{count:,} tokens"
