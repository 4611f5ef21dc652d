"""Fixtures for tests that run a Jupyter server.

pytest-jupyter is imported here and nowhere else, so that its event loop and its clean-up stay in
this folder (its plugin form would clash with the browser tests).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403
from tornado.httpclient import AsyncHTTPClient
from traitlets.config import Config

from .conversation import Conversation, fresh_id
from .page import Page, Visitor


@pytest.fixture
def server_options() -> dict[str, Any]:
    """Traits of the server, by class; tests override it."""
    return {}


@pytest.fixture
def model_dir(tmp_path: Path, scripted_model: Path, slow_model: Path) -> Path:
    """A folder with the models that the tests ask by name: ``scripted`` and ``slow``."""
    folder = tmp_path / "models"
    folder.mkdir()
    for model in (scripted_model, slow_model):
        os.link(model, folder / model.name)
    return folder


@pytest.fixture
def jp_server_config(model_dir: Path, server_options: dict[str, Any]) -> Config:
    """A server with this extension only; the scripted model is the default one."""
    config = Config(
        {
            "ServerApp": {
                "jpserver_extensions": {
                    "jupyter_localllm": True,
                    "jupyter_server_terminals": False,
                },
                "reraise_server_extension_failures": True,
            },
            "LocalLLMExtension": {"model_dirs": [str(model_dir)], "model": "scripted"},
        }
    )
    config.merge(Config(server_options))
    return config


@pytest.fixture
def jp_environ_with_guard(jp_environ: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the loopback guard in the workers' path, which pytest-jupyter resets."""
    guard = Path(__file__).parents[1] / "guard"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(guard), os.environ["PYTHONPATH"]]))


@pytest.fixture
def extension(jp_environ_with_guard: None, jp_serverapp: Any) -> Any:
    """The running extension application."""
    return jp_serverapp.extension_manager.extension_points["jupyter_localllm"].app


@pytest.fixture
def visitor(
    extension: Any, jp_serverapp: Any, jp_http_port: int, jp_base_url: str, http_server: Any
) -> Iterator[Visitor]:
    """Someone who sends requests with whatever credentials a test gives them."""
    token = jp_serverapp.identity_provider.token
    client = AsyncHTTPClient(force_instance=True)
    yield Visitor(client, jp_http_port, jp_base_url, token)
    client.close()


@pytest.fixture
def open_page(visitor: Visitor) -> Iterator[Any]:
    """``await open_page()``: a page with an open websocket, closed after the test."""
    pages: list[Page] = []

    async def open_one(**kwargs: Any) -> Page:
        pages.append(await visitor.open_page(**kwargs))
        return pages[-1]

    yield open_one
    for page in pages:
        page.connection.close()


@pytest.fixture
def open_chat(visitor: Visitor, open_page: Any) -> Any:
    """``await open_chat()``: a new chat, with a page that shows it."""

    async def open_one(*, headers: dict[str, str] | None = None, **fields: Any) -> Conversation:
        page = await open_page(headers={**visitor.token_header, **(headers or {})})
        chat = await Conversation(visitor, page, fresh_id("chat"), headers).create(**fields)
        assert (await page.until("chat"))["change"] == "created"
        return chat

    return open_one
