"""GGUFs with hand-set weights: real llama.cpp inference, replies known in advance.

How it works. The network is one MPT layer (layer norm, ALiBi, no positions in the embedding).
A hidden state has these blocks:

``chain``   256 numbers: in the embedding of a reply token, the random ±1 code of the *next* token
``start``   one number per reply: "begin reply i now", written by attention, small for the default
``mark``    one number per trigger: in the embedding of a trigger word, which reply it starts
``ask``     a constant flag of every token, the query of attention
``trigger`` a flag of trigger words, the key of attention

Attention looks at nothing but trigger words, and ALiBi makes the nearest one win, so the *last*
trigger of a prompt picks the reply, also in a chat of many turns. Every token that is not part of
a reply asks for a reply, so any chat template works and none is needed. Reply tokens are
vocabulary entries of their own, found again when a reply comes back as chat history, so that the
prefix of a follow-up turn is the same tokens.

Logits, from high to low: next token of a running reply, reply of the last trigger, default
reply, ``"``, ``}``, ``]``, ``:``, ``,``, digits, the end, everything
else. So an answer under a JSON grammar puts the reply into its strings and closes what it opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .vocabulary import Vocabulary
from .writer import GGUFFile, TensorType, TokenType, ValueType

CHATML = (
    "{% for message in messages %}"
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{'<|im_start|>assistant\\n'}}{% endif %}"
)

SCRIPTS = {
    "HELLO": "Hello from the scripted model.",
    "LONG": " ".join(f"word{i}" for i in range(400)),
    "CODE": "Here it is:\n\n```python\ntotal = sum(range(10))\nprint(total)\n```\n\nIt prints 45.",
    "EMOJI": "Grüße 👩‍🚀 日本語 done.",
    "BRACES": "Use {x} and {{y}} here: f'{z!r:>{width}}' and {'a': {1, 2}}.",
    "STOPWORD": "alpha beta STOP gamma",
    "MARKDOWN": (
        "# Title\n\n## Part\n\n- first\n- second with `code`\n\n1. one\n2. two\n\n"
        "| name | value |\n|------|------:|\n| pi | 3.14 |\n\n"
        "Inline $e^{i\\pi} = -1$ and\n\n$$\\int_0^1 x^2\\,dx = \\frac{1}{3}$$\n\n**Done.**"
    ),
    "JSON": '{"answer": 42}',
}
DEFAULT = "I am a scripted test model."
ENDLESS = " ".join(f"tick{i}" for i in range(100)) + " "

_CODE_WIDTH = 256
#: Strengths in a hidden state. Their order is the order of the logits in the module docstring.
_CHAIN, _START, _DEFAULT = 1.0, 8.0, 4.0
_ASK, _ASK_IN_REPLY, _FLAG = 8.0, 34.0, 8.0
_PREFERENCE = {'"': 2.8, "}": 2.6, "]": 2.4, ":": 2.2, ",": 2.0} | {str(d): 1.5 for d in range(10)}
_ALIBI_BIAS = 0.01
_EPSILON = 1e-5
#: Logit of the default reply's first token.
_TOP_LOGIT = 150.0


@dataclass(frozen=True)
class _Layout:
    """Where the blocks of a hidden state begin."""

    n_replies: int
    width: int

    @property
    def start(self) -> int:
        return _CODE_WIDTH

    @property
    def mark(self) -> int:
        return self.start + self.n_replies

    @property
    def ask(self) -> int:
        return self.mark + self.n_replies

    @property
    def trigger(self) -> int:
        return self.ask + 1


def _layout(n_replies: int, multiple_of: int) -> _Layout:
    needed = _CODE_WIDTH + 2 * n_replies + 2
    return _Layout(n_replies, -(-needed // multiple_of) * multiple_of)


def _codes(count: int) -> npt.NDArray[np.float32]:
    """Return ±1 codes that are nearly orthogonal and have mean zero (layer norm removes means)."""
    rng = np.random.default_rng(20240229)
    half = _CODE_WIDTH // 2
    signs = np.concatenate([np.ones(half), -np.ones(half)]).astype(np.float32)
    return rng.permuted(np.tile(signs, (count, 1)), axis=1)


def _embeddings(vocabulary: Vocabulary, at: _Layout) -> npt.NDArray[np.float32]:
    size = len(vocabulary.texts)
    codes = _codes(size)
    table = np.zeros((size, at.width), np.float32)
    table[:, at.ask] = _ASK
    table[:, at.start] = _DEFAULT
    for token_id, following in vocabulary.next_id.items():
        table[token_id, :_CODE_WIDTH] = _CHAIN * codes[following]
        table[token_id, at.ask] = _ASK_IN_REPLY
        table[token_id, at.start] = 0
    for token_id, reply in vocabulary.triggers.items():
        table[token_id, at.mark + reply] = _FLAG
        table[token_id, at.trigger] = _FLAG
    return table


def _norm(table: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    centred = table - table.mean(axis=1, keepdims=True)
    scaled: npt.NDArray[np.float32] = centred / np.sqrt(
        (centred**2).mean(axis=1, keepdims=True) + np.float32(_EPSILON)
    )
    return scaled


def _output(vocabulary: Vocabulary, at: _Layout, asking: float) -> npt.NDArray[np.float32]:
    """Return the output matrix; ``asking`` is the layer norm's factor for an asking token."""
    size = len(vocabulary.texts)
    matrix = np.zeros((size, at.width), np.float32)
    # A running reply: twice a trigger's strength, spread over the code.
    following = sorted(set(vocabulary.next_id.values()))
    matrix[following, :_CODE_WIDTH] = _codes(size)[following] * (2 * _START / _CODE_WIDTH)
    for reply, token_id in enumerate(vocabulary.starts):
        matrix[token_id, at.start + reply] = 1.0
    for character, strength in _PREFERENCE.items():
        matrix[vocabulary.texts.index(character), at.ask] = strength / _ASK
    matrix[vocabulary.eos, at.ask] = 1.0 / _ASK
    matrix *= _TOP_LOGIT / (_DEFAULT * asking)
    return matrix


def _attention(
    at: _Layout, normed: npt.NDArray[np.float32], vocabulary: Vocabulary, context_length: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the joined query, key, value matrix and the output projection."""
    width = at.width
    qkv = np.zeros((3 * width, width), np.float32)
    projection = np.zeros((width, width), np.float32)
    if not vocabulary.triggers:
        return qkv, projection
    trigger_ids = list(vocabulary.triggers)
    weakest_query = float(normed[:, at.ask].min())
    key = float(normed[trigger_ids, at.trigger].min())
    # A trigger must outweigh ALiBi's penalty over the whole context window.
    score = 2.5 * max(context_length, 256) * np.sqrt(width)
    factor = float(np.sqrt(score / (weakest_query * key)))
    qkv[0, at.ask] = factor
    qkv[width, at.trigger] = factor
    mark = float(normed[trigger_ids[0], at.mark + vocabulary.triggers[trigger_ids[0]]])
    for reply in range(at.n_replies):
        qkv[2 * width + reply, at.mark + reply] = 1.0
        projection[at.start + reply, reply] = _START / mark
    return qkv, projection


def _add_iq1(model: GGUFFile, name: str, rows: int, columns: int, scale: float) -> None:
    """Add random weights of about the size ``scale``; blocks of 256: scale, 32 and 16 bytes."""
    rng = np.random.default_rng(7)
    data = rng.integers(0, 256, (rows * columns // 256, 50), dtype=np.uint8)
    data[:, :2] = np.frombuffer(np.float16(scale).tobytes(), np.uint8)
    model.add_raw(name, (columns, rows), TensorType.IQ1_S, data.tobytes())


def _write_ballast(model: GGUFFile, n_layers: int, width: int, feed_forward: int) -> None:
    """Add layers that cost time and change nothing: their output projections are zero.

    IQ1_S is small on disk and slow to compute with.
    """
    one = np.ones(width, np.float32)
    for layer in range(1, n_layers + 1):
        prefix = f"blk.{layer}."
        model.add(prefix + "attn_norm.weight", one, TensorType.F32)
        model.add(prefix + "ffn_norm.weight", one, TensorType.F32)
        for name, rows, columns, scale in (
            ("attn_qkv", 3 * width, width, 0.001),
            ("attn_output", width, width, 0.0),
            ("ffn_up", feed_forward, width, 0.001),
            ("ffn_down", width, feed_forward, 0.0),
        ):
            _add_iq1(model, f"{prefix}{name}.weight", rows, columns, scale)


def _write(
    path: Path,
    vocabulary: Vocabulary,
    *,
    name: str,
    context_length: int,
    chat_template: str | None,
    n_ballast: int = 0,
    ballast_width: int = 0,
) -> Path:
    at = _layout(len(vocabulary.starts), 256 if n_ballast else 32)
    width, feed_forward = at.width, ballast_width or 32
    table = _embeddings(vocabulary, at)
    normed = _norm(table)
    model = GGUFFile("mpt")
    model.set("general.name", name)
    model.set("general.file_type", 1)
    model.set_arch(
        context_length=context_length,
        embedding_length=width,
        block_count=1 + n_ballast,
        feed_forward_length=feed_forward,
        attention__head_count=1,
        attention__layer_norm_epsilon=_EPSILON,
        attention__max_alibi_bias=_ALIBI_BIAS,
    )
    model.set("tokenizer.ggml.model", "gpt2")
    model.set("tokenizer.ggml.pre", "gpt-2")
    model.set("tokenizer.ggml.tokens", vocabulary.texts)
    model.set("tokenizer.ggml.token_type", vocabulary.types, ValueType.INT32)
    model.set("tokenizer.ggml.merges", ["t h"])
    model.set("tokenizer.ggml.bos_token_id", vocabulary.bos)
    model.set("tokenizer.ggml.eos_token_id", vocabulary.eos)
    model.set("tokenizer.ggml.add_bos_token", False)
    if chat_template is not None:
        model.set("tokenizer.chat_template", chat_template)

    plain = normed[0, at.ask] / _ASK
    qkv, projection = _attention(at, normed, vocabulary, context_length)
    one = np.ones(width, np.float32)
    model.add("token_embd.weight", table, TensorType.F16)
    model.add("output_norm.weight", one, TensorType.F32)
    model.add("output.weight", _output(vocabulary, at, float(plain)), TensorType.F16)
    model.add("blk.0.attn_norm.weight", one, TensorType.F32)
    model.add("blk.0.attn_qkv.weight", qkv, TensorType.F16)
    model.add("blk.0.attn_output.weight", projection, TensorType.F16)
    model.add("blk.0.ffn_norm.weight", one, TensorType.F32)
    if n_ballast:
        _add_iq1(model, "blk.0.ffn_up.weight", feed_forward, width, 0.0)
        _add_iq1(model, "blk.0.ffn_down.weight", width, feed_forward, 0.0)
    else:
        model.add("blk.0.ffn_up.weight", np.zeros((feed_forward, width)), TensorType.F16)
        model.add("blk.0.ffn_down.weight", np.zeros((width, feed_forward)), TensorType.F16)
    _write_ballast(model, n_ballast, width, feed_forward)
    return model.write(path)


def make_vocabulary(
    scripts: dict[str, str], default: str, *, split_utf8: bool = True, is_endless: bool = False
) -> Vocabulary:
    """Return the entries of a scripted model: the default reply first, then the scripts."""
    vocabulary = Vocabulary()
    words = {word: vocabulary.add(word, TokenType.USER_DEFINED) for word in scripts}
    for text in (default, *scripts.values()):
        for word in scripts:
            if word in text:
                raise ValueError(f"The reply {text[:40]!r} contains the trigger {word!r}.")
        vocabulary.add_reply(text, split_utf8=split_utf8, is_endless=is_endless)
    vocabulary.triggers = {words[word]: reply for reply, word in enumerate(scripts, start=1)}
    return vocabulary


def build_scripted(
    path: Path,
    scripts: dict[str, str] | None = None,
    default: str = DEFAULT,
    *,
    context_length: int = 4096,
    chat_template: str | None = CHATML,
    split_utf8: bool = True,
    name: str = "scripted",
) -> Path:
    """Write a model whose reply is chosen by the last trigger word of the prompt.

    Parameters
    ----------
    path : Path
        Where the GGUF goes; 1 to 3 MB.
    scripts : dict, optional
        Reply by trigger word; :data:`SCRIPTS` if not given. No reply may contain a trigger, and no
        reply may be a repetition of another one.
    default : str
        The reply where the prompt has no trigger.
    context_length : int
        The context window the model claims; triggers are seen over the whole of it.
    chat_template : str or None
        ``None`` writes a file without one.
    split_utf8 : bool
        Cut replies that are not ASCII inside their multi-byte characters.
    name : str
        ``general.name``.
    """
    vocabulary = make_vocabulary(
        SCRIPTS if scripts is None else scripts, default, split_utf8=split_utf8
    )
    return _write(
        path,
        vocabulary,
        name=name,
        context_length=context_length,
        chat_template=chat_template,
    )


def build_slow(
    path: Path,
    *,
    context_length: int = 4096,
    n_layers: int = 15,
    feed_forward: int = 16384,
    chat_template: str | None = CHATML,
) -> Path:
    """Write a model that answers every prompt with ``tick0 tick1 … tick99 tick0 …`` without end.

    ``n_layers`` layers of about 18 million weights each (3.5 MB) do nothing but take time.
    """
    return _write(
        path,
        make_vocabulary({}, ENDLESS, split_utf8=True, is_endless=True),
        name="slow",
        context_length=context_length,
        chat_template=chat_template,
        n_ballast=n_layers,
        ballast_width=feed_forward,
    )
