"""The connection file: private, found, and removed when its host is dead."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_localllm import errors
from jupyter_localllm.host.connection_file import (
    CONNECTION_FILE_ENV,
    MAX_SOCKET_PATH_BYTES,
    ConnectionInfo,
    find_connection,
    make_private_folder,
    private_socket_path,
    read_connection_file,
    runtime_dir,
    write_connection_file,
)
from tests.platforms import needs_unix_sockets

pytestmark = needs_unix_sockets


@pytest.fixture
def listening() -> Iterator[Path]:
    """A socket that takes connections."""
    path = private_socket_path(make_private_folder(), "host.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield path
    path.unlink()


def written(path: Path | str, **fields: object) -> Path:
    known = {"pid": os.getpid(), "protocol_version": 1, "server_version": "0", **fields}
    return write_connection_file(ConnectionInfo(socket=str(path), **known))


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_file_and_folders_are_private(listening: Path) -> None:
    path = written(listening, api_key="secret-key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(listening.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(runtime_dir().stat().st_mode) == 0o700
    assert path.parent == runtime_dir()
    info = read_connection_file(path)
    assert info is not None
    assert (info.socket, info.api_key, info.path) == (str(listening), "secret-key", path)
    assert "secret-key" not in repr(info)


def test_live_host_is_found(listening: Path) -> None:
    path = written(listening)
    found = find_connection()
    assert found is not None
    assert found.path == path


def test_inherited_one_goes_first(listening: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = written(listening, server_version="mine"), written(listening)
    os.utime(mine, (1, 1))
    assert find_connection().path == other
    monkeypatch.setenv(CONNECTION_FILE_ENV, str(mine))
    assert find_connection().path == mine


def test_the_server_that_started_this_kernel_goes_before_newer_ones(
    listening: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = written(listening, pid=os.getppid())
    newer = written(listening)
    os.utime(parent, (1, 1))
    assert find_connection().path == newer
    monkeypatch.setenv("JPY_PARENT_PID", str(os.getppid()))
    assert find_connection().path == parent


def test_a_child_host_belongs_to_its_parent_only(listening: Path) -> None:
    path = written(listening, scope="child")
    assert find_connection() is None
    assert path.exists()


def test_file_of_a_dead_process_is_removed_with_its_folder() -> None:
    folder = make_private_folder()
    path = written(private_socket_path(folder, "host.sock"), pid=dead_pid())
    assert find_connection() is None
    assert not path.exists()
    assert not folder.exists()


def test_file_whose_socket_nobody_listens_on_is_removed() -> None:
    socket_path = private_socket_path(make_private_folder(), "host.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(socket_path))
    path = written(socket_path)
    assert find_connection() is None
    assert not path.exists()


def test_stale_inherited_file_falls_back_to_a_live_host(
    listening: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = written(listening)
    monkeypatch.setenv(CONNECTION_FILE_ENV, str(runtime_dir() / "localllm-gone.json"))
    assert find_connection().path == live


@pytest.mark.parametrize("damage", ["", "{", "[]", '"x"', "{}", '{"pid": "no"}', "\x00"])
def test_damaged_file_is_passed_over(damage: str) -> None:
    path = runtime_dir() / "localllm-1-damaged.json"
    path.write_text(damage)
    path.chmod(0o600)
    assert read_connection_file(path) is None
    assert find_connection() is None


def test_file_that_others_may_write_is_not_trusted(listening: Path) -> None:
    path = written(listening)
    assert read_connection_file(path) is not None
    path.chmod(0o666)
    assert read_connection_file(path) is None


def test_socket_paths_are_short_even_where_the_runtime_folder_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(deep))
    folder = make_private_folder()
    path = private_socket_path(folder, "worker-9999.sock")
    assert len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES
    assert deep not in folder.parents
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(deep.iterdir()) == []
    folder.rmdir()


def test_folder_that_others_may_enter_is_refused() -> None:
    folder = make_private_folder()
    folder.chmod(0o755)
    with pytest.raises(errors.HostUnavailable, match="entered by other users"):
        private_socket_path(folder, "host.sock")


def test_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(make_private_folder())
    with pytest.raises(errors.HostUnavailable):
        private_socket_path(link, "host.sock")


def test_too_long_a_name_is_refused() -> None:
    with pytest.raises(errors.HostUnavailable, match="longer than 100 bytes"):
        private_socket_path(make_private_folder(), "s" * 100)


def test_busy_host_is_not_taken_for_dead(listening: Path) -> None:
    path = written(listening)
    results = []
    finders = [threading.Thread(target=lambda: results.append(find_connection())) for _ in range(8)]
    for finder in finders:
        finder.start()
    for finder in finders:
        finder.join()
    assert path.exists()
    assert [found is not None and found.path for found in results] == [path] * 8


def test_what_is_written_is_json_with_the_version(listening: Path) -> None:
    body = json.loads(written(listening).read_text())
    assert body["protocol_version"] == 1
    assert body["socket"] == str(listening)
