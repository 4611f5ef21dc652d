"""Text on standard output: everything that the magics print goes through here.

A terminal or a pipe may be unable to show a letter; that costs the letter, not the output.
Imported by ``%load_ext``: standard library only.
"""

from __future__ import annotations

import sys


def print_line(text: str) -> None:
    """Print a text and the end of its line."""
    write(f"{text}\n")


def write(text: str) -> None:
    """Write a text; what the encoding of the output does not have becomes a question mark."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
