"""Who may import whom, what may never be imported or called, and how long a file may be.

All of it is read from the source, but for what a fresh interpreter imports.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "jupyter_localllm"
ROOT = Path(__file__).parents[2]
SOURCE = ROOT / PACKAGE
FILES = sorted(path for path in SOURCE.rglob("*.py") if "node_modules" not in path.parts)
MAX_LINES = 400

EVERYONE = {"protocol", "chat_protocol", "errors"}

#: layer -> layers, or single modules of a layer, that it may import beside itself and ``EVERYONE``.
ALLOWED: dict[str, set[str]] = {
    "": {"magics", "server"},
    "errors": set(),
    "protocol": set(),
    "chat_protocol": {"protocol"},
    "openai_api": set(),
    "models": set(),
    "engine": {"models"},
    "worker": {"engine", "openai_api"},
    "client": {"openai_api.answers", "openai_api.listings", "openai_api.requests"},
    "host": {"models", "client", "openai_api"},
    "server": {"host", "openai_api", "assistant", "course"},
    "magics": {"client", "host.connection_file", "host.launch", "assistant", "course"},
    "assistant": {"client", "models"},
    "course": {"assistant"},
}

#: Layers whose place is decided, and which have no module yet.
PLANNED = {"course"}

#: Third-party packages and the only layers, or single modules, that may import them.
CONFINED = {
    "llama_cpp": {"engine"},
    "numpy": {"engine"},
    "tornado": {"openai_api.routes", "worker", "host", "server"},
    "jupyter_server": {"server"},
    "IPython": {"", "magics"},
}

#: Nothing is unpickled, evaluated, run through a shell or forked.
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "shelve", "marshal", "multiprocessing", "faiss"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "__import__",
    "asyncio.create_subprocess_shell",
    "create_subprocess_shell",
    "os.fork",
    "os.forkpty",
    "os.popen",
    "os.system",
    "pty.fork",
    "yaml.load",
    "yaml.unsafe_load",
    "numpy.load",
    "tempfile.mktemp",
}
SPAWNERS = {"run", "Popen", "call", "check_call", "check_output", "getoutput"}


def layer_of(path: Path, root: Path = SOURCE) -> str:
    """The first name below the package; "" for the package itself."""
    first = path.relative_to(root).parts[0].removesuffix(".py")
    return "" if first in ("__init__", "__main__") else first


def imports_of(tree: ast.AST, path: Path, root: Path = SOURCE) -> Iterator[tuple[int, str]]:
    """Yield ``(line, absolute module)`` of every import, those inside functions included."""
    package = (PACKAGE, *path.relative_to(root).parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            # "from . import host" names a module in its list.
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def covers(allowed: set[str], parts: list[str]) -> bool:
    """Tell whether a table entry names the layer or the module that ``parts`` begins with."""
    return parts[0] in allowed or ".".join(parts[:2]) in allowed


def boundary_faults(path: Path, source: str, root: Path = SOURCE) -> list[str]:
    """Describe every import in ``source`` that its layer may not make."""
    layer = layer_of(path, root)
    own = [layer, path.stem]
    faults = []
    for line, module in imports_of(ast.parse(source), path, root):
        top, *target = module.split(".")
        if top != PACKAGE:
            wrong = top in CONFINED and not covers(CONFINED[top], own)
        elif target[0] in ALLOWED:
            # What everyone may import has an order of its own.
            always = set() if layer in EVERYONE else EVERYONE
            wrong = not covers({layer} | always | ALLOWED[layer], target)
        else:
            wrong = False  # The package's own names, such as __version__.
        if wrong:
            faults.append(f"{path.name}:{line}: {layer or PACKAGE} may not import {module}")
    return faults


def is_name(node: ast.expr) -> str:
    """The dotted name of an expression, or ""."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = is_name(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


def _may_use_a_shell(call: ast.Call, keyword: ast.keyword) -> bool:
    """Tell whether ``shell=`` of a call can be true; elsewhere it may be IPython's shell object."""
    if isinstance(keyword.value, ast.Constant):
        return bool(keyword.value.value)
    return is_name(call.func).split(".")[-1] in SPAWNERS


def danger_faults(path: Path, source: str, root: Path = SOURCE) -> list[str]:
    """Describe every forbidden module, call or ``shell=True`` in ``source``."""
    tree = ast.parse(source)
    faults = [
        f"{path.name}:{line}: imports {module}"
        for line, module in imports_of(tree, path, root)
        if module.split(".")[0] in FORBIDDEN_MODULES or module in FORBIDDEN_CALLS
    ]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if is_name(node.func) in FORBIDDEN_CALLS:
            faults.append(f"{path.name}:{node.lineno}: calls {is_name(node.func)}")
        for keyword in node.keywords:
            if keyword.arg == "shell" and _may_use_a_shell(node, keyword):
                faults.append(f"{path.name}:{node.lineno}: shell=")
            if keyword.arg == "preexec_fn":
                faults.append(f"{path.name}:{node.lineno}: runs code between fork and exec")
    return faults


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_table_has_the_layers_that_there_are() -> None:
    layers = {path.name.removesuffix(".py") for path in SOURCE.iterdir() if path.suffix == ".py"}
    layers |= {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert layers - {"__init__", "__main__"} == set(ALLOWED) - {""} - PLANNED


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_imports_keep_to_their_layer(path: Path) -> None:
    assert boundary_faults(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_nothing_dangerous_is_used(path: Path) -> None:
    assert danger_faults(path, path.read_text(encoding="utf-8")) == []


def _own_files() -> list[Path]:
    """Every source file of the project that a person writes."""
    folders = ("tests", "benchmarks", "labextension/src")
    found = [path for name in folders for path in (ROOT / name).rglob("*")]
    return FILES + sorted(p for p in found if p.suffix in {".py", ".ts", ".tsx", ".css"})


@pytest.mark.parametrize("path", _own_files(), ids=_name)
def test_no_file_is_too_long(path: Path) -> None:
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines <= MAX_LINES


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("server/app.py", "from jupyter_localllm.engine import engine"),
        ("server/app.py", "from ..worker import app"),
        ("magics/magics.py", "from .. import server"),
        ("magics/magics.py", "import jupyter_localllm.server.app"),
        ("magics/magics.py", "import jupyter_server"),
        ("host/model_host.py", "def f():\n    import llama_cpp"),
        ("magics/magics.py", "from ..host.model_host import ModelHost"),
        ("client/client.py", "import tornado.web"),
        ("client/client.py", "from ..openai_api.routes import write_error"),
        ("openai_api/answers.py", "import tornado"),
        ("errors.py", "from .host import model_host"),
        ("errors.py", "from .protocol import Usage"),
        ("protocol.py", "from .chat_protocol import Chat"),
        ("protocol.py", "from .errors import NotFound"),
        ("chat_protocol.py", "from .errors import NotFound"),
        ("assistant/history.py", "from ..server import app"),
        ("models/gguf.py", "from numpy import ndarray"),
        ("engine/engine.py", "from ..openai_api import answers"),
    ],
)
def test_the_walk_sees_a_wrong_import(place: str, line: str) -> None:
    assert len(boundary_faults(SOURCE / place, line)) == 1


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("__init__.py", "from .server.app import LocalLLMExtension"),
        ("server/app.py", "from jupyter_localllm import __version__, errors"),
        ("server/app.py", "from .. import __version__"),
        ("magics/magics.py", "from ..host import launch"),
        ("magics/magics.py", "from ..host.launch import start_host"),
        ("client/client.py", "from ..openai_api.answers import AnswerReader"),
        ("openai_api/routes.py", "import tornado.web"),
        ("engine/llama.py", "import llama_cpp"),
        ("chat_protocol.py", "from .protocol import Usage"),
        ("assistant/history.py", "from ..chat_protocol import Chat"),
        ("models/gguf.py", "from .. import chat_protocol"),
    ],
)
def test_the_walk_lets_a_right_import_pass(place: str, line: str) -> None:
    assert boundary_faults(SOURCE / place, line) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from multiprocessing import Process",
        "eval('1')",
        "import os\nos.fork()",
        "from os import fork",
        "import yaml\nyaml.load(text)",
        "import subprocess\nsubprocess.run(command, shell=True)",
        "import subprocess\nsubprocess.run(command, shell=is_shell)",
        "import asyncio\nasyncio.create_subprocess_shell(command)",
        "import subprocess\nsubprocess.Popen(command, preexec_fn=limit)",
    ],
)
def test_the_walk_sees_a_dangerous_line(line: str) -> None:
    assert len(danger_faults(SOURCE / "host/supervisor.py", line)) == 1


ENTRIES = {
    "import": "import jupyter_localllm",
    "server extension": """
import jupyter_localllm
(point,) = jupyter_localllm._jupyter_server_extension_points()
assert point["app"].__name__
""",
    "load_ext": """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "jupyter_localllm")
assert "llm" in shell.magics_manager.magics["cell"]
""",
}
NATIVE = {"llama_cpp", "numpy", "gguf"}
#: What a kernel pays for only with the first ``%%llm``.
HEAVY = {"httpx", "tornado.web", "msgspec", "jinja2", "jupyter_server", "openai"}


@pytest.mark.parametrize("entry", ENTRIES)
def test_entries_import_nothing_heavy(entry: str, tmp_path: Path) -> None:
    environment = {**os.environ, "IPYTHONDIR": str(tmp_path), "JUPYTER_DATA_DIR": str(tmp_path)}
    program = f"""
import json, sys
before = set(sys.modules)
{ENTRIES[entry]}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    child = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=environment,
    )
    assert child.returncode == 0, child.stderr
    imported = set(json.loads(child.stdout.splitlines()[-1]))
    assert PACKAGE in imported
    assert not imported & NATIVE
    if entry != "server extension":
        assert not imported & HEAVY
