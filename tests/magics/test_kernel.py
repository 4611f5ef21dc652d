"""``%%llm`` in a real kernel without a server, seen as a front end sees it: message by message."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gguf_builders.scripted import SCRIPTS, build_scripted
from tests.magics.kernel_session import CellRun, KernelSession

StartKernel = Callable[..., KernelSession]


def check_is_one_output(cell: CellRun) -> None:
    shown = cell.of_type("display_data")
    updates = cell.of_type("update_display_data")
    ids = {c["transient"]["display_id"] for c in cell.displays}
    assert len(shown) == 1
    assert len(ids) == 1
    assert not cell.stdout
    for content in cell.displays:
        assert set(content["data"]) == {"text/markdown", "text/plain"}
    times = [t for t, m in cell.messages if m["msg_type"] == "update_display_data"]
    if len(times) > 2:
        # The last update follows at once; the others keep their distance.
        seconds = times[-2] - times[0]
        assert len(updates) <= 15 * seconds + 3


def test_an_answer_is_one_output_that_grows(
    start_kernel: StartKernel, scripted_model: Path
) -> None:
    kernel = start_kernel()
    cell = kernel.run(f"%%llm -m {scripted_model} --seed 7\nLONG\n").check_ok()
    check_is_one_output(cell)
    last = cell.displays[-1]
    assert last["data"] == {"text/markdown": SCRIPTS["LONG"], "text/plain": SCRIPTS["LONG"]}
    facts = last["metadata"]["jupyter_localllm"]
    assert facts["finish_reason"] == "stop"
    assert facts["seed"] == 7
    assert facts["usage"]["completion_tokens"] > 100
    assert facts["timings"]["predicted_per_second"] > 0
    assert facts["model"]
    json.dumps(facts)


def test_a_slow_answer_is_updated_at_most_15_times_a_second(
    start_kernel: StartKernel, slow_model: Path
) -> None:
    kernel = start_kernel()
    cell = kernel.run(f"%%llm -m {slow_model} --max-tokens 150\ngo\n").check_ok()
    check_is_one_output(cell)
    assert len(cell.displays) > 5
    texts = [c["data"]["text/plain"] for c in cell.displays]
    streamed = [text for text in texts if text.startswith("tick")]
    for shorter, longer in itertools.pairwise(streamed):
        assert longer.startswith(shorter)
    assert "cut after 150 tokens" in texts[-1]
    assert "--max-tokens 300" in texts[-1]
    assert cell.displays[-1]["metadata"]["jupyter_localllm"]["finish_reason"] == "length"


def test_code_tables_math_and_unicode_arrive_whole(
    start_kernel: StartKernel, scripted_model: Path
) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {scripted_model}").check_ok()
    for trigger in ("CODE", "EMOJI", "BRACES", "MARKDOWN", "JSON"):
        cell = kernel.run(f"%%llm\n{trigger}\n").check_ok()
        data = cell.displays[-1]["data"]
        assert data["text/plain"] == SCRIPTS[trigger]
        if trigger in ("CODE", "MARKDOWN"):
            assert data["text/markdown"] == SCRIPTS[trigger]


def test_no_stream_shows_the_text_once(start_kernel: StartKernel, scripted_model: Path) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {scripted_model}").check_ok()
    cell = kernel.run("%%llm --no-stream\nLONG\n").check_ok()
    texts = [content["data"]["text/plain"] for content in cell.displays]
    assert texts[-1] == SCRIPTS["LONG"]
    # On a busy machine the wait is explained; the words are not shown before the end.
    assert not [text for text in texts[:-1] if "word" in text]


def test_a_reply_that_names_a_file_or_an_address_is_text(
    start_kernel: StartKernel, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the content of the file")
    scripts = {
        "PATH": str(secret),
        "RELATIVE": "secret.txt is it",
        "ADDRESS": "http://h.invalid/x.md",
        "IMAGE": "![pixel](http://h.invalid/x.png) then <img src=http://h.invalid/y.png>",
    }
    model = build_scripted(tmp_path / "names.gguf", scripts)
    kernel = start_kernel()
    for trigger, reply in scripts.items():
        cell = kernel.run(f"%%llm -m ./{model.name}\n{trigger}\n").check_ok()
        data = cell.displays[-1]["data"]
        assert set(data) == {"text/markdown", "text/plain"}
        assert data["text/plain"] == reply
        assert "the content of the file" not in str(cell.messages)
        assert "![" not in data["text/markdown"]
        assert "<img" not in data["text/markdown"]


def test_line_commands(start_kernel: StartKernel, scripted_model: Path, tmp_path: Path) -> None:
    kernel = start_kernel()
    assert "No model host is running" in kernel.run("%llm status").check_ok().stdout
    assert "jupyter_localllm 0." in kernel.run("%llm version").check_ok().stdout
    copy = tmp_path / "my model.gguf"
    copy.symlink_to(scripted_model)
    assert "%%llm now asks" in kernel.run('%llm use "my model.gguf"').check_ok().stdout
    cell = kernel.run("%%llm\nHELLO\n").check_ok()
    assert cell.displays[-1]["data"]["text/plain"] == SCRIPTS["HELLO"]
    status = kernel.run("%llm status").check_ok().stdout
    assert "loaded" in status
    assert "0 running, 0 waiting" in status
    assert str(copy) in status
    assert "my model" in kernel.run("%llm list").check_ok().stdout


def test_a_model_loaded_by_path_goes_by_the_name_that_the_list_shows(
    start_kernel: StartKernel, scripted_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.gguf").symlink_to(scripted_model)
    kernel = start_kernel()
    kernel.run("%llm use ./mine.gguf").check_ok()
    cell = kernel.run("%%llm -m mine\nHELLO\n").check_ok()
    assert cell.displays[-1]["data"]["text/plain"] == SCRIPTS["HELLO"]
    assert "the memory is free again" in kernel.run("%llm unload").check_ok().stdout
    assert "No model is loaded" in kernel.run("%llm status").check_ok().stdout
    assert "No model is loaded." in kernel.run("%llm unload").check_ok().stdout
    # The next question loads it again.
    assert kernel.run("%%llm\nHELLO\n").check_ok().displays


def test_a_model_given_by_a_variable(start_kernel: StartKernel, scripted_model: Path) -> None:
    kernel = start_kernel()
    kernel.run(f"path = {str(scripted_model)!r}").check_ok()
    for word in ("{path}", "$path"):
        cell = kernel.run(f"%%llm -m {word}\nHELLO\n").check_ok()
        assert cell.displays[-1]["data"]["text/plain"] == SCRIPTS["HELLO"]


@pytest.mark.parametrize(
    "kind", ["empty", "truncated", "html", "safetensors", "pickle", "missing", "directory"]
)
def test_a_file_that_is_no_model_is_an_error_with_a_way_on(
    start_kernel: StartKernel,
    bad_file: Callable[[str], Path],
    tmp_path: Path,
    scripted_model: Path,
    kind: str,
) -> None:
    path = {"missing": tmp_path / "none.gguf", "directory": tmp_path}.get(kind) or bad_file(kind)
    kernel = start_kernel()
    cell = kernel.run(f'%%llm -m "{path}"\nHELLO\n')
    assert cell.reply["status"] == "error"
    error = cell.error
    assert error is not None
    message, hint = error["traceback"]
    code = message.rpartition("[")[2]
    assert code.startswith("model_file")
    assert hint
    assert "Traceback" not in str(error)
    assert not cell.displays
    after = kernel.run(f"%%llm -m {scripted_model}\nHELLO\n").check_ok()
    assert after.displays[-1]["data"]["text/plain"] == SCRIPTS["HELLO"]


def test_text_that_is_no_unicode_is_refused(
    start_kernel: StartKernel, scripted_model: Path
) -> None:
    kernel = start_kernel()
    cell = kernel.run("get_ipython().run_cell_magic('llm', '', 'a\\ud800')")
    assert cell.error is not None
    assert "[invalid_text]" in cell.error["traceback"][0]
    assert kernel.run(f"%%llm -m {scripted_model}\nHELLO\n").check_ok().displays


def test_a_question_that_is_too_long_says_how_long_it_may_be(
    start_kernel: StartKernel, scripted_model: Path
) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {scripted_model}").check_ok()
    cell = kernel.run("%%llm\n" + "x" * 20_000 + "\n")
    assert cell.error is not None
    assert "[prompt_too_long]" in cell.error["traceback"][0]
    assert "4,096" in cell.error["traceback"][0] + cell.error["traceback"][1]
    assert kernel.run("%%llm\nHELLO\n").check_ok().displays


def test_a_forked_kernel_process_asks_with_a_connection_of_its_own(
    start_kernel: StartKernel, scripted_model: Path
) -> None:
    kernel = start_kernel()
    kernel.run(f"%llm use {scripted_model}").check_ok()
    kernel.run("%%llm\nHELLO\n").check_ok()
    code = """
import os
child = os.fork()
if child == 0:
    try:
        from jupyter_localllm.client import bridge
        magics = [c for c in get_ipython().configurables if type(c).__name__ == "LocalLLM"][0]
        status = bridge.run(magics._session.call(lambda client: client.status()), 30)
        os._exit(0 if status.workers else 3)
    except BaseException:
        os._exit(4)
print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert "child 0" in kernel.run(code).check_ok().stdout
    assert kernel.run("%%llm\nHELLO\n").check_ok().displays
