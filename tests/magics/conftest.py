"""Fixtures of the magics: shells and kernels that see neither a user's folders nor their hosts."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from jupyter_localllm.assistant.history import ChatHistory
from jupyter_localllm.host.launch import ChildHost
from jupyter_localllm.magics import register, unregister
from jupyter_localllm.magics.magics import LocalLLM
from tests.magics.kernel_session import KernelSession
from tests.magics.wire_tap import WireTap


@pytest.fixture(autouse=True)
def private_folders(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Give Jupyter and IPython folders of their own: no host of another test is found."""
    home = tmp_path_factory.mktemp("home")
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
        folder = home / name.lower()
        folder.mkdir(mode=0o700)
        monkeypatch.setenv(name, str(folder))
    monkeypatch.delenv("LOCALLLM_CONNECTION_FILE", raising=False)
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    return home


@pytest.fixture
def make_shell(private_folders: Path) -> Iterator[Callable[..., InteractiveShell]]:
    """``make_shell(Name={...})``: a real in-process shell, the one that ``display`` finds.

    ``kind`` is its class.
    """
    shells: list[InteractiveShell] = []

    def make(
        kind: type[InteractiveShell] = InteractiveShell, **settings: dict[str, object]
    ) -> InteractiveShell:
        InteractiveShell.clear_instance()
        config = Config(settings)
        config.HistoryManager.enabled = False
        shells.append(kind.instance(config=config))
        return shells[-1]

    yield make
    for shell in shells:
        # It removes its temporary files once, now.
        atexit.unregister(shell.atexit_operations)
        shell.atexit_operations()
        type(shell).clear_instance()


@pytest.fixture
def shell(make_shell: Callable[..., InteractiveShell]) -> InteractiveShell:
    """A real in-process shell."""
    return make_shell()


@pytest.fixture
def start_kernel(tmp_path: Path) -> Iterator[Callable[..., KernelSession]]:
    """``start_kernel()``: a real IPython kernel with the extension loaded, ended with the test."""
    sessions: list[KernelSession] = []

    def start(**environment: str) -> KernelSession:
        session = KernelSession(tmp_path, environment)
        sessions.append(session)
        session.run("%load_ext jupyter_localllm").check_ok()
        return session

    yield start
    for session in sessions:
        session.close()


def owner_of(shell: InteractiveShell) -> LocalLLM:
    """Return the magics that are registered in a shell."""
    [owner] = [c for c in shell.configurables if isinstance(c, LocalLLM)]
    return owner


@pytest.fixture
def asking(shell: InteractiveShell, scripted_model: Path) -> Iterator[InteractiveShell]:
    """A shell whose magics ask the scripted model."""
    register(shell)
    owner_of(shell).model = str(scripted_model)
    yield shell
    unregister(shell)


@pytest.fixture
def chats_file(tmp_path: Path) -> Path:
    """Where the kept chats of a test are."""
    return tmp_path / "chats.sqlite3"


@pytest.fixture
def sidebar(chats_file: Path) -> Iterator[ChatHistory]:
    """The server's view of the same file."""
    with closing(ChatHistory(chats_file)) as history:
        yield history


@pytest.fixture
def tap(scripted_model: Path) -> Iterator[WireTap]:
    """A listener between kernels and a host with the scripted model."""
    host = ChildHost(str(scripted_model))
    with tempfile.TemporaryDirectory(prefix="tap-") as folder:
        tap = WireTap(host.wait_listening(30), Path(folder))
        yield tap
        tap.close()
    host.stop()
