"""The frames in ``tests/data/protocol`` are what both ends of the page's websocket speak."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from jupyter_localllm.chat_protocol import (
    PageFrame,
    SocketFrame,
    page_frame_decoder,
    socket_frame_decoder,
)

FOLDER = Path(__file__).parents[1] / "data" / "protocol"
FILES = sorted(FOLDER.glob("*.json"))
DECODERS = {"client": page_frame_decoder, "server": socket_frame_decoder}


def frames(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_frame_type_has_a_file() -> None:
    wanted = {
        f"{direction}_{frame.__struct_config__.tag}"
        for direction, union in (("client", PageFrame), ("server", SocketFrame))
        for frame in get_args(union)
    }
    assert {path.stem for path in FILES} == wanted


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_frames_are_read_and_written_back_exactly(path: Path) -> None:
    direction, kind = path.stem.split("_")
    assert frames(path)
    for frame in frames(path):
        compact = json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode()
        decoded = DECODERS[direction].decode(compact)
        assert frame["type"] == kind
        assert msgspec.json.encode(decoded) == compact
