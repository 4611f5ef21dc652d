"""The magics themselves: what IPython calls, and which part of the package then does the work.

Dispatch only. Imported by ``%load_ext``, so everything that talks to a host is imported where it
is used.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic import magics_class, needs_local_scope, no_var_expand
from traitlets import observe

from .cells.cell_runs import CellRuns
from .diagrams.cells import DiagramCells
from .lines.magic_help import documented
from .model_paths import ModelPaths
from .names import add_name
from .output.plain_output import print_line
from .settings import QuestionSettings

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..assistant.fitting import TokenCounter
    from .answers.answer import AnswerSettings
    from .answers.last_answer import Answers
    from .chats.conversations import Memory, NamedChats
    from .diagrams.errors import BrokenDiagram
    from .host_session import HostSession
    from .lines.commands import ActOn, Ask, Command
    from .questions.composer import Composed, Composer

Result = TypeVar("Result")

#: How long a question about the host itself may take; starting one is part of it.
_REPLY_TIMEOUT_S = 60.0
#: What stays when the magics are loaded again.
_KEPT = ("_memory", "_answers", "model_paths", "model", "aliases")
#: The names of the function that a line stands in.
Names = Mapping[str, object]
_NO_NAMES: Names = {}


def _line_help() -> str:
    from .lines.line_arguments import line_help

    return line_help()


def _cell_help() -> str:
    from .lines.help_texts import cell_help

    return cell_help()


def _explain_help() -> str:
    from .lines.help_texts import action_help

    return action_help("explain", "%%explain")


@magics_class
class LocalLLM(QuestionSettings):
    """``%llm`` and ``%%llm``; its traits are the defaults of every question."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._session: HostSession | None = None
        self._memory: Memory | None = None
        self._answers: Answers | None = None
        self._counter: TokenCounter | None = None
        #: What ran in this session; listens once the magics are registered.
        self.runs = CellRuns(shell)
        self.model_paths = ModelPaths()
        super().__init__(shell=shell)

    # --- what IPython calls; `start` gives the names ------------------------------------------

    @no_var_expand
    @needs_local_scope
    @documented(_line_help)
    def line(self, line: str, local_ns: Names = _NO_NAMES) -> None:
        """Ask about cells and errors, look after models; ``%llm help`` shows everything."""
        from .lines.commands import ActOn
        from .lines.line_arguments import parse_line

        command = parse_line(line, {**self.variables(), **local_ns})
        if isinstance(command, ActOn):
            fault = self._broken_diagram(command)
            if fault is not None:
                self._fix_diagram(command.ask, fault)
            else:
                self._ask(command, line, names=local_ns)
        else:
            self._line_command(command, local_ns)

    @no_var_expand
    @documented(_cell_help)
    def cell(self, line: str, cell: str) -> None:
        """Ask the local model about the lines below; ``%llm help`` shows everything."""
        self._cell(line, cell, "llm")

    @no_var_expand
    @documented(_explain_help)
    def explain_cell(self, line: str, cell: str) -> None:
        """Explain the code of this cell: the same as ``%%llm explain``."""
        self._cell(f"explain {line}".rstrip(), cell, "explain")

    @no_var_expand
    @documented(_cell_help)
    def ai_cell(self, line: str, cell: str) -> None:
        """Do what ``%%llm`` does."""
        self._cell(line, cell, "ai")

    def start(self) -> None:
        """Begin to listen, and take the names that nobody else has; called at registration."""
        self.runs.listen()
        add_name(self.the_shell, "line", "llm", self.line)
        add_name(self.the_shell, "cell", "llm", self.cell)
        add_name(self.the_shell, "cell", "explain", self.explain_cell)
        DiagramCells(self).start(self.the_shell)
        if "_llm" not in self.variables():
            # It says what it is, also before the first question.
            self.answers()
        if self.ai_alias:
            self._answer_to_ai({})

    @observe("ai_alias")
    def _answer_to_ai(self, change: dict[str, Any]) -> None:
        shell = self.shell
        if shell is None or not self.ai_alias:
            return
        has_cell = add_name(shell, "cell", "ai", self.ai_cell)
        if not (add_name(shell, "line", "ai", self.line) and has_cell):
            print_line(
                "Another package provides %%ai in this session, so %%ai stays with it. Use %%llm."
            )

    def _cell(self, line: str, body: str, magic: str) -> None:
        from .actions import ACTIONS
        from .diagrams.options import with_type
        from .lines.cell_arguments import parse_cell
        from .lines.commands import ShowHelp

        self.runs.mark_question()
        command = parse_cell(line, self.variables(), self.aliases)
        if isinstance(command, ShowHelp):
            print_line(command.text)
            return
        if command.execute and not self.runs.take_execution(line, magic):
            raise UsageError(
                "-x counts only where it is typed, in the first line of a %%llm cell that is run "
                "by hand. Here it was added by a program, an alias or a cell that ran another."
            )
        if not body.strip() and ACTIONS[command.action].body == "words":
            from .questions.advice import empty_question

            raise UsageError(empty_question(line))
        self._ask(with_type(command, body), line, body)

    def close(self) -> None:
        """Stop listening and close the connection; called when the magics leave the shell."""
        self.runs.close()
        session, self._session = self._session, None
        if session is not None:
            self.run_on_bridge(session.aclose())

    def variables(self) -> dict[str, Any]:
        """Return the namespace of the person."""
        variables: dict[str, Any] = self.the_shell.user_ns
        return variables

    @property
    def the_shell(self) -> InteractiveShell:
        """The shell that these magics are registered in."""
        if self.shell is None:
            raise UsageError("These magics belong to no shell.")
        return self.shell

    # --- asking -----------------------------------------------------------------------------

    def _ask(
        self, command: Ask | ActOn, line: str, body: str = "", names: Names = _NO_NAMES
    ) -> None:
        from ..errors import LocalLLMError
        from .questions.advice import with_advice

        try:
            self._answer(command, body, names)
        except LocalLLMError as error:
            raise with_advice(error, line) from error.__cause__

    def _answer(self, command: Ask | ActOn, body: str, names: Names) -> None:
        from .answers.answer import answer_question
        from .lines.commands import ActOn

        ask = command.ask if isinstance(command, ActOn) else command
        answers = self.answers()
        composer = self._composer(names)
        composed = self._fitted(composer, composer.compose(command, body, answers.newest))
        if ask.show_prompt:
            self._show_prompt(composed)
            return
        for note in composed.notes:
            print_line(note)
        question = replace(composed.question, on_broken_diagram=self.runs.mark_diagram)
        try:
            answer_question(self.the_shell, self.host_session(), question, self._answer_settings())
        finally:
            if answers.newest is not None and answers.newest is not question.previous:
                self.model_paths.note(question.request.model, answers.newest.model)

    def _broken_diagram(self, command: ActOn) -> BrokenDiagram | None:
        """Return the diagram that ``%llm fix`` is about, if it is about one."""
        if command.ask.action != "fix" or (command.words and not command.target):
            return None
        from .diagrams.fixes import broken_diagram

        return broken_diagram(self.runs, command.target)

    def _fix_diagram(self, ask: Ask, broken: BrokenDiagram) -> None:
        from .answers.answer import answer_question
        from .diagrams.fixes import refuse_unheeded, repair_question

        refuse_unheeded(ask)
        request = self._composer().bare_request(ask)
        question = repair_question(ask, broken, request, self.runs.mark_diagram)
        answer_question(self.the_shell, self.host_session(), question, self._answer_settings())

    def _answer_settings(self) -> AnswerSettings:
        from .answers.answer import AnswerSettings

        return AnswerSettings(display=self.display, progress=self.progress, answers=self.answers())

    def _composer(self, names: Names = _NO_NAMES) -> Composer:
        from .questions.composer import Composer, Settings
        from .values.interpolation import visible_variables

        settings = Settings(
            model=self.model,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            system_prompt=self.system_prompt,
            max_history=self.max_history,
            context=self.context,
            context_tokens=self.context_tokens,
            value_tokens=self.value_tokens,
            personas=self.personas,
            prompt_folder=self.prompt_folder,
        )
        variables = visible_variables(self.the_shell, self.runs.errors, names)
        return Composer(self.runs, variables, self.memory(), self.chats(), settings)

    def _fitted(self, composer: Composer, composed: Composed) -> Composed:
        if not composer.must_fit(composed):
            return composed
        counter = self._token_counter()
        call = self.host_session().call(lambda client: composer.fitted(client, composed, counter))
        # The model may have to be loaded for it.
        return self.run_on_bridge(call, has_limit=False)

    def _show_prompt(self, composed: Composed) -> None:
        from .actions import ENFORCED
        from .questions.prompt_report import count_tokens, prompt_text

        request, counter = composed.question.request, self._token_counter()
        call = self.host_session().call(lambda client: count_tokens(client, request, counter))
        counts = self.run_on_bridge(call, has_limit=False)
        enforced = composed.question.format if composed.question.format in ENFORCED else ""
        print_line("\n".join([*composed.notes, prompt_text(request, counts, enforced)]))

    # --- what is kept -----------------------------------------------------------------------

    def answers(self) -> Answers:
        """Return the answers of this session, which are ``_llm`` in the namespace."""
        answers = self._first_answers() if self._answers is None else self._answers
        if self.variables().get("_llm") is not answers:
            # IPython leaves it untyped.
            push: Callable[..., object] = self.the_shell.push
            push({"_llm": answers}, interactive=False)
        return answers

    def _first_answers(self) -> Answers:
        from .answers.last_answer import Answers

        existing = self.variables().get("_llm")
        # Loaded again in one session: the answers so far are still the person's.
        self._answers = found = existing if isinstance(existing, Answers) else Answers()
        return found

    def memory(self) -> Memory:
        """Return the turns of this session."""
        if self._memory is None:
            from .chats.conversations import Memory

            self._memory = Memory()
        return self._memory

    def chats(self) -> NamedChats:
        """Return the sidebar's chats."""
        from pathlib import Path

        from .chats.conversations import NamedChats, default_history_file

        path = Path(self.history_file).expanduser() if self.history_file else None
        return NamedChats(path or default_history_file())

    def take_over(self, earlier: object) -> None:
        """Go on where an earlier registration stopped; the class of that may be an older one."""
        for name in _KEPT:
            value = getattr(earlier, name, None)
            if value not in (None, "", {}):
                setattr(self, name, value)

    def kept(self) -> dict[str, Any]:
        """Return what :meth:`take_over` takes."""
        return {name: getattr(self, name) for name in _KEPT}

    def take_away_names(self) -> dict[str, object]:
        """Take our own values out of the namespace of the person, and return them by name."""
        variables = self.variables()
        ours = {"Err": self.runs.errors, "_llm": self._answers}
        found = {
            name: held
            for name, held in ours.items()
            if held is not None and variables.get(name) is held
        }
        # IPython leaves it untyped.
        drop: Callable[..., object] = self.the_shell.drop_by_id
        drop(found)
        return found

    # --- the host ---------------------------------------------------------------------------

    def host_session(self) -> HostSession:
        """Return the connection to the host, which is found or started when it is used."""
        if self._session is None:
            from .host_session import HostSession

            self._session = HostSession()
        return self._session

    def _token_counter(self) -> TokenCounter:
        if self._counter is None:
            from ..assistant.fitting import TokenCounter

            self._counter = TokenCounter()
        return self._counter

    def run_on_bridge(
        self, coroutine: Coroutine[Any, Any, Result], *, has_limit: bool = True
    ) -> Result:
        """Wait for a coroutine; an interrupt or too long a silence is one line."""
        from ..client import bridge
        from ..errors import HostUnavailable
        from .answers.answer import AnswerStopped

        try:
            return bridge.run(coroutine, _REPLY_TIMEOUT_S if has_limit else None)
        except KeyboardInterrupt:
            raise AnswerStopped("Stopped.") from None
        except TimeoutError:
            raise HostUnavailable(
                f"The model host has not answered within {_REPLY_TIMEOUT_S:.0f} s.",
                "Try again; if it stays silent, restart the Jupyter server or the kernel.",
            ) from None

    # --- lines ------------------------------------------------------------------------------

    def _line_command(self, command: Command, names: Names) -> None:
        from .lines.commands import DrawTarget, ShowAnswer, ShowHelp

        if isinstance(command, ShowHelp):
            print_line(command.text)
        elif isinstance(command, DrawTarget):
            from .diagrams.sources import draw_target

            targets = self._composer(names).targets
            draw_target(self.the_shell, command, targets, self.display)
        elif isinstance(command, ShowAnswer):
            from .shown_again import show_again

            show_again(self.the_shell, self.answers(), command.part, self.display)
        else:
            from .session_commands import SessionCommands

            print_line(SessionCommands(self).run(command))
