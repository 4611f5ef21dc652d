"""A sanitised SVG -> PNG, and PNG -> a PDF of one page.

The child's ``pipeline`` calls both. The PDF is for exports that use TeX, which cannot take SVG.
"""

from __future__ import annotations

import math
import struct

from .... import errors
from .font_files import font_files

SCALE = 2.0
#: Pixels of a PNG: what is larger is drawn at a lower scale.
MAX_PIXELS = 4_000_000
MAX_SIDE_PIXELS = 16_000

_FAMILY = "Noto Sans"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB, _GRAY_ALPHA, _RGBA = 0, 2, 4, 6


def png_of(svg: str, width: float, height: float, background: str) -> bytes:
    """Return the picture as PNG, on an opaque background.

    Parameters
    ----------
    svg : str
        Sanitised.
    width, height : float
        CSS pixels.
    background : str
        A colour.

    Raises
    ------
    DiagramTooLarge
        So large that nothing could be read in it.
    ImportError
        The rasteriser is not installed.
    """
    import resvg_py

    scale = min(
        SCALE,
        math.sqrt(MAX_PIXELS / (width * height)),
        MAX_SIDE_PIXELS / width,
        MAX_SIDE_PIXELS / height,
    )
    if min(width, height) * scale < 1:
        raise errors.DiagramTooLarge(
            f"The picture would be {width:,.0f} by {height:,.0f} pixels.",
            "Ask for a smaller diagram, or one that runs in the other direction.",
        )
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            zoom=scale,
            background=background,
            skip_system_fonts=True,
            font_files=font_files(svg),
            # A text in a family that is not there is not drawn at all.
            font_family=_FAMILY,
            sans_serif_family=_FAMILY,
            serif_family=_FAMILY,
            monospace_family=_FAMILY,
        )
    )


def pdf_of(png: bytes, width: float, height: float) -> bytes:
    """Return a PDF of one page that holds the pixels of an opaque PNG, as they are compressed.

    Parameters
    ----------
    png : bytes
        8 bits a sample, not interlaced, as resvg writes it.
    width, height : float
        CSS pixels; a pixel is 3/4 of a point.
    """
    n_columns, n_rows, depth, color_type, *_, interlace = struct.unpack(">IIBBBBB", png[16:29])
    if not png.startswith(_PNG_SIGNATURE) or depth != 8 or interlace:
        raise ValueError("not a PNG of 8 bits a sample")
    n_samples = {_GRAY: 1, _RGB: 3, _GRAY_ALPHA: 2, _RGBA: 4}[color_type]
    base = "/DeviceRGB" if n_samples >= 3 else "/DeviceGray"
    space = base
    if color_type in (_GRAY_ALPHA, _RGBA):
        # The last sample is opaque everywhere; a small program drops it.
        names = " ".join(f"/S{number}" for number in range(n_samples))
        space = f"[/DeviceN [{names}] {base} 5 0 R]"
    points = (width * 0.75, height * 0.75)
    page = f"{points[0]:.2f} {points[1]:.2f}"
    drawing = f"{points[0]:.2f} 0 0 {points[1]:.2f} 0 0 cm /I Do".encode()
    image = (
        f"/Type /XObject /Subtype /Image /Width {n_columns} /Height {n_rows} "
        f"/ColorSpace {space} /BitsPerComponent 8 /Filter /FlateDecode /DecodeParms "
        f"<< /Predictor 15 /Colors {n_samples} /BitsPerComponent 8 /Columns {n_columns} >>"
    )
    ranges = " ".join(["0 1"] * n_samples)
    results = " ".join(["0 1"] * (3 if base == "/DeviceRGB" else 1))
    return _pdf_file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {page}] /Contents 4 0 R "
            "/Resources << /XObject << /I 6 0 R >> >> >>".encode(),
            _pdf_stream("", drawing),
            _pdf_stream(f"/FunctionType 4 /Domain [{ranges}] /Range [{results}]", b"{pop}"),
            _pdf_stream(image, b"".join(_chunks(png, b"IDAT"))),
        ]
    )


def _pdf_stream(entries: str, data: bytes) -> bytes:
    head = f"<< {entries} /Length {len(data)} >>\nstream\n".encode()
    return head + data + b"\nendstream"


def _pdf_file(objects: list[bytes]) -> bytes:
    parts = [b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"]
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(sum(map(len, parts)))
        parts.append(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    place = sum(map(len, parts))
    count = len(objects) + 1
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n" % count)
    parts += [b"%010d 00000 n \n" % offset for offset in offsets]
    parts.append(b"trailer\n<< /Size %d /Root 1 0 R >>\n" % count)
    parts.append(b"startxref\n%d\n%%%%EOF\n" % place)
    return b"".join(parts)


def _chunks(png: bytes, wanted: bytes) -> list[bytes]:
    place, found = len(_PNG_SIGNATURE), []
    while place + 8 <= len(png):
        (size,) = struct.unpack(">I", png[place : place + 4])
        if png[place + 4 : place + 8] == wanted:
            found.append(png[place + 8 : place + 8 + size])
        place += size + 12
    return found
