"""Factories for pictures, and helpers to inspect them."""

import io
import struct
import zlib
from typing import Any

from PIL import Image, ImageDraw


def scene(width: int = 300, height: int = 200) -> Image.Image:
    """A picture with four colors: red top left, lime top right, blue bottom left, yellow bottom right."""
    picture = Image.new("RGB", (width, height), "gray")
    pen = ImageDraw.Draw(picture)
    for x, y, color in ((0, 0, "red"), (1, 0, "lime"), (0, 1, "blue"), (1, 1, "yellow")):
        left, top = x * width // 2, y * height // 2
        pen.rectangle((left, top, left + width // 2, top + height // 2), fill=color)
    return picture


def saved(picture: Image.Image, file_format: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *extra: bytes) -> bytes:
    """A one-bit PNG of zeros, which compresses well: 144 megapixels take 17 KB."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def corners(jpeg: bytes) -> list[str]:
    """The names of the colors in a rendition's corners: top left, top right, bottom left, bottom right."""
    picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
    width, height = picture.size
    names = {(1, 0, 0): "red", (0, 1, 0): "lime", (0, 0, 1): "blue", (1, 1, 0): "yellow"}
    found = []
    for x, y in ((0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9)):
        pixel = picture.getpixel((int(width * x), int(height * y)))
        assert isinstance(pixel, tuple)
        red, green, blue = (int(band > 127) for band in pixel[:3])
        found.append(names.get((red, green, blue), str(pixel)))
    return found


def segments(jpeg: bytes) -> list[bytes]:
    """The segments of a JPEG before its scan: each as its marker byte and its body."""
    assert jpeg[:2] == b"\xff\xd8"
    at, found = 2, []
    while jpeg[at + 1] != 0xDA:
        (length,) = struct.unpack(">H", jpeg[at + 2 : at + 4])
        found.append(jpeg[at + 1 : at + 2] + jpeg[at + 4 : at + 2 + length])
        at += 2 + length
    return found
