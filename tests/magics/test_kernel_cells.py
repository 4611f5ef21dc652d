"""Cells of a real kernel with the ids that a front end sends: errors, memory and what is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_localllm.host.connection_file import CONNECTION_FILE_ENV
from tests.magics.kernel_session import CellRun, KernelSession
from tests.magics.wire_tap import WireTap
from tests.platforms import needs_unix_sockets

pytestmark = needs_unix_sockets

StartKernel = Callable[..., KernelSession]


def run(kernel: KernelSession, code: str, cell_id: str, deleted: tuple[str, ...] = ()) -> CellRun:
    """Run a cell as JupyterLab does, with the cell's id."""
    client = kernel.client
    content: dict[str, Any] = {
        "code": code,
        "silent": False,
        "store_history": True,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
    }
    message = client.session.msg(
        "execute_request", content, metadata={"cellId": cell_id, "deletedCells": list(deleted)}
    )
    client.shell_channel.send(message)
    return kernel.finish(message["header"]["msg_id"])


def last_question(tap: WireTap) -> str:
    return str(tap.chat_requests()[-1]["messages"][-1]["content"])


def test_errors_follow_the_cell_and_not_its_text(start_kernel: StartKernel, tap: WireTap) -> None:
    """Seen elsewhere: only the traceback was sent, and an old error again after good cells."""
    kernel = start_kernel(**{CONNECTION_FILE_ENV: str(tap.connection_file)})
    run(kernel, "prices = [1, 2, 3]", "a")
    run(kernel, "prices[10]", "b")
    run(kernel, "prices.total()", "c")
    run(kernel, "print('good')", "d").check_ok()
    run(kernel, "%llm fix", "q").check_ok()
    sent = last_question(tap)
    assert "prices.total()" in sent
    assert "AttributeError: 'list' object has no attribute 'total'" in sent
    assert "\x1b" not in sent
    # The cell is deleted, which Lab tells once: the error before is the one that is still there.
    run(kernel, "print('other')", "e", deleted=("c",)).check_ok()
    run(kernel, "%llm error", "q").check_ok()
    assert "IndexError" in last_question(tap)
    run(kernel, "prices[1]", "b").check_ok()
    n_before = len(tap.chat_requests())
    cell = run(kernel, "%llm fix", "q")
    assert cell.reply["status"] == "error"
    assert "No error is left" in cell.reply["evalue"]
    assert len(tap.chat_requests()) == n_before
    # Its deletion is undone.
    run(kernel, "prices.total()", "c")
    run(kernel, "%llm error", "q").check_ok()
    assert "AttributeError" in last_question(tap)


def test_a_cell_run_again_is_asked_as_the_first_time(
    start_kernel: StartKernel, tap: WireTap
) -> None:
    """Seen elsewhere: with memory, the same cell would not have the same answer."""
    kernel = start_kernel(**{CONNECTION_FILE_ENV: str(tap.connection_file)})
    for question, cell_id in (("HELLO one", "a"), ("HELLO two", "b"), ("HELLO one", "a")):
        run(kernel, f"%%llm\n{question}\n", cell_id).check_ok()
    first, second, again = (request["messages"] for request in tap.chat_requests())
    assert len(second) == 3
    assert again == first


def test_values_in_a_question_are_sent_once_and_braces_stay(
    start_kernel: StartKernel, tap: WireTap
) -> None:
    """Braces of a question, on the wire."""
    kernel = start_kernel(**{CONNECTION_FILE_ENV: str(tap.connection_file)})
    run(kernel, "value = '{secret}'\nsecret = 'S'\nrows = [{'id': 7}]", "a")
    run(kernel, "1/0", "b")
    body = "HELLO {value} {rows[0]['id']} {In[2]} {Err[3]} {Out[9]} {v:k for k,v in d.items()} {"
    run(kernel, f"%%llm --no-history\n{body}\n", "c").check_ok()
    sent = last_question(tap)
    assert sent.startswith("HELLO {secret} 7 value = '{secret}'\nsecret = 'S'")
    assert "ZeroDivisionError: division by zero {Out[9]}" in sent
    assert sent.endswith("{v:k for k,v in d.items()} {")


def test_an_action_alone_in_its_cell_is_about_the_cell_above(
    start_kernel: StartKernel, tap: WireTap
) -> None:
    kernel = start_kernel(**{CONNECTION_FILE_ENV: str(tap.connection_file)})
    run(kernel, "squares = [n * n for n in range(3)]", "a")
    for cell in ("%%llm explain", "%%llm explain\n", "%%explain", "%llm explain"):
        run(kernel, cell, "b").check_ok()
        assert "squares = [n * n for n in range(3)]" in last_question(tap)
        assert "Explain this" in last_question(tap)
    run(kernel, "%%explain\nprint(f'{squares}')", "b").check_ok()
    assert "print(f'{squares}')" in last_question(tap)
    assert "%%llm explain" in run(kernel, "%%llm --help", "b").check_ok().stdout
