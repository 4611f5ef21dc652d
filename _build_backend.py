"""The build backend: jupyter-packaging's, with editable installs added.

jupyter-packaging has no ``build_editable``, and setuptools' own leaves data files out of an
editable wheel; without them Jupyter finds neither the server extension nor the lab extension.
Called by pip through ``pyproject.toml``; nothing of this is part of the installed package.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomlkit
from jupyter_packaging.build_api import (
    _ensure_targets,
    _get_build_func,
    build_sdist,
    build_wheel,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_wheel,
)
from setuptools import build_meta

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

get_requires_for_build_editable = build_meta.get_requires_for_build_editable
prepare_metadata_for_build_editable = build_meta.prepare_metadata_for_build_editable


def build_editable(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the front end where it is missing, then an editable wheel with our data files."""
    if builder := _get_build_func():
        builder()
    name: str = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    _ensure_targets()
    _add_data_files(Path(wheel_directory, name))
    return name


def _data_files() -> Iterator[tuple[str, Path]]:
    """Yield ``(target folder, file)`` as ``[tool.setuptools.data-files]`` says."""
    # unwrap: pathlib cannot intern tomlkit's own strings.
    pyproject = tomlkit.parse(Path("pyproject.toml").read_text(encoding="utf-8")).unwrap()
    for target, patterns in pyproject["tool"]["setuptools"]["data-files"].items():
        for pattern in patterns:
            found = sorted(path for path in Path().glob(pattern) if path.is_file())
            if not found:
                raise FileNotFoundError(f"data-files: nothing matches {pattern}")
            yield from ((target, path) for path in found)


def _record_row(name: str, content: bytes) -> tuple[str, str, int]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return name, f"sha256={digest}", len(content)


def _add_data_files(wheel: Path) -> None:
    """Put the data files into ``wheel`` and its RECORD."""
    with zipfile.ZipFile(wheel) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    (record,) = (name for name in entries if name.endswith(".dist-info/RECORD"))
    root = record.removesuffix(".dist-info/RECORD") + ".data/data"
    added = {f"{root}/{target}/{path.name}": path.read_bytes() for target, path in _data_files()}
    text = io.StringIO(entries.pop(record).decode())
    rows: list[Any] = [row for row in csv.reader(text) if row and row[0] != record]
    rows += (_record_row(name, content) for name, content in added.items())
    rows.append((record, "", ""))
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(rows)
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**entries, **added, record: lines.getvalue().encode()}.items():
            archive.writestr(name, content)
