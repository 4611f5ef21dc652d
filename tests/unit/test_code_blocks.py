"""Markdown split into prose and fences, by CommonMark's rules."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_localllm.assistant.code_blocks import (
    CodeBlock,
    Prose,
    closed,
    code_blocks,
    language_of,
    split,
)

Found = list[tuple[str, str, bool]]


@pytest.mark.parametrize(
    ("markdown", "found"),
    [
        ("no code", []),
        ("", []),
        ("```python\nx = 1\n```", [("python", "x = 1", True)]),
        ("```\nx\n```\n", [("", "x", True)]),
        ("~~~ r\nx\n~~~", [("r", "x", True)]),
        ("```\n\n\n```", [("", "\n", True)]),
        ("```\n```", [("", "", True)]),
        # Longer fences hold shorter ones; a fence of the other kind closes nothing.
        ("````md\n```py\nx\n```\n````", [("md", "```py\nx\n```", True)]),
        ("```\n~~~\n```", [("", "~~~", True)]),
        ("~~~\n```\n~~~", [("", "```", True)]),
        ("```\nx\n`````", [("", "x", True)]),
        ("```\nx\n``` no\n```", [("", "x\n``` no", True)]),
        ("```\nx\n```  \t\nprose", [("", "x", True)]),
        # Two fences are no fence, and backticks may not stand behind backticks.
        ("``\nx\n``", []),
        ("```a`b\nx", []),
        ("``` `x` ```\ntext", []),
        ("~~~ a`b ~~~\nx\n~~~", [("a`b", "x", True)]),
        # Not closed: to the end.
        ("```py\nx\ny", [("py", "x\ny", False)]),
        ("```py\nx\n", [("py", "x", False)]),
        ("```py", [("py", "", False)]),
        ("text\n```", [("", "", False)]),
        # Indented by up to three; code loses as much.
        ("   ```\n   x\n     y\n z\n   ```", [("", "x\n  y\nz", True)]),
        ("    ```\n    x", []),
        ("```\n    ```\n```", [("", "    ```", True)]),
        ("  ```\n\tx\n  ```", [("", "  x", True)]),
        ("prose\n```\nx\n```\nprose", [("", "x", True)]),
        # In lists.
        ("- a\n  ```py\n  x\n  ```\n- b", [("py", "x", True)]),
        ("- ```py\n  x\n  ```", [("py", "x", True)]),
        (
            "1. Do\n\n   ```py\n   if x:\n\n       y\n   ```\n2. Go",
            [("py", "if x:\n\n    y", True)],
        ),
        ("10) a\n    ```py\n    x\n    ```", [("py", "x", True)]),
        ("- a\n  - b\n\n    ```py\n    x\n    ```", [("py", "x", True)]),
        ("- a\n\n      ```\n      x\n      ```", []),
        ("*\t```py\n\tx\n\t```", [("py", "x", True)]),
        ("-     ```\n      x", []),
        # The end of the item is the end of the fence.
        ("- ```py\n  x\ntext\n```", [("py", "x", False), ("", "", False)]),
        ("* * *\n```\nx\n```", [("", "x", True)]),
        ("-no list\n ```\n x\n ```", [("", "x", True)]),
        # In quotes.
        ("> ```py\n> x\n>  y\n> ```", [("py", "x\n y", True)]),
        (">```py\n>x\n>```", [("py", "x", True)]),
        ("> ```py\n> x\ntext", [("py", "x", False)]),
        ("> - ```py\n>   x\n>   ```", [("py", "x", True)]),
        ("- > ```py\n  > x\n  > ```", [("py", "x", True)]),
        ("> ```\n>\n> x\n> ```", [("", "\nx", True)]),
        # Line endings.
        ("```py\r\nx\r\ny\r\n```\r\n", [("py", "x\ny", True)]),
        ("```py\rx\r```\rtext", [("py", "x", True)]),
        ("```\na\u2028b\x0bc\x85d\n```", [("", "a\u2028b\x0bc\x85d", True)]),
        ("```\nx  \n```", [("", "x  ", True)]),
    ],
)
def test_fences_are_found_as_commonmark_has_them(markdown: str, found: Found) -> None:
    blocks = [(each.language, each.code, each.is_closed) for each in code_blocks(markdown)]
    assert blocks == found
    assert "".join(part.source for part in split(markdown)) == markdown


@pytest.mark.parametrize(
    ("info", "language"),
    [
        ("", ""),
        ("python", "python"),
        ("Python", "python"),
        ("python title='a b'", "python"),
        ("{python}", "python"),
        ("{.python .numberLines}", "python"),
        ("{python, echo=FALSE}", "python"),
        ("python:main.py", "python"),
        ("c++", "c++"),
        ("title=x", ""),
        ("{ }", ""),
    ],
)
def test_the_language_is_the_first_word(info: str, language: str) -> None:
    assert language_of(info) == language


def test_python_and_nothing_are_python() -> None:
    fences = "".join(f"```{name}\nx\n```\n" for name in ("py", "", "Python3", "r", "bash", "pycon"))
    assert [each.is_python for each in code_blocks(fences)] == [True] * 3 + [False] * 3


@pytest.mark.parametrize(
    ("markdown", "whole"),
    [
        ("a", "a"),
        ("```\nx", "```\nx\n```"),
        ("~~~~\nx\n", "~~~~\nx\n~~~~"),
        ("```\nx\n```", "```\nx\n```"),
        ("- ```\n  x", "- ```\n  x"),
        ("", ""),
    ],
)
def test_the_last_fence_is_closed(markdown: str, whole: str) -> None:
    assert closed(markdown) == whole
    blocks = code_blocks(f"{whole}\n\n# Next")
    assert len(blocks) == len(code_blocks(markdown))
    assert not any("Next" in block.source for block in blocks)


FENCES = ["```", "~~~", "````", "`", "~", "py"]
BLANKS = [" ", "   ", "\t", "\n", "\n\n", "\r\n", "\r", "\u2028"]
PIECES = [*FENCES, *BLANKS, "> ", ">", "- ", "1. ", "* ", "- - ", "x = 1", "    y", "#", "---\n"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_the_parts_join_to_the_text(markdown: str) -> None:
    parts = split(markdown)
    assert "".join(part.source for part in parts) == markdown
    assert all(part.source for part in parts)
    kinds = [type(part) for part in parts]
    assert (Prose, Prose) not in itertools.pairwise(kinds)
    # Only the last block of all, or one whose list or quote ended, is not closed.
    for part in parts[:-1]:
        assert not isinstance(part, CodeBlock) or part.is_closed or part.depth


@settings(max_examples=100, deadline=None)
@given(
    code=st.text(st.sampled_from("ab `~\n\t>-1."), max_size=60),
    indent=st.integers(0, 3),
    character=st.sampled_from("`~"),
)
def test_what_is_fenced_comes_back(code: str, indent: int, character: str) -> None:
    fence = character * (max(map(len, code.split("\n"))) + 3)
    lead = " " * indent
    lines = [f"{lead}{fence}py", *(f"{lead}{line}" for line in code.split("\n")), f"{lead}{fence}"]
    (block,) = code_blocks("\n".join(lines))
    # A tab behind the indentation reaches less far.
    expected = code if indent == 0 or "\t" not in code else None
    assert block.is_closed
    assert expected is None or block.code == expected


@pytest.mark.parametrize(
    "markdown",
    [
        ">" * 200_000,
        "> " * 100_000,
        "- " * 100_000,
        "- - - " * 40_000 + "x",
        "`" * 200_000,
        "```\n" * 50_000,
        ("  " * 100 + "- x\n") * 1000,
        "\t" * 200_000,
        (">" * 40 + "```\n") * 5_000,
        "``` " + "a " * 100_000,
    ],
    ids=range(10),
)
def test_no_text_takes_long(markdown: str) -> None:
    started = time.process_time()
    split(markdown)
    assert time.process_time() - started < 2
