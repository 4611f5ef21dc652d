"""The host over real workers: start on first use, queue, cancel, memory, unload, stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from jupyter_localllm import errors
from jupyter_localllm.models.gguf import read_header
from jupyter_localllm.models.memory import RESERVE_BYTES, estimate
from jupyter_localllm.protocol import (
    CompletionProgress,
    CompletionRequest,
    DetokenizeRequest,
    EmbeddingRequest,
    ModelState,
    TokenizeRequest,
)
from tests.host.hosts import (
    chat,
    collect,
    first_chunk,
    only_model,
    run,
    running_host,
    text_of,
    until,
    worker_pid,
)
from tests.model_fixtures import DEFAULT_REPLY, REPLIES


def test_first_use_starts_the_worker_and_tells_how_loading_goes(scripted_model: Path) -> None:
    async def main() -> None:
        async with running_host(scripted_model) as host:
            assert host._models == {}
            (default,) = [model for model in await host.models() if model.is_default]
            assert (default.id, default.state) == ("scripted", ModelState.NOT_LOADED)
            events = await collect(host.stream(chat("say HELLO")))
            assert text_of(events) == REPLIES["HELLO"]
            progress = [event for event in events if isinstance(event, CompletionProgress)]
            loading = [p.load_progress for p in progress if p.model_state is ModelState.LOADING]
            assert loading == sorted(loading, key=float)
            assert loading[0] == 0.0
            pid = worker_pid(host)
            again = await collect(host.stream(chat("say HELLO", return_progress=None)))
            assert text_of(again) == REPLIES["HELLO"]
            assert not any(isinstance(event, CompletionProgress) for event in again)
            assert worker_pid(host) == pid

    run(main())


@pytest.mark.parametrize("trigger", ["", *REPLIES])
def test_text_passes_through_unchanged(trigger: str, scripted_model: Path) -> None:
    async def main() -> None:
        async with running_host(scripted_model) as host:
            events = await collect(host.stream(chat(f"{trigger}")))
            assert text_of(events) == REPLIES.get(trigger, DEFAULT_REPLY)

    run(main())


def test_completions_tokenize_and_models(scripted_model: Path) -> None:
    async def main() -> None:
        async with running_host(scripted_model) as host:
            request = CompletionRequest(prompt="HELLO", max_tokens=4, temperature=0.0)
            events = await collect(host.stream(request))
            assert events[-1].usage.completion_tokens <= 4
            text = "Grüße {x} 👩‍🚀"
            ids = await host.tokenize(TokenizeRequest(content=text))
            assert await host.detokenize(DetokenizeRequest(tokens=ids)) == text
            (info,) = [model for model in await host.models() if model.is_default]
            assert (info.id, info.state) == ("scripted", ModelState.READY)
            assert info.context_window == 2048

    run(main())


def test_embeddings_come_from_a_model_that_can(
    scripted_model: Path, tiny_model: Callable[[str], Path]
) -> None:
    async def main() -> None:
        async with running_host(tiny_model("bert")) as host:
            reply = await host.embed(EmbeddingRequest(input=["one", "two"]))
            assert len(reply.vectors) == 2
        async with running_host(scripted_model) as host:
            with pytest.raises(errors.RequestError, match="embeddings"):
                await host.embed(EmbeddingRequest(input="one"))
            assert only_model(host).queue.n_running == 0

    run(main())


def test_eight_clients_at_once_are_all_answered_to_the_end(scripted_model: Path) -> None:
    async def main() -> None:
        async with running_host(scripted_model) as host:
            answers = await asyncio.gather(*(collect(host.stream(chat("LONG"))) for _ in range(8)))
            assert [text_of(events) for events in answers] == [REPLIES["LONG"]] * 8
            queue = only_model(host).queue
            assert (queue.n_running, queue.n_waiting) == (0, 0)

    run(main())


def test_queue_tells_positions_and_refuses_when_full(slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(
            slow_model, n_slots=1, max_waiting=2, max_waiting_per_user=1
        ) as host:
            running = host.stream(chat("x", user="ada", max_tokens=400))
            await first_chunk(running)
            waiting = [host.stream(chat("x", user=user, max_tokens=1)) for user in ("ada", "bob")]
            first = [await events.__anext__() for events in waiting]
            assert first == [CompletionProgress(queue_position=1)] * 2
            # bob, of whom nothing runs, has passed ada.
            assert await waiting[0].__anext__() == CompletionProgress(queue_position=2)
            with pytest.raises(errors.QueueFull) as caught:
                await collect(host.stream(chat("x", user="ada")))
            assert caught.value.details["limit"] == 1
            with pytest.raises(errors.QueueFull):
                await collect(host.stream(chat("x", user="eve")))
            await running.aclose()
            done = await asyncio.gather(*map(collect, waiting))
            assert all(done)

    run(main())


def test_cancel_while_queued_loading_and_streaming_frees_the_place(slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(slow_model, n_slots=1) as host:
            loading = host.stream(chat("x"))
            progress = await loading.__anext__()
            assert progress == CompletionProgress(model_state=ModelState.LOADING, load_progress=0.0)
            model = only_model(host)
            assert model.queue.n_running == 1
            await loading.aclose()
            assert model.queue.n_running == 0

            streaming = host.stream(chat("x"))
            await first_chunk(streaming)
            queued = host.stream(chat("x"))
            assert await queued.__anext__() == CompletionProgress(queue_position=1)
            waiter = asyncio.create_task(queued.__anext__())
            await asyncio.sleep(0)
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
            assert model.queue.n_waiting == 0

            await streaming.aclose()
            assert (model.queue.n_running, model.life.is_in_use) == (0, False)
            # The worker's own slot comes free too: the next answer starts at once.
            await asyncio.wait_for(first_chunk(last := host.stream(chat("x"))), 10)
            await last.aclose()
            assert worker_pid(host) > 0

    run(main())


def test_load_nobody_waits_for_any_more_does_not_start(
    scripted_model: Path, slow_model: Path
) -> None:
    async def main() -> None:
        async with running_host(slow_model) as host:
            async with host._launcher.lock:
                events = host.stream(chat("x"))
                await events.__anext__()
                model = only_model(host)
                attempt = model.life._attempt
                assert attempt is not None
                assert attempt.task is not None
                await events.aclose()
            await asyncio.wait({attempt.task})
            assert model.life.worker is None
            assert model.life.state is ModelState.NOT_LOADED

    run(main())


def test_idle_model_is_unloaded_and_loads_again(scripted_model: Path) -> None:
    async def main() -> None:
        async with running_host(scripted_model, idle_unload_s=0.3) as host:
            await collect(host.stream(chat("HELLO")))
            pid, model = worker_pid(host), only_model(host)
            await until(model, lambda: not model.life.has_process)
            assert not psutil.pid_exists(pid)
            assert model.life.state is ModelState.NOT_LOADED
            assert text_of(await collect(host.stream(chat("HELLO")))) == REPLIES["HELLO"]

    run(main())


def test_running_answer_is_not_idle(slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(slow_model, idle_unload_s=0.2) as host:
            events = await collect(host.stream(chat("x", max_tokens=60)))
            assert len(text_of(events)) > 60

    run(main())


def test_model_that_cannot_fit_is_refused_with_numbers(scripted_model: Path) -> None:
    async def main() -> None:
        options = {"available_memory": lambda: 150 << 20}
        async with running_host(scripted_model, host_options=options, context_window=8192) as host:
            with pytest.raises(errors.NotEnoughMemory) as caught:
                await collect(host.stream(chat("x")))
            details = caught.value.details
            assert details["need_bytes"] > details["have_bytes"] > 0
            assert "MiB" in caught.value.message
            assert caught.value.hint
            assert only_model(host).life.worker is None

    run(main())


def test_memory_for_another_model_is_made_by_unloading_the_idle_one(
    scripted_model: Path, slow_model: Path, tmp_path: Path
) -> None:
    window = 1024
    needs = [
        estimate(read_header(path), context_window=window, n_slots=1).total_bytes
        for path in (scripted_model, slow_model)
    ]

    async def main() -> None:
        total = max(needs) + RESERVE_BYTES + (20 << 20)

        def available() -> int:
            loaded = [model for model in host._models.values() if model.life.has_process]
            return total - 60_000_000 * len(loaded)

        options = {"available_memory": available}
        async with running_host(
            scripted_model, host_options=options, context_window=window
        ) as running:
            host = running
            await collect(host.stream(chat("HELLO")))
            first = only_model(host)
            # It is answering, so the other one waits until it has ended; then they swap.
            held = host.stream(chat("LONG"))
            await first_chunk(held)
            other = asyncio.create_task(
                collect(
                    host.stream(chat("x", model=str(slow_model), max_tokens=3), allow_path=True)
                )
            )
            assert len(text_of(await collect(held))) > 1000
            await other
            assert not first.life.has_process
            assert text_of(await collect(host.stream(chat("HELLO")))) == REPLIES["HELLO"]

    run(main())


def test_more_models_than_wanted_unloads_the_one_used_longest_ago(
    scripted_model: Path, slow_model: Path, tiny_model: Callable[[str], Path]
) -> None:
    async def main() -> None:
        async with running_host(scripted_model, max_loaded_models=2) as host:
            await host.load("")
            await host.load(str(slow_model), allow_path=True)
            scripted, slow = host._models.values()
            assert scripted.life.is_ready
            assert slow.life.is_ready
            await collect(host.stream(chat("HELLO")))
            await host.load(str(tiny_model("llama")), allow_path=True)
            await until(slow, lambda: not slow.life.has_process)
            assert scripted.life.is_ready
            # One that was used long ago and is loaded again by hand is wanted now.
            await host.load(str(slow_model), allow_path=True)
            await until(scripted, lambda: not scripted.life.has_process)
            assert slow.life.is_ready

    run(main())


def test_bad_file_is_refused_and_the_earlier_model_still_answers(
    scripted_model: Path,
    bad_file: Callable[[str], Path],
    tiny_model: Callable[[str], Path],
) -> None:
    async def main() -> None:
        async with running_host(scripted_model) as host:
            await collect(host.stream(chat("HELLO")))
            pid = worker_pid(host)
            bad = [bad_file(kind) for kind in ("truncated", "html", "pickle", "directory")]
            for path in [*bad, tiny_model("gizmo")]:
                request = chat("x", model=str(path))
                with pytest.raises(errors.ModelFileError) as caught:
                    await collect(host.stream(request, allow_path=True))
                assert caught.value.hint
                assert text_of(await collect(host.stream(chat("HELLO")))) == REPLIES["HELLO"]
            scripted = next(iter(host._models.values()))
            assert scripted.life.pid == pid

    run(main())


def test_paths_are_for_kernels_only(scripted_model: Path, slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(scripted_model) as host:
            request = chat("x", model=str(slow_model), max_tokens=2)
            await collect(host.stream(request, allow_path=True))
            # Also after a kernel has loaded it.
            with pytest.raises(errors.ModelNotFound):
                await collect(host.stream(request))
            with pytest.raises(errors.ModelNotFound):
                await host.load(str(slow_model))

    run(main())


def test_request_error_leaves_worker_and_places_alone(scripted_model: Path) -> None:
    async def main() -> None:
        async with running_host(scripted_model, context_window=512) as host:
            with pytest.raises(errors.PromptTooLong) as caught:
                await collect(host.stream(chat("word " * 5000)))
            assert caught.value.details
            pid = worker_pid(host)
            assert text_of(await collect(host.stream(chat("HELLO")))) == REPLIES["HELLO"]
            assert worker_pid(host) == pid

    run(main())


def test_unload_tells_the_running_and_the_waiting(slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(slow_model, n_slots=1) as host:
            running = host.stream(chat("x"))
            await first_chunk(running)
            waiting = host.stream(chat("x"))
            await waiting.__anext__()
            pid = worker_pid(host)
            await host.unload("")
            for events in (running, waiting):
                with pytest.raises(errors.WorkerError) as caught:
                    await collect(events)
                assert caught.value.error_code == "model_unloaded"
            assert not psutil.pid_exists(pid)
            await collect(host.stream(chat("x", max_tokens=2)))

    run(main())


def test_stop_ends_every_answer_with_an_error_and_every_worker(slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(slow_model, n_slots=1) as host:
            running, waiting = host.stream(chat("x")), host.stream(chat("x"))
            await first_chunk(running)
            await waiting.__anext__()
            pid, file = worker_pid(host), host.connection_file
            assert file is not None
            await host.stop()
            for events in (running, waiting, host.stream(chat("x"))):
                with pytest.raises(errors.HostStopping):
                    await collect(events)
            assert not psutil.pid_exists(pid)
            assert not file.exists()
            assert list(file.parent.iterdir()) == []

    run(main())


def test_stop_while_loading(slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(slow_model) as host:
            events = host.stream(chat("x"))
            await events.__anext__()
            model = only_model(host)
            await until(model, lambda: model.life.has_process)
            await host.stop()
            with pytest.raises(errors.HostUnavailable):
                await collect(events)

    run(main())


def test_unknown_model_is_told_with_what_there_is(scripted_model: Path) -> None:
    async def main() -> None:
        async with running_host(scripted_model) as host:
            with pytest.raises(errors.ModelNotFound) as caught:
                await collect(host.stream(chat("x", model="no-such-model")))
            assert caught.value.hint

    run(main())
