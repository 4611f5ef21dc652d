"""One question answered: asked, shown, checked, bound, and for ``-x`` run and repaired.

Called by ``magics.py``. Loaded with the first question.
"""

from __future__ import annotations

import dataclasses
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from ...client import bridge
from ...errors import LocalLLMError
from ...protocol import ChatCompletionRequest, CompletionChunk
from ..actions import DRAWN
from ..execution.execute import CodeStopped, refuse_inside_run
from ..host_session import HostSession
from ..output.answer_display import AnswerDisplay
from ..output.display import PlainDisplay, RichDisplay
from ..output.frontend import can_erase, is_rich
from ..output.progress_widget import ProgressLine
from .formats import schema_for, shape_of
from .last_answer import Answers, LastAnswer
from .thinking import ThinkingSplitter

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..questions.question import Question

#: Formats whose last state is more than the text that streamed in.
_CONCLUDED = frozenset({"code", "json", "table", "html", *DRAWN})


class AnswerStopped(KeyboardInterrupt):
    """The person interrupted an answer. Ends a *Run All* as any interrupt does, in one line."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@dataclass(frozen=True, kw_only=True)
class AnswerSettings:
    """What the traits of the magics say about answers.

    Attributes
    ----------
    display : str
        ``auto``, ``rich`` or ``plain``.
    progress : bool
        Whether a line with a Stop button may be shown.
    answers : Answers or None
        Where answers are kept (``_llm``).
    """

    display: str = "auto"
    progress: bool = True
    answers: Answers | None = None


def answer_question(
    shell: InteractiveShell,
    session: HostSession,
    question: Question,
    settings: AnswerSettings = AnswerSettings(),
) -> LastAnswer:
    """Answer a question, and return the answer in its final state.

    Raises
    ------
    AnswerStopped, CodeStopped
        On an interrupt; model or code, whichever ran, has been stopped.
    LocalLLMError
        What went wrong; the partial answer stays on the display.
    CodeFailed
        The code of the last attempt raised an error.
    UsageError
        An option does not make sense here.
    """
    from ..execution.attempts import Attempts

    if question.execute:
        refuse_inside_run()
    if question.into is not None and not question.into.isidentifier():
        raise UsageError(f"--into {question.into}: this is no name for a variable.")
    if question.execute and question.format != "code":
        question = dataclasses.replace(question, format="code")
    if question.diagram.save:
        from ..diagrams.value import refuse_to_replace, save_value

        refuse_to_replace(question.diagram.save, may_replace=question.diagram.may_replace)
    asking = Asking(shell, session, question, settings)
    try:
        schema = schema_for(question.schema, shell.user_ns)
        answer = Attempts(shell, asking, question, schema).run()
        if question.into is not None:
            shell.user_ns[question.into] = answer.value
        if question.diagram.save:
            save_value(answer.value, question.diagram)
        return answer
    except (AnswerStopped, CodeStopped):
        raise
    except KeyboardInterrupt as error:
        raise AnswerStopped("The answer was stopped.") from error.__cause__
    finally:
        if asking.answer is not None and question.on_answer is not None:
            question.on_answer(asking.answer)


class Asking:
    """Sends requests and shows what comes back; knows the newest answer."""

    def __init__(
        self,
        shell: InteractiveShell,
        session: HostSession,
        question: Question,
        settings: AnswerSettings,
    ) -> None:
        self.shell = shell
        self.question = question
        #: The answer to the newest request, once there is anything of one.
        self.answer: LastAnswer | None = None
        self._session = session
        self._settings = settings

    @property
    def is_rich(self) -> bool:
        """Whether outputs can be updated here."""
        return is_rich(self.shell, self._settings.display)

    def ask(self, request: ChatCompletionRequest) -> tuple[LastAnswer, AnswerDisplay]:
        """Stream one answer; its output is not concluded yet.

        Raises
        ------
        AnswerStopped, LocalLLMError
            As :func:`answer_question`; the output is concluded then.
        """
        use_line = self._settings.progress and self.is_rich
        progress = ProgressLine(self.shell, self.question.model_label) if use_line else None
        display = self._new_display(progress)
        display.expect(
            model=request.model, max_tokens=request.max_completion_tokens or request.max_tokens
        )
        try:
            self._stream(request, display, progress)
        finally:
            if progress is not None:
                progress.close()
            answer = self._answer_in(request, display)
            if display.done is not None or answer.text or answer.thinking:
                self._keep(answer)
        return answer, display

    def reply(self, request: ChatCompletionRequest) -> str:
        """Return the text of an answer that is not shown.

        Raises
        ------
        KeyboardInterrupt, LocalLLMError
            It was interrupted; it failed.
        """
        split = ThinkingSplitter()
        with closing(bridge.iterate(self._session.stream(request))) as events:
            for event in events:
                if isinstance(event, CompletionChunk):
                    split.feed(event.text)
        split.finish()
        return split.text

    def _stream(
        self, request: ChatCompletionRequest, display: AnswerDisplay, progress: ProgressLine | None
    ) -> None:
        try:
            # Also closed when the display, not the wait, is what was interrupted.
            with closing(bridge.iterate(self._session.stream(request))) as events:
                for event in events:
                    display.show(event)
                    if progress is not None and progress.is_stopped and display.done is None:
                        raise KeyboardInterrupt
        except KeyboardInterrupt:
            display.stop()
            raise AnswerStopped("The answer was stopped.") from None
        except LocalLLMError as error:
            display.fail(error.error_code)
            raise error from None

    def _keep(self, answer: LastAnswer) -> None:
        if self._settings.answers is not None:
            self._settings.answers.add(answer, replaces_last=self.answer is not None)
        self.answer = answer

    def _answer_in(self, request: ChatCompletionRequest, display: AnswerDisplay) -> LastAnswer:
        done = display.done
        facts = display.facts
        return LastAnswer(
            question=request.messages[-1].text,
            text=display.text,
            thinking=display.thinking,
            format=self.question.format,
            model=str(facts.get("model", request.model)),
            seed=done.seed if done else None,
            usage=done.usage if done else None,
            timings=done.timings if done else None,
            finish_reason=str(facts.get("finish_reason", "error")),
            error_code=str(facts.get("error_code", "")),
        )

    def _new_display(self, progress: ProgressLine | None) -> AnswerDisplay:
        question = self.question
        is_code = question.format == "code"
        is_concluded = question.format in _CONCLUDED
        shape = shape_of(question.format)
        if self.is_rich and question.format == "markdown":
            from ..diagrams.display import DiagramDisplay

            return DiagramDisplay(
                theme=question.diagram.theme,
                is_streaming=question.is_streaming,
                shape=shape,
                progress=progress,
            )
        if self.is_rich:
            return RichDisplay(
                is_streaming=question.is_streaming,
                shape=shape,
                is_concluded_by_caller=is_concluded,
                progress=progress,
            )
        return PlainDisplay(
            # A terminal cannot take back the prose around the code.
            is_streaming=question.is_streaming and not is_code,
            shape=shape,
            is_concluded_by_caller=is_concluded,
            can_erase=can_erase(self.shell),
            by_line=question.format == "table",
        )
