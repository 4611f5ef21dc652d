"""The font files a PNG is drawn with. ``picture`` asks for them.

Noto Sans comes with ``mermaid-render`` and has Latin, Greek and Cyrillic: such a picture is the
same on every machine. Other scripts are in fonts of the system. The rasteriser takes the first
font that has a letter, so sans-serif and regular ones are put first.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from pathlib import Path

_KINDS = {".ttf", ".ttc", ".otf", ".otc"}
#: More are not read: it is done for each picture.
_MAX_FILES = 1500
#: Letters that Noto Sans lacks: all but Latin, Greek, Cyrillic and common signs.
_OTHER_LETTERS = re.compile(r"[^\x00-\u052f\u1e00-\u22ff\ufb00-\ufb06\ufeff\ufffd]")
_MONOSPACE = "monospace"
_STYLES = ("bold", "oblique", "italic", "light", "black", "thin")


def font_files(svg: str) -> list[str]:
    """Return the files for one picture, the first to be tried first."""
    own = list(_own_files())
    is_other = _MONOSPACE in svg or _OTHER_LETTERS.search(svg) or not own
    return own + list(_system_files()) if is_other else own


@functools.lru_cache(maxsize=1)
def _own_files() -> tuple[str, ...]:
    try:
        from mermaid_render.fonts import ROOT
    except ImportError:
        return ()
    return tuple(str(path) for path in sorted(ROOT.glob("*.ttf")))


@functools.lru_cache(maxsize=1)
def _system_files() -> tuple[str, ...]:
    found: list[str] = []
    for folder in _folders():
        for place, _, names in os.walk(folder):
            found += [
                str(Path(place, name)) for name in names if Path(name).suffix.lower() in _KINDS
            ]
    return tuple(sorted(found, key=_rank)[:_MAX_FILES])


def _folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", str(home / "AppData/Local"))
        windows = os.environ.get("WINDIR", "C:\\Windows")
        return [Path(windows, "Fonts"), Path(local, "Microsoft/Windows/Fonts")]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    shared = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts")]
    return [*shared, home / ".local/share/fonts", home / ".fonts"]


def _rank(path: str) -> tuple[bool, bool, bool, str]:
    """Last what a text should be in only where nothing else has its letters."""
    name = Path(path).stem.lower()
    is_styled = any(
        word in name for word in ("bold", "oblique", "italic", "light", "black", "thin")
    )
    is_mono = "mono" in name or "courier" in name or "consola" in name
    return (is_mono, "serif" in name and "sansserif" not in name, is_styled, name)
