"""The code in an answer: found, checked, and put where the user can run it.

What counts as code is what Python can parse; IPython's ``%magic`` and ``!command`` lines count
too. Runs nothing. Called by ``conclusions.py``, ``execute.py`` and ``last_answer.py``.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...assistant.code_blocks import code_blocks, split
from ..lines.parsers import shortened

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_PROMPT = re.compile(r"(?:>>>|\.\.\.|In \[\d*\]:|   \.\.\.:) ?")
#: A line that IPython, and not Python, understands. ``?`` would also be the end of a sentence.
_IPYTHON_LINE = re.compile(r"\s*(?:%{1,2}[A-Za-z]|!+[\w./~$])|[\w, ]+=\s*[!%]\s*\w")


@dataclass(frozen=True)
class FoundCode:
    """The code of an answer.

    Attributes
    ----------
    code : str
        What can go into a cell; "" if there is nothing.
    problem : str
        Why there is nothing, as a sentence; "" if there is.
    """

    code: str
    problem: str = ""


def find_code(markdown: str) -> FoundCode:
    """Return the Python code of an answer, without prose and fences."""
    blocks = code_blocks(markdown)
    ours = [block.code for block in blocks if block.is_python]
    if blocks and not ours:
        language = shortened(blocks[0].language, 30)
        return FoundCode("", f"The code in the answer is {language}, not Python.")
    problem = "The answer has no code."
    for candidate in _candidates(markdown, ours):
        wrong = _fault(candidate)
        if not wrong:
            return FoundCode(candidate)
        if blocks:
            problem = f"The code in the answer is not Python that can be read: {wrong}."
    return FoundCode("", problem)


def _candidates(markdown: str, blocks: list[str]) -> Iterator[str]:
    """Yield what may be the code: all of it first, then its longest block that can be read."""
    cleaned = [tidied for block in blocks if (tidied := _tidied(block))]
    if not cleaned:
        # A model that was told to write only code may leave the fences out.
        if not any(hasattr(part, "fence") for part in split(markdown)):
            text = _tidied(markdown)
            if text and _is_surely_code(text):
                yield text
        return
    wanted = [block for block in cleaned if _is_surely_code(block)] or cleaned
    yield "\n\n".join(wanted)
    yield from sorted(wanted, key=len, reverse=True)


def _tidied(block: str) -> str:
    """Return code as it would stand in a file: no prompts, no common indentation."""
    lines = block.replace("\r\n", "\n").split("\n")
    if any(line.lstrip().startswith(">>> ") for line in lines):
        # What stands without a prompt in a dialogue is its output.
        prompted = (_PROMPT.match(line.lstrip()) for line in lines)
        lines = [
            line.lstrip()[prompt.end() :]
            for line, prompt in zip(lines, prompted, strict=True)
            if prompt is not None
        ]
    return textwrap.dedent("\n".join(lines)).strip("\n").rstrip()


def _fault(code: str) -> str:
    """Return why Python and IPython cannot read this, or ""."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return "" if _is_ipython(code) else _reason(error)
    return "" if tree.body else "it has only comments"


def _reason(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f"line {error.lineno}, {error.msg}"
    return str(error)


def _is_ipython(code: str) -> bool:
    """Whether it is Python once IPython's own lines are translated."""
    lines = code.split("\n")
    if not any(_IPYTHON_LINE.match(line) for line in lines):
        return False
    if any(line.rstrip().endswith("?") for line in lines):
        return False
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        manager: Any = TransformerManager
        ast.parse(manager().transform_cell(code + "\n"))
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


#: What makes an expression more than a word that happens to be one.
_WORKING = (
    ast.Call, ast.Lambda, ast.Subscript, ast.Dict, ast.List, ast.Set, ast.ListComp, ast.SetComp,
    ast.DictComp, ast.GeneratorExp, ast.JoinedStr, ast.Await, ast.NamedExpr,
)  # fmt: skip


def _is_surely_code(text: str) -> bool:
    """Whether text without a fence is code and not prose or output that parses by accident."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _is_ipython(text)
    return any(map(_does_something, tree.body))


def _does_something(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.AnnAssign):
        # "Answer: yes" is an annotation.
        return statement.value is not None
    if not isinstance(statement, ast.Expr):
        return True
    for node in ast.walk(statement):
        if isinstance(node, _WORKING):
            return True
        if isinstance(node, ast.BinOp):
            return any(isinstance(part, ast.Constant) for part in (node.left, node.right))
    return False


def put_into_next_cell(shell: InteractiveShell, code: str) -> bool:
    """Make ``code`` the next cell, or the next prompt of a terminal; whether anyone will see it.

    A kernel whose front end cannot be asked anything is being run by a program (nbclient,
    nbconvert, papermill), which adds no cells.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is not None and not getattr(kernel, "_allow_stdin", False):
        return False
    shell.set_next_input(code, replace=False)
    return True
