"""The attempts at one question: an answer that cannot be used, or whose code fails, is repaired.

Each attempt that failed stays visible, folded, with what was wrong. Called by ``answer.py``; the
only caller of ``execute.run_code``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ...assistant.code_blocks import fenced
from ...assistant.diagrams.repair_turn import repair_text
from ...errors import AnswerCut, AnswerUnusable, DiagramInvalid, LocalLLMError
from ...protocol import ChatCompletionRequest, ChatMessage
from ..actions import DRAWN, ENFORCED
from ..answers.conclusions import Conclusion, conclude, shown_code
from ..answers.formats import Shown, request_for
from ..diagrams.answer import settle_diagrams
from ..diagrams.display import DiagramDisplay
from ..diagrams.value import Diagram
from ..lines.parsers import shortened
from ..output.answer_display import AnswerDisplay
from ..output.display import RichDisplay
from ..output.fences import folded, safe_and_closed
from .consent import ask_consent
from .execute import CodeFailed, CodeRun, CodeStopped, run_code
from .time_limit import TimeLimitReached

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..answers.answer import Asking
    from ..answers.last_answer import LastAnswer
    from ..diagrams.errors import BrokenDiagram
    from ..questions.question import Question

#: What of a traceback goes back to the model: the error stands at its end.
_TRACEBACK_CHARS = 2000

_REPAIR_RUN = (
    "Running this code gave an error:\n\n{fence}\n\nCorrect the code. "
    "Answer with the whole corrected code in one Python code block, and nothing else."
)
_REPAIR_CODE = (
    "This cannot be run. {problem} "
    "Answer with the whole code in one Python code block, and nothing else."
)
#: A grammar has seen to the rest: what is wrong is what a validator says.
_REPAIR_DATA = "{problem} Answer again with that put right, and nothing else."


@dataclass(frozen=True)
class _Failure:
    """An attempt that did not work.

    Attributes
    ----------
    summary : str
        In one line.
    body : str
        Safe Markdown: what was tried and what came of it.
    repair : str
        What the model is told; "" asks the same question again.
    error : BaseException
        What the cell ends with if this was the last attempt.
    is_repairable : bool
        Another attempt makes sense.
    """

    summary: str
    body: str
    repair: str
    error: BaseException
    is_repairable: bool = True


class Attempts:
    """Asks until an answer works, at most ``question.retry`` times more."""

    def __init__(
        self,
        shell: InteractiveShell,
        asking: Asking,
        question: Question,
        schema: dict[str, Any] | None,
    ) -> None:
        self._shell = shell
        self._asking = asking
        self._question = question
        self._schema = schema
        #: The last code that failed: still to be corrected, whatever comes of its repair.
        self._failed_code: CodeFailed | None = None
        self._displays: list[AnswerDisplay] = []

    def run(self) -> LastAnswer:
        """Return the first answer that works.

        Raises
        ------
        BaseException
            What the last attempt ended with; see ``answer.answer_question``. Where code failed and
            its repair was stopped, the code's error is its cause.
        """
        try:
            return self._run()
        except CodeStopped:
            raise
        except (KeyboardInterrupt, AnswerUnusable) as error:
            if self._failed_code is None:
                raise
            raise error from self._failed_code
        except LocalLLMError as error:
            if self._failed_code is None:
                raise
            self._failed_code.hint = (
                f"The model could not be asked to correct it: {error.message} "
                "%llm fix corrects it, %llm error explains the error."
            )
            raise self._failed_code from None

    def _run(self) -> LastAnswer:
        question = self._question
        n_cut = 0
        request = formed = self._formed(n_cut)
        n_attempts = 1 + (question.retry if self._can_repair else 0)
        for number in range(1, n_attempts + 1):
            answer, display = self._asking.ask(request)
            self._displays.append(display)
            failure = self._settle(answer, display, number)
            if failure is None:
                return answer
            if isinstance(failure.error, CodeFailed):
                self._failed_code = failure.error
            if number == n_attempts or not failure.is_repairable:
                raise failure.error
            self._fold(display, failure, f"Attempt {number} of {n_attempts}")
            if answer.finish_reason == "length":
                n_cut += 1
                formed = self._formed(n_cut)
            request = _next_request(formed, answer, failure, number)
        raise AssertionError("there is at least one attempt")

    def _formed(self, n_cut: int) -> ChatCompletionRequest:
        """Return the question with what makes its answer be of its format; large schemas take time.

        The more answers to it were cut, the less it is given to say.
        """
        question = self._question
        return request_for(question.request, question.format, self._schema, n_cut, question.diagram)

    @property
    def _can_repair(self) -> bool:
        return self._question.execute or self._question.format in (*ENFORCED, *DRAWN)

    def _settle(self, answer: LastAnswer, display: AnswerDisplay, number: int) -> _Failure | None:
        conclusion = self._concluded(answer, display)
        answer.value = conclusion.value
        if self._question.on_broken_diagram is not None:
            self._question.on_broken_diagram(conclusion.broken)
        if conclusion.broken is not None:
            return self._undrawn(display, conclusion.broken)
        if conclusion.error is not None:
            return self._unusable(answer, display, conclusion)
        if isinstance(conclusion.value, Diagram):
            answer.diagrams = [conclusion.value]
        if isinstance(display, DiagramDisplay):
            settle_diagrams(self._asking, self._question, answer, display)
            conclusion = dataclasses.replace(conclusion, note=display.undrawn_note)
        if not self._question.execute or self._question.dry_run:
            self._conclude(display, conclusion)
            return None
        return self._execute(answer, display, conclusion, number)

    def _concluded(self, answer: LastAnswer, display: AnswerDisplay) -> Conclusion:
        def say_drawing() -> None:
            display.conclude(note="Drawing …")

        try:
            return conclude(self._shell, self._question, answer, self._schema, say_drawing)
        except KeyboardInterrupt:
            # Only drawing takes so long that anybody interrupts it.
            display.conclude(note="Stopped.")
            raise

    def _unusable(
        self, answer: LastAnswer, display: AnswerDisplay, conclusion: Conclusion
    ) -> _Failure:
        error = conclusion.error
        assert error is not None
        display.conclude(None, note="", error_code=error.error_code)
        repair = ""
        if self._question.execute:
            repair = _REPAIR_CODE.format(problem=error.message)
        elif self._schema is not None and not isinstance(error, AnswerCut):
            repair = _REPAIR_DATA.format(problem=error.message)
        return _Failure(shortened(error.message, 160), safe_and_closed(answer.text), repair, error)

    def _undrawn(self, display: AnswerDisplay, broken: BrokenDiagram) -> _Failure:
        display.conclude(broken.shown(), note="", error_code=broken.error.error_code)
        error = broken.error
        repair = ""
        if isinstance(error, DiagramInvalid):
            repair = repair_text(broken.kind, broken.source, error)
        return _Failure(
            broken.summary(), broken.body(), repair, broken.final_error(), broken.is_repairable
        )

    def _conclude(self, display: AnswerDisplay, conclusion: Conclusion, **facts: object) -> None:
        if not display.is_concluded_by_caller:
            return
        notes = [display.note, conclusion.note]
        display.conclude(conclusion.shown, note=" ".join(filter(None, notes)), **facts)

    def _execute(
        self, answer: LastAnswer, display: AnswerDisplay, conclusion: Conclusion, number: int
    ) -> _Failure | None:
        code: str = conclusion.value
        facts: dict[str, Any] = {"code": code, "attempt": number}
        self._conclude(display, conclusion, **facts)
        consent = ask_consent(self._shell, code) if self._question.confirm else None
        run = run_code(
            self._shell,
            code,
            consent=consent,
            time_limit_s=self._question.time_limit_s,
            show_again=self._show_again,
        )
        if run.error is None:
            facts |= {"is_executed": True, "run_s": round(run.seconds, 3)}
            display.conclude(shown_code(code), **facts)
            return None
        display.conclude(shown_code(code), **facts, is_executed=True, error=run.summary)
        if run.was_interrupted:
            raise CodeStopped("The code was stopped.")
        return _failed_run(code, run, number)

    def _show_again(self) -> None:
        for display in self._displays:
            # What a terminal has shown stays.
            if isinstance(display, RichDisplay):
                display.show_again()

    def _fold(self, display: AnswerDisplay, failure: _Failure, title: str) -> None:
        summary = f"{title} failed: {failure.summary}"
        shown = Shown(folded(summary, failure.body), f"[{summary}]")
        display.conclude(shown, note="")


def _failed_run(code: str, run: CodeRun, number: int) -> _Failure:
    traceback = run.plain_traceback or run.summary
    # What ran so long has cost its time and done its half: it is not run once more unasked.
    is_too_slow = isinstance(run.error, TimeLimitReached)
    ended = "failed in 1 attempt" if number == 1 else f"failed in {number} attempts"
    if is_too_slow:
        ended = "reached its time limit, so it is not tried again"
    hint = f"The generated code {ended}. %llm fix corrects it, %llm error explains the error."
    return _Failure(
        shortened(run.summary, 160),
        f"{fenced(code, 'python')}\n\n{fenced(traceback, 'text')}",
        _REPAIR_RUN.replace("{fence}", fenced(traceback[-_TRACEBACK_CHARS:], "text")),
        CodeFailed(code, run, hint),
        is_repairable=not is_too_slow,
    )


def _next_request(
    request: ChatCompletionRequest, answer: LastAnswer, failure: _Failure, number: int
) -> ChatCompletionRequest:
    """Return the request with the failed answer and what was wrong, or with another seed."""
    if failure.repair:
        turns = [
            ChatMessage(role="assistant", content=answer.text),
            ChatMessage(role="user", content=failure.repair),
        ]
        return msgspec.structs.replace(request, messages=[*request.messages, *turns])
    seed = answer.seed if request.seed is None else request.seed
    return msgspec.structs.replace(request, seed=None if seed is None else seed + number)
