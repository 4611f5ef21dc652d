"""Workers whose faults are chosen by the test: every one ends in one plain error."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_localllm import errors
from jupyter_localllm.host.supervisor import WorkerProcess, WorkerSpec
from jupyter_localllm.host.worker_environment import worker_environment
from jupyter_localllm.protocol import ModelState
from tests.host.hosts import (
    FAULTY,
    chat,
    collect,
    first_chunk,
    only_model,
    run,
    running_host,
    until,
    worker_pid,
)

SECRETS = {
    "JUPYTER_TOKEN": "canary-1",
    "JUPYTERHUB_API_TOKEN": "canary-2",
    "AWS_SECRET_ACCESS_KEY": "canary-3",
    "OPENAI_API_KEY": "canary-4",
    "CUDA_API_KEY": "canary-5",
    "MY_VARIABLE": "canary-6",
    "HTTPS_PROXY": "canary-7",
}


@pytest.fixture
def faulty(tmp_path: Path, scripted_model: Path) -> Any:
    """``faulty("mute")``: a real model file whose name makes the test's worker misbehave."""

    def link(fault: str) -> Path:
        path = tmp_path / f"{fault}.gguf"
        path.symlink_to(scripted_model)
        return path

    return link


def faulty_host(path: Path, **config: Any) -> Any:
    return running_host(path, host_options={"worker_command": FAULTY}, **config)


async def failure(path: Path, **config: Any) -> errors.LocalLLMError:
    """Return the error of one request, and check that the next one is answered too."""
    async with faulty_host(path, **config) as host:
        with pytest.raises(errors.LocalLLMError) as caught:
            await collect(host.stream(chat("x")))
        with pytest.raises(errors.LocalLLMError) as again:
            await collect(host.stream(chat("x")))
        assert again.value.error_code == caught.value.error_code
        return caught.value


def test_abort_while_loading_names_the_signal_and_the_last_words(faulty: Any) -> None:
    error = run(failure(faulty("dies_loading")))
    assert isinstance(error, errors.WorkerStartFailed)
    assert error.details["signal"] == "SIGABRT"
    assert error.details["stderr"][-1] == "ggml assert failed: odd tensor"
    assert "odd tensor" in error.message
    assert error.hint


def test_defect_named_by_the_worker_reaches_the_asker(faulty: Any) -> None:
    error = run(failure(faulty("refuses")))
    assert isinstance(error, errors.ModelFileError)
    assert (error.message, error.hint) == ("This file is odd.", "Fetch it.")


def test_what_a_worker_has_started_ends_with_it(faulty: Any) -> None:
    started = time.monotonic()
    error = run(failure(faulty("has_child")))
    assert time.monotonic() - started < 10
    child = int(error.details["stderr"][-1])
    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_stderr_is_a_ring(faulty: Any) -> None:
    error = run(failure(faulty("chatty")))
    assert error.details["stderr"][-1] == "the last word"
    assert len(error.details["stderr"]) <= 5


def test_noise_on_the_status_channel_is_survived(faulty: Any) -> None:
    async def main() -> None:
        async with faulty_host(faulty("noise")) as host:
            info = await host.load("")
            assert info.state is ModelState.READY

    run(main())


def test_silent_start_is_ended_after_the_limit(faulty: Any) -> None:
    error = run(failure(faulty("silent"), load_timeout_s=0.5, hung_timeout_s=0.5))
    assert isinstance(error, errors.WorkerHung)
    assert "while loading" in error.message


def test_missing_program_is_told(scripted_model: Path) -> None:
    async def main() -> None:
        options = {"worker_command": ["/nonexistent/python"]}
        async with running_host(scripted_model, host_options=options) as host:
            with pytest.raises(errors.WorkerStartFailed, match="could not be started"):
                await collect(host.stream(chat("x")))

    run(main())


@pytest.mark.parametrize("fault", ["mute", "stuck_engine"])
def test_hung_worker_is_ended_with_one_error(fault: str, faulty: Any) -> None:
    async def main() -> None:
        async with faulty_host(faulty(fault), hung_timeout_s=0.6) as host:
            events = host.stream(chat("x"))
            assert (await first_chunk(events)).text == "begun"
            pid = worker_pid(host)
            with pytest.raises(errors.WorkerHung):
                await events.__anext__()
            with pytest.raises(StopAsyncIteration):
                await events.__anext__()
            model = only_model(host)
            await until(model, lambda: not model.life.has_process)
            assert not psutil.pid_exists(pid)
            again = host.stream(chat("x"))
            assert (await first_chunk(again)).text == "begun"
            await again.aclose()

    run(main())


@pytest.mark.parametrize(
    ("fault", "code"), [("cut_stream", "connection_lost"), ("garbage", "bad_backend_reply")]
)
def test_bad_stream_of_a_living_worker_is_one_error(
    fault: str, code: str, faulty: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_localllm.host.lifecycle._DEATH_NOTICE_S", 0.2)

    async def main() -> None:
        async with faulty_host(faulty(fault)) as host:
            with pytest.raises(errors.WorkerError) as caught:
                await collect(host.stream(chat("x")))
            assert caught.value.error_code == code
            assert only_model(host).queue.n_running == 0

    run(main())


def test_worker_that_will_not_go_is_killed(faulty: Any) -> None:
    async def main() -> None:
        async with faulty_host(faulty("deaf"), terminate_grace_s=0.3) as host:
            await host.load("")
            pid = worker_pid(host)
        assert not psutil.pid_exists(pid)

    run(main())


def test_crash_limit_stops_a_model_until_it_is_loaded_by_hand(faulty: Any) -> None:
    async def main() -> None:
        async with faulty_host(faulty("dies_loading"), crash_limit=3) as host:
            for _ in range(3):
                with pytest.raises(errors.WorkerStartFailed):
                    await collect(host.stream(chat("x")))
            with pytest.raises(errors.WorkerCrashed) as caught:
                await collect(host.stream(chat("x")))
            assert caught.value.error_code == "worker_stopped"
            assert caught.value.details["signal"] == "SIGABRT"
            (info,) = [model for model in await host.models() if model.is_default]
            assert info.state is ModelState.FAILED
            assert info.error is not None
            assert info.error["code"] == "worker_stopped"
            # By hand it is really tried again.
            with pytest.raises(errors.WorkerStartFailed):
                await host.load("")

    run(main())


def test_all_who_wait_for_a_failing_load_are_told_at_once(faulty: Any) -> None:
    async def main() -> None:
        async with faulty_host(faulty("dies_loading"), n_slots=2, crash_limit=100) as host:
            requests = [collect(host.stream(chat("x"))) for _ in range(10)]
            results = await asyncio.gather(*requests, return_exceptions=True)
            assert [type(result) for result in results] == [errors.WorkerStartFailed] * 10
            assert only_model(host).life._policy.n_crashes(asyncio.get_running_loop().time()) == 1

    run(main())


def test_environment_is_cleared_and_nothing_is_imported_from_where_the_user_is(
    faulty: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    async def main() -> dict[str, Any]:
        spec = WorkerSpec("m", faulty("environment"), 512, 2, FAULTY)
        folder = tmp_path / "private"
        folder.mkdir(mode=0o700)
        worker = WorkerProcess(spec, folder, 1, lambda: None)
        worker.start()
        await worker.exited.wait()
        assert "exit status 7" in worker.cause_of_death().message
        facts: dict[str, Any] = json.loads(bytes(worker._stderr))
        assert facts["cwd"] == str(folder)
        assert facts["argv"][-2:] == ["--socket", str(folder / "worker-1.sock")]
        assert facts["argv"][1:-2] == [
            *("--supervised", "--model", str(spec.model_path)),
            *("--context-window", "512", "--slots", "2", "--alias", "m"),
        ]
        return facts

    facts = run(main())
    assert not [value for value in facts["environ"].values() if "canary" in value]
    assert facts["environ"]["GGML_NO_BACKTRACE"] == "1"
    assert facts["environ"]["PATH"] == os.environ["PATH"]


def test_openmp_settings_of_the_user_are_passed_on_and_paths_made_absolute() -> None:
    given = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "5", "PATH": "/bin"}
    assert given.items() <= worker_environment(given).items()
    paths = worker_environment({"PYTHONPATH": os.pathsep.join(["", "a"])})["PYTHONPATH"]
    assert all(Path(path).is_absolute() for path in paths.split(os.pathsep))
