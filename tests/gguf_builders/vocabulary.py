"""The vocabulary of a scripted model: bytes, control tokens, trigger words and pieces of replies.

Each piece of a reply is an entry that occurs nowhere else, so that it knows what comes after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

from .writer import TokenType, byte_alphabet


@dataclass
class Vocabulary:
    """Byte-level tokens, control tokens, trigger words and the pieces of all replies."""

    texts: list[str] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    next_id: dict[int, int] = field(default_factory=dict)
    triggers: dict[int, int] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)
    known: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.alphabet = byte_alphabet()
        for text in self.alphabet:
            self.add(text, TokenType.NORMAL)
        self.add("th", TokenType.NORMAL)
        self.bos = self.add("<|endoftext|>", TokenType.CONTROL)
        self.add("<|im_start|>", TokenType.CONTROL)
        self.eos = self.add("<|im_end|>", TokenType.CONTROL)

    def add(self, text: str, token_type: TokenType) -> int:
        self.texts.append(text)
        self.types.append(int(token_type))
        self.known.add(text)
        return len(self.texts) - 1

    def add_piece(self, piece: bytes) -> int:
        """Add an entry for a piece of a reply."""
        text, token_type = self._entry(piece)
        if text in self.known:
            text, token_type = self._mapped(piece), TokenType.NORMAL
        return self.add(text, token_type)

    def is_new(self, piece: bytes) -> bool:
        """Return whether a prompt can hold this piece without holding another entry."""
        return len(piece) > 1 and self._entry(piece)[0] not in self.known

    def piece(self, token_id: int) -> bytes:
        """Return what an entry writes."""
        text = self.texts[token_id]
        if self.types[token_id] == TokenType.USER_DEFINED:
            return text.encode()
        return bytes(self.alphabet.index(character) for character in text)

    def _entry(self, piece: bytes) -> tuple[str, TokenType]:
        # A user-defined token is found again in a prompt, but must be whole characters.
        try:
            return piece.decode(), TokenType.USER_DEFINED
        except UnicodeDecodeError:
            return self._mapped(piece), TokenType.NORMAL

    def _mapped(self, piece: bytes) -> str:
        return "".join(self.alphabet[byte] for byte in piece)

    def add_reply(self, text: str, *, split_utf8: bool, is_endless: bool) -> None:
        """Add a reply: pieces that occur nowhere else, each knowing the one after it."""
        pieces: list[bytes] = []
        buffer = b""
        for fragment in _fragments(text, split_utf8=split_utf8):
            buffer += fragment
            if self.is_new(buffer) and buffer not in pieces:
                pieces.append(buffer)
                buffer = b""
        while buffer:
            # The rest is known already: join it with pieces before it until the whole is new.
            if not pieces:
                if len(buffer) < 2 or self._mapped(buffer) in self.known:
                    raise ValueError(f"The reply {text!r} is too short or occurs twice.")
                pieces.append(buffer)
                break
            buffer = pieces.pop() + buffer
            if self.is_new(buffer) and buffer not in pieces:
                pieces.append(buffer)
                break
        ids = [self.add_piece(piece) for piece in pieces]
        for token_id, following in pairwise(ids):
            self.next_id[token_id] = following
        self.next_id[ids[-1]] = ids[0] if is_endless else self.eos
        self.starts.append(ids[0])


def _fragments(text: str, *, split_utf8: bool) -> list[bytes]:
    """Cut a reply into words; with ``split_utf8`` also inside every multi-byte character."""
    if not split_utf8 or text.isascii():
        return [part.encode() for part in re.findall(r"\s*\S+(?:\s+\Z)?", text)]
    fragments = [b""]
    for character in text:
        encoded = character.encode()
        fragments[-1] += encoded[:1]
        if len(encoded) > 1:
            fragments += [encoded[1:3], encoded[3:]] if len(encoded) == 4 else [encoded[1:]]
        elif character == " ":
            fragments.append(b"")
    return [fragment for fragment in fragments if fragment]
