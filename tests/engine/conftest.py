"""Engines around real llama.cpp, and a way to wait for their answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_localllm.engine.chat_template import CHATML, ChatTemplate, TemplateRenderer
from jupyter_localllm.engine.engine import Engine, EngineConfig
from jupyter_localllm.engine.sampler import SamplingParams
from jupyter_localllm.engine.slot import EngineEvent, Generation
from jupyter_localllm.errors import LocalLLMError
from jupyter_localllm.protocol import (
    CompletionChunk,
    CompletionDone,
    CompletionProgress,
    TokenLogprob,
)

WAIT_S = 60.0


class Answer:
    """Collects the events of one request."""

    def __init__(self) -> None:
        self.chunks: list[str] = []
        self.logprobs: list[TokenLogprob] = []
        self.progress: list[CompletionProgress] = []
        self.terminal: list[CompletionDone | LocalLLMError] = []
        self.generation: Generation | None = None
        self._changed = threading.Condition()

    def __call__(self, event: EngineEvent) -> None:
        with self._changed:
            if isinstance(event, CompletionChunk):
                self.chunks.append(event.text)
                self.logprobs.extend(event.logprobs or ())
            elif isinstance(event, CompletionProgress):
                self.progress.append(event)
            else:
                self.terminal.append(event)
            self._changed.notify_all()

    @property
    def text(self) -> str:
        return "".join(self.chunks)

    def wait_for(self, condition: Callable[[Answer], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), WAIT_S), "timed out"

    def done(self) -> CompletionDone:
        self.wait_for(lambda answer: bool(answer.terminal))
        assert len(self.terminal) == 1
        terminal = self.terminal[0]
        assert isinstance(terminal, CompletionDone), terminal
        return terminal

    def error(self) -> LocalLLMError:
        self.wait_for(lambda answer: bool(answer.terminal))
        assert len(self.terminal) == 1
        terminal = self.terminal[0]
        assert isinstance(terminal, LocalLLMError), terminal
        return terminal


class Bench:
    """An engine with short ways to ask it."""

    def __init__(self, path: Path, **config: Any) -> None:
        self.engine = Engine(path, EngineConfig(**config), deliver=self._deliver)
        self.engine.start()
        self.info = self.engine.ready.result(WAIT_S)

    @staticmethod
    def _deliver(events: list[tuple[Generation, EngineEvent]]) -> None:
        for generation, event in events:
            generation.sink(event)

    def ask(self, prompt: str | list[int], *, chat: bool = True, **options: Any) -> Answer:
        """Submit a question (as one user turn of ChatML) or a raw prompt."""
        request: dict[str, Any] = {
            name: options.pop(name)
            for name in ("may_reuse", "wants_progress", "priority")
            if name in options
        }
        if chat and isinstance(prompt, str):
            prompt = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
        options.setdefault("temperature", 0.0)
        answer = Answer()
        answer.generation = Generation(
            prompt, SamplingParams(**options), answer, parse_special=chat, **request
        )
        self.engine.submit(answer.generation)
        return answer

    def cancel(self, answer: Answer) -> None:
        assert answer.generation is not None
        self.engine.cancel(answer.generation)

    def call(self, function: Callable[[], Any]) -> Any:
        return self.engine.call(function).result(WAIT_S)

    def assert_idle(self) -> None:
        """Nothing runs, nothing waits, every sequence is free or a kept prefix."""
        scheduler = self.engine.scheduler
        assert scheduler is not None
        running, waiting, owned = self.call(
            lambda: (len(scheduler.running), len(scheduler.waiting), scheduler.cache.n_running)
        )
        assert (running, waiting, owned) == (0, 0, 0)


@pytest.fixture(scope="session")
def scripted(scripted_model: Path) -> Iterator[Bench]:
    bench = Bench(scripted_model)
    yield bench
    bench.engine.close()


@pytest.fixture(scope="session")
def slow(slow_model: Path) -> Iterator[Bench]:
    bench = Bench(slow_model, n_slots=2, context_window=2048)
    yield bench
    bench.engine.close()


@pytest.fixture
def renderer() -> Iterator[Callable[[str], TemplateRenderer]]:
    """Make renderers of templates; they are closed at the end."""
    made: list[TemplateRenderer] = []

    def make(source: str = CHATML) -> TemplateRenderer:
        renderer = TemplateRenderer(
            ChatTemplate("model", source), bos_token="<s>", eos_token="</s>", context_window=1000
        )
        made.append(renderer)
        return renderer

    yield make
    for renderer in made:
        renderer.close()
