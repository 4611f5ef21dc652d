"""Code that a cell leaves behind cannot turn ``-x`` on, whenever and from wherever it runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.magics.conftest import owner_of
from tests.magics.kernel_session import KernelSession, child_python_path
from tests.magics.test_execution_consent import REFUSED, ran
from tests.magics.test_terminal import Terminal

#: What generated code would run: the very line of a person.
CELL = r"%%llm -x --retry 0\nCODE"
RUN = f"get_ipython().run_cell('{CELL}', store_history=True)"
#: Each keeps what came of it in ``results``.
GO = f"""\
import asyncio, threading
results = []
def go(*_):
    results.append(repr({RUN}.error_in_exec))
"""


def refusals(shown: str) -> int:
    return shown.count(REFUSED)


@pytest.mark.parametrize(
    ("before", "cell"),
    [
        (GO, RUN),
        (GO, f"%%time\n{RUN}"),
        (GO, "thread = threading.Thread(target=go); thread.start(); thread.join()"),
        (GO, "async def later(): go()\nasyncio.run(later())"),
        (f"{GO}get_ipython().events.register('post_run_cell', go)", "1"),
        (f"{GO}get_ipython().events.register('pre_run_cell', go)", "1"),
        (f"{GO}get_ipython().events.callbacks['pre_run_cell'].insert(0, go)", "1"),
        (f"{GO}get_ipython().events.callbacks['pre_execute'].insert(0, lambda: go())", "1"),
        (f"{GO}get_ipython().events.register('post_execute', lambda: go())", "1"),
    ],
)
def test_no_code_of_a_cell_counts_as_its_person(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str], before: str, cell: str
) -> None:
    once = before.replace(
        "def go(*_):", "def go(*_):\n    if results: return\n    results.append(0)"
    )
    asking.run_cell(once, store_history=True)
    assert not ran(asking, cell)
    captured = capsys.readouterr()
    assert REFUSED in captured.out + captured.err
    assert "total" not in asking.user_ns


def test_a_task_that_a_cell_left_in_a_loop_is_no_person(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal's prompt runs a loop in between the cells; nothing of a cell need be on it."""
    import asyncio

    async def wait() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        loop.call_soon(asking.run_cell, CELL.replace(r"\n", "\n"), True)
        loop.call_soon(done.set_result, None)
        await done

    asyncio.run(wait())
    assert refusals(capsys.readouterr().err) == 1
    assert "total" not in asking.user_ns


def test_what_rewrites_the_persons_next_cell_cannot_add_the_option(
    asking: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    asking.run_cell(
        "rewrite = lambda lines: ['%%llm -x --retry 0\\n', 'CODE\\n']\n"
        "get_ipython().input_transformers_cleanup.append(rewrite)",
        store_history=True,
    )
    assert not ran(asking, "1 + 1")
    assert not ran(asking, "%%llm\nCODE")
    assert refusals(capsys.readouterr().err) == 2


def test_a_trace_that_a_cell_left_is_no_person(asking: InteractiveShell) -> None:
    tracer = sys.gettrace()
    asking.run_cell(f"{GO}import sys", store_history=True)
    asking.run_cell(
        "def trace(frame, event, arg):\n    sys.settrace(None)\n    go()\nsys.settrace(trace)",
        store_history=True,
    )
    len(repr(Path()))
    sys.settrace(tracer)
    # It strikes in the shell's own code, or in this function.
    assert refusals(repr(asking.user_ns["results"])) == 1
    assert "total" not in asking.user_ns


@pytest.mark.parametrize(
    "callback", ["get_ipython().run_cell, '%%llm -x\\nCODE', True", "lambda: print(run_it())"]
)
def test_the_end_of_a_program_is_no_person(tmp_path: Path, callback: str) -> None:
    """At its exit, a Python program has nothing of itself on the stack."""
    program = tmp_path / "program.py"
    cell = f"import atexit\nrun_it = lambda: {RUN}\natexit.register({callback})"
    program.write_text(
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "from jupyter_localllm.magics import register\n"
        "shell = InteractiveShell.instance()\n"
        "register(shell)\n"
        f"shell.run_cell({cell!r}, store_history=True)\n"
        "shell.run_cell('%%llm -x -m ./none.gguf\\nhello', store_history=True)\n"
    )
    done = subprocess.run(
        [sys.executable, str(program)],
        env=child_python_path(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    shown = done.stdout + done.stderr
    assert REFUSED in shown
    # What the program itself runs is what somebody wrote there.
    assert "model_file_missing" in shown


def test_a_cell_that_could_not_be_shown_does_not_make_the_next_one_a_programs(
    asking: InteractiveShell,
) -> None:
    """Its end was never heard, so everything after it counted as run by it."""

    def cannot_show(*_: object) -> None:
        raise UnicodeEncodeError("ascii", "€", 0, 1, "no such character")

    asking._showtraceback = cannot_show
    asking.run_cell("1/0")
    del asking._showtraceback
    assert owner_of(asking).runs.now is None
    asking.run_cell("%%llm -x\nCODE")
    assert asking.user_ns.get("total") == 45


def test_nothing_left_behind_in_a_kernel_is_its_person(
    start_kernel: Callable[..., KernelSession], scripted_model: Path
) -> None:
    """Threads, tasks, hooks and the person's own line, in between and during the next cells."""
    kernel = start_kernel()
    kernel.run(f"%llm use {scripted_model}").check_ok()
    kernel.run(f"{GO}loop = asyncio.get_running_loop()").check_ok()

    def check_refused(*cells: str) -> None:
        for cell in cells:
            kernel.run(cell).check_ok()
        shown = kernel.run("print(results, 'total' in globals()); results.clear()").stdout
        assert refusals(shown) == 1, (cells, shown)
        assert shown.endswith("False\n")

    check_refused("go()")
    check_refused("await asyncio.sleep(0)\ngo()")
    check_refused(
        "asked = threading.Event()\n"
        "thread = threading.Thread(target=lambda: (asked.wait(), go()))\nthread.start()",
        "asked.set()\nthread.join()",
    )
    later = "fired = asyncio.Event()\nloop.call_later(0, lambda: (go(), fired.set()))"
    check_refused(later, "await fired.wait()")
    check_refused("task = loop.create_task(asyncio.to_thread(go))", "await task")
    for event, place in (("pre_run_cell", 0), ("post_run_cell", 9), ("pre_execute", 0)):
        check_refused(
            f"calls = get_ipython().events.callbacks['{event}']\n"
            f"def once(*_):\n    calls.remove(once)\n    go()\ncalls.insert({place}, once)"
        )
    # The shell's own way to run a cell, changed.
    kernel.run(
        "shell = get_ipython()\nrun = shell.run_cell\n"
        f"shell.run_cell = lambda code, *a, **k: run('{CELL}', *a, **k)"
    ).check_ok()
    assert refusals(str(kernel.run("1 + 1").reply)) == 1
    # A cell that awaits is run by another method.
    kernel.run("await asyncio.sleep(0)\ndel shell.run_cell").check_ok()
    # The person's own line counts, and once.
    kernel.run(
        "def again(_):\n    code = shell.get_parent()['content']['code']\n"
        "    if code.startswith('%%llm') and not results:\n"
        "        results.append('')\n"
        "        results.append(repr(shell.run_cell(code, True).error_in_exec))\n"
        "shell.events.register('post_run_cell', again)"
    ).check_ok()
    kernel.run(CELL.replace(r"\n", "\n")).check_ok()
    shown = kernel.run("print(results, total)").stdout
    assert refusals(shown) == 1
    assert shown.endswith(" 45\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a pty")
def test_at_a_prompt_the_person_counts_and_what_runs_meanwhile_does_not(
    tmp_path: Path, scripted_model: Path
) -> None:
    """Timers and tasks run while the prompt waits, in the main thread; signals do so too."""
    terminal = Terminal("ipython", tmp_path)
    try:
        terminal.run(f"%llm use {scripted_model}")
        terminal.run("import signal; ip = get_ipython(); results = []")
        terminal.run(
            f"go = lambda *_: results.append(repr(ip.run_cell('{CELL}', True).error_in_exec))"
        )
        terminal.run("signal.signal(signal.SIGUSR1, go); go()")
        terminal.run("signal.raise_signal(signal.SIGUSR1)")
        terminal.process.kill(signal.SIGUSR1)
        # The prompt stays where it is.
        terminal.process.expect("cell that ran another")
        assert "[3, 3, False]" in terminal.run(
            "[len(results), str(results).count('-x counts only'), 'total' in globals()]"
        )
        terminal.ask("-x --retry 0", "CODE")
        assert "total is 45" in terminal.run("print('total', 'is', total)")
    finally:
        terminal.close()
