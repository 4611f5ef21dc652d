"""Tiny GGUFs with random weights, one per architecture: they load, run and say nothing sensible.

Under 1 MB each; for loading, refusing, sampling, embedding and template tests.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .scripted import CHATML
from .writer import GGUFFile, TensorType, TokenType, ValueType, byte_alphabet

WIDTH, HEADS, FEED_FORWARD, LAYERS, CONTEXT = 64, 4, 128, 2, 512
HEAD_WIDTH = WIDTH // HEADS


class _Model(GGUFFile):
    """A file with shorthands for random tensors."""

    def __init__(self, architecture: str, seed: int) -> None:
        super().__init__(architecture)
        self.rng = np.random.default_rng(seed)

    def random(self, name: str, *shape: int) -> None:
        values = self.rng.standard_normal(shape) * 0.1
        self.add(name, values, TensorType.F32)

    def ones(self, name: str, *shape: int) -> None:
        self.add(name, np.ones(shape), TensorType.F32)

    def set_vocabulary(
        self, kind: str, pre: str, texts: list[str], types: list[int], bos: int, eos: int
    ) -> None:
        self.set("tokenizer.ggml.model", kind)
        self.set("tokenizer.ggml.pre", pre)
        self.set("tokenizer.ggml.tokens", texts)
        self.set("tokenizer.ggml.token_type", types, ValueType.INT32)
        self.set("tokenizer.ggml.bos_token_id", bos)
        self.set("tokenizer.ggml.eos_token_id", eos)


def _set_bpe(model: _Model) -> int:
    texts = [*byte_alphabet(), "th", "er", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    types = [TokenType.NORMAL] * 258 + [TokenType.CONTROL] * 3
    model.set_vocabulary("gpt2", "gpt-2", texts, [int(t) for t in types], 258, 260)
    model.set("tokenizer.ggml.merges", ["t h", "e r"])
    return len(texts)


def _spm_entries() -> tuple[list[str], list[int]]:
    ascii_texts = [chr(code) for code in range(33, 127)]
    texts = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    texts += [*ascii_texts, "<|im_start|>", "<|im_end|>"]
    types = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
    types += [TokenType.BYTE] * 256 + [TokenType.NORMAL] * 95 + [TokenType.CONTROL] * 2
    return texts, [int(t) for t in types]


def _set_spm(model: _Model) -> int:
    texts, types = _spm_entries()
    model.set_vocabulary("llama", "default", texts, types, 1, 2)
    model.set("tokenizer.ggml.scores", [0.0] * 259 + [-float(i) for i in range(97)])
    return len(texts)


def _set_unigram(model: _Model) -> int:
    texts, types = _spm_entries()
    texts[:3] = ["<pad>", "</s>", "<unk>"]
    types[:3] = [int(t) for t in (TokenType.CONTROL, TokenType.CONTROL, TokenType.UNKNOWN)]
    model.set_vocabulary("t5", "default", texts, types, 0, 1)
    model.set("tokenizer.ggml.scores", [0.0] * 259 + [-float(i) for i in range(97)])
    return len(texts)


def _set_wordpiece(model: _Model) -> int:
    ascii_texts = [chr(code) for code in range(33, 127)]
    texts = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *("▁" + c for c in ascii_texts), *ascii_texts]
    types = [int(TokenType.CONTROL)] * 4 + [int(TokenType.NORMAL)] * 188
    model.set_vocabulary("bert", "default", texts, types, 2, 3)
    return len(texts)


def _llama_layers(model: _Model, *, has_bias: bool) -> None:
    for layer in range(LAYERS):
        prefix = f"blk.{layer}."
        model.ones(prefix + "attn_norm.weight", WIDTH)
        for part in "qkv":
            model.random(f"{prefix}attn_{part}.weight", WIDTH, WIDTH)
            if has_bias:
                model.random(f"{prefix}attn_{part}.bias", WIDTH)
        model.random(prefix + "attn_output.weight", WIDTH, WIDTH)
        model.ones(prefix + "ffn_norm.weight", WIDTH)
        model.random(prefix + "ffn_gate.weight", FEED_FORWARD, WIDTH)
        model.random(prefix + "ffn_up.weight", FEED_FORWARD, WIDTH)
        model.random(prefix + "ffn_down.weight", WIDTH, FEED_FORWARD)


def _llama(model: _Model) -> None:
    size = _set_spm(model)
    model.set_arch(attention__layer_norm_rms_epsilon=1e-5, rope__dimension_count=HEAD_WIDTH)
    model.random("token_embd.weight", size, WIDTH)
    model.ones("output_norm.weight", WIDTH)
    model.random("output.weight", size, WIDTH)
    _llama_layers(model, has_bias=False)


def _qwen2(model: _Model) -> None:
    size = _set_bpe(model)
    model.set_arch(attention__layer_norm_rms_epsilon=1e-5)
    model.random("token_embd.weight", size, WIDTH)
    model.ones("output_norm.weight", WIDTH)
    model.random("output.weight", size, WIDTH)
    _llama_layers(model, has_bias=True)


def _gpt2(model: _Model) -> None:
    size = _set_bpe(model)
    model.set_arch(attention__layer_norm_epsilon=1e-5)
    model.random("token_embd.weight", size, WIDTH)
    model.random("position_embd.weight", CONTEXT, WIDTH)
    model.ones("output_norm.weight", WIDTH)
    model.random("output_norm.bias", WIDTH)
    model.random("output.weight", size, WIDTH)
    for layer in range(LAYERS):
        prefix = f"blk.{layer}."
        for norm in ("attn_norm", "ffn_norm"):
            model.ones(f"{prefix}{norm}.weight", WIDTH)
            model.random(f"{prefix}{norm}.bias", WIDTH)
        for name, rows, columns in (
            ("attn_qkv", 3 * WIDTH, WIDTH),
            ("attn_output", WIDTH, WIDTH),
            ("ffn_up", FEED_FORWARD, WIDTH),
            ("ffn_down", WIDTH, FEED_FORWARD),
        ):
            model.random(f"{prefix}{name}.weight", rows, columns)
            model.random(f"{prefix}{name}.bias", rows)


def _bert(model: _Model) -> None:
    size = _set_wordpiece(model)
    model.set_arch(attention__layer_norm_epsilon=1e-5, attention__causal=False, pooling_type=1)
    model.set("tokenizer.ggml.token_type_count", 2)
    model.random("token_embd.weight", size, WIDTH)
    model.random("token_types.weight", 2, WIDTH)
    model.random("position_embd.weight", CONTEXT, WIDTH)
    model.ones("token_embd_norm.weight", WIDTH)
    model.random("token_embd_norm.bias", WIDTH)
    for layer in range(LAYERS):
        prefix = f"blk.{layer}."
        for name, rows, columns in (
            ("attn_q", WIDTH, WIDTH),
            ("attn_k", WIDTH, WIDTH),
            ("attn_v", WIDTH, WIDTH),
            ("attn_output", WIDTH, WIDTH),
            ("ffn_up", FEED_FORWARD, WIDTH),
            ("ffn_down", WIDTH, FEED_FORWARD),
        ):
            model.random(f"{prefix}{name}.weight", rows, columns)
            model.random(f"{prefix}{name}.bias", rows)
        for norm in ("attn_output_norm", "layer_output_norm"):
            model.ones(f"{prefix}{norm}.weight", WIDTH)
            model.random(f"{prefix}{norm}.bias", WIDTH)


def _t5(model: _Model) -> None:
    size = _set_unigram(model)
    model.set_arch(
        attention__layer_norm_rms_epsilon=1e-5,
        attention__layer_norm_epsilon=1e-5,
        attention__relative_buckets_count=8,
        attention__key_length=HEAD_WIDTH,
        attention__value_length=HEAD_WIDTH,
        decoder_start_token_id=0,
    )
    model.random("token_embd.weight", size, WIDTH)
    model.random("output.weight", size, WIDTH)
    for side in ("enc", "dec"):
        model.ones(f"{side}.output_norm.weight", WIDTH)
        for layer in range(LAYERS):
            prefix = f"{side}.blk.{layer}."
            model.ones(prefix + "attn_norm.weight", WIDTH)
            if layer == 0:
                model.random(prefix + "attn_rel_b.weight", 8, HEADS)
            parts = ("attn", "cross_attn") if side == "dec" else ("attn",)
            for part in parts:
                for matrix in "qkvo":
                    model.random(f"{prefix}{part}_{matrix}.weight", WIDTH, WIDTH)
            if side == "dec":
                model.ones(prefix + "cross_attn_norm.weight", WIDTH)
            model.ones(prefix + "ffn_norm.weight", WIDTH)
            model.random(prefix + "ffn_gate.weight", FEED_FORWARD, WIDTH)
            model.random(prefix + "ffn_up.weight", FEED_FORWARD, WIDTH)
            model.random(prefix + "ffn_down.weight", WIDTH, FEED_FORWARD)


_FILL: dict[str, Callable[[_Model], None]] = {
    "llama": _llama,
    "qwen2": _qwen2,
    "gpt2": _gpt2,
    "bert": _bert,
    "t5": _t5,
    "gizmo": _llama,
}
ARCHITECTURES = tuple(_FILL)
_WITHOUT_TEMPLATE = {"bert", "t5"}

#: Templates that a file may bring and that must not harm anyone.
BAD_TEMPLATES = {
    "syntax_error": "{% for m in messages %}{{ m['content'] }",
    "raises": "{{ raise_exception('only user and assistant roles') }}",
    "undefined": "{{ nothing.at.all }}",
    "endless": "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}"
    "{{ a * b * c }}{% endfor %}{% endfor %}{% endfor %}",
    "huge_output": "{{ 'A' * 1000000000 }}",
    "attribute_escape": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals_escape": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
}


def make_tiny(
    architecture: str = "llama",
    *,
    chat_template: str | None = "",
    seed: int = 0,
    overrides: dict[str, Any] | None = None,
) -> GGUFFile:
    """Return a tiny model, not yet written.

    Parameters
    ----------
    architecture : str
        One of :data:`ARCHITECTURES`; ``gizmo`` is a llama under a name llama.cpp does not know.
    chat_template : str or None
        The empty string means ChatML where the architecture chats; ``None`` means no template.
    seed : int
        Of the random weights.
    overrides : dict, optional
        Architecture keys that replace the true ones, for example ``{"context_length": 0}``.
    """
    model = _Model(architecture, seed)
    model.set("general.name", f"tiny-{architecture}")
    model.set("general.file_type", 0)
    keys: dict[str, Any] = {
        "context_length": CONTEXT,
        "embedding_length": WIDTH,
        "block_count": LAYERS,
        "feed_forward_length": FEED_FORWARD,
        "attention__head_count": HEADS,
        "attention__head_count_kv": HEADS,
    }
    model.set_arch(**(keys | (overrides or {})))
    _FILL[architecture](model)
    if chat_template == "":
        chat_template = None if architecture in _WITHOUT_TEMPLATE else CHATML
    if chat_template is not None:
        model.set("tokenizer.chat_template", chat_template)
    return model


def build_tiny(
    path: Path, architecture: str = "llama", *, chat_template: str | None = "", seed: int = 0
) -> Path:
    """Write a tiny model; see :func:`make_tiny`."""
    return make_tiny(architecture, chat_template=chat_template, seed=seed).write(path)
