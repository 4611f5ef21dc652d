"""The code in an answer: exactly the code, or one sentence."""

from __future__ import annotations

import ast

import pytest

from jupyter_localllm.magics.cells.code_cells import find_code

CASES = {
    "Here:\n\n```python\nx = 1\nprint(x)\n```\n\nDone.": "x = 1\nprint(x)",
    "```\nx = 1\n```": "x = 1",
    "~~~py\nx = 1\n~~~": "x = 1",
    "x = [n for n in range(3)]\nprint(x)": "x = [n for n in range(3)]\nprint(x)",
    "First:\n```python\ndef f():\n    return 1\n```\nThen:\n```python\nf()\n```": (
        "def f():\n    return 1\n\nf()"
    ),
    # The second block is what the first one prints.
    "```python\nprint(6 * 7)\n```\nOutput:\n```\n42\n```": "print(6 * 7)",
    "```bash\npip install x\n```\n```python\nimport x\n```": "import x",
    "1. Do this:\n\n   ```python\n   if True:\n       go()\n   ```": "if True:\n    go()",
    "```python\n>>> x = 2\n>>> for i in [1]:\n...     print(i)\n1\n>>> x\n2\n```": (
        "x = 2\nfor i in [1]:\n    print(i)\nx"
    ),
    "```python\n%matplotlib inline\n!ls\nfiles = !ls *.py\nx = 1\n```": (
        "%matplotlib inline\n!ls\nfiles = !ls *.py\nx = 1"
    ),
    "```python\n%%time\nx = 1\n```": "%%time\nx = 1",
    # One block is broken; the other can be used.
    "```python\nif (:\n```\n```python\nprint('fine')\n```": "print('fine')",
    # Cut before the fence was closed.
    "```python\nx = 1\ny = 2": "x = 1\ny = 2",
    "```python\r\nx = 1\r\ny = 2\r\n```": "x = 1\ny = 2",
}


@pytest.mark.parametrize("answer", CASES)
def test_exactly_the_code_is_found(answer: str) -> None:
    found = find_code(answer)
    assert found.code == CASES[answer]
    assert not found.problem


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("", "The answer has no code."),
        ("Yes", "The answer has no code."),
        ("42", "The answer has no code."),
        ("Sorry, no.", "The answer has no code."),
        ("this is it", "The answer has no code."),
        ("well-known", "The answer has no code."),
        ("Answer: yes", "The answer has no code."),
        ("What is this?", "The answer has no code."),
        ("100% sure!", "The answer has no code."),
        ("```javascript\nlet x = 1;\n```", "The code in the answer is javascript, not Python."),
        ("```python\nprint('a\n```", "unterminated string literal"),
        ("```python\nWhat is this?\n```", "is not Python that can be read"),
        ("```python\n# only a comment\n```", "it has only comments"),
        ("```python\n```", "The answer has no code."),
    ],
)
def test_an_answer_without_code_is_one_sentence(answer: str, problem: str) -> None:
    found = find_code(answer)
    assert found.code == ""
    assert problem in found.problem
    assert found.problem.endswith(".")
    assert "\n" not in found.problem


def test_deep_nesting_is_no_crash() -> None:
    found = find_code("```python\n" + "(" * 5000 + "\n```")
    assert found.problem


@pytest.mark.parametrize("answer", [a for a, code in CASES.items() if "%" not in code])
def test_what_is_found_parses(answer: str) -> None:
    assert ast.parse(find_code(answer).code).body
