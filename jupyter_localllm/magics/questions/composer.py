"""From a parsed line and the lines below it to a complete :class:`Question`.

Here it is decided what the model gets: the words with their values, the code or error they are
about, what else of the notebook, earlier turns, the action's prompt. Put together and fitted by
``assistant.context`` and ``assistant.fitting``, as in the sidebar. Shows nothing, and asks the host
only for its window, where turns may have to go. Called by ``magics.py``; loaded with the first
question.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ...assistant import context as prompt_parts
from ...assistant.fitting import Room, TokenCounter, bound, fit
from ...assistant.prompts import Prompt, default_folder, load_prompts
from ...chat_protocol import ContextItem, MessageRecord
from ...errors import LocalLLMError
from ...protocol import ChatCompletionRequest, ChatMessage
from ..actions import ACTIONS
from ..answers.answer import AnswerStopped
from ..cells.cell_runs import CellRuns
from ..cells.cell_targets import CellTargets, Subject
from ..cells.notebook_context import NotebookContext
from ..chats.conversations import (
    Memory,
    NamedChat,
    NamedChats,
    answer_record,
    new_question,
    warn_not_kept,
)
from ..lines.commands import ActOn, Ask
from ..lines.parameters import read_parameters
from ..values.interpolation import interpolated, is_one_place
from .instructions import examples, instructions
from .personas import persona_text
from .question import Question

if TYPE_CHECKING:
    from ...client.host_client import HostClient
    from ..answers.last_answer import LastAnswer

#: The question's own prompt among those of earlier turns.
_THIS = "this question"
#: Bytes of a prompt that fits into any model's window, so that nobody need be asked for it.
_SMALL_BYTES = 1024
_SECOND = re.compile(r"^%%(?:llm|ai)\b", re.MULTILINE)


@dataclass(frozen=True)
class Settings:
    """The defaults of every question; what each means stands at the traits of ``LocalLLM``."""

    model: str
    max_tokens: int
    temperature: float | None
    system_prompt: str
    max_history: int
    context: str
    context_tokens: int
    value_tokens: int
    personas: Mapping[str, str]
    prompt_folder: str


@dataclass(frozen=True)
class Composed:
    """A question, and what its person is told before it is asked."""

    question: Question
    conversation: prompt_parts.Conversation
    notes: tuple[str, ...] = ()

    def from_turn(self, first_turn: int) -> Composed:
        """Return the same without the earlier turns before ``first_turn``."""
        if first_turn == 0:
            return self
        messages = self.conversation.messages(first_turn)
        request = msgspec.structs.replace(self.question.request, messages=messages)
        turns, verb = ("turn does", "is") if first_turn == 1 else (f"{first_turn} turns do", "are")
        note = f"The oldest {turns} not fit into the context window any more and {verb} left out."
        keeper = self.question.on_answer
        if isinstance(keeper, _Keeper):
            keeper = dataclasses.replace(
                keeper,
                n_left_out=2 * first_turn,
                first_sent_id=self.conversation.start_id(first_turn),
            )
        return Composed(
            dataclasses.replace(self.question, request=request, on_answer=keeper),
            self.conversation,
            (*self.notes, note),
        )


class Composer:
    """Makes questions of one shell.

    Parameters
    ----------
    runs, variables : CellRuns, mapping
        Of the session.
    memory, chats : Memory, NamedChats
        What was said before.
    """

    def __init__(
        self,
        runs: CellRuns,
        variables: Mapping[str, object],
        memory: Memory,
        chats: NamedChats,
        settings: Settings,
    ) -> None:
        self._runs = runs
        self._variables = variables
        self._memory = memory
        self._chats = chats
        self._settings = settings
        self._around = NotebookContext(runs, variables)
        self.targets = CellTargets(runs, variables, self._around, settings.value_tokens)
        self._notes: list[str] = []

    def compose(
        self, asked: Ask | ActOn, body: str = "", previous: LastAnswer | None = None
    ) -> Composed:
        """Return the question of a cell or of a line.

        Raises
        ------
        UsageError
            What is asked about is not there.
        LocalLLMError
            A chat cannot be read.
        AnswerStopped
            An interrupt while values were read, which may run code of a person's.
        """
        try:
            return self._composed(asked, body, previous)
        except KeyboardInterrupt:
            raise AnswerStopped("The answer was stopped.") from None

    def _composed(self, asked: Ask | ActOn, body: str, previous: LastAnswer | None) -> Composed:
        self._notes = []
        ask = asked.ask if isinstance(asked, ActOn) else asked
        if isinstance(asked, ActOn):
            subject, words = self._subject_of_line(asked), asked.words
        else:
            subject, words = self._subject_of_cell(ask, body)
        if subject.about:
            self._notes.append(subject.about)
        if ask.language:
            words = f"Translate into {ask.language}. {words}".rstrip()
        choice = ask.context or self._settings.context
        added = self._around.added(choice, self._settings.context_tokens)
        self._notes += added.notes
        named = self._chats.open(ask.chat) if ask.chat else None
        record = new_question(
            words,
            ACTIONS[ask.action].prompt,
            (*added.items, *subject.items),
            named.parent_id if named else None,
        )
        system = self._system(ask, named)
        conversation = self._conversation(ask, record, named, system)
        question = Question(
            action=ask.action,
            format=ask.format,
            request=self._request(ask, conversation.messages(), named),
            model_label=ask.model or self._settings.model,
            is_streaming=ask.is_streaming,
            execute=ask.execute,
            retry=ask.retry,
            dry_run=ask.dry_run,
            confirm=ask.confirm,
            time_limit_s=ask.time_limit_s,
            schema=ask.schema,
            into=ask.into,
            render=ask.render,
            code=subject.code,
            diagram=ask.diagram,
            previous=previous,
            on_answer=self._keeper(ask, record, named, system),
        )
        return Composed(question, conversation, tuple(self._notes))

    # --- what it is about -------------------------------------------------------------------

    def _subject_of_line(self, act: ActOn) -> Subject:
        if act.target:
            find = self.targets.failed if act.is_about_error else self.targets.named
            return find(act.target)
        if act.is_about_error:
            subject = self.targets.current_error()
            if subject is None:
                raise self.targets.no_error()
            return subject
        return self.targets.above()

    def _subject_of_cell(self, ask: Ask, body: str) -> tuple[Subject, str]:
        """Return what the lines below ``%%llm`` are about, and the words among them."""
        kind = ACTIONS[ask.action].body
        # IPython ends every cell body with a newline that nobody typed.
        body = body.removesuffix("\n")
        if kind == "words":
            if _SECOND.search(body):
                self._notes.append(
                    "The second %%llm is part of the question; give it a cell of its own."
                )
            return Subject(()), self._put_in(body, is_question=True)
        if not body.strip():
            has_context = (ask.context or self._settings.context) != "none"
            if kind == "text" and has_context:
                return Subject(()), ""
            return self.targets.above(), ""
        if kind == "text":
            item = ContextItem(kind="selection", label="Text", text=self._put_in(body))
            return Subject((item,)), ""
        only = body.strip()
        if is_one_place(only, self._variables):
            return self.targets.named(only[1:-1]), ""
        # Code keeps its braces, which are those of f-strings, sets and dictionaries.
        return self.targets.of_body(body), ""

    def _put_in(self, text: str, *, is_question: bool = False) -> str:
        done = interpolated(text, self._variables, self._settings.value_tokens)
        for place in done.shortened:
            self._notes.append(
                f"{place.typed} is summarised: about {place.n_tokens:,} of "
                f"{place.n_tokens_whole:,} tokens. %config LocalLLM.value_tokens sets how many."
            )
        for missed in done.unread:
            # In a text to translate, a name in braces is most often a blank to fill in.
            if is_question or missed.error:
                self._notes.append(missed.note)
        return done.text

    # --- the prompt -------------------------------------------------------------------------

    def _system(self, ask: Ask, named: NamedChat | None) -> str:
        if ask.system is not None:
            return ask.system
        if ask.persona is not None:
            return persona_text(ask.persona, self._settings.personas)
        if named is not None and named.chat is not None and named.chat.system_prompt:
            return named.chat.system_prompt
        return self._settings.system_prompt

    def _conversation(
        self, ask: Ask, record: MessageRecord, named: NamedChat | None, system: str
    ) -> prompt_parts.Conversation:
        if named is not None:
            earlier = named.path
        elif ask.has_memory and ACTIONS[ask.action].has_memory:
            earlier = self._memory.before(record, self._cell_id(), self._settings.max_history)
        else:
            earlier = []
        prompts = {name: prompt.text for name, prompt in self._prompts().items()}
        shown = examples(ask, self._own_prompts)
        added = "" if shown else instructions(ask, prompts, self._own_prompts)
        asked = msgspec.structs.replace(record, action=_THIS)
        conversation = prompt_parts.compose([*earlier, asked], system, {**prompts, _THIS: added})
        conversation = dataclasses.replace(conversation, examples=shown)
        if record.context or added:
            return conversation
        # Words alone are sent exactly as they were typed.
        return dataclasses.replace(conversation, question=ChatMessage("user", record.content))

    def _prompts(self) -> dict[str, Prompt]:
        return load_prompts(self._own_prompts, report=self._notes.append)

    @property
    def _own_prompts(self) -> Path:
        folder = self._settings.prompt_folder
        return Path(folder).expanduser() if folder else default_folder()

    # --- the request ------------------------------------------------------------------------

    def bare_request(self, ask: Ask) -> ChatCompletionRequest:
        """Return the request of a question without its messages."""
        return self._request(ask, [], None)

    def _request(
        self, ask: Ask, messages: list[ChatMessage], named: NamedChat | None
    ) -> ChatCompletionRequest:
        settings = self._settings
        chat_model = named.chat.model if named is not None and named.chat is not None else ""
        fields = {
            "max_tokens": settings.max_tokens,
            "temperature": settings.temperature,
            **read_parameters(ask.parameter_objects, ask.parameters),
        }
        typed = {"max_tokens": ask.max_tokens, "temperature": ask.temperature, "seed": ask.seed}
        fields |= {name: value for name, value in typed.items() if value is not None}
        request = ChatCompletionRequest(
            model=ask.model or settings.model or chat_model,
            messages=messages,
            stream=True,
            return_progress=True,
            user=f"kernel-{os.getpid()}",
        )
        return msgspec.structs.replace(request, **fields)

    @staticmethod
    def must_fit(composed: Composed) -> bool:
        """Whether a model's window may be too small for all earlier turns."""
        conversation = composed.conversation
        return bool(conversation.turns) and bound(conversation) > _SMALL_BYTES

    async def fitted(
        self, client: HostClient, composed: Composed, counter: TokenCounter
    ) -> Composed:
        """Return the question without the turns that do not fit into the model's window.

        Raises
        ------
        PromptTooLong
            It does not fit even alone.
        """
        name = composed.question.request.model
        models = await client.models()
        is_asked = (lambda m: m.id == name) if name else (lambda m: m.is_default)
        info = next(filter(is_asked, models), None)
        if info is None or info.context_window is None:
            info = await client.load(name)
        if info.context_window is None:
            # An outside server that does not tell; it refuses what is too long itself.
            return composed
        model = info.id

        async def count(text: str) -> int:
            return await counter.estimate(client, model, text)

        room = Room.of(info.context_window, composed.question.request.max_tokens)
        return composed.from_turn(await fit(composed.conversation, room, count))

    # --- afterwards -------------------------------------------------------------------------

    def _cell_id(self) -> str:
        return self._runs.now.cell_id if self._runs.now is not None else ""

    def _keeper(
        self, ask: Ask, record: MessageRecord, named: NamedChat | None, system: str
    ) -> _Keeper | None:
        if named is None and not ask.has_memory:
            return None
        return _Keeper(self._memory, self._chats, record, named, system, self._cell_id())


@dataclass(frozen=True)
class _Keeper:
    """Remembers a turn when its answer has ended."""

    memory: Memory
    chats: NamedChats
    question: MessageRecord
    named: NamedChat | None
    system: str
    cell_id: str
    n_left_out: int = 0
    first_sent_id: str | None = None

    def __call__(self, answer: LastAnswer) -> None:
        record = msgspec.structs.replace(
            answer_record(answer, self.question),
            n_left_out=self.n_left_out,
            first_sent_id=self.first_sent_id,
        )
        if self.named is None:
            if answer.text.strip():
                self.memory.keep(self.question, record, self.cell_id)
            return
        try:
            self.chats.keep(self.named, self.system, self.question, record)
        except LocalLLMError as error:
            warn_not_kept(self.named.title, error)
