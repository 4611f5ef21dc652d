"""One pass over the bytes of a GGUF header, trusting none of them.

llama.cpp's parser has been overflowed by crafted files, so every count, length, offset and size is
checked here against the format and the file's true size. The tensors themselves are not read; no
value of a string array (tokens, merges) becomes an object. Only ``gguf.py`` calls this.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import re
import struct
from itertools import repeat
from pathlib import Path
from typing import BinaryIO, NoReturn

from ..errors import ModelFileError
from .gguf_types import ARRAY_TYPE, INTEGER_TYPES, SCALAR_TYPES, STRING_TYPE, TENSOR_TYPES
from .model_file import display_name, not_gguf

Scalar = str | int | float | bool

MAX_TEMPLATE_BYTES = 256 << 10
_MAX_HEADER_BYTES = 256 << 20
_MAX_ENTRIES = 1 << 16
_MAX_TENSORS = 1 << 17
_MAX_KEY_BYTES = 1 << 16
_MAX_STRING_BYTES = 64 << 20
_MAX_STRINGS = 1 << 22
_MAX_NUMBERS = 1 << 26
_MAX_TENSOR_NAME_BYTES = 63
_MAX_DIMS = 4
_MAX_ELEMENTS = 1 << 50
_MAX_ALIGNMENT = 1 << 20
#: Longer values are checked and skipped.
_KEPT_STRING_BYTES = 4 << 10
_KEPT_NUMBERS = 1 << 12
_FIRST_READ_BYTES = 2 << 20

#: Values that llama.cpp aborts on or multiplies; keys below the architecture's prefix.
_RANGES = {
    "context_length": (1, 1 << 30),
    "embedding_length": (1, 1 << 20),
    "block_count": (1, 1 << 14),
    "vocab_size": (1, _MAX_STRINGS),
}

_CHAT_TEMPLATE = "tokenizer.chat_template"
_ARCHITECTURE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


def _label(name: bytes) -> str:
    return repr(name.decode("utf-8", "replace"))


class HeaderParser:
    """One pass over the header; the buffer grows as far as the header reaches.

    Attributes
    ----------
    scalars : dict
        Numbers, booleans and strings of up to 4 KB by metadata key.
    numbers : dict
        Integer arrays of up to 4,096 items.
    counts : dict
        Lengths of all arrays and strings.
    """

    def __init__(self, path: Path, file: BinaryIO, file_size: int) -> None:
        self.path = path
        self.name = display_name(path)
        self.file = file
        self.file_size = file_size
        self.data = bytearray()
        self.position = 0
        self.version = self.n_tensors = 0
        self.architecture = ""
        self.scalars: dict[str, Scalar] = {}
        self.numbers: dict[str, tuple[int, ...]] = {}
        self.counts: dict[str, int] = {}
        self.chat_template: str | None = None
        self.has_chat_template = False
        self.n_parameters = 0
        self.has_encoder = self.has_decoder = False

    def parse(self) -> None:
        """Read and check everything; the attributes hold what was found.

        Raises
        ------
        ModelFileError
            As :func:`~jupyter_localllm.models.gguf.read_header` lists them.
        """
        self._fill(512)
        if self.data[:4] != b"GGUF":
            raise not_gguf(self.path, bytes(self.data[:512]))
        self.position = 4
        self.version = self._version()
        self.n_tensors, n_entries = self._u64(), self._u64()
        if self.n_tensors > _MAX_TENSORS:
            self._corrupt(f"it claims {self.n_tensors:,} tensors")
        if n_entries > _MAX_ENTRIES:
            self._corrupt(f"it claims {n_entries:,} metadata entries")
        for _ in repeat(None, n_entries):
            self._entry()
        architecture = self.scalars.get("general.architecture")
        if not isinstance(architecture, str) or not _ARCHITECTURE.match(architecture):
            self._corrupt("it names no architecture")
        self.architecture = architecture
        self._check_ranges()
        self._tensors(self.n_tensors)

    # --- bytes ------------------------------------------------------------------------------

    def _fill(self, end: int) -> None:
        """Read on until the buffer reaches ``end`` or the file ends."""
        while len(self.data) < min(end, self.file_size):
            wanted = max(end - len(self.data), len(self.data), _FIRST_READ_BYTES)
            piece = self.file.read(wanted)
            if not piece:
                # Somebody cut the file while it was read.
                self.file_size = len(self.data)
                return
            self.data += piece

    def _need(self, size: int) -> int:
        """Make the next ``size`` bytes available, step over them, return where they begin."""
        start, end = self.position, self.position + size
        if end > len(self.data):
            if end > _MAX_HEADER_BYTES:
                self._corrupt("its header is longer than any model's")
            self._fill(end)
            if end > len(self.data):
                self._truncated_header()
        self.position = end
        return start

    def _u32(self) -> int:
        return int(_U32.unpack_from(self.data, self._need(4))[0])

    def _u64(self) -> int:
        return int(_U64.unpack_from(self.data, self._need(8))[0])

    def _string_bytes(self, limit: int, what: str) -> bytes:
        size = self._u64()
        if size > limit:
            self._corrupt(f"{what} claims {size:,} bytes")
        start = self._need(size)
        return bytes(self.data[start : start + size])

    # --- metadata ---------------------------------------------------------------------------

    def _version(self) -> int:
        version = self._u32()
        if version in (2, 3):
            return version
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        if swapped in (1, 2, 3):
            message = f"{self.name} is a GGUF file for big-endian machines."
            hint = "Get the ordinary, little-endian file of the same model."
        elif version == 1:
            message = f"{self.name} is in GGUF version 1, which llama.cpp no longer reads."
            hint = "Get a newer file of the same model."
        else:
            message = f"{self.name} says it is GGUF version {version}; versions 2 and 3 are known."
            hint = "Update jupyter-localllm, or get the file in GGUF version 3."
        raise ModelFileError(message, hint, code="model_file_version", details={"version": version})

    def _entry(self) -> None:
        key = self._string_bytes(_MAX_KEY_BYTES, "a metadata key").decode("utf-8", "replace")
        if not key:
            self._corrupt("a metadata key is empty")
        if key in self.scalars or key in self.counts:
            self._corrupt(f"the metadata key {key[:60]!r} occurs twice")
        value_type = self._u32()
        if value_type in SCALAR_TYPES:
            code, size = SCALAR_TYPES[value_type]
            self.scalars[key] = struct.unpack_from(code, self.data, self._need(size))[0]
        elif value_type == STRING_TYPE:
            self._string(key)
        elif value_type == ARRAY_TYPE:
            self._array(key)
        else:
            self._corrupt(f"the metadata key {key[:60]!r} has the unknown type {value_type}")

    def _string(self, key: str) -> None:
        size = self._u64()
        if size > _MAX_STRING_BYTES:
            self._corrupt(f"the metadata value {key[:60]!r} claims {size:,} bytes")
        start = self._need(size)
        self.counts[key] = size
        is_template = key == _CHAT_TEMPLATE
        if size > (MAX_TEMPLATE_BYTES if is_template else _KEPT_STRING_BYTES):
            self.has_chat_template |= is_template
            return
        value = self.data[start : start + size].decode("utf-8", "replace")
        if is_template:
            self.has_chat_template = bool(value.strip())
            self.chat_template = value if self.has_chat_template else None
        else:
            self.scalars[key] = value

    def _array(self, key: str) -> None:
        item_type, count = self._u32(), self._u64()
        self.counts[key] = count
        is_text = item_type == STRING_TYPE
        if count > (_MAX_STRINGS if is_text else _MAX_NUMBERS):
            self._corrupt(f"the metadata array {key[:60]!r} claims {count:,} items")
        if is_text:
            self._skip_strings(count)
        elif item_type in SCALAR_TYPES:
            code, size = SCALAR_TYPES[item_type]
            start = self._need(count * size)
            if item_type in INTEGER_TYPES and count <= _KEPT_NUMBERS:
                layout = f"<{count}{code[1]}"
                self.numbers[key] = struct.unpack_from(layout, self.data, start)
        else:
            self._corrupt(f"the metadata array {key[:60]!r} has the item type {item_type}")

    def _skip_strings(self, count: int) -> None:
        # The hot loop: a vocabulary and its merges are 100,000 to a million strings. A length that
        # leads out of the header or the file is found by the next `_need`.
        data, position, unpack = self.data, self.position, _U64.unpack_from
        last = len(data) - 8
        for _ in repeat(None, count):
            if position > last:
                self.position = position
                self._need(8)
                last = len(data) - 8
            position += 8 + unpack(data, position)[0]
        self.position = position

    def _check_ranges(self) -> None:
        for key, (low, high) in _RANGES.items():
            value = self.scalars.get(f"{self.architecture}.{key}")
            if value is not None and not (isinstance(value, int) and low <= value <= high):
                self._corrupt(f"its {key.replace('_', ' ')} is {value!r}")

    # --- tensors ----------------------------------------------------------------------------

    def _tensors(self, count: int) -> None:
        alignment = self.scalars.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 0 < alignment <= _MAX_ALIGNMENT:
            self._corrupt(f"its alignment is {alignment!r}")
        if alignment & (alignment - 1):
            self._corrupt(f"its alignment, {alignment}, is not a power of two")
        names: set[bytes] = set()
        expected = end = 0
        for _ in repeat(None, count):
            name = self._string_bytes(_MAX_TENSOR_NAME_BYTES, "a tensor name")
            if name in names:
                self._corrupt(f"the tensor {_label(name)} occurs twice")
            names.add(name)
            size, offset = self._tensor(name)
            if offset != expected:
                self._corrupt(f"the tensor {_label(name)} is at a wrong place")
            end = offset + size
            expected = -(-end // alignment) * alignment
        data_start = -(-self.position // alignment) * alignment
        missing = data_start + end - self.file_size
        if missing > 0:
            self._truncated(missing)
        self.has_encoder = any(name.startswith(b"enc.blk.") for name in names)
        self.has_decoder = any(name.startswith(b"dec.blk.") for name in names)

    def _tensor(self, name: bytes) -> tuple[int, int]:
        """Return size in bytes and offset of the tensor described next."""
        label = f"the tensor {_label(name)}"
        n_dims = self._u32()
        if n_dims > _MAX_DIMS:
            self._corrupt(f"{label} has {n_dims:,} dimensions")
        elements, row = 1, 1
        for index in range(n_dims):
            length = self._u64()
            row = length if index == 0 else row
            elements *= length
            if not 0 < elements <= _MAX_ELEMENTS:
                self._corrupt(f"{label} has an impossible shape")
        tensor_type = self._u32()
        if tensor_type not in TENSOR_TYPES:
            self._corrupt(f"{label} has the unknown type {tensor_type}")
        block, block_bytes = TENSOR_TYPES[tensor_type]
        if row % block:
            self._corrupt(f"{label} has rows that are no multiple of {block}")
        self.n_parameters += elements
        return elements // block * block_bytes, self._u64()

    # --- errors -----------------------------------------------------------------------------

    def _corrupt(self, what: str) -> NoReturn:
        raise ModelFileError(
            f"{self.name} is damaged: {what}.",
            "Copy or download the file again; if it stays so, it may need a newer version.",
            code="model_file_corrupt",
        )

    def _truncated_header(self) -> NoReturn:
        raise ModelFileError(
            f"{self.name} is cut off after {self.file_size:,} bytes, inside its header.",
            "Copy or download the file again, to the end.",
            code="model_file_truncated",
            details={"size_bytes": self.file_size},
        )

    def _truncated(self, missing: int) -> NoReturn:
        expected = self.file_size + missing
        raise ModelFileError(
            f"{self.name} is cut off: {missing:,} of its {expected:,} bytes are missing.",
            "Copy or download the file again, to the end.",
            code="model_file_truncated",
            details={
                "size_bytes": self.file_size,
                "expected_bytes": expected,
                "missing_bytes": missing,
            },
        )
