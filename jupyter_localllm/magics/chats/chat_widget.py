"""``chat_widget()``: a small chat to put into a cell, for lessons and for Voilà.

Made of ipywidgets alone, so that it works wherever those do. Answers are written by a thread, so
that the kernel stays free. Model text is shown through Jupyter's Markdown output, made safe first.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from IPython.core.error import UsageError
from IPython.core.getipython import get_ipython

from ...client import bridge
from ...errors import LocalLLMError, PromptTooLong
from ...protocol import ChatCompletionRequest, ChatMessage
from ..answers.formats import Shown, as_plain
from ..host_session import HostSession
from ..output.answer_display import AnswerDisplay
from ..output.display import with_note
from ..output.fences import folded, safe_and_closed
from ..output.frontend import updates_outputs

_UPDATE_INTERVAL_S = 0.2
#: Characters of all updates in a second; a long answer is painted less often.
_CHARACTERS_PER_S = 14_000
_MAX_TOKENS = 512
_SHORTENED = "The beginning of this conversation was left out: it had become too long."


def chat_widget(
    model: str = "",
    *,
    system: str = "",
    greeting: str = "",
    max_tokens: int = _MAX_TOKENS,
    height: str = "360px",
) -> Any:
    """Return a chat as one ipywidgets box; show it as the last line of a cell.

    Parameters
    ----------
    model : str
        Name or path; empty: the host's default.
    system : str
        What the model is told before the conversation.
    greeting : str
        A first line that the learner sees; the model is not sent it.
    max_tokens : int
        Longest answer, in tokens.
    height : str
        Of the conversation, in CSS units.

    Raises
    ------
    UsageError
        ipywidgets is not installed, or this is a terminal.
    """
    shell = get_ipython()
    if shell is not None and not updates_outputs(shell):
        raise UsageError(
            "chat_widget() needs a notebook: a terminal cannot show its field and its button. "
            "Here, ask with %%llm."
        )
    try:
        import ipywidgets
    except ImportError:
        raise UsageError(
            "chat_widget() needs ipywidgets, which is not installed: pip install ipywidgets"
        ) from None
    chat = _Chat(ipywidgets, model=model, system=system, max_tokens=max_tokens, height=height)
    if greeting:
        chat.add("", as_plain(greeting))
    return chat.box


class _Chat:
    """The widgets, the conversation so far and the answer that is being written."""

    def __init__(
        self, ipywidgets: Any, *, model: str, system: str, max_tokens: int, height: str
    ) -> None:
        self._ipywidgets = ipywidgets
        self._model = model
        self._system = system
        self._max_tokens = max_tokens
        self._turns: list[ChatMessage] = []
        self._session = HostSession()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._is_answering = False
        layout = ipywidgets.Layout
        self._log = ipywidgets.VBox(
            # From the bottom up, which keeps the newest line in view.
            layout=layout(max_height=height, overflow="auto", flex_flow="column-reverse")
        )
        self._question = ipywidgets.Textarea(
            placeholder="Ask the local model …",
            layout=layout(width="100%", height="60px"),
        )
        self._button = ipywidgets.Button(description="Send", icon="paper-plane")
        self._button.on_click(self._on_click)
        row = ipywidgets.HBox([self._question, self._button])
        self.box = ipywidgets.VBox([self._log, row])
        self.box.add_class("jp-LocalLLMChatWidget")

    def add(self, who: str, shown: Shown) -> Any:
        """Add a turn to what is seen; return its output widget."""
        output = self._ipywidgets.Output()
        show(output, shown)
        heading = [self._ipywidgets.Label(who, style={"font_weight": "bold"})] if who else []
        self._log.children = (output, *heading, *self._log.children)
        return output

    def _on_click(self, _: object) -> None:
        with self._lock:
            if self._is_answering:
                self._stop.set()
                return
            question = self._question.value.strip()
            if not question:
                return
            self._is_answering = True
        self._stop.clear()
        self._question.value = ""
        self._button.description, self._button.icon = "Stop", "stop"
        self.add("You", as_plain(question))
        output = self.add("Model", as_plain("…"))
        answering = threading.Thread(
            target=self._answer, args=(question, output), name="localllm-chat", daemon=True
        )
        answering.start()

    def _answer(self, question: str, output: Any) -> None:
        turns = [*self._turns, ChatMessage(role="user", content=question)]
        display = OutputDisplay(output)
        try:
            self._ask(turns, display)
            if display.text:
                answer = ChatMessage(role="assistant", content=display.text)
                self._turns = [*turns, answer]
        except LocalLLMError as error:
            display.fail(error.error_code)
            self.add("", as_plain(str(error)))
        finally:
            # Nobody tells when the widget is gone, so no connection is kept between questions.
            bridge.run(self._session.aclose())
            with self._lock:
                self._is_answering = False
            self._button.description, self._button.icon = "Send", "paper-plane"

    def _ask(self, turns: list[ChatMessage], display: OutputDisplay) -> None:
        """Stream the answer; where the conversation has become too long, without its beginning."""
        while True:
            try:
                self._stream(turns, display)
                return
            except PromptTooLong as error:
                if len(turns) < 3:
                    error.hint = "Ask in fewer words."
                    raise
                del turns[:2]
                display.is_shortened = True

    def _stream(self, turns: list[ChatMessage], display: OutputDisplay) -> None:
        system = [ChatMessage(role="system", content=self._system)] if self._system else []
        request = ChatCompletionRequest(
            model=self._model,
            messages=[*system, *turns],
            stream=True,
            max_tokens=self._max_tokens,
            return_progress=True,
            user=f"kernel-{os.getpid()}",
        )
        display.expect(model=self._model, max_tokens=self._max_tokens)
        with closing(bridge.iterate(self._session.stream(request))) as events:
            for event in events:
                display.show(event)
                if self._stop.is_set() and display.done is None:
                    display.stop()
                    return


class OutputDisplay(AnswerDisplay):
    """An answer inside of an ipywidgets ``Output``."""

    def __init__(self, output: Any, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock)
        self._output = output
        self._last_paint = -1.0
        self.is_shortened = False

    def _longer(self, max_tokens: int) -> str:
        return f"chat_widget(max_tokens={max_tokens})"

    def _paint_text(self, added: str) -> None:
        self._paint(self._with_thinking(self._shape(self.text)))

    def _paint_thinking(self, *, is_over: bool = False) -> None:
        if not is_over and self.thinking:
            self._paint(Shown("*Thinking …*", "Thinking …"))

    def _paint_waiting(self, line: str) -> None:
        self._paint(Shown(f"*{line}*", line))

    def _paint(self, shown: Shown) -> None:
        interval = max(_UPDATE_INTERVAL_S, 2 * len(shown.plain) / _CHARACTERS_PER_S)
        if self._clock() - self._last_paint >= interval:
            show(self._output, shown)
            self._last_paint = self._clock()

    def _end(self, shown: Shown | None, note: str, facts: dict[str, Any]) -> None:
        ended = self._with_thinking(shown or self._shape(self.text))
        if note:
            ended = with_note(ended, note)
        if self.is_shortened:
            ended = with_note(ended, _SHORTENED)
        show(self._output, ended)

    def _with_thinking(self, shown: Shown) -> Shown:
        if not self.thinking or shown.markdown is None:
            return shown
        fold = folded("Thinking", safe_and_closed(self.thinking))
        return Shown(f"{fold}\n\n{shown.markdown}", shown.plain, shown.open_fence)


def show(output: Any, shown: Shown) -> None:
    """Put one state into an ipywidgets ``Output``."""
    data = {"text/plain": shown.plain}
    if shown.markdown is not None:
        data["text/markdown"] = shown.markdown
    output.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)
