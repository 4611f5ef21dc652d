"""The memory estimate, what machine and cgroups leave, a refusal that says what would fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_localllm.errors import NotEnoughMemory
from jupyter_localllm.models import memory
from jupyter_localllm.models.catalog import CatalogEntry
from jupyter_localllm.models.gguf import GGUFHeader, read_header
from tests.gguf_builders.tiny import make_tiny

MIB = 1 << 20


@pytest.fixture
def header(tmp_path: Path) -> GGUFHeader:
    """Of a model whose KV cache takes 1 KiB per token: 2 layers, 4 heads, 32 + 32 elements."""
    model = make_tiny(overrides={"attention__key_length": 32, "attention__value_length": 32})
    return read_header(model.write(tmp_path / "model.gguf"))


def test_estimate_of_the_starter_model(smollm2_path: Path) -> None:
    result = memory.estimate(read_header(smollm2_path), context_window=8192, n_slots=4)
    assert result.file_bytes == 98_362_432
    # 30 layers x 3 heads x (64 + 64) elements x 2 bytes, for each of 8,192 shared cells
    assert result.kv_cache_bytes == 30 * 3 * 128 * 2 * 8192
    assert 120 * MIB <= result.overhead_bytes <= 130 * MIB
    assert result.total_bytes == (result.file_bytes + result.kv_cache_bytes + result.overhead_bytes)


def test_kv_cache_grows_with_the_window_in_steps_of_256_and_slots_share_it(
    header: GGUFHeader,
) -> None:
    def kv(context_window: int, n_slots: int) -> int:
        estimate = memory.estimate(header, context_window=context_window, n_slots=n_slots)
        return estimate.kv_cache_bytes

    assert kv(1024, 1) == MIB
    assert kv(4096, 1) == kv(4096, 8) == 4 * MIB
    assert kv(1, 1) == kv(256, 1) == MIB // 4


def test_embedding_model_has_no_kv_cache(tmp_path: Path) -> None:
    bert = read_header(make_tiny("bert").write(tmp_path / "bert.gguf"))
    assert memory.estimate(bert, context_window=512, n_slots=4).kv_cache_bytes == 0


def test_what_fits_is_let_through(header: GGUFHeader) -> None:
    needed = memory.estimate(header, context_window=4096, n_slots=1)
    exactly = needed.total_bytes + memory.RESERVE_BYTES
    fits = memory.check_fits(header, context_window=4096, n_slots=1, available=exactly)
    assert fits == needed
    with pytest.raises(NotEnoughMemory):
        memory.check_fits(header, context_window=4096, n_slots=1, available=exactly - 1)


def test_refusal_names_need_have_and_the_largest_window_that_fits(header: GGUFHeader) -> None:
    need = memory.estimate(header, context_window=100_000, n_slots=1).total_bytes
    have = memory.estimate(header, context_window=20_000, n_slots=1).total_bytes
    with pytest.raises(NotEnoughMemory) as caught:
        memory.check_fits(
            header,
            context_window=100_000,
            n_slots=1,
            name="mine",
            available=have + memory.RESERVE_BYTES,
        )
    error = caught.value
    assert error.details == {
        "need_bytes": need,
        "have_bytes": have,
        "fitting_context_window": 16_384,
    }
    assert error.message == (
        f"mine needs {need / MIB:.0f} MiB of memory at a context window of 100,000 tokens, "
        f"and {have / MIB:.0f} MiB are free."
    )
    assert error.hint == "A context window of 16,384 tokens would fit."


def test_refusal_names_the_largest_other_model_that_fits(tmp_path: Path) -> None:
    big = make_tiny()
    big.add_raw("ballast", (50 * MIB // 4,), 0, bytes(50 * MIB))
    header = read_header(big.write(tmp_path / "big.gguf"))
    entries = []
    for name, kind in (("small", "llama"), ("smaller", "qwen2")):
        path = make_tiny(kind).write(tmp_path / f"{name}.gguf")
        entries.append(CatalogEntry(name, path, path.stat().st_size, "folder"))
    entries.append(CatalogEntry("broken", tmp_path / "none.gguf", 10 * MIB, "folder"))
    have = memory.PROCESS_BYTES + 10 * MIB + memory.RESERVE_BYTES
    with pytest.raises(NotEnoughMemory, match="The model small would fit") as caught:
        memory.check_fits(
            header, context_window=512, n_slots=1, available=have, alternatives=entries
        )
    assert caught.value.details["fitting_model"] == "small"


def test_refusal_where_nothing_fits(header: GGUFHeader) -> None:
    with pytest.raises(NotEnoughMemory, match="No installed model would fit") as caught:
        memory.check_fits(header, context_window=512, n_slots=1, available=1000)
    assert caught.value.details["have_bytes"] == 0


# --- what is free -------------------------------------------------------------------------


def write_group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n", encoding="ascii")


def test_cgroup_2_takes_the_tightest_group_and_forgives_file_cache(tmp_path: Path) -> None:
    proc = tmp_path / "cgroup"
    proc.write_text("0::/user/job\n", encoding="ascii")
    root = tmp_path / "fs"
    stat = f"anon 5\ninactive_file {20 * MIB}"
    write_group(
        root / "user" / "job",
        memory__max=100 * MIB,
        memory__current=70 * MIB,
        memory__stat=stat,
    )
    write_group(root / "user", memory__max="max", memory__current=90 * MIB, memory__stat="")
    assert memory.cgroup_available_bytes(proc, root) == 50 * MIB
    write_group(root / "user", memory__max=95 * MIB, memory__current=90 * MIB)
    assert memory.cgroup_available_bytes(proc, root) == 5 * MIB


def test_cgroup_1(tmp_path: Path) -> None:
    proc = tmp_path / "cgroup"
    proc.write_text("5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n", encoding="ascii")
    # In a container the path is the host's and the limit lies in the root.
    write_group(
        tmp_path / "fs" / "memory",
        memory__limit_in_bytes=64 * MIB,
        memory__usage_in_bytes=80 * MIB,
        memory__stat=f"total_inactive_file {30 * MIB}",
    )
    assert memory.cgroup_available_bytes(proc, tmp_path / "fs") == 14 * MIB


@pytest.mark.parametrize("limit", ["9223372036854771712", "max", "", "nonsense"])
def test_no_limit(tmp_path: Path, limit: str) -> None:
    proc = tmp_path / "cgroup"
    proc.write_text("4:memory:/\n0::/../../etc\n", encoding="ascii")
    write_group(tmp_path / "fs" / "memory", memory__limit_in_bytes=limit, memory__usage_in_bytes=1)
    assert memory.cgroup_available_bytes(proc, tmp_path / "fs") is None


def test_no_cgroups(tmp_path: Path) -> None:
    assert memory.cgroup_available_bytes(tmp_path / "none", tmp_path) is None


def test_this_machine_has_memory() -> None:
    assert 16 * MIB < memory.available_bytes() < 1 << 50


@pytest.mark.skipif(sys.platform != "linux", reason="cgroups are Linux")
def test_real_cgroup_files_are_readable() -> None:
    left = memory.cgroup_available_bytes()
    mounted = subprocess.run(["stat", "-f", "/sys/fs/cgroup"], capture_output=True, check=False)
    assert left is None or (left >= 0 and mounted.returncode == 0)
