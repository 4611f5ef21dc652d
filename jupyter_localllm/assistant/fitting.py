"""How much of a conversation fits into a context window: counting tokens, leaving turns out.

The oldest turns go first; the system prompt and the question are never touched.
``context`` has put together what is fitted.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .. import errors
from ..protocol import Backend, ChatMessage, TokenizeRequest
from .context import Conversation

#: Tokens that chat templates put around one message, and at most around the whole prompt, such as
#: a system prompt of their own where none is given.
MESSAGE_TOKENS = 8
TEMPLATE_TOKENS = 64

#: Reserved for an answer whose length nobody chose.
DEFAULT_ANSWER_TOKENS = 1024

#: Where turns must go, so many go that this part of the budget is left: the next questions then
#: begin with the same turn, and the KV cache has the prompt's beginning.
KEPT_SHARE = 0.7

#: Bytes of one token where nobody can count.
_BYTES_PER_TOKEN = 3

_MAX_COUNTS = 8192

#: Tokens of a text.
Count = Callable[[str], Awaitable[int]]


class TokenCounter:
    """Counts tokens by asking the model's backend, each text once.

    ``max_counts`` bounds how many counts are remembered.
    """

    def __init__(self, max_counts: int = _MAX_COUNTS) -> None:
        self._max_counts = max_counts
        self._counts: OrderedDict[tuple[str, bytes], int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    async def count(self, backend: Backend, model: str, text: str) -> int:
        """Return the tokens of a text.

        Raises
        ------
        LocalLLMError
            The backend cannot count: there are outside servers without such a route.
        """
        key = (model, hashlib.sha256(text.encode()).digest())
        known = self._counts.get(key)
        if known is None:
            # Chat prompts are read with control tokens, so the texts in them are too.
            request = TokenizeRequest(content=text, model=model, parse_special=True)
            known = self._counts[key] = len(await backend.tokenize(request))
            if len(self._counts) > self._max_counts:
                self._counts.popitem(last=False)
        else:
            self._counts.move_to_end(key)
        return known

    async def estimate(self, backend: Backend, model: str, text: str) -> int:
        """As :meth:`count`, by the length where the backend cannot count."""
        try:
            return await self.count(backend, model, text)
        except errors.LocalLLMError:
            return -(-n_bytes(text) // _BYTES_PER_TOKEN)


def n_bytes(text: str) -> int:
    """Return the length in UTF-8, which no tokenizer exceeds."""
    return len(text.encode())


@dataclass(frozen=True)
class Room:
    """The tokens of a context window and how they are shared.

    Attributes
    ----------
    window : int
        Of one answer and its prompt together.
    reserve : int
        Kept for the answer: what was asked for, at most a quarter of the window, so that a
        question still fits into a small one.
    """

    window: int
    reserve: int

    @classmethod
    def of(cls, window: int, max_tokens: int | None) -> Room:
        """Share a window out; ``max_tokens`` is the longest answer that is wanted."""
        return cls(window, max(1, min(max_tokens or DEFAULT_ANSWER_TOKENS, window // 4)))

    @property
    def template_tokens(self) -> int:
        """Kept for what the template adds."""
        return min(TEMPLATE_TOKENS, self.window // 8)

    @property
    def budget(self) -> int:
        """What messages may have, with what the template puts around each."""
        return self.window - self.reserve - self.template_tokens


def bound(conversation: Conversation) -> int:
    """Return the tokens that a prompt of everything has at most; nobody is asked."""
    return sum(n_bytes(message.text) + MESSAGE_TOKENS for message in conversation.messages())


async def fit(conversation: Conversation, room: Room, count: Count) -> int:
    """Return the index of the first earlier turn that is sent; all before it are left out.

    Turns are counted from the newest on, and only as far as they fit.

    Raises
    ------
    PromptTooLong
        The question does not fit even alone.
    """
    if bound(conversation) <= room.budget:
        return 0
    used = await _fixed_tokens(conversation, room, count)
    costs: list[int] = []
    turns = conversation.turns
    for turn in reversed(turns):
        cost = await _tokens(turn.question, count) + await _tokens(turn.answer, count)
        if used + cost > room.budget:
            break
        used += cost
        costs.append(cost)
    first = len(turns) - len(costs)
    if first == 0:
        return 0
    for number in range(first, len(turns)):
        if turns[number].question_id == conversation.previous_start_id:
            return number
    # The newest turn stays where it fits at all: the question most likely speaks of it.
    while used > KEPT_SHARE * room.budget and len(costs) > 1:
        used -= costs.pop()
    return len(turns) - len(costs)


async def _fixed_tokens(conversation: Conversation, room: Room, count: Count) -> int:
    """Return the tokens of what is always sent."""
    fixed = await _tokens(conversation.question, count)
    if conversation.system is not None:
        fixed += await _tokens(conversation.system, count)
    for example in conversation.examples:
        fixed += await _tokens(example, count)
    if fixed > room.budget:
        raise errors.PromptTooLong(
            f"The question with all that is attached has {fixed:,} tokens; beside the answer, "
            f"{max(0, room.budget):,} fit into the context window of {room.window:,}.",
            "Remove an attachment or attach less, shorten the question or the system prompt, or "
            "choose a larger context window.",
            details={
                "n_prompt_tokens": fixed,
                "n_ctx": room.window,
                "n_fitting": max(0, room.budget),
            },
        )
    return fixed


async def _tokens(message: ChatMessage, count: Count) -> int:
    return await count(message.text) + MESSAGE_TOKENS
