"""llama.cpp's C API as four typed, closable objects: Model, Context, Batch and the log.

Nothing here decides anything; ``scheduler`` does. All calls come from the engine's one thread,
except :meth:`Context.request_abort`. Source of the API: ``llama.h`` of the llama.cpp that
llama-cpp-python vendors.
"""

from __future__ import annotations

import collections
import ctypes
import ctypes.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import llama_cpp as lc
import numpy as np

from .. import errors

#: ``llama_decode`` results (llama.h).
DECODE_OK, DECODE_NO_SPACE, DECODE_ABORTED = 0, 1, 2

_LOG_WARN, _LOG_ERROR, _LOG_CONT = 3, 4, 5
_recent_log: collections.deque[str] = collections.deque(maxlen=40)
_log_level = 0


def _on_log(level: int, text: bytes, _: Any) -> None:
    global _log_level
    _log_level = level if level != _LOG_CONT else _log_level
    if _log_level in (_LOG_WARN, _LOG_ERROR):
        line = text.decode("utf-8", "replace")
        _recent_log.append(line.strip())
        sys.stderr.write(line)
        sys.stderr.flush()


#: Kept for as long as llama.cpp may call it.
_LOG_CALLBACK = lc.llama_log_callback(_on_log)


def initialise() -> None:
    """Start llama.cpp and send its warnings to stderr; call once per process."""
    lc.llama_log_set(_LOG_CALLBACK, ctypes.c_void_p(0))
    lc.llama_backend_init()


def recent_log() -> list[str]:
    """Return llama.cpp's latest warnings and errors, oldest first."""
    return [line for line in _recent_log if line]


class Model:
    """Weights and vocabulary of one GGUF file.

    Parameters
    ----------
    path : Path
        A file whose header was checked before (``models/gguf``).
    on_progress : callable, optional
        Called with 0.0 to 1.0 while loading.

    Raises
    ------
    ModelFileError
        llama.cpp refused the file; the message carries its reason.
    """

    def __init__(self, path: Path, on_progress: Callable[[float], None] | None = None) -> None:
        params = lc.llama_model_default_params()
        params.n_gpu_layers = int(os.environ.get("LOCALLLM_GPU_LAYERS", "0"))

        def report(progress: float, _: Any) -> bool:
            if on_progress is not None:
                on_progress(progress)
            return True

        self._callback = lc.llama_progress_callback(report)
        params.progress_callback = self._callback
        _recent_log.clear()
        self.handle = lc.llama_model_load_from_file(os.fsencode(path), params)
        if not self.handle:
            raise load_error(path, recent_log())
        self.path = path
        self.vocab = lc.llama_model_get_vocab(self.handle)
        self.n_vocab: int = lc.llama_vocab_n_tokens(self.vocab)
        self.n_ctx_train: int = lc.llama_model_n_ctx_train(self.handle)
        self.n_embd: int = lc.llama_model_n_embd(self.handle)
        self.has_encoder = bool(lc.llama_model_has_encoder(self.handle))
        self.has_decoder = bool(lc.llama_model_has_decoder(self.handle))
        #: Recurrent state cannot be cut back to a shorter prefix.
        self.is_recurrent = bool(
            lc.llama_model_is_recurrent(self.handle) or lc.llama_model_is_hybrid(self.handle)
        )
        self._piece_buffer = ctypes.create_string_buffer(256)
        self._pieces: dict[int, bytes] = {}
        self._eog: dict[int, bool] = {}

    def close(self) -> None:
        """Free the weights; idempotent. The context must be closed before."""
        if self.handle:
            lc.llama_model_free(self.handle)
            self.handle = None

    def metadata(self, key: str) -> str | None:
        """Return a metadata value as llama.cpp prints it, or ``None``."""
        size = 256
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = lc.llama_model_meta_val_str(self.handle, key.encode(), buffer, size)
            if length < 0:
                return None
            if length < size:
                return buffer.value.decode("utf-8", "replace")
            size = length + 1

    def chat_template(self) -> str | None:
        """Return the file's own chat template, if it has one."""
        raw = lc.llama_model_chat_template(self.handle, None)
        return raw.decode("utf-8", "replace") if raw else None

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Return token ids.

        Parameters
        ----------
        add_special : bool
            Add the begin and end tokens the model wants.
        parse_special : bool
            Read control tokens written out in the text.
        """
        data = text.encode("utf-8")
        size = len(data) + 8
        tokens = (lc.llama_token * size)()
        count = lc.llama_tokenize(
            self.vocab, data, len(data), tokens, size, add_special, parse_special
        )
        if count < 0:
            tokens = (lc.llama_token * -count)()
            count = lc.llama_tokenize(
                self.vocab, data, len(data), tokens, -count, add_special, parse_special
            )
        return list(tokens[:count])

    def piece(self, token_id: int) -> bytes:
        """Return a token's bytes; control tokens are empty. Cached: this is on the hot path."""
        cached = self._pieces.get(token_id)
        if cached is None:
            cached = self._pieces[token_id] = self._read_piece(token_id, special=False)
        return cached

    def _read_piece(self, token_id: int, *, special: bool) -> bytes:
        buffer = self._piece_buffer
        size = lc.llama_token_to_piece(self.vocab, token_id, buffer, len(buffer), 0, special)
        if size < 0:
            buffer = self._piece_buffer = ctypes.create_string_buffer(-size)
            size = lc.llama_token_to_piece(self.vocab, token_id, buffer, len(buffer), 0, special)
        return buffer.raw[:size]

    def special_text(self, token_id: int) -> str:
        """Return a control token as it is written in templates; empty for "none"."""
        if token_id < 0:
            return ""
        return self._read_piece(token_id, special=True).decode("utf-8", "replace")

    def is_end(self, token_id: int) -> bool:
        """Whether the model ends its turn with this token."""
        known = self._eog.get(token_id)
        if known is None:
            known = self._eog[token_id] = bool(lc.llama_vocab_is_eog(self.vocab, token_id))
        return known

    @property
    def bos_text(self) -> str:
        """The begin-of-text token, written out."""
        return self.special_text(lc.llama_vocab_bos(self.vocab))

    @property
    def eos_text(self) -> str:
        """The end-of-text token, written out."""
        return self.special_text(lc.llama_vocab_eos(self.vocab))

    @property
    def has_empty_vocab(self) -> bool:
        """Whether there is no tokenizer, so that text cannot be read."""
        return int(lc.llama_vocab_type(self.vocab)) == 0


def load_error(path: Path, log: list[str]) -> errors.ModelFileError:
    """Turn llama.cpp's log of a failed load into one sentence and a next step."""
    text = " ".join(log)
    if "unknown model architecture" in text:
        name = text.split("unknown model architecture:", 1)[-1].strip().split()[0].strip("'\"")
        return errors.ModelFileError(
            f"The model in {path.name} is of the architecture '{name}', which this version of "
            "llama.cpp does not know.",
            "Choose another model, or update llama-cpp-python.",
            code="model_architecture_unsupported",
            details={"architecture": name},
        )
    reason = next((line for line in log if "error" in line.lower()), log[-1] if log else "")
    reason = reason.split("error loading model:")[-1].strip(" .")[:300]
    return errors.ModelFileError(
        f"llama.cpp could not load {path.name}{': ' + reason if reason else ''}.",
        "The file is probably damaged: fetch it again and compare its checksum.",
        code="model_file_corrupt",
    )


def _native_flag_reader() -> Any:
    """Return libc's ``strlen`` as an abort callback.

    llama.cpp asks the callback after every graph node. A Python callback would take the GIL about
    a thousand times per token; ``strlen`` on a two-byte buffer is zero until its first byte is
    set, costs nanoseconds and is in every C library.
    """
    name = "msvcrt" if sys.platform == "win32" else None
    libc = ctypes.CDLL(name)
    return ctypes.cast(libc.strlen, lc.ggml_abort_callback)


#: As ``llama_cpp.llama_get_logits_ith``, with the bare address as its result.
_logits_address = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)(
    ctypes.cast(lc.llama_get_logits_ith, ctypes.c_void_p).value or 0
)


class Context:
    """Computation state of a model: the KV cache shared by all sequences.

    Parameters
    ----------
    n_ctx : int
        KV cells for all sequences together, in tokens.
    n_batch : int
        Most rows of one :meth:`decode`.
    n_seq_max : int
        Number of sequence ids.
    is_embedding : bool
        Keep pooled embeddings in place of logits.
    """

    def __init__(
        self,
        model: Model,
        *,
        n_ctx: int,
        n_batch: int,
        n_seq_max: int,
        n_threads: int,
        is_embedding: bool = False,
    ) -> None:
        params = lc.llama_context_default_params()
        params.n_ctx = n_ctx
        params.n_batch = n_batch
        params.n_ubatch = n_batch
        params.n_seq_max = n_seq_max
        # Only the last row of a request needs logits; reserving them for a whole batch would take
        # n_batch x vocabulary floats.
        params.n_outputs_max = n_batch if is_embedding else n_seq_max
        params.n_threads = params.n_threads_batch = n_threads
        params.kv_unified = True
        params.no_perf = True
        params.embeddings = is_embedding
        self._abort_flag = ctypes.create_string_buffer(2)
        self._abort_callback = _native_flag_reader()
        params.abort_callback = self._abort_callback
        params.abort_callback_data = ctypes.cast(self._abort_flag, ctypes.c_void_p)
        _recent_log.clear()
        self.handle = lc.llama_init_from_model(model.handle, params)
        if not self.handle:
            log = recent_log()
            raise errors.NotEnoughMemory(
                f"No room for a context of {n_ctx:,} tokens" + (f": {log[-1]}." if log else "."),
                "Choose a smaller context window or a smaller model.",
            )
        self._n_vocab = model.n_vocab
        self._logits_views: dict[int, Any] = {}
        self.memory = lc.llama_get_memory(self.handle)
        self.n_ctx: int = lc.llama_n_ctx(self.handle)
        self.n_threads = n_threads

    def close(self) -> None:
        """Free the cache; idempotent."""
        if self.handle:
            lc.llama_free(self.handle)
            self.handle = None

    def decode(self, batch: Batch) -> int:
        """Compute a batch; returns llama.cpp's result code."""
        return int(lc.llama_decode(self.handle, batch.native))

    def set_threads(self, n_threads: int) -> None:
        """Use so many threads from the next batch on."""
        if n_threads != self.n_threads:
            self.n_threads = n_threads
            lc.llama_set_n_threads(self.handle, n_threads, n_threads)

    def request_abort(self) -> None:
        """Make the running decode return ``DECODE_ABORTED``; any thread may call this."""
        self._abort_flag[0] = b"\x01"

    def clear_abort(self) -> None:
        """Take an abort request back."""
        self._abort_flag[0] = b"\x00"

    def copy_prefix(self, source: int, target: int, length: int) -> None:
        """Let ``target`` share the first ``length`` tokens of ``source`` (no copy of data)."""
        lc.llama_memory_seq_cp(self.memory, source, target, 0, length)

    def truncate(self, sequence_id: int, length: int) -> bool:
        """Forget a sequence from position ``length`` on; false where the model cannot."""
        return bool(lc.llama_memory_seq_rm(self.memory, sequence_id, length, -1))

    def forget(self, sequence_id: int) -> None:
        """Forget a whole sequence."""
        lc.llama_memory_seq_rm(self.memory, sequence_id, -1, -1)

    def logits(self, row: int) -> Any:
        """Return a row's logits as a numpy view (float32, vocabulary), valid until decode."""
        address = _logits_address(self.handle, row)
        view = self._logits_views.get(address)
        if view is None:
            # The buffer has a place for each row with logits: a handful of views, made once.
            values = (ctypes.c_float * self._n_vocab).from_address(address)
            view = self._logits_views[address] = np.ctypeslib.as_array(values)
        return view


class Batch:
    """The rows of one decode, filled anew for each step.

    Parameters
    ----------
    capacity : int
        Most rows.
    """

    def __init__(self, capacity: int) -> None:
        self.native = lc.llama_batch_init(capacity, 0, 1)
        self.capacity = capacity

    def close(self) -> None:
        """Free the arrays; idempotent."""
        if self.capacity:
            self.capacity = 0
            lc.llama_batch_free(self.native)

    def clear(self) -> None:
        """Forget all rows."""
        self.native.n_tokens = 0

    def __len__(self) -> int:
        return int(self.native.n_tokens)

    def add(
        self, token_ids: Sequence[int], position: int, sequence_id: int, *, wants_logits: bool
    ) -> int:
        """Append consecutive tokens of one sequence.

        Returns
        -------
        int
            The row of the last token, which has logits if ``wants_logits``.
        """
        native = self.native
        row = native.n_tokens
        for token_id in token_ids:
            native.token[row] = token_id
            native.pos[row] = position
            native.n_seq_id[row] = 1
            native.seq_id[row][0] = sequence_id
            native.logits[row] = 0
            row += 1
            position += 1
        native.logits[row - 1] = int(wants_logits)
        native.n_tokens = row
        return int(row - 1)
