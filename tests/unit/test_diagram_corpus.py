"""The corpus of 400 sources: what is valid draws, and what models break is repaired by rules."""

from __future__ import annotations

import pytest

from jupyter_localllm.assistant.diagrams.repair.repairs import repair

from .diagram_corpus import Case, cases, check_of, graph_of

MIN_REPAIRED = 0.85
TYPES = {
    *("flowchart", "sequence", "class", "state", "er", "mindmap", "pie", "gantt", "timeline", "dot")
}


def _repaired(case: Case) -> bool:
    """Whether the rules make what was meant of it: the same nodes, edges and texts."""
    repaired = repair(case.source, case.kind, check_of(case.kind))
    if repaired is None:
        return False
    return graph_of(repaired.source, case.kind) == graph_of(case.meant, case.kind)


def test_size() -> None:
    valid, broken, held_out = (cases(name) for name in ("valid", "broken", "broken_held_out"))
    assert len(valid) + len(broken) + len(held_out) >= 400
    for part in (valid, broken, held_out):
        assert {case.type for case in part} == TYPES
        assert len({case.source for case in part}) == len(part)


def test_valid_sources_draw_as_they_are() -> None:
    for case in cases("valid"):
        assert check_of(case.kind)(case.source) is None, case.source


@pytest.mark.parametrize("name", ["broken", "broken_held_out"])
def test_broken_sources_are_broken(name: str) -> None:
    for case in cases(name):
        error = check_of(case.kind)(case.source)
        assert error is not None, case
        assert error.details["reason"], case
        assert check_of(case.kind)(case.meant) is None, case


@pytest.mark.parametrize("name", ["broken", "broken_held_out"])
def test_share_that_rules_repair(name: str) -> None:
    """``broken_held_out`` was written before the rules were tuned and never used to tune them."""
    corpus = cases(name)
    failed = [case for case in corpus if not _repaired(case)]
    share = 1 - len(failed) / len(corpus)
    print(f"{name}: {len(corpus) - len(failed)} of {len(corpus)} repaired ({share:.1%})")
    assert share >= MIN_REPAIRED, "\n".join(map(str, failed))


@pytest.mark.parametrize("name", ["broken", "broken_held_out"])
def test_what_is_not_repaired_says_where(name: str) -> None:
    for case in cases(name):
        check = check_of(case.kind)
        if repair(case.source, case.kind, check) is None:
            error = check(case.source)
            assert error is not None
            assert error.details["line"] > 0, case
