"""What a finished answer becomes: the value for ``--into``, and the last state of its output.

One function per kind of format; asks nothing, runs nothing. Called by ``attempts.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...assistant.code_blocks import fenced
from ...assistant.safe_markdown import safe_markdown
from ...assistant.schemas.checks import check_value, without_repeats
from ...assistant.structured import completed, read_json
from ...errors import AnswerCut, AnswerUnusable, DiagramsUnavailable, LocalLLMError
from ..actions import DRAWN
from ..cells.code_cells import find_code, put_into_next_cell
from ..output.fences import folded, unfenced
from ..output.html_frame import framed
from .formats import DIAGRAMS, Shown, shape_of
from .table import Table, as_markdown, data_frame, find_table, table_of_json, whole_rows

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..diagrams.errors import BrokenDiagram
    from ..questions.question import Question
    from .last_answer import LastAnswer


@dataclass(frozen=True)
class Conclusion:
    """The end of one answer.

    Attributes
    ----------
    value : object
        What the answer is, in its format.
    shown : Shown or None
        The last state of the output; ``None``: the text as it streamed.
    note : str
        A line below it, before what the end of the stream calls for.
    error : LocalLLMError or None
        Why it is not what was asked for.
    broken : BrokenDiagram or None
        The same, where it is a diagram.
    """

    value: Any = None
    shown: Shown | None = None
    note: str = ""
    error: LocalLLMError | None = None
    broken: BrokenDiagram | None = None


def conclude(
    shell: InteractiveShell,
    question: Question,
    answer: LastAnswer,
    schema: dict[str, Any] | None,
    on_wait: Callable[[], None] | None = None,
) -> Conclusion:
    """Return what the answer is; errors come in the conclusion, not as exceptions.

    ``on_wait`` is called where that takes long.
    """
    is_cut = answer.finish_reason == "length"
    try:
        match question.format:
            case "json":
                return _json(answer, schema, is_cut)
            case "table":
                return _table(question, answer, schema, is_cut)
            case "html":
                return _html(answer, question.render)
            case "code":
                return _code(shell, question, answer, is_cut)
            case name if name in DRAWN:
                return _diagram(question, answer, is_cut, on_wait)
            case name if name in DIAGRAMS:
                return Conclusion(value=unfenced(answer.text))
    except LocalLLMError as error:
        return Conclusion(error=error)
    return Conclusion(value=answer.text)


def _json(answer: LastAnswer, schema: dict[str, Any] | None, is_cut: bool) -> Conclusion:
    note = ""
    try:
        value = read_json(answer.text)
    except AnswerUnusable:
        if not is_cut:
            raise
        if schema is None:
            raise _cut_error(answer) from None
        try:
            value = completed(answer.text, schema)
        except AnswerCut:
            raise _cut_error(answer) from None
        note = "What was not finished is left out."
    if schema is not None:
        value, has_repeats = without_repeats(value, schema)
        if has_repeats:
            note = f"{note} Repeated items are left out, as its schema wants.".strip()
    if schema is not None and (fault := check_value(value, schema)):
        raise AnswerUnusable(
            f"The answer does not fit the schema: {fault}.",
            "Ask again, with another --seed or in other words.",
        )
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return Conclusion(value, Shown(fenced(text, "json"), text), note)


def _cut_error(answer: LastAnswer) -> AnswerCut:
    return AnswerCut(
        f"The JSON was cut after {_n_tokens(answer):,} tokens, before it was complete.",
        _longer(answer),
    )


def _n_tokens(answer: LastAnswer) -> int:
    return answer.usage.completion_tokens if answer.usage else 0


def _longer(answer: LastAnswer) -> str:
    return f"Write --max-tokens {max(2 * _n_tokens(answer), 64)}, or ask for less."


def _table(
    question: Question, answer: LastAnswer, schema: dict[str, Any] | None, is_cut: bool
) -> Conclusion:
    note = ""
    if schema is not None:
        data = _json(answer, schema, is_cut)
        found, note = table_of_json(data.value, schema), data.note
        if not found.rows:
            note = f"The answer is an empty list, so the table has no rows. {note}".strip()
    else:
        text = answer.text
        if is_cut:
            text, note = whole_rows(text), "Its last row was not finished and is left out."
        found = find_table(text)
        if not found.rows:
            hint = "Ask again in other words."
            raise AnswerUnusable("The table of the answer has no rows.", hint)
    value = data_frame(found)
    if question.into and isinstance(value, list):
        note = f"pandas is not installed, so {question.into} is a list of dicts. {note}".strip()
    return Conclusion(value, _shown_table(found), note)


def _shown_table(table: Table) -> Shown:
    markdown = as_markdown(table) if table.columns else "(an empty table)"
    return Shown(safe_markdown(markdown).text, markdown)


def _html(answer: LastAnswer, is_rendered: bool) -> Conclusion:
    source = unfenced(answer.text)
    shown = shape_of("html")(answer.text)
    if is_rendered and source.strip():
        shown = Shown(shown.markdown, shown.plain, html=framed(source))
    return Conclusion(source, shown)


def _diagram(
    question: Question,
    answer: LastAnswer,
    is_cut: bool,
    on_wait: Callable[[], None] | None,
) -> Conclusion:
    """Draw the diagram; one that was cut is closed where its type is known."""
    from ...assistant.diagrams.extract import find_diagram
    from ..diagrams.drawing import draw
    from ..diagrams.errors import BrokenDiagram

    kind, options, note = DRAWN[question.format], question.diagram, ""
    source = find_diagram(answer.text, kind)
    if is_cut and options.type and not options.is_free:
        from ...assistant.diagrams.grammar.closing import closed

        source, note = closed(source, options.type), "What was not finished is left out."
    try:
        diagram = draw(source, kind, options.theme, on_wait=on_wait)
    except DiagramsUnavailable as error:
        return Conclusion(source, shape_of(question.format)(answer.text), error.message)
    except LocalLLMError as error:
        return Conclusion(broken=BrokenDiagram(kind, source, error))
    return Conclusion(diagram, Shown(None, diagram.source, picture=diagram), note)


def _code(
    shell: InteractiveShell, question: Question, answer: LastAnswer, is_cut: bool
) -> Conclusion:
    """Find the code; where it is not to be run, put it into the next cell."""
    found = find_code(answer.text)
    if question.execute and is_cut:
        raise AnswerCut(
            "The answer was cut before its code was complete. Nothing was run.", _longer(answer)
        )
    if found.problem and question.execute:
        raise AnswerUnusable(f"{found.problem} Nothing was run.", "Ask again in other words.")
    if found.problem:
        return Conclusion(value="", note=f"{found.problem} No cell was made.")
    code = found.code
    if question.execute or question.dry_run:
        note = "Nothing was run: this is what would run." if question.dry_run else ""
        return Conclusion(code, shown_code(code), note)
    if put_into_next_cell(shell, code):
        if not hasattr(shell, "kernel"):
            return Conclusion(code, Shown("", ""), f"{_lines(code)} in the next prompt.")
        fold = folded(f"{_lines(code)} in the next cell", fenced(code, "python"))
        return Conclusion(code, Shown(fold, code))
    return Conclusion(code, shown_code(code))


def shown_code(code: str) -> Shown:
    """Return code as an output shows it."""
    return Shown(fenced(code, "python"), code)


def _lines(code: str) -> str:
    count = code.count("\n") + 1
    return f"{count:,} {'line' if count == 1 else 'lines'} of Python"
