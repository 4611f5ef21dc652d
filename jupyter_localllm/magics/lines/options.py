"""The options of one question, declared once: parser, help and completion all come from here.

Called by ``cell_arguments.py``, ``help_texts.py`` and ``next_words.py``. Loaded with the first
line: standard library and IPython only.
"""

from __future__ import annotations

import argparse
import math
import re

from ..actions import FORMAT_NAMES, FORMATS
from ..diagrams.options import add_type_options
from .parsers import Parser, nearest

_CELL_RANGE = re.compile(r"\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*")
#: The longest run of code that may be asked for: a day.
_MAX_TIME_LIMIT_S = 86_400.0
_MAX_RETRIES = 10

CONTEXTS = ("none", "above", "notebook", "cells")


def join_cells(words: list[str]) -> list[str]:
    """Return the words with ``--context cells 2-5`` as two of them."""
    joined: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        is_cells = (word, joined[-1:]) == ("cells", ["--context"]) or word == "--context=cells"
        if is_cells and position < len(words):
            word += f" {words[position]}"
            position += 1
        joined.append(word)
    return joined


# --- values ---------------------------------------------------------------------------------


def temperature(text: str) -> float:
    """Read ``-t``."""
    return _number(text, 0, 5, "a number from 0 to 5")


def _time_limit(text: str) -> float:
    return _number(text, 0.1, _MAX_TIME_LIMIT_S, "a number of seconds from 0.1 to 86400")


def _number(text: str, least: float, most: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value


def _max_tokens(text: str) -> int:
    return _whole(text, 1, 2**31 - 1, "a whole number of at least 1")


def _seed(text: str) -> int:
    return _whole(text, -(2**63), 2**63 - 1, "a whole number of at most 64 bits")


def _retries(text: str) -> int:
    return _whole(text, 0, _MAX_RETRIES, f"a whole number from 0 to {_MAX_RETRIES}")


def _whole(text: str, least: int, most: int, what: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value


def _format(text: str) -> str:
    name = FORMAT_NAMES.get(text.lower())
    if name is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no format{nearest(text, list(FORMATS))} There are {', '.join(FORMATS)}."
        )
    return name


def context(text: str) -> str:
    """Read ``--context``: a kind, or ``cells 2-5,8``."""
    kind, _, numbers = " ".join(text.split()).partition(" ")
    if _CELL_RANGE.fullmatch(kind) and not numbers:
        kind, numbers = "cells", kind
    is_known = kind in CONTEXTS and (kind == "cells") == bool(numbers)
    if not is_known or (numbers and not _CELL_RANGE.fullmatch(numbers)):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not one of none, above, notebook, cells 2-5 (numbers as in In[2])"
        )
    return f"{kind} {numbers}".strip()


#: What IPython and the magics keep in the namespace of a session, and look for there.
_SESSION_NAMES = re.compile(
    r"In|Out|Err|_llm|get_ipython|exit|quit|display|_{1,3}|_\d+|_i{1,3}|_i\d+|_[ido]h|__\w+__"
)


def variable_name(text: str) -> str:
    """Read ``--into``."""
    import builtins
    import keyword

    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name for a variable")
    if hasattr(builtins, text) or _SESSION_NAMES.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is a name that Python or IPython needs; choose another one"
        )
    return text


def _title(text: str) -> str:
    title = " ".join(text.split())
    if not 1 <= len(title) <= 200:
        raise argparse.ArgumentTypeError("a chat's name has from 1 to 200 characters")
    return title


# --- the parser -----------------------------------------------------------------------------

_DESCRIPTION = """\
Ask the local model. The lines below are the question, or the code it is about. The answer
streams into the cell's output; interrupting the kernel stops the model and keeps what is there.

In a question, {name} of a variable, {In[3]}, {Out[3]}, {Err[3]} and paths such as {df.shape} or
{rows[0]['id']} are replaced by what they hold. Every other brace is just text; {{name}} is {name}.
"""

_EXAMPLES = """\
    %%llm
    Explain list comprehensions in two sentences.

    %%llm --seed 1 -t 0.2 --system "You are a patient teacher."
    Why does `[1, 2][2]` raise an IndexError?

    %%llm explain
    squares = [n * n for n in range(10)]

    %%llm code -x
    Draw a histogram of the column price of {df}.

    %%llm -f json --schema '{"type": "array", "items": {"type": "string"}}' --into names
    Name three rivers.

    %%llm diagram --type sequence --save login.svg
    How does a login with a password work?

    %%llm -m ~/models/qwen.gguf --max-tokens 400 --context above
    What could go wrong here?
"""


def cell_parser(
    name: str = "%%llm",
    usage: str = "[ACTION] [MODEL] [options]",
    description: str = _DESCRIPTION,
    examples: str = _EXAMPLES,
) -> Parser:
    """Return the parser of the first line of a ``%%llm`` cell; the words are those of its help."""
    parser = Parser(name, usage, description, examples)
    _add_answer_options(parser)
    _add_code_options(parser)
    add_type_options(parser)
    _add_model_options(parser)
    return parser


def _add_model_options(parser: Parser) -> None:
    add = parser.add_argument_group("the model").add_argument
    add(
        "-m",
        "--model",
        action="append",
        metavar="MODEL",
        help="name (see %%llm list) or path of a GGUF file; with { it is parameters",
    )
    add(
        "--model-parameters",
        action="append",
        metavar="{…}",
        help='parameters as JSON: {"top_p": 0.9}',
    )
    add("--param", action="append", nargs=2, metavar=("NAME", "VALUE"), help="one parameter")
    add(
        "-t",
        "--temperature",
        type=temperature,
        metavar="T",
        help="0 always takes the likeliest word, up to 5 is more varied",
    )
    add("--max-tokens", type=_max_tokens, metavar="N", help="longest answer, in tokens")
    add("--seed", type=_seed, metavar="N", help="same seed and same question, same answer")
    add("--system", metavar="TEXT", help="what the model is told before the question")
    add("-p", "--persona", metavar="NAME", help="a system prompt of yours, by its name")


def _add_answer_options(parser: Parser) -> None:
    add = parser.add_argument_group("question and answer").add_argument
    add(
        "-f",
        "--format",
        type=_format,
        metavar="FORMAT",
        help=", ".join(FORMATS),
    )
    add("--schema", metavar="SCHEMA", help="of the JSON: a file, a variable or {…}")
    add("--into", type=variable_name, metavar="NAME", help="also put the result into a variable")
    add("--render", action="store_true", help="with -f html: show the page, in a closed frame")
    add(
        "--context",
        type=context,
        metavar="WHICH",
        help="also send none, above, notebook or cells 2-5",
    )
    add("--chat", type=_title, metavar="NAME", help="a chat of the sidebar, by its title")
    add("--no-history", action="store_true", help="neither send nor remember other questions")
    add("--no-stream", action="store_true", help="show the answer only when it is complete")
    add("--show-prompt", action="store_true", help="show what would be sent, and send nothing")


#: What it cannot end is said, because people rely on it.
_TIME_LIMIT = (
    "with -x: stop code after S seconds, and do not try again; a long call of a compiled library "
    "ends when it comes back, and code that swallows every interrupt not before the kernel"
)


def _add_code_options(parser: Parser) -> None:
    add = parser.add_argument_group("running code").add_argument
    add("-x", "--execute", action="store_true", help="run the answer's code here and now")
    add("--retry", type=_retries, metavar="N", help="how often what fails is given back (2)")
    add("--confirm", action="store_true", help="with -x: ask before anything is run")
    add("--time-limit", type=_time_limit, metavar="S", help=_TIME_LIMIT)
    add("--dry-run", action="store_true", help="show what would run, and run nothing")
