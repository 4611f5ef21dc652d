"""Every file that is not a model, or not one that may be loaded, each with the error it must give.

``BAD_FILES[kind]`` has ``build(folder) -> path`` and the ``code`` that
``jupyter_localllm.models.gguf.read_header`` raises; ``None`` where the header is fine and the
engine must refuse (an unknown architecture, an encoder-decoder, wrong weights).
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .tiny import make_tiny
from .writer import MAGIC, GGUFFile, TensorType, ValueType

HTML = "<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>\n"
#: The first four bytes of the file formats before GGUF, as they lie on disk.
OLD_MAGICS = {"ggml": b"lmgg", "ggmf": b"fmgg", "ggjt": b"tjgg", "ggla": b"algg"}


@dataclass(frozen=True)
class BadFile:
    """How to make one bad file, and the expected error code."""

    build: Callable[[Path], Path]
    code: str | None


def _bytes(name: str, data: bytes | Callable[[], bytes]) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        path = folder / f"{name}.gguf"
        path.write_bytes(data() if callable(data) else data)
        return path

    return build


def _tiny_bytes() -> bytes:
    return make_tiny().to_bytes()


def _changed(change: Callable[[GGUFFile], None]) -> Callable[[], bytes]:
    def data() -> bytes:
        model = make_tiny()
        change(model)
        return model.to_bytes()

    return data


def _set(key: str, encoded: bytes) -> Callable[[GGUFFile], None]:
    """Replace the entry ``key`` by raw bytes."""

    def change(model: GGUFFile) -> None:
        model.metadata = [(k, encoded if k == key else e) for k, e in model.metadata]
        if all(k != key for k, _ in model.metadata):
            model.set_raw(key, encoded)

    return change


def _set_u32(key: str, value: int) -> Callable[[GGUFFile], None]:
    return _set(key, struct.pack("<II", ValueType.UINT32, value))


def _tensor(index: int = 2, **changes: object) -> Callable[[GGUFFile], None]:
    """Change fields of one tensor."""

    def change(model: GGUFFile) -> None:
        for name, value in changes.items():
            setattr(model.tensors[index], name, value)

    return change


def _field(**changes: object) -> Callable[[GGUFFile], None]:
    def change(model: GGUFFile) -> None:
        for name, value in changes.items():
            setattr(model, name, value)

    return change


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": [0.0]}))
    return buffer.getvalue()


def _safetensors() -> bytes:
    head = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(16)


def _lfs_pointer() -> bytes:
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 99\n"


def _missing(folder: Path) -> Path:
    return folder / "missing.gguf"


def _directory(folder: Path) -> Path:
    path = folder / "directory.gguf"
    path.mkdir(exist_ok=True)
    return path


def _fifo(folder: Path) -> Path:
    path = folder / "fifo.gguf"
    if not path.exists():
        os.mkfifo(path)
    return path


def _unreadable(folder: Path) -> Path:
    path = folder / "unreadable.gguf"
    path.write_bytes(_tiny_bytes())
    path.chmod(0)
    return path


def _link_loop(folder: Path) -> Path:
    path = folder / "loop.gguf"
    if not path.is_symlink():
        path.symlink_to(path)
    return path


def _big_endian() -> bytes:
    return MAGIC + struct.pack(">IQQ", 3, 0, 0) + bytes(64)


def _version_1() -> bytes:
    return MAGIC + struct.pack("<III", 1, 0, 0) + bytes(64)


def _string_array(count: int, item_length: int) -> bytes:
    array = struct.pack("<IIQ", ValueType.ARRAY, ValueType.STRING, count)
    return array + struct.pack("<Q", item_length) + b"x"


def _split_part(number: int, count: int) -> Callable[[GGUFFile], None]:
    def change(model: GGUFFile) -> None:
        model.set("split.no", number, ValueType.UINT16)
        model.set("split.count", count, ValueType.UINT16)

    return change


def _cut(size: int) -> Callable[[], bytes]:
    return lambda: _tiny_bytes()[:size]


_TOKENS = "tokenizer.ggml.tokens"


def _duplicate_key(model: GGUFFile) -> None:
    model.set("general.name", "twice")


def _duplicate_tensor(model: GGUFFile) -> None:
    model.tensors[3].name = model.tensors[2].name


def _alignment_3(model: GGUFFile) -> None:
    """Set an alignment that is wrong in itself; all places fit to it."""
    _set_u32("general.alignment", 3)(model)
    model.alignment = 3


def _no_architecture(model: GGUFFile) -> None:
    model.metadata = [(k, e) for k, e in model.metadata if k != "general.architecture"]


def _nested_array(depth: int) -> bytes:
    inner = struct.pack("<IQ", ValueType.UINT8, 1) + b"\0"
    for _ in range(depth):
        inner = struct.pack("<IQ", ValueType.ARRAY, 1) + inner
    return struct.pack("<I", ValueType.ARRAY) + inner


_CORRUPT: dict[str, Callable[[GGUFFile], None]] = {
    "tensor_count_2_31": _field(tensor_count=2**31),
    "tensor_count_2_61": _field(tensor_count=2**61),
    "tensor_count_max": _field(tensor_count=2**64 - 1),
    "metadata_count_2_32": _field(metadata_count=2**32),
    "metadata_count_max": _field(metadata_count=2**64 - 1),
    "metadata_count_low": _field(metadata_count=2),
    "duplicate_key": _duplicate_key,
    "duplicate_tensor": _duplicate_tensor,
    "no_architecture": _no_architecture,
    "architecture_not_text": _set_u32("general.architecture", 7),
    "empty_key": _set("", struct.pack("<IB", ValueType.BOOL, 1)),
    "unknown_value_type": _set("x.type", struct.pack("<IQ", 13, 0)),
    "array_of_unknown_type": _set("x.array", struct.pack("<IIQ", ValueType.ARRAY, 77, 1)),
    "array_in_array": _set("x.nested", _nested_array(2)),
    "array_in_array_1000": _set("x.nested", _nested_array(1000)),
    "string_length_2_60": _set("x.text", struct.pack("<IQ", ValueType.STRING, 2**60)),
    "string_length_max": _set("x.text", struct.pack("<IQ", ValueType.STRING, 2**64 - 1)),
    "array_count_2_61": _set(
        "x.array", struct.pack("<IIQ", ValueType.ARRAY, ValueType.FLOAT64, 2**61)
    ),
    "array_count_max": _set(
        "x.array", struct.pack("<IIQ", ValueType.ARRAY, ValueType.UINT8, 2**64 - 1)
    ),
    "tokens_count_2_40": _set(_TOKENS, _string_array(2**40, 1)),
    "tokens_length_2_40": _set(_TOKENS, _string_array(10, 2**40)),
    "alignment_0": _set_u32("general.alignment", 0),
    "alignment_3": _alignment_3,
    "alignment_2_31": _set_u32("general.alignment", 2**31),
    "context_0": _set_u32("llama.context_length", 0),
    "context_2_31": _set_u32("llama.context_length", 2**31),
    "embedding_0": _set_u32("llama.embedding_length", 0),
    "blocks_0": _set_u32("llama.block_count", 0),
    "blocks_2_31": _set_u32("llama.block_count", 2**31),
    "tensor_no_dims": _tensor(dims=()),
    "tensor_5_dims": _tensor(dims=(64, 356, 1, 1, 1)),
    "tensor_dim_0": _tensor(dims=(0,)),
    "tensor_dim_2_62": _tensor(dims=(2**62,)),
    "tensor_dims_overflow": _tensor(dims=(2**33, 2**33, 2)),
    "last_tensor_empty": _tensor(-1, dims=(0,), data=b""),
    "last_tensor_dims_overflow": _tensor(-1, dims=(2**33, 2**33, 2)),
    "tensor_type_unknown": _tensor(type=4242),
    "tensor_type_removed": _tensor(type=4),
    "tensor_row_not_in_blocks": _tensor(type=TensorType.Q4_0, dims=(48, 2), data=bytes(54)),
    "tensor_offset_odd": _tensor(offset=1),
    "tensor_offset_overlaps": _tensor(offset=0),
    "tensor_offset_2_63": _tensor(offset=2**63),
    "tensor_name_long": _tensor(name="n" * 70_000),
}

BAD_FILES: dict[str, BadFile] = {
    "missing": BadFile(_missing, "model_file_missing"),
    "directory": BadFile(_directory, "model_file_directory"),
    "empty": BadFile(_bytes("empty", b""), "model_file_empty"),
    "truncated": BadFile(_bytes("truncated", _cut(-1000)), "model_file_truncated"),
    "truncated_header": BadFile(_bytes("header", _cut(3000)), "model_file_truncated"),
    "magic_only": BadFile(_bytes("magic", MAGIC), "model_file_truncated"),
    "html": BadFile(_bytes("html", HTML.encode()), "model_file_html"),
    "html_bom": BadFile(_bytes("html_bom", b"\xef\xbb\xbf\n" + HTML.encode()), "model_file_html"),
    "safetensors": BadFile(_bytes("safetensors", _safetensors), "model_file_safetensors"),
    "pickle": BadFile(_bytes("pickle", lambda: pickle.dumps({"w": 1})), "model_file_pickle"),
    "pickle_zip": BadFile(_bytes("zip", _zip), "model_file_pickle"),
    "lfs_pointer": BadFile(_bytes("lfs", _lfs_pointer), "model_file_lfs_pointer"),
    "garbage": BadFile(_bytes("garbage", bytes(range(7, 256)) * 9), "model_file_not_gguf"),
    "text": BadFile(_bytes("text", b"Just some words.\n"), "model_file_not_gguf"),
    "one_byte": BadFile(_bytes("one_byte", b"G"), "model_file_not_gguf"),
    "version_1": BadFile(_bytes("version_1", _version_1), "model_file_version"),
    "version_99": BadFile(_bytes("version_99", _changed(_field(version=99))), "model_file_version"),
    "big_endian": BadFile(_bytes("big_endian", _big_endian), "model_file_version"),
    "split_part_2": BadFile(
        _bytes("part-00002-of-00003", _changed(_split_part(1, 3))), "model_file_split_part"
    ),
    "split_incomplete": BadFile(
        _bytes("part-00001-of-00003", _changed(_split_part(0, 3))), "model_file_split_part"
    ),
    "unknown_architecture": BadFile(_bytes("gizmo", lambda: make_tiny("gizmo").to_bytes()), None),
    "encoder_decoder": BadFile(_bytes("t5", lambda: make_tiny("t5").to_bytes()), None),
    "heads_0": BadFile(
        _bytes("heads_0", _changed(_set_u32("llama.attention.head_count", 0))), None
    ),
    "heads_do_not_divide": BadFile(
        _bytes("heads_7", _changed(_set_u32("llama.attention.head_count", 7))), None
    ),
    "eos_out_of_range": BadFile(
        _bytes("eos", _changed(_set_u32("tokenizer.ggml.eos_token_id", 10**6))), None
    ),
}
BAD_FILES |= {
    f"old_{name}": BadFile(
        _bytes(f"old_{name}", magic + struct.pack("<I", 1) + bytes(2000)), "model_file_old_ggml"
    )
    for name, magic in OLD_MAGICS.items()
}
BAD_FILES |= {
    kind: BadFile(_bytes(kind, _changed(change)), "model_file_corrupt")
    for kind, change in _CORRUPT.items()
}
if os.name == "posix":
    BAD_FILES |= {
        "fifo": BadFile(_fifo, "model_file_not_regular"),
        "device": BadFile(lambda _: Path("/dev/zero"), "model_file_not_regular"),
        "link_loop": BadFile(_link_loop, "model_file_unreadable"),
    }
    if os.geteuid() != 0:
        BAD_FILES["unreadable"] = BadFile(_unreadable, "model_file_unreadable")
