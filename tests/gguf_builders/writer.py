"""A small GGUF version 3 writer with full control over every field, also over the wrong ones.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MAGIC = b"GGUF"


class ValueType(IntEnum):
    """Types of metadata values."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


class TensorType(IntEnum):
    """The few tensor types the builders write."""

    F32 = 0
    F16 = 1
    Q4_0 = 2
    IQ1_S = 19


class TokenType(IntEnum):
    """Types of vocabulary entries."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


_FORMATS = {
    ValueType.UINT8: "<B",
    ValueType.INT8: "<b",
    ValueType.UINT16: "<H",
    ValueType.INT16: "<h",
    ValueType.UINT32: "<I",
    ValueType.INT32: "<i",
    ValueType.FLOAT32: "<f",
    ValueType.BOOL: "<?",
    ValueType.UINT64: "<Q",
    ValueType.INT64: "<q",
    ValueType.FLOAT64: "<d",
}


def encode_string(text: str | bytes) -> bytes:
    """Return a GGUF string: length, then bytes."""
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def _guess_type(value: Any) -> ValueType:
    if isinstance(value, bool):
        return ValueType.BOOL
    if isinstance(value, int):
        return ValueType.UINT32 if value >= 0 else ValueType.INT32
    if isinstance(value, float):
        return ValueType.FLOAT32
    if isinstance(value, (str, bytes)):
        return ValueType.STRING
    raise TypeError(f"no GGUF type for {type(value).__name__}")


def encode_value(value: Any, value_type: ValueType | None = None) -> bytes:
    """Return a metadata value with its type in front; lists take the type of their items."""
    if isinstance(value, (list, tuple)):
        item_type = value_type if value_type is not None else _guess_type(value[0])
        items = (
            b"".join(encode_string(item) for item in value)
            if item_type == ValueType.STRING
            else b"".join(struct.pack(_FORMATS[item_type], item) for item in value)
        )
        return struct.pack("<IIQ", ValueType.ARRAY, item_type, len(value)) + items
    value_type = value_type if value_type is not None else _guess_type(value)
    payload = (
        encode_string(value)
        if value_type == ValueType.STRING
        else struct.pack(_FORMATS[value_type], value)
    )
    return struct.pack("<I", value_type) + payload


@dataclass
class Tensor:
    """One tensor; ``dims`` begin with the row length. ``offset`` overrides the true one."""

    name: str
    dims: tuple[int, ...]
    type: int
    data: bytes
    offset: int | None = None


@dataclass
class GGUFFile:
    """A GGUF in the making. Counts and version may be set to lies.

    Parameters
    ----------
    architecture : str
        Value of ``general.architecture`` and prefix of :meth:`arch` keys.
    """

    architecture: str
    version: int = 3
    alignment: int = 32
    tensor_count: int | None = None
    metadata_count: int | None = None
    metadata: list[tuple[str, bytes]] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.set("general.architecture", self.architecture)

    def set(self, key: str, value: Any, value_type: ValueType | None = None) -> None:
        """Add a metadata entry."""
        self.metadata.append((key, encode_value(value, value_type)))

    def set_raw(self, key: str, encoded: bytes) -> None:
        """Add a metadata entry whose bytes (type and payload) are given."""
        self.metadata.append((key, encoded))

    def set_arch(self, **values: Any) -> None:
        """Add entries below the architecture's prefix; ``__`` in a name stands for a dot."""
        for name, value in values.items():
            self.set(f"{self.architecture}.{name.replace('__', '.')}", value)

    def add(self, name: str, array: npt.NDArray[Any], tensor_type: TensorType) -> None:
        """Add a float tensor of numpy shape (rows, row length)."""
        dtype = np.float32 if tensor_type == TensorType.F32 else np.float16
        data = np.ascontiguousarray(array, dtype=dtype).tobytes()
        self.tensors.append(Tensor(name, tuple(reversed(array.shape)), tensor_type, data))

    def add_raw(
        self,
        name: str,
        dims: Iterable[int],
        tensor_type: int,
        data: bytes,
        offset: int | None = None,
    ) -> None:
        """Add a tensor of ready bytes; nothing is checked."""
        self.tensors.append(Tensor(name, tuple(dims), tensor_type, data, offset))

    def header(self) -> bytes:
        """Return everything before the tensor data, padding included."""
        n_tensors = len(self.tensors) if self.tensor_count is None else self.tensor_count
        n_entries = len(self.metadata) if self.metadata_count is None else self.metadata_count
        parts = [MAGIC, struct.pack("<IQQ", self.version, n_tensors, n_entries)]
        parts += [encode_string(key) + encoded for key, encoded in self.metadata]
        offset = 0
        for tensor in self.tensors:
            place = offset if tensor.offset is None else tensor.offset
            parts.append(encode_string(tensor.name))
            parts.append(struct.pack("<I", len(tensor.dims)))
            parts += [struct.pack("<Q", dim) for dim in tensor.dims]
            parts.append(struct.pack("<IQ", tensor.type, place))
            offset += self._padded(len(tensor.data))
        head = b"".join(parts)
        return head + bytes(self._padded(len(head)) - len(head))

    def to_bytes(self) -> bytes:
        """Return the whole file."""
        body = [t.data + bytes(self._padded(len(t.data)) - len(t.data)) for t in self.tensors]
        return self.header() + b"".join(body)

    def write(self, path: Path) -> Path:
        """Write the file and return its path."""
        path.write_bytes(self.to_bytes())
        return path

    def _padded(self, size: int) -> int:
        step = max(1, self.alignment)
        return (size + step - 1) // step * step


def byte_alphabet() -> list[str]:
    """Return GPT-2's printable stand-in for each of the 256 bytes."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    alphabet, extra = [], 256
    for byte in range(256):
        if byte in printable:
            alphabet.append(chr(byte))
        else:
            alphabet.append(chr(extra))
            extra += 1
    return alphabet
