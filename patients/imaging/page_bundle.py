"""All pages of a letter in one object of the vault, so that they have one key and are destroyed together.

Layout: `MAGIC`, the number of pages as two bytes, then for each page its width and height before the first
pass (four bytes each) and the length of its JPEG (four bytes), all big-endian; then the JPEGs.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

MEDIA_TYPE = "application/x-lacuna-pages"
MAGIC = b"LACUNA-PAGES\x01\n"
_COUNT = struct.Struct(">H")
_PAGE = struct.Struct(">III")


@dataclass(frozen=True, slots=True)
class Page:
    """One page. data: its current state, a JPEG. origin: width and height in pixels before the first pass."""

    data: bytes
    origin: tuple[int, int]


def bind(pages: Sequence[Page]) -> bytes:
    """Return the pages as one bundle. Errors: ValueError for no pages, or for more than 65535."""
    if not 0 < len(pages) < 2**16:
        raise ValueError("a letter has at least one page")
    heads = [_PAGE.pack(*page.origin, len(page.data)) for page in pages]
    return b"".join((MAGIC, _COUNT.pack(len(pages)), *heads, *(page.data for page in pages)))


def unbind(data: bytes) -> list[Page]:
    """Return the pages of a bundle. Errors: ValueError if `data` is not a bundle made by `bind`."""
    at = len(MAGIC) + _COUNT.size
    if not data.startswith(MAGIC) or len(data) < at:
        raise ValueError("these are no pages")
    (count,) = _COUNT.unpack_from(data, len(MAGIC))
    end = at + count * _PAGE.size
    if not count or len(data) < end:
        raise ValueError("these pages are not whole")
    pages = []
    for width, height, length in _PAGE.iter_unpack(data[at:end]):
        if not width or not height or end + length > len(data):
            raise ValueError("these pages are not whole")
        pages.append(Page(data[end : end + length], (width, height)))
        end += length
    if end != len(data):
        raise ValueError("something follows these pages")
    return pages
