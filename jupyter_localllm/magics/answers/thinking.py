"""What a model thinks before it answers, told apart from the answer while both stream in.

Models mark it with ``<think>…</think>`` at the beginning, or, where their chat template has
opened it already, only with the end. Pure text; fed by ``answer_display.py`` and ``answer.py``.
"""

from __future__ import annotations

import re

_NAMES = ("think", "thinking", "thought", "reasoning")
_OPENING = re.compile(rf"\s*<({'|'.join(_NAMES)})>", re.I)
_LONGEST_MARK = len("</reasoning>")
#: An end without a beginning counts only where it stands alone, as models write it.
_LONE_END = re.compile(r"(?:^|\n)[ \t]*</(think|thinking)>[ \t]*(?=\n|$)", re.I)


class ThinkingSplitter:
    """Sorts the pieces of an answer into thinking and text.

    Attributes
    ----------
    thinking : str
        What was thought so far.
    text : str
        What was said so far.
    is_thinking : bool
        The mark that ends it has not come yet.
    """

    def __init__(self) -> None:
        self.thinking = ""
        self.text = ""
        self.is_thinking = False
        self._held = ""
        self._has_begun = False
        self._has_mark = False
        self._end = _LONE_END

    def feed(self, piece: str) -> str:
        """Take a piece; return what it adds to the answer's text."""
        before = len(self.text)
        if self._has_begun:
            # Blank lines between the thinking and the answer belong to neither.
            self.text += piece.lstrip() if self._has_mark and not self.text else piece
            if self._moved_lone_end():
                return self.text
            return self.text[before:]
        self._held += piece
        self._sort()
        return self.text[before:]

    def finish(self) -> str:
        """Take what was held back for the answer or the thinking; return what the answer gains."""
        before = len(self.text)
        if self.is_thinking:
            self.thinking += self._held
        else:
            self.text += self._held
        self._held = ""
        return self.text[before:]

    def _sort(self) -> None:
        while True:
            opening = _OPENING.match(self._held)
            if self.is_thinking:
                if not self._took_end():
                    return
            elif opening is not None:
                self.is_thinking = self._has_mark = True
                self._end = re.compile(rf"</{opening[1]}>", re.I)
                self._held = self._held[opening.end() :]
            elif not _may_open(self._held):
                self._begin()
                return
            else:
                return

    def _took_end(self) -> bool:
        """Whether the mark that ends the thinking has come; moves what is sure."""
        end = self._end.search(self._held)
        if end is None:
            # What may be the beginning of the mark waits for the rest of it.
            cut = self._held.rfind("<", max(0, len(self._held) - _LONGEST_MARK))
            sure = len(self._held) if cut < 0 else cut
            self.thinking += self._held[:sure]
            self._held = self._held[sure:]
            return False
        self.thinking += self._held[: end.start()]
        self._held = self._held[end.end() :]
        self.is_thinking = False
        return True

    def _begin(self) -> None:
        self._has_begun = True
        self.text += self._held.lstrip() if self._has_mark else self._held
        self._held = ""
        self._moved_lone_end()

    def _moved_lone_end(self) -> bool:
        """Whether all text so far turned out to be thinking that a template had opened."""
        if self._has_mark or "</" not in self.text:
            return False
        end = _LONE_END.search(self.text)
        if end is None or "```" in self.text[: end.start()]:
            return False
        self._has_mark = True
        self.thinking = self.text[: end.start()]
        self.text = self.text[end.end() :].lstrip()
        return True


def _may_open(held: str) -> bool:
    """Whether this can still become an opening mark, so that half of one is not shown as text."""
    text = held.lstrip().lower()
    return any(f"<{name}>".startswith(text) for name in _NAMES)
