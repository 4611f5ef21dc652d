"""Every error a user can meet is in the README's table, and has a hint where it is made."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from jupyter_localllm import errors

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "jupyter_localllm").rglob("*.py"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
TABLE = README[README.index("| Code | When |") : README.index("## Benchmarks")]
CLASSES = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.LocalLLMError)
}


def strings_in(value: ast.expr) -> set[str]:
    leaves = (leaf.value for leaf in ast.walk(value) if isinstance(leaf, ast.Constant))
    return {leaf for leaf in leaves if isinstance(leaf, str)}


def codes_in_sources() -> set[str]:
    """Codes given as ``code=…`` in a call, or as a class's own."""
    found = {cls.code for cls in map(vars(errors).__getitem__, CLASSES)}
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code":
                found |= strings_in(node.value)
            elif isinstance(node, ast.ClassDef):
                for line in node.body:
                    if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code":
                        found |= strings_in(line.value)
    return {code for code in found if re.fullmatch("[a-z]+(_[a-z]+)*", code)}


def is_listed(code: str) -> bool:
    if code.startswith("model_file_"):
        return f"`{code.removeprefix('model_file_')}`" in TABLE
    return f"`{code}`" in TABLE


def test_every_code_is_in_the_readmes_table() -> None:
    assert not sorted(code for code in codes_in_sources() if not is_listed(code))


def test_every_code_is_met_in_a_test() -> None:
    tests = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "tests").rglob("*.py")
        if path != Path(__file__)
    )
    # Classes' own codes of the middle of the tree are never raised as they are.
    abstract = {"invalid_request", "unsupported"}
    names = {vars(errors)[name].code: name for name in CLASSES}
    unmet = {
        code
        for code in codes_in_sources() - abstract
        if f'"{code}"' not in tests and not re.search(rf"\b{names.get(code, code)}\b", tests)
    }
    assert not sorted(unmet)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_every_error_is_raised_with_a_next_step(source: Path) -> None:
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else None
        name = node.func.id if isinstance(node.func, ast.Name) else name
        if name in CLASSES - {"Cancelled", "InternalError", "LocalLLMError"}:
            given = len(node.args) + sum(keyword.arg == "hint" for keyword in node.keywords)
            has_rest = any(isinstance(arg, ast.Starred) for arg in node.args)
            assert given >= 2 or has_rest, f"{source.name}:{node.lineno}: {name} without a hint"


def test_an_error_survives_the_wire() -> None:
    made = errors.PromptTooLong("Too long.", "Shorten it.", param="p", details={"n_ctx": 5})
    read = errors.error_from_body(made.to_body())
    assert type(read) is errors.PromptTooLong
    assert (read.to_body(), read.status) == (made.to_body(), 400)


def test_a_strangers_error_keeps_its_code_and_takes_a_fitting_class() -> None:
    read = errors.error_from_body({"message": "no", "code": "rate_limited"}, 503)
    assert (type(read), read.error_code) == (errors.QueueFull, "rate_limited")
