"""The test models themselves, run through real llama.cpp in a child process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_localllm.models.gguf import read_header
from tests.gguf_builders.scripted import CHATML, DEFAULT, SCRIPTS, build_scripted, make_vocabulary
from tests.gguf_builders.tiny import ARCHITECTURES, build_tiny
from tests.gguf_builders.vocabulary import Vocabulary

#: Reads {path, n_ctx, jobs: [{messages | prompt | tokenize, ...options}]}; writes the answers.
PROGRAM = """
import json, sys
from llama_cpp import Llama
work = json.load(sys.stdin)
model = Llama(work["path"], n_ctx=work["n_ctx"], n_threads=1, verbose=False)
def run(job):
    if "tokenize" in job:
        return model.tokenize(job["tokenize"].encode(), add_bos=False, special=True)
    if "messages" in job:
        answer = model.create_chat_completion(**job)["choices"][0]
        return [answer["message"]["content"], answer["finish_reason"]]
    answer = model(**job)["choices"][0]
    return [answer["text"], answer["finish_reason"]]
print(json.dumps([run(job) for job in work["jobs"]]))
"""


def run_jobs(path: Path, jobs: list[dict[str, Any]], n_ctx: int = 4096) -> list[Any]:
    work = json.dumps({"path": str(path), "n_ctx": n_ctx, "jobs": jobs})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=work, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers: list[Any] = json.loads(done.stdout)
    return answers


def chat(*turns: str, **options: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(turns)]
    return {"messages": messages, "max_tokens": 1000, "temperature": 0.0} | options


def test_each_trigger_gives_its_reply_at_any_temperature(scripted_model: Path) -> None:
    replies = SCRIPTS | {"something else": DEFAULT}
    hot = {"temperature": 2.0, "repeat_penalty": 1.2, "presence_penalty": 1.0, "seed": 3}
    for options in ({}, hot):
        jobs = [chat(f"Please {word} now.", **options) for word in replies]
        for reply, answer in zip(replies.values(), run_jobs(scripted_model, jobs), strict=True):
            assert answer == [reply, "stop"]


def test_last_trigger_wins_however_far_and_however_near(scripted_model: Path) -> None:
    long_chat = ("HELLO", SCRIPTS["HELLO"], "LONG", SCRIPTS["LONG"])
    cases = [
        (chat(*long_chat, "and EMOJI"), "EMOJI"),
        (chat(*long_chat, "HELLO"), "HELLO"),
        (chat("HELLO EMOJI"), "EMOJI"),
        (chat("EMOJI HELLO"), "HELLO"),
        (chat("HELLOEMOJI"), "EMOJI"),
        (chat("HELLO " + "x " * 1900), "HELLO"),
        (chat("EMOJI " + "x " * 900 + "HELLO" + " y" * 900), "HELLO"),
    ]
    answers = run_jobs(scripted_model, [job for job, _ in cases])
    assert [text for text, _ in answers] == [SCRIPTS[word] for _, word in cases]


def test_plain_completion_needs_no_template_and_continues_a_reply(scripted_model: Path) -> None:
    prompts = ["HELLO", "no trigger", "word0 word1"]
    jobs = [{"prompt": prompt, "max_tokens": 5, "temperature": 0.0} for prompt in prompts]
    texts = [text for text, _ in run_jobs(scripted_model, jobs)]
    assert texts == [SCRIPTS["HELLO"], DEFAULT, " word2 word3 word4 word5 word6"]


def test_json_grammar_gets_the_reply_as_a_string_and_ends(scripted_model: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["answer", "n"],
    }
    constrained = {"type": "json_object", "schema": schema}
    jobs = [
        chat("HELLO", response_format=constrained),
        chat("JSON", response_format={"type": "json_object"}),
    ]
    first, second = run_jobs(scripted_model, jobs)
    assert (json.loads(first[0]), first[1]) == ({"answer": SCRIPTS["HELLO"], "n": 0}, "stop")
    assert (json.loads(second[0]), second[1]) == ({"answer": 42}, "stop")


def test_reply_is_the_same_tokens_again_as_history(scripted_model: Path) -> None:
    vocabulary = make_vocabulary(SCRIPTS, DEFAULT)
    replies = [DEFAULT, *SCRIPTS.values()]
    tokens = run_jobs(scripted_model, [{"tokenize": reply} for reply in replies])
    for reply, start, again in zip(replies, vocabulary.starts, tokens, strict=True):
        if reply.isascii():
            written = [start]
            while (following := vocabulary.next_id[written[-1]]) != vocabulary.eos:
                written.append(following)
            assert again == written


def test_characters_are_split_over_tokens() -> None:
    vocabulary = Vocabulary()
    vocabulary.add_reply(SCRIPTS["EMOJI"], split_utf8=True, is_endless=False)
    pieces = [vocabulary.piece(token_id) for token_id in vocabulary.next_id]
    assert b"".join(pieces) == SCRIPTS["EMOJI"].encode()
    with pytest.raises(UnicodeDecodeError):
        pieces[0].decode()


def test_own_scripts_without_template(tmp_path: Path) -> None:
    path = build_scripted(
        tmp_path / "own.gguf",
        {"ABC": "one two one two one two", "XYZ": "ü", "QQ": "a b"},
        "a default",
        context_length=1024,
        chat_template=None,
    )
    header = read_header(path)
    assert (header.context_length, header.has_chat_template) == (1024, False)
    assert path.stat().st_size < 1_500_000
    jobs = [{"prompt": f"{w} ", "max_tokens": 20, "temperature": 0.0} for w in ("ABC", "XYZ", "QQ")]
    texts = [text for text, _ in run_jobs(path, jobs, n_ctx=1024)]
    assert texts == ["one two one two one two", "ü", "a b"]


def test_reply_with_a_trigger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="contains the trigger 'AA'"):
        build_scripted(tmp_path / "x.gguf", {"AA": "say AA"})


def test_slow_model_goes_on_and_on(slow_model: Path) -> None:
    assert slow_model.stat().st_size < 60_000_000
    jobs = [{"prompt": "Go.", "max_tokens": 120, "temperature": 0.0}]
    [[text, reason]] = run_jobs(slow_model, jobs, n_ctx=512)
    assert (text.strip(), reason) == (
        " ".join(f"tick{i % 100}" for i in range(120)),
        "length",
    )


def test_tiny_models_load_or_are_refused_by_llama_cpp(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom llama_cpp import Llama\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        model = Llama(path, n_ctx=256, n_threads=1, verbose=False,"
        " embedding='bert' in path)\n"
        "        if 'bert' in path: print(len(model.embed('hello')))\n"
        "        elif 't5' in path: print('loaded')\n"
        "        else: print(model('hello', max_tokens=4)['usage']['prompt_tokens'] > 0)\n"
        "    except ValueError: print('refused')\n"
    )
    paths = [build_tiny(tmp_path / f"{name}.gguf", name) for name in ARCHITECTURES]
    assert all(path.stat().st_size < 1_000_000 for path in paths)
    done = subprocess.run(
        [sys.executable, "-c", program, *paths], capture_output=True, text=True, timeout=100
    )
    assert dict(zip(ARCHITECTURES, done.stdout.split(), strict=True)) == {
        "llama": "True",
        "qwen2": "True",
        "gpt2": "True",
        "bert": "64",
        "t5": "loaded",
        "gizmo": "refused",
    }, done.stderr[-2000:]


def test_template_is_chatml() -> None:
    assert "<|im_start|>" in CHATML and "add_generation_prompt" in CHATML
