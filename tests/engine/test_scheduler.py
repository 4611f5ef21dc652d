"""Many requests in one batch: what is computed, what is reused, how each one ends."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jupyter_localllm.engine import llama
from jupyter_localllm.engine.kv_cache import common_prefix
from jupyter_localllm.engine.scheduler import Counters
from jupyter_localllm.engine.slot import EngineEvent, Generation
from jupyter_localllm.protocol import CompletionProgress, FinishReason
from tests.gguf_builders.scripted import DEFAULT, SCRIPTS

from .conftest import Answer, Bench


def counters(bench: Bench) -> Counters:
    assert bench.engine.scheduler is not None
    return bench.engine.scheduler.counters


@pytest.mark.parametrize("trigger", [name for name in SCRIPTS if name != "JSON"])
def test_the_text_is_the_models_byte_for_byte(scripted: Bench, trigger: str) -> None:
    answer = scripted.ask(trigger, max_tokens=1500)
    done = answer.done()
    assert answer.text == SCRIPTS[trigger]
    assert done.finish_reason is FinishReason.STOP
    assert all("�" not in chunk for chunk in answer.chunks)


def test_requests_share_steps_and_do_not_mix(scripted: Bench) -> None:
    names = ["HELLO", "LONG", "EMOJI", "MARKDOWN", "BRACES", "CODE", "LONG", "STOPWORD"]
    before = counters(scripted).steps_total
    answers = [scripted.ask(name, max_tokens=1500) for name in names]
    total = sum(answer.done().usage.completion_tokens for answer in answers)
    assert [answer.text for answer in answers] == [SCRIPTS[name] for name in names]
    assert counters(scripted).steps_total - before < total
    scripted.assert_idle()


def test_a_follow_up_computes_only_what_is_new(scripted: Bench) -> None:
    first = "<|im_start|>user\ntell HELLO again<|im_end|>\n<|im_start|>assistant\n"
    answer = scripted.ask(first, chat=False)
    first_usage = answer.done().usage
    assert first_usage.prompt_tokens > 10
    follow_up = first + answer.text + "<|im_end|>\n<|im_start|>user\nand more?<|im_end|>\n"
    done = scripted.ask(follow_up, chat=False).done()
    # All of the first turn, prompt and answer, is found again.
    n_first_turn = first_usage.prompt_tokens + first_usage.completion_tokens - 1
    assert done.usage.cached_tokens >= n_first_turn
    assert done.timings.prompt_n == done.usage.prompt_tokens - done.usage.cached_tokens


def test_two_branches_reuse_one_prefix(scripted: Bench) -> None:
    start = [20 + i % 60 for i in range(300)]
    scripted.ask(start, max_tokens=2).done()
    usages = [scripted.ask([*start, 90, last], max_tokens=2).done().usage for last in (1, 2, 1)]
    assert [usage.cached_tokens for usage in usages] == [300, 301, 301]


def test_a_prefix_is_shared_with_a_request_still_running(slow: Bench) -> None:
    prompt = "some shared words " * 10
    running = slow.ask(prompt, chat=False, max_tokens=200)
    running.wait_for(lambda answer: bool(answer.chunks))
    usage = slow.ask(prompt + "more", chat=False, max_tokens=1).done().usage
    assert not running.terminal
    assert usage.cached_tokens >= usage.prompt_tokens - 10
    slow.cancel(running)
    running.done()


def test_reuse_can_be_refused(scripted: Bench) -> None:
    scripted.ask("private", max_tokens=1).done()
    assert scripted.ask("private", max_tokens=1, may_reuse=False).done().usage.cached_tokens == 0


def test_a_long_prompt_does_not_stop_the_others(slow: Bench) -> None:
    """Between two chunks of a long prefill the other request gets its next token."""
    talking = slow.ask("talk", max_tokens=400)
    talking.wait_for(lambda answer: len(answer.chunks) > 3)
    long = slow.ask([7 + i % 50 for i in range(1500)], max_tokens=1, wants_progress=True)
    long.wait_for(lambda answer: len(answer.progress) >= 3 or bool(answer.terminal))
    heard = len(talking.chunks)
    chunks_before = len(long.progress)
    long.wait_for(lambda answer: len(answer.progress) >= chunks_before + 3 or bool(answer.terminal))
    assert len(talking.chunks) - heard >= 2
    for answer in (talking, long):
        slow.cancel(answer)
        answer.done()
    slow.assert_idle()


def test_progress_tells_position_and_prompt_tokens(slow: Bench) -> None:
    running = [slow.ask(f"r{i}", max_tokens=300) for i in range(2)]
    waiting = slow.ask([9 + i % 40 for i in range(700)], max_tokens=1, wants_progress=True)
    # Told again as those before it are admitted.
    waiting.wait_for(lambda a: bool(a.progress) and a.progress[-1].queue_position == 1)
    for answer in running:
        slow.cancel(answer)
    done = waiting.done()
    parts = [p.prompt_tokens_done for p in waiting.progress if p.prompt_tokens_done is not None]
    assert parts == sorted(parts) and len(parts) >= 2
    assert all(p.prompt_tokens_total in (None, 700) for p in waiting.progress)
    assert done.usage.prompt_tokens == 700


def test_the_length_of_a_prompt_is_told_before_it_is_read(
    scripted: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short prompt is one batch: told after it, the person saw what was waited for before."""
    read: list[int] = []

    def deliver(events: list[tuple[Generation, EngineEvent]]) -> None:
        told = [g for g, e in events if isinstance(e, CompletionProgress) and e.prompt_tokens_total]
        read.extend(generation.n_computed for generation in told)
        Bench._deliver(events)

    monkeypatch.setattr(scripted.engine, "deliver", deliver)
    scripted.ask("a new question", max_tokens=4, may_reuse=False, wants_progress=True).done()
    assert read == [0]


def test_cancel_while_decoding_keeps_the_text(slow: Bench) -> None:
    answer = slow.ask("talk")
    answer.wait_for(lambda answer: len(answer.chunks) >= 3)
    slow.cancel(answer)
    slow.cancel(answer)
    assert answer.done().finish_reason is FinishReason.CANCELLED
    assert answer.text.startswith("tick0 tick1")
    slow.assert_idle()


def test_cancel_aborts_a_prefill_under_way(slow: Bench) -> None:
    answer = slow.ask([11 + i % 30 for i in range(1900)], wants_progress=True, may_reuse=False)
    answer.wait_for(lambda answer: bool(answer.progress))
    slow.cancel(answer)
    done = answer.done()
    assert done.finish_reason is FinishReason.CANCELLED
    assert done.usage.completion_tokens == 0
    slow.assert_idle()


def test_cancel_while_queued(slow: Bench) -> None:
    running = [slow.ask(f"q{i}") for i in range(2)]
    queued = slow.ask("queued", wants_progress=True)
    queued.wait_for(lambda answer: bool(answer.progress))
    slow.cancel(queued)
    assert queued.done().usage.completion_tokens == 0
    assert not any(answer.terminal for answer in running)
    for answer in running:
        slow.cancel(answer)
        answer.done()
    slow.assert_idle()


def test_random_cancels_leak_nothing(scripted: Bench) -> None:
    """Queued, in prefill, in decode, after the end: 200 of them (``make soak`` has 1,000)."""
    cancel_at_random(scripted, 200)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_thousand_random_cancels_leak_nothing(scripted_model: Path) -> None:
    import psutil

    bench = Bench(scripted_model)
    try:
        cancel_at_random(bench, 300)
        before = psutil.Process().memory_info().rss
        cancel_at_random(bench, 1000)
        assert psutil.Process().memory_info().rss - before <= 10 << 20
    finally:
        bench.engine.close()


def cancel_at_random(bench: Bench, n_requests: int) -> None:
    chance = random.Random(4)
    live: list[Answer] = []
    for index in range(n_requests):
        words = " ".join(f"w{chance.randrange(99)}" for _ in range(chance.choice([1, 5, 80])))
        live.append(bench.ask(f"{words} LONG", max_tokens=100, seed=index))
        if len(live) >= 8:
            answer = live.pop(chance.randrange(len(live)))
            if chance.random() < 0.5:
                enough = chance.randrange(1, 4)
                answer.wait_for(partial(has_chunks_or_end, enough))
            bench.cancel(answer)
            answer.done()
    for answer in live:
        bench.cancel(answer)
        answer.done()
    bench.assert_idle()


def has_chunks_or_end(n_chunks: int, answer: Answer) -> bool:
    return len(answer.chunks) >= n_chunks or bool(answer.terminal)


def test_max_tokens_ends_with_length(scripted: Bench) -> None:
    done = scripted.ask("LONG", max_tokens=5).done()
    assert (done.finish_reason, done.usage.completion_tokens) == (FinishReason.LENGTH, 5)


def test_a_prompt_over_the_window_is_told_with_both_numbers(scripted: Bench) -> None:
    error = scripted.ask([5] * 5000).error()
    assert error.error_code == "prompt_too_long"
    assert error.details == {"n_prompt_tokens": 5000, "n_ctx": 4096}
    assert "5,000" in error.message and "4,096" in error.message


def test_running_out_of_window_ends_with_length(slow: Bench) -> None:
    done = slow.ask([8 + i % 60 for i in range(2040)]).done()
    assert done.finish_reason is FinishReason.LENGTH
    assert done.usage.prompt_tokens + done.usage.completion_tokens == 2048


@pytest.mark.parametrize("prompt", ["", []])
def test_an_empty_prompt_is_one_error(scripted: Bench, prompt: str | list[int]) -> None:
    assert scripted.ask(prompt, chat=False).error().error_code == "invalid_parameter"


def test_token_ids_beyond_the_vocabulary_are_refused(scripted: Bench) -> None:
    assert scripted.ask([10**6]).error().param == "prompt"
    assert scripted.ask("HELLO", logit_bias={10**6: 1.0}).error().param == "logit_bias"


def test_a_stop_string_over_token_borders_ends_the_answer(scripted: Bench) -> None:
    answer = scripted.ask("STOPWORD", stop=("ta STOP g",))
    assert answer.done().finish_reason is FinishReason.STOP
    assert answer.text == "alpha be"


def test_logit_bias_bans_and_forces(scripted: Bench) -> None:
    free = scripted.ask("HELLO", max_tokens=2)
    free.done()
    (seven,) = scripted.engine.tokenize("7", add_special=False, parse_special=False).result()
    forced = scripted.ask("HELLO", max_tokens=2, logit_bias={seven: 100.0})
    forced.done()
    assert "7" in forced.text and "7" not in free.text
    assert free.generation is not None
    first = free.generation.tokens[free.generation.n_prompt]
    banned = scripted.ask("HELLO", max_tokens=2, logit_bias={first: -100.0})
    banned.done()
    assert banned.generation is not None and first not in banned.generation.tokens[-2:]


def test_penalties_change_a_repeating_answer(slow: Bench) -> None:
    plain = slow.ask("talk", max_tokens=130, repeat_last_n=-1)
    penal = slow.ask(
        "talk", max_tokens=130, repeat_last_n=-1, repeat_penalty=9.0, presence_penalty=2.0
    )
    assert plain.done().finish_reason is FinishReason.LENGTH
    penal.done()
    assert plain.text != penal.text


def test_logprobs_are_log_probabilities(scripted: Bench) -> None:
    answer = scripted.ask("HELLO", max_tokens=3, top_logprobs=4)
    answer.done()
    assert "".join(entry.token for entry in answer.logprobs) == answer.text
    for entry in answer.logprobs:
        values = [top.logprob for top in entry.top_logprobs]
        assert values == sorted(values, reverse=True) and len(values) == 4
        assert entry.logprob == values[0] <= 0
        assert bytes(entry.bytes).decode() == entry.token


def test_the_engine_says_no_when_too_many_wait(slow_model: Path) -> None:
    bench = Bench(slow_model, n_slots=1, max_waiting=2, context_window=512)
    try:
        running = bench.ask("a")
        running.wait_for(lambda answer: bool(answer.chunks))
        waiting = [bench.ask("b"), bench.ask("c")]
        error = bench.ask("d").error()
        assert error.error_code == "queue_full" and error.details["limit"] == 2
        for answer in [running, *waiting]:
            bench.cancel(answer)
            answer.done()
    finally:
        bench.engine.close()


def test_higher_priority_is_admitted_first(slow_model: Path) -> None:
    bench = Bench(slow_model, n_slots=1, context_window=512)
    try:
        running = bench.ask("a")
        running.wait_for(lambda answer: bool(answer.chunks))
        low = bench.ask("low", max_tokens=1, priority=-1)
        high = bench.ask("high", max_tokens=1, priority=5)
        bench.cancel(running)
        low.done()
        assert high.terminal
    finally:
        bench.engine.close()


def test_closing_the_engine_ends_every_request_once(slow_model: Path) -> None:
    bench = Bench(slow_model, n_slots=1, context_window=512)
    answers = [bench.ask(f"x{i}") for i in range(3)]
    answers[0].wait_for(lambda answer: bool(answer.chunks))
    bench.engine.close()
    assert [answer.error().error_code for answer in answers] == ["worker_failed"] * 3


def test_a_failed_decode_ends_what_runs_and_the_next_request_works(
    scripted_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(scripted_model, context_window=1024)
    try:
        with monkeypatch.context() as faulty:
            faulty.setattr(llama.Context, "decode", lambda context, batch: -3)
            assert bench.ask("HELLO").error().error_code == "decode_failed"
        answer = bench.ask("HELLO")
        answer.done()
        assert answer.text == SCRIPTS["HELLO"]
        bench.assert_idle()
    finally:
        bench.engine.close()


@pytest.fixture
def crowded(scripted_model: Path) -> Iterator[Bench]:
    """Four slots in a cache that holds hardly two long answers."""
    bench = Bench(scripted_model, n_slots=4, context_window=1024)
    yield bench
    bench.engine.close()


def test_answers_survive_a_cache_too_small_for_all(crowded: Bench) -> None:
    """Requests are sent back to wait and compute again; their text does not change."""
    answers = [crowded.ask(f"{'x ' * i}LONG", max_tokens=900) for i in range(4)]
    assert [answer.done().finish_reason for answer in answers] == [FinishReason.STOP] * 4
    assert all(answer.text == SCRIPTS["LONG"] for answer in answers)
    assert counters(crowded).preemptions_total > 0
    crowded.assert_idle()


def test_the_same_seed_gives_the_same_text(smollm2_path: Path) -> None:
    bench = Bench(smollm2_path, context_window=512)
    try:
        options: dict[str, Any] = {"temperature": 1.0, "max_tokens": 24, "may_reuse": False}
        texts = []
        for seed in (1, 1, 2):
            answer = bench.ask("Write a poem.", seed=seed, **options)
            assert answer.done().seed == seed
            texts.append(answer.text)
        assert texts[0] == texts[1] != texts[2]
    finally:
        bench.engine.close()


def test_an_answer_without_trigger_is_the_default(scripted: Bench) -> None:
    answer = scripted.ask("whatever")
    answer.done()
    assert answer.text == DEFAULT


@pytest.mark.parametrize(
    ("left", "right", "length"),
    [([], [], 0), ([1], [2], 0), ([1, 2], [1, 2, 3], 2), ([1, 2, 3, 4], [1, 2, 9, 4], 2)],
)
def test_common_prefix(left: list[int], right: list[int], length: int) -> None:
    assert common_prefix(left, right) == length
