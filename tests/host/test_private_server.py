"""The host's private socket, asked as a kernel asks it."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import pytest

from jupyter_localllm import __version__, errors
from jupyter_localllm.client.client import OpenAIClient
from jupyter_localllm.host.config import OutsideServer
from jupyter_localllm.host.connection_file import find_connection, read_connection_file
from jupyter_localllm.host.model_host import ModelHost
from jupyter_localllm.protocol import (
    MAX_BODY_BYTES,
    DetokenizeRequest,
    EmbeddingRequest,
    ModelState,
    TokenizeRequest,
)
from tests.host.hosts import (
    chat,
    client_of,
    collect,
    first_chunk,
    only_model,
    run,
    running_host,
    text_of,
    until,
    worker_pid,
)
from tests.model_fixtures import REPLIES
from tests.platforms import needs_root


def socket_of(host: ModelHost) -> str:
    assert host.connection_file is not None
    info = read_connection_file(host.connection_file)
    assert info is not None
    return info.socket


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_all(path: Path) -> None:
    """Let every user reach a socket below the temporary folder, as far as file modes go."""
    for folder in path.parents:
        folder.chmod(folder.stat().st_mode | 0o755)
        if folder == Path(tempfile.gettempdir()):
            break
    path.chmod(0o666)


def raw(host: ModelHost) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(uds=socket_of(host), verify=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=30)


def test_socket_is_private_and_found(scripted_model: Path) -> None:
    async def main() -> None:
        async with running_host(scripted_model) as host:
            path = Path(socket_of(host))
            assert mode_of(path) == 0o600
            assert mode_of(path.parent) == 0o700
            found = await asyncio.to_thread(find_connection)
            assert found is not None
            assert found.path == host.connection_file
            assert (found.pid, found.server_version) == (os.getpid(), __version__)

    run(main())


def test_everything_a_client_can_ask(scripted_model: Path) -> None:
    async def main() -> None:
        async with running_host(scripted_model) as host, client_of(host) as client:
            events = await collect(client.stream(chat("EMOJI")))
            assert text_of(events) == REPLIES["EMOJI"]
            ids = await client.tokenize(TokenizeRequest(content="a {b}"))
            assert await client.detokenize(DetokenizeRequest(tokens=ids)) == "a {b}"
            (default,) = [model for model in await client.models() if model.is_default]
            assert default.state is ModelState.READY
            status = await client.status()
            (worker,) = status.workers
            assert (worker.pid, worker.slots_busy) == (worker_pid(host), 0)
            assert worker.memory_bytes
            assert status.server_version == __version__
            await client.unload("")
            assert (await client.status()).workers == []
            assert (await client.load("")).state is ModelState.READY

    run(main())


def test_kernel_may_name_a_model_by_path(scripted_model: Path, slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(scripted_model) as host, client_of(host) as client:
            events = await collect(client.stream(chat("x", model=str(slow_model), max_tokens=3)))
            assert text_of(events)
            assert (await client.load(str(slow_model))).id == "slow"

    run(main())


def test_paths_can_be_forbidden(scripted_model: Path, slow_model: Path) -> None:
    async def main() -> None:
        async with (
            running_host(scripted_model, allow_paths=False) as host,
            client_of(host) as client,
        ):
            with pytest.raises(errors.ModelNotFound):
                await client.load(str(slow_model))

    run(main())


def test_closing_the_stream_cancels_in_host_and_worker(slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(slow_model) as host, client_of(host) as client:
            events = client.stream(chat("x"))
            await first_chunk(events)
            model = only_model(host)
            assert model.life.is_in_use
            await events.aclose()
            await until(model, lambda: not model.life.is_in_use)
            assert model.queue.n_running == 0

    run(main())


def test_closing_before_the_first_token_cancels(slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(slow_model, n_slots=1) as host, client_of(host) as client:
            events = client.stream(chat("word " * 1200))
            await events.__anext__()
            model = only_model(host)
            await until(model, lambda: model.life.is_in_use)
            await events.aclose()
            await until(model, lambda: not model.life.is_in_use)
            await collect(client.stream(chat("x", max_tokens=2)))

    run(main())


@pytest.mark.parametrize(
    ("verb", "path", "body", "status", "code"),
    [
        ("POST", "/v1/chat/completions", b"{", 400, "invalid_json"),
        (
            "POST",
            "/v1/chat/completions",
            b'{"messages":[{"role":"user","content":"x"}],"x":1}',
            400,
            "unknown_parameter",
        ),
        ("POST", "/v1/chat/completions", b" " * (MAX_BODY_BYTES + 1), 413, "request_too_large"),
        ("POST", "/v1/chat/completions", b" " * 10_000_000, 413, "request_too_large"),
        ("GET", "/v1/chat/completions", b"", 400, "method_not_allowed"),
        ("GET", "/localllm/load", b"", 400, "method_not_allowed"),
        ("POST", "/localllm/status", b"", 400, "method_not_allowed"),
        ("POST", "/localllm/load", b'{"modle":"x"}', 400, "unknown_parameter"),
        ("POST", "/localllm/load", b'{"model":"nothing"}', 404, "model_not_found"),
        ("GET", "/etc/passwd", b"", 404, "not_found"),
    ],
)
def test_bad_requests_are_told_in_json(
    verb: str, path: str, body: bytes, status: int, code: str, scripted_model: Path
) -> None:
    async def main() -> None:
        async with running_host(scripted_model) as host, raw(host) as http:
            reply = await http.request(verb, path, content=body)
            error = reply.json()["error"]
            assert (reply.status_code, error["code"]) == (status, code)
            assert error["message"]
            assert error["hint"]
            assert (await http.get("/health")).json() == {"status": "ready"}

    run(main())


def test_half_a_character_in_a_prompt_is_told_before_it_is_sent(scripted_model: Path) -> None:
    async def main() -> None:
        async with running_host(scripted_model) as host, client_of(host) as client:
            with pytest.raises(errors.InvalidText):
                await collect(client.stream(chat("broken \ud83d")))
            assert host._models == {}

    run(main())


def test_client_of_a_host_that_is_gone(scripted_model: Path) -> None:
    async def main() -> None:
        async with running_host(scripted_model) as host, client_of(host) as client:
            await client.status()
            await host.stop()
            with pytest.raises(errors.HostUnavailable):
                await client.status()
            with pytest.raises(errors.HostUnavailable):
                await collect(client.stream(chat("x")))

    run(main())


def test_host_that_stops_tells_its_kernels(slow_model: Path) -> None:
    async def main() -> None:
        async with running_host(slow_model) as host, client_of(host) as client:
            events = client.stream(chat("x"))
            await first_chunk(events)
            await host.stop()
            with pytest.raises(errors.HostStopping):
                await collect(events)

    run(main())


def test_no_port_is_opened(scripted_model: Path) -> None:
    import psutil

    async def main() -> None:
        async with running_host(scripted_model) as host:
            await host.load("")
            for process in (psutil.Process(), psutil.Process(worker_pid(host))):
                connections = await asyncio.to_thread(process.net_connections, "inet")
                assert not [c for c in connections if c.status == psutil.CONN_LISTEN]

    run(main())


@needs_root
def test_another_user_cannot_connect(scripted_model: Path, tmp_path: Path) -> None:
    code = (
        "import os, socket, sys\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.settimeout(5)\n"
        "try:\n"
        "    s.connect(sys.argv[1])\n"
        "except PermissionError:\n"
        "    sys.exit(3)\n"
        "try:\n"
        "    s.sendall(b'GET /health HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\n"
        "    sys.exit(0 if s.recv(100) else 4)\n"
        "except ConnectionError:\n"
        "    sys.exit(4)\n"
    )

    async def attempt(path: str) -> int:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", "-c", code, path), cwd="/", stderr=subprocess.DEVNULL, env={}
        )
        return await process.wait()

    async def main() -> None:
        async with running_host(scripted_model) as host:
            path = Path(socket_of(host))
            assert await attempt(str(path)) == 3
            # Even where every file mode lets him in, the peer's identity does not.
            open_to_all(path)
            assert await attempt(str(path)) == 4

    run(main())


def test_outside_server_is_asked_in_plain_terms(scripted_model: Path) -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        seen.extend([head, await reader.readexactly(length)])
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        chunk = b'{"choices":[{"delta":{"content":"outside"},"finish_reason":"stop"}]}'
        writer.write(b"data: " + chunk + b"\n\ndata: [DONE]\n\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        there = OutsideServer(
            base_url=f"http://127.0.0.1:{port}/v1", api_key="their-key", models=("big",)
        )
        async with server, running_host(scripted_model, backends={"class": there}) as host:
            request = chat("x", model="class/big", user="ada", priority=3, min_p=0.1)
            events = await collect(host.stream(request))
            assert text_of(events) == "outside"
            assert b"POST /v1/chat/completions " in seen[0]
            assert b"Authorization: Bearer their-key" in seen[0]
            for own in (b"ada", b"priority", b"return_progress"):
                assert own not in seen[1]
            assert b'"model":"big"' in seen[1]
            assert b'"min_p"' in seen[1]
            assert "class/big" in [model.id for model in await host.models()]
            with pytest.raises(errors.ModelNotFound):
                await collect(host.stream(chat("x", model="class/other")))
            assert "their-key" not in repr(host.config)
            # It may be the default, too.
            async with running_host("class/big", backends={"class": there}) as host:
                assert text_of(await collect(host.stream(chat("x")))) == "outside"
                listed = (await host.status()).models
                assert [model.id for model in listed if model.is_default] == ["class/big"]

    run(main())


def test_outside_server_that_is_gone_is_told(scripted_model: Path) -> None:
    async def main() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            there = OutsideServer(base_url=f"http://127.0.0.1:{free.getsockname()[1]}")
            async with running_host(scripted_model, backends={"gone": there}) as host:
                with pytest.raises(errors.HostUnavailable):
                    await collect(host.stream(chat("x", model="gone/m")))
                with pytest.raises(errors.HostUnavailable):
                    await host.embed(EmbeddingRequest(input="x", model="gone/m"))
                (listed,) = [model for model in await host.models() if model.id == "gone"]
                assert listed.state is ModelState.FAILED
                # Asking for the status asks nobody else.
                assert "gone" not in [model.id for model in (await host.status()).models]

    run(main())


def test_client_of_a_port_where_nothing_listens() -> None:
    async def main() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            client = OpenAIClient(f"http://127.0.0.1:{free.getsockname()[1]}/v1")
            with pytest.raises(errors.HostUnavailable, match="Nothing answers"):
                await collect(client.stream(chat("x")))
            await client.aclose()

    run(main())
