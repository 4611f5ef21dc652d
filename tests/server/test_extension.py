"""Loading, starting and stopping the extension."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_localllm import errors
from jupyter_localllm.assistant.history_disk import HISTORY_FILE_ENV
from jupyter_localllm.host.connection_file import CONNECTION_FILE_ENV, read_connection_file
from jupyter_localllm.host.model_host import ModelHost
from jupyter_localllm.server.app import LocalLLMExtension

from .page import Visitor

HEAVY = (
    "jupyter_localllm.server.chat_service",
    "llama_cpp",
    "numpy",
    "httpx",
    "psutil",
    "jupyter_localllm.host",
    "jupyter_localllm.client",
)


def test_loading_imports_nothing_heavy() -> None:
    code = (
        "import sys, jupyter_server.serverapp\n"
        "before = set(sys.modules)\n"
        "import jupyter_localllm\n"
        "jupyter_localllm._jupyter_server_extension_points()\n"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = done.stdout.split()
    assert "jupyter_localllm.server.app" in loaded
    assert not [name for name in loaded if name in HEAVY]
    assistant = {name for name in loaded if name.startswith("jupyter_localllm.assistant.")}
    nouns = "jupyter_localllm.assistant.diagrams.nouns"
    assert assistant <= {nouns, nouns.rpartition(".")[0]}


def test_every_setting_says_what_it_is() -> None:
    traits = LocalLLMExtension.class_own_traits(config=True)
    assert {"model", "model_dirs", "idle_unload_minutes", "preload"} <= set(traits)
    for name, trait in traits.items():
        assert str(trait.help).endswith("."), f"{name} has no help"
        if name.endswith(("_s", "_minutes", "_bytes")):
            unit = {"s": "Seconds", "minutes": "Minutes", "bytes": "Bytes"}[name.rsplit("_")[-1]]
            assert unit in str(trait.help)


def test_settings_reach_the_host() -> None:
    app = LocalLLMExtension(
        model="m",
        model_dirs=["~/x", "/y"],
        context_window=1024,
        n_slots=2,
        idle_unload_minutes=1.5,
        max_waiting=3,
        max_waiting_per_user=1,
        backends={"lab": {"base_url": "http://localhost:1/v1", "api_key": "k", "models": ["a"]}},
    )
    config = app.host_config()
    assert config.default_model == "m"
    assert config.model_dirs == (Path("~/x").expanduser(), Path("/y"))
    assert (config.context_window, config.n_slots, config.idle_unload_s) == (1024, 2, 90.0)
    assert (config.max_waiting, config.max_waiting_per_user) == (3, 1)
    assert config.backends["lab"].models == ("a",) and config.backends["lab"].api_key == "k"


async def test_kernels_find_the_host_while_the_server_runs(
    extension: Any, jp_serverapp: Any
) -> None:
    assert CONNECTION_FILE_ENV not in os.environ
    await jp_serverapp._post_start()
    path = Path(os.environ[CONNECTION_FILE_ENV])
    assert os.environ[HISTORY_FILE_ENV] == str(extension._history_path())
    info = read_connection_file(path)
    assert info is not None and info.pid == os.getpid()
    host = await extension.running_host()
    assert host is await extension.running_host()
    assert not [model for model in await host.models() if model.state.value != "not_loaded"]
    await extension.stop_extension()
    assert read_connection_file(path) is None
    assert not {CONNECTION_FILE_ENV, HISTORY_FILE_ENV} & os.environ.keys()
    with pytest.raises(errors.HostUnavailable):
        await extension.running_host()


async def test_many_first_requests_start_one_host(
    extension: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = await asyncio.gather(*(extension.running_host() for _ in range(8)))
    assert len(set(map(id, hosts))) == 1


async def test_a_caller_who_gives_up_does_not_stop_the_start(extension: Any) -> None:
    impatient = asyncio.ensure_future(extension.running_host())
    await asyncio.sleep(0)
    impatient.cancel()
    assert await extension.running_host()


async def test_a_host_that_cannot_start_is_said_and_tried_again(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Any) -> None:
        raise OSError("no space left on device")

    question = {"messages": [{"role": "user", "content": "HELLO"}]}
    with monkeypatch.context() as patch:
        patch.setattr(ModelHost, "start", broken)
        for _ in range(2):
            reply = await visitor.fetch("localllm/v1/chat/completions", "POST", body=question)
            assert reply.code == 503
            error = json.loads(reply.body)["error"]
            assert error["code"] == "host_unavailable" and "no space" in error["message"]
            assert error["hint"]
    reply = await visitor.fetch("localllm/v1/chat/completions", "POST", body=question)
    assert reply.code == 200


class TestPreload:
    @pytest.fixture
    def server_options(self) -> dict[str, Any]:
        return {"LocalLLMExtension": {"preload": True}}

    async def test_the_model_is_loaded_before_the_first_question(
        self, extension: Any, jp_serverapp: Any
    ) -> None:
        await jp_serverapp._post_start()
        await asyncio.wait_for(extension._preloading, 60)
        host = await extension.running_host()
        states = {model.id: model.state.value for model in await host.models()}
        assert states["scripted"] == "ready"


async def test_kernels_are_told_when_chats_are_not_kept(extension: Any, jp_serverapp: Any) -> None:
    extension.keep_history = False
    await jp_serverapp._post_start()
    assert os.environ[HISTORY_FILE_ENV] == ""
    await extension.stop_extension()
