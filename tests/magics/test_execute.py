"""``-x``: generated code runs where the user said so, is repaired, stopped and never more."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_localllm.magics.execution import time_limit
from jupyter_localllm.magics.execution.execute import run_code
from jupyter_localllm.magics.execution.time_limit import TimeLimitReached
from tests.gguf_builders.scripted import build_scripted
from tests.magics.kernel_session import CellRun, KernelSession
from tests.magics.test_interrupt import check_is_idle

StartKernel = Callable[..., KernelSession]


def block(code: str) -> str:
    return f"Here it is:\n\n```python\n{code}\n```\n\nThat is all."


#: The repair's prompt ends in the error, whose text holds the next trigger.
SCRIPTS = {
    "GOOD": block("total = sum(range(10))\nprint('sum', total)\ntotal * 2"),
    "BROKEN": block("print('first try')\nraise ValueError('MEN' + 'DED')"),
    "MENDED": block("answer = 42\nprint('second try')"),
    "ALWAYS": block("raise KeyError('ALW' + 'AYS')"),
    "PROSE": "I am sorry, I cannot do that.",
    "LOOP": block("print('loops')\nwhile True:\n    pass"),
    "SLEEPS": block("import time\nprint('sleeps')\ntime.sleep(100)"),
    "STUBBORN": block(
        "import time\nfor _ in range(2):\n    try:\n        time.sleep(100)\n"
        "    except BaseException as e:\n        print(type(e).__name__)"
    ),
    "NESTED": block("get_ipython().run_cell_magic('llm', '-x --retry 0', 'GO' + 'OD')"),
    "AWAITS": block("import asyncio\nawait asyncio.sleep(0)"),
    "WRITES": block("open('sentinel', 'w').close()"),
    "SYNTAX": "```python\nprint('unclosed\n```",
    "MAGIC": block("%config LocalLLM.max_tokens = 77\n!echo from the shell"),
}


@pytest.fixture(scope="session")
def coder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that writes code."""
    return build_scripted(tmp_path_factory.mktemp("coder") / "coder.gguf", SCRIPTS)


@pytest.fixture
def kernel(start_kernel: StartKernel, coder: Path) -> KernelSession:
    session = start_kernel()
    session.run(f"%llm use {coder}").check_ok()
    return session


def facts(cell: CellRun) -> list[dict[str, Any]]:
    return [content["metadata"].get("jupyter_localllm", {}) for content in cell.displays]


def test_code_runs_here_below_what_ran(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -x --seed 5\nGOOD\n").check_ok()
    assert cell.stdout == "sum 45\n"
    assert cell.of_type("execute_result")[0]["content"]["data"]["text/plain"] == "90"
    [shown] = cell.outputs
    code = "total = sum(range(10))\nprint('sum', total)\ntotal * 2"
    assert shown["data"] == {"text/markdown": f"```python\n{code}\n```", "text/plain": code}
    kept = shown["metadata"]["jupyter_localllm"]
    assert (kept["code"], kept["is_executed"], kept["seed"]) == (code, True, 5)
    assert kept["model"] and kept["usage"] and kept["timings"]
    kinds = [m["msg_type"] for _, m in cell.messages]
    assert kinds.index("display_data") < kinds.index("stream")
    assert "90 45" in kernel.run("print(_, total)").check_ok().stdout
    assert "total * 2" in kernel.run("print(_llm.last.code)").check_ok().stdout


def test_an_error_is_given_back_and_each_attempt_stays_folded(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -x\nBROKEN\n").check_ok()
    assert cell.stdout == "first try\nsecond try\n"
    first, second = cell.outputs
    markdown = first["data"]["text/markdown"]
    assert markdown.startswith("<details><summary>Attempt 1 of 3 failed: ValueError: MENDED<")
    assert "raise ValueError(" in markdown
    assert "Traceback" in markdown
    assert markdown.endswith("</details>")
    assert first["metadata"]["jupyter_localllm"]["error"] == "ValueError: MENDED"
    assert second["data"]["text/plain"] == "answer = 42\nprint('second try')"
    assert second["metadata"]["jupyter_localllm"]["attempt"] == 2
    assert cell.error is None
    assert "1 answer" in kernel.run("print(repr(_llm), answer)").check_ok().stdout


def test_the_last_error_is_the_cells(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -x --retry 1\nALWAYS\n")
    assert cell.reply["ename"] == "CodeFailed"
    assert cell.error is not None
    traceback = "\n".join(cell.error["traceback"])
    assert "KeyError" in traceback
    assert "jupyter_localllm" not in traceback
    assert "failed in 2 attempts" in traceback
    first, second = cell.outputs
    assert "Attempt 1 of 2 failed: KeyError" in first["data"]["text/plain"]
    assert second["data"]["text/plain"] == "raise KeyError('ALW' + 'AYS')"
    assert kernel.run("print('goes on')").check_ok().stdout == "goes on\n"


def test_a_fix_after_a_failed_run_is_about_the_generated_code(kernel: KernelSession) -> None:
    """The hint named %llm fix, which then found nothing, or the cell before."""
    kernel.run("int('x')")
    failed = kernel.run("%%llm -x --retry 1\nALWAYS\n")
    assert failed.error is not None
    assert "%llm fix corrects it" in failed.error["traceback"][-1]
    for line in ("fix", "error", "fix 4", "error In[4]"):
        shown = kernel.run(f"%llm {line} --show-prompt").check_ok().stdout
        assert "raise KeyError('ALW' + 'AYS')\n```" in shown
        assert "KeyError: 'ALWAYS'" in shown
        assert "%%llm -x" not in shown
        about = "About In[4], the code that -x ran: KeyError: 'ALWAYS'\n"
        assert shown.startswith(about) is (line in ("fix", "error"))
    kernel.run("raised = 1\nkey = 'ALW' + 'AYS'").check_ok()
    assert "About In[4]" in kernel.run("%llm fix --show-prompt").check_ok().stdout


def test_no_retry_means_one_attempt(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -x --retry 0\nALWAYS\n")
    assert len(cell.outputs) == 1


def test_a_dry_run_runs_nothing(kernel: KernelSession, tmp_path: Path) -> None:
    cell = kernel.run("%%llm -x --dry-run\nWRITES\n").check_ok()
    plain = cell.outputs[0]["data"]["text/plain"]
    assert plain == "open('sentinel', 'w').close()\n\n[Nothing was run: this is what would run.]"
    assert not (tmp_path / "sentinel").exists()


def test_nothing_runs_without_x(kernel: KernelSession, tmp_path: Path) -> None:
    for line in ("%%llm", "%%llm code", "%%llm -f code"):
        kernel.run(f"{line}\nPlease use -x --execute. WRITES\n").check_ok()
    assert not (tmp_path / "sentinel").exists()
    kernel.run("%%llm -x\nWRITES\n").check_ok()
    assert (tmp_path / "sentinel").exists()


def test_an_answer_without_code_is_one_sentence(kernel: KernelSession) -> None:
    for trigger, sentence in (("PROSE", "has no code"), ("SYNTAX", "line 1, unterminated string")):
        cell = kernel.run(f"%%llm -x --retry 0\n{trigger}\n")
        assert cell.error is not None
        assert sentence in cell.error["traceback"][0]
        assert "Nothing was run. [answer_unusable]" in cell.error["traceback"][0]
        assert len(cell.error["traceback"]) == 2


def test_code_that_was_cut_is_not_run(kernel: KernelSession) -> None:
    whole = kernel.run("%%llm -x\nGOOD\n").check_ok()
    n_tokens = facts(whole)[-1]["usage"]["completion_tokens"]
    # Without its last words the answer still has all of its code.
    cell = kernel.run(f"%%llm -x --retry 0 --max-tokens {n_tokens - 2}\nGOOD\n")
    assert cell.error is not None
    assert "cut before its code was complete. Nothing was run" in cell.error["traceback"][0]
    assert "sum" not in cell.stdout


@pytest.mark.parametrize("trigger", ["LOOP", "SLEEPS"])
def test_the_time_limit_ends_python_code(kernel: KernelSession, trigger: str) -> None:
    started = time.monotonic()
    cell = kernel.run(f"%%llm -x --time-limit 0.5\n{trigger}\n")
    assert time.monotonic() - started < 30
    assert cell.reply["ename"] == "CodeFailed"
    assert "ran longer than 0.5 s and was stopped" in cell.reply["evalue"]
    # Once: what ran out of its time is not tried again.
    assert len(cell.outputs) == 1
    assert cell.error is not None
    *lines, hint = cell.error["traceback"]
    assert "reached its time limit, so it is not tried again" in hint
    assert "TimeLimitReached" in str(lines)
    # Only frames of the generated code, for the person and for a model.
    about = kernel.run("%llm fix --show-prompt").check_ok().stdout
    for text in ("\n".join(lines), about):
        assert "magics" not in text
        assert "raise TimeLimitReached" not in text
    assert "\nTimeLimitReached: The code ran longer than 0.5 s" in about
    assert kernel.run("print('goes on')").check_ok().stdout == "goes on\n"


def test_code_that_swallows_the_time_limit_gets_it_again(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -x --retry 0 --time-limit 0.5\nSTUBBORN\n").check_ok()
    assert cell.stdout == "TimeLimitReached\nTimeLimitReached\n"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time limit that has little patience."""
    monkeypatch.setattr(time_limit, "_REPEAT_S", 0.1)
    monkeypatch.setattr(time_limit, "_FASTER_S", 0.05)


SWALLOWS = """\
import time
while True:
    try:
        time.sleep(0.01)
    except BaseException:
        pass
"""


@pytest.mark.usefixtures("hurried")
def test_a_loop_that_swallows_every_interrupt_is_ended(shell: InteractiveShell) -> None:
    tracer, handler = sys.gettrace(), signal.getsignal(signal.SIGINT)
    for code in (SWALLOWS, f"def f():\n{textwrap.indent(SWALLOWS, '    ')}\nf()"):
        run = run_code(shell, code, time_limit_s=0.1)
        assert isinstance(run.error, TimeLimitReached)
        assert "time_limit.py" not in run.plain_traceback
        assert "except BaseException" in run.plain_traceback
        assert (sys.gettrace(), signal.getsignal(signal.SIGINT)) == (tracer, handler)


@pytest.mark.usefixtures("hurried")
def test_that_interrupts_are_swallowed_is_said_while_it_runs(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nested loops outlive even two in a row; here, until the person was told."""
    said: list[str] = []
    shell.user_ns["is_told"] = lambda: said.append(capsys.readouterr().err) or "".join(said)
    code = (
        "import time\nwhile 'restart the kernel' not in is_told():\n    try:\n        try:\n"
        "            time.sleep(0.01)\n        except BaseException:\n            pass\n"
        "    except BaseException:\n        pass"
    )
    assert run_code(shell, code, time_limit_s=0.1).error is None


def test_other_tools_that_show_errors_their_way_stay(shell: InteractiveShell) -> None:
    """Such as rich, which puts its own method into the shell."""
    shown: list[str] = []
    shell._showtraceback = lambda kind, error, lines: shown.append(str(error))
    assert run_code(shell, "1/0").plain_traceback.endswith("division by zero")
    shell.run_cell("int('x')")
    [only] = shown
    assert only.startswith("invalid literal")


def test_the_time_limit_leaves_the_interrupt_as_it_was(kernel: KernelSession) -> None:
    handler = "import signal; print(signal.getsignal(signal.SIGINT))"
    before = kernel.run(handler).stdout
    kernel.run("%%llm -x --time-limit 5\nGOOD\n").check_ok()
    assert kernel.run(handler).stdout == before


@pytest.mark.parametrize("trigger", ["LOOP", "SLEEPS"])
def test_an_interrupt_stops_the_code(kernel: KernelSession, trigger: str) -> None:
    asked = kernel.execute(f"%%llm -x\n{trigger}\n")
    cell = kernel.wait_for_text(asked, trigger.lower())
    while not cell.stdout:
        kernel.next_message(asked, cell)
    interrupted = kernel.interrupt()
    kernel.finish(asked, cell)
    assert cell.messages[-1][0] - interrupted < 5
    assert cell.reply["ename"] == "CodeStopped"
    assert cell.error is not None
    assert cell.error["traceback"] == ["The code was stopped."]
    # Not an error to be repaired: it ran once.
    assert len(cell.outputs) == 1
    assert kernel.run("%%llm -x\nGOOD\n").check_ok().stdout == "sum 45\n"


def test_code_that_runs_cannot_run_generated_code(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -x --retry 0\nNESTED\n")
    assert cell.reply["status"] == "error"
    assert "sum 45" not in str(cell.messages)
    assert kernel.run("%%llm -x\nGOOD\n").check_ok().stdout == "sum 45\n"


def test_a_run_inside_a_run_is_refused(make_shell: Callable[..., Any]) -> None:
    shell = make_shell()
    shell.user_ns["again"] = lambda: run_code(shell, "inner = 1")
    run = run_code(shell, "again()")
    assert "Code that -x runs cannot use -x itself" in run.summary
    assert "inner" not in shell.user_ns
    shell.user_ns["pool"] = ThreadPoolExecutor(1)
    run = run_code(shell, "pool.submit(again).result()")
    assert "cannot use -x itself" in run.summary
    assert run_code(shell, "outer = 1").error is None


def test_code_that_awaits_is_left_to_a_cell(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -x --retry 0\nAWAITS\n")
    assert "uses await outside of a function" in str(cell.messages)
    assert kernel.run("print('goes on')").check_ok().stdout == "goes on\n"


def test_ipython_lines_run_too(kernel: KernelSession) -> None:
    cell = kernel.run("%%llm -x --retry 0\nMAGIC\n").check_ok()
    assert "from the shell" in cell.stdout
    [setting] = kernel.run("%config LocalLLM.max_tokens").check_ok().of_type("execute_result")
    assert setting["content"]["data"]["text/plain"] == "77"


def test_without_anybody_to_ask_nothing_runs(kernel: KernelSession, tmp_path: Path) -> None:
    message_id = kernel.client.execute("%%llm -x --confirm\nWRITES\n", allow_stdin=False)
    cell = kernel.finish(message_id)
    assert cell.error is not None
    assert "Nobody can be asked here" in cell.error["traceback"][0]
    assert "[code_refused]" in cell.error["traceback"][0]
    assert not (tmp_path / "sentinel").exists()


@pytest.mark.parametrize(
    ("reply", "runs"), [("y", True), ("Yes", True), ("", False), ("no", False)]
)
def test_confirm_asks_first(kernel: KernelSession, tmp_path: Path, reply: str, runs: bool) -> None:
    message_id = kernel.execute("%%llm -x --confirm\nWRITES\n")
    request = kernel.client.get_stdin_msg(timeout=30)
    assert request["content"]["prompt"] == "Run this code? [y/N] "
    assert not (tmp_path / "sentinel").exists()
    kernel.client.input(reply)
    cell = kernel.finish(message_id)
    assert (tmp_path / "sentinel").exists() is runs
    if not runs:
        assert cell.error is not None
        assert cell.error["traceback"][0] == "The code was not run. [code_refused]"


def test_what_runs_can_be_bound(kernel: KernelSession) -> None:
    kernel.run("%%llm -x --into source\nGOOD\n").check_ok()
    out = kernel.run("print(source == _llm.last.code == _llm.last.value, len(source))").stdout
    assert out.startswith("True")


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_200_interrupts_of_model_or_code_leave_nothing_behind(
    kernel: KernelSession,
) -> None:
    seed = int(os.environ.get("LOCALLLM_SEED", "2"))
    moments = random.Random(seed)
    for number in range(200):
        asked = kernel.execute(f"%%llm -x --time-limit 60\n{moments.choice(['LOOP', 'SLEEPS'])}\n")
        cell = CellRun()
        while kernel.next_message(asked, cell)["content"].get("execution_state") != "busy":
            pass
        # Time is what is varied here; nothing is waited for.
        time.sleep(moments.uniform(0, 0.8))
        kernel.interrupt()
        kernel.finish(asked, cell)
        assert cell.reply["status"] == "error", (seed, number)
        assert cell.reply["ename"] in {"CodeStopped", "AnswerStopped", "KeyboardInterrupt"}
        check_is_idle(kernel)
        if number % 20 == 0:
            assert kernel.run("%%llm -x\nGOOD\n").check_ok().stdout == "sum 45\n"


def test_only_the_attempts_run_code() -> None:
    """One place decides; whoever else could call it would have to be read too."""
    package = Path(__file__).parents[2] / "jupyter_localllm"
    callers = [
        path.name
        for path in package.rglob("*.py")
        if "run_code(" in path.read_text(encoding="utf-8") and path.name != "execute.py"
    ]
    assert callers == ["attempts.py"], json.dumps(callers)
