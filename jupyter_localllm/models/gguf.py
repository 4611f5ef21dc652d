"""What a GGUF file says about itself, checked in Python before native code sees the file.

Called by the catalog, the host (before it starts a worker) and the engine. The bytes are parsed in
``gguf_parser.py``; nothing here loads a model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ModelFileError
from .gguf_parser import MAX_TEMPLATE_BYTES, HeaderParser, Scalar
from .gguf_types import QUANTIZATIONS
from .model_file import display_name, open_model_file, size_of_file, unreadable

__all__ = ["MAX_TEMPLATE_BYTES", "SPLIT_NAME", "GGUFHeader", "read_header"]

#: Name of a part of a split model: stem, number, count, suffix.
SPLIT_NAME = re.compile(r"^(.*)-(\d{5})-of-(\d{5})(\.[^.]*)$")

_TOKENS = "tokenizer.ggml.tokens"


@dataclass(frozen=True, slots=True)
class GGUFHeader:
    """What a model file says about itself.

    Attributes
    ----------
    name : str
        ``general.name``, printable and at most 100 characters; the file's stem where it has none.
    metadata : mapping
        Every scalar of up to 4 KB; arrays and long strings are left out.
    size_bytes : int
        Of the file; of all parts together where a model is split.
    n_parameters : int
        Sum of all tensors' elements, in this file.
    context_length : int or None
        Tokens the model was trained for; ``None`` where the file does not say.
    head_count_kv : int or tuple of int
        Key-value heads, per layer where they differ; 0 where there are none.
    key_length, value_length : int
        Elements per head.
    vocab_size : int
        Entries of the tokenizer.
    quantization : str
        As in file names, such as ``Q4_K_M``; empty where unknown.
    chat_template : str or None
        ``None`` also where it is longer than ``MAX_TEMPLATE_BYTES``, see ``has_chat_template``.
    pooling_type : int or None
        How an embedding model joins its vectors: 0 none, 1 mean, 2 CLS, 3 last, 4 rank.
    kind : str
        ``general.type``: ``model``, ``adapter``, ``mmproj``, ``imatrix``…
    """

    version: int
    architecture: str
    name: str
    metadata: Mapping[str, Scalar] = field(repr=False)
    n_tensors: int
    n_parameters: int
    size_bytes: int
    context_length: int | None
    embedding_length: int
    block_count: int
    head_count_kv: int | tuple[int, ...]
    key_length: int
    value_length: int
    vocab_size: int
    quantization: str
    has_chat_template: bool
    chat_template: str | None = field(repr=False)
    pooling_type: int | None
    causal_attention: bool
    is_encoder_decoder: bool
    kind: str

    @property
    def kv_heads_per_layer(self) -> tuple[int, ...]:
        """Key-value heads of each layer."""
        if isinstance(self.head_count_kv, tuple):
            return self.head_count_kv
        return (self.head_count_kv,) * self.block_count

    @property
    def is_embedding_model(self) -> bool:
        """Whether the model is made for embeddings and cannot write text."""
        return not self.causal_attention or self.architecture in {"t5encoder"}


def read_header(path: Path) -> GGUFHeader:
    """Read and check the header of a GGUF file.

    Parameters
    ----------
    path : Path
        The file, or the first part of a split model.

    Raises
    ------
    ModelFileError
        With one of the codes ``model_file_`` ``missing``, ``directory``, ``not_regular``,
        ``unreadable``, ``empty``, ``html``, ``lfs_pointer``, ``old_ggml``, ``safetensors``,
        ``pickle``, ``not_gguf``, ``version``, ``truncated``, ``corrupt``, ``split_part``.
    """
    file, status = open_model_file(path)
    with file:
        try:
            parser = HeaderParser(path, file, status.st_size)
            parser.parse()
        except OSError as error:
            raise unreadable(path, error) from None
    return _header_of(path, parser)


def _header_of(path: Path, parser: HeaderParser) -> GGUFHeader:
    architecture, scalars = parser.architecture, parser.scalars

    def number(key: str) -> int | None:
        value = scalars.get(f"{architecture}.{key}")
        return value if isinstance(value, int) and value >= 0 else None

    def text(key: str) -> str:
        value = scalars.get(key)
        return value if isinstance(value, str) else ""

    embedding = number("embedding_length") or 0
    heads = number("attention.head_count") or _largest(parser, "attention.head_count")
    per_head = embedding // heads if heads else 0
    file_type = scalars.get("general.file_type")
    return GGUFHeader(
        version=parser.version,
        architecture=architecture,
        name=_printable(text("general.name")) or path.stem,
        metadata=scalars,
        n_tensors=parser.n_tensors,
        n_parameters=parser.n_parameters,
        size_bytes=_size_of_parts(path, parser),
        context_length=number("context_length"),
        embedding_length=embedding,
        block_count=number("block_count") or 0,
        head_count_kv=_kv_heads(parser, heads),
        key_length=number("attention.key_length") or per_head,
        value_length=number("attention.value_length") or per_head,
        vocab_size=parser.counts.get(_TOKENS) or number("vocab_size") or 0,
        quantization=QUANTIZATIONS.get(file_type, "") if isinstance(file_type, int) else "",
        has_chat_template=parser.has_chat_template,
        chat_template=parser.chat_template,
        pooling_type=number("pooling_type"),
        causal_attention=bool(scalars.get(f"{architecture}.attention.causal", True)),
        is_encoder_decoder=architecture == "t5" or (parser.has_encoder and parser.has_decoder),
        kind=text("general.type") or "model",
    )


def _printable(text: str) -> str:
    return "".join(c for c in text[:100] if c.isprintable()).strip()


def _largest(parser: HeaderParser, key: str) -> int:
    return max(parser.numbers.get(f"{parser.architecture}.{key}", ()), default=0)


def _kv_heads(parser: HeaderParser, heads: int) -> int | tuple[int, ...]:
    key = f"{parser.architecture}.attention.head_count_kv"
    if key in parser.numbers:
        return tuple(max(0, count) for count in parser.numbers[key])
    count = parser.scalars.get(key, heads)
    return count if isinstance(count, int) and count >= 0 else heads


def _size_of_parts(path: Path, parser: HeaderParser) -> int:
    """Return the size of the model, and check that every part of a split one is there."""
    count, number = parser.scalars.get("split.count"), parser.scalars.get("split.no")
    if not isinstance(count, int) or count < 2:
        return parser.file_size
    match = SPLIT_NAME.match(path.name)
    if number != 0 or match is None:
        raise ModelFileError(
            f"{parser.name} is one part of a model that is split over {count} files.",
            f"Load the first part, whose name ends in -00001-of-{count:05d}.gguf.",
            code="model_file_split_part",
        )
    total = parser.file_size
    for part in range(2, count + 1):
        sibling = path.with_name(f"{match[1]}-{part:05d}-of-{count:05d}{match[4]}")
        try:
            total += size_of_file(sibling)
        except ModelFileError:
            raise ModelFileError(
                f"Part {part} of {count} of the split model {parser.name} is missing.",
                f"Put {display_name(sibling)} into the same folder.",
                code="model_file_split_part",
            ) from None
    return total
