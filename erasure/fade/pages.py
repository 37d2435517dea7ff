"""Fade a letter of several pages: each pass fades every page like a picture.

All pages are one object with one key (patients/imaging/page_bundle.py), so they are destroyed together. As
with a single picture, two fades of one state must never both exist.
"""

from __future__ import annotations

from patients.imaging import page_bundle
from patients.imaging.page_bundle import MEDIA_TYPE, Page

from . import photo
from .photo import FRAMES

__all__ = ["FRAMES", "MEDIA_TYPE", "capacity_bits", "fade", "first"]


def fade(state: bytes, level: int) -> bytes:
    """Return state `level` + 1, computed from `state`, which is state `level` (0 is the letter as uploaded).

    Errors: ValueError if `level` is not 0 to 11 or `state` is not a state of that level.
    """
    return page_bundle.bind(
        [
            Page(photo.fade(page.data, level, origin=page.origin).data, page.origin)
            for page in page_bundle.unbind(state)
        ]
    )


def capacity_bits(state: bytes, level: int) -> int:
    """Return the most information in bits that state `level` can contain: 24 bits per pixel of each page."""
    return sum(photo.capacity_bits(*photo.sizes(page.origin)[level]) for page in page_bundle.unbind(state))


def first(state: bytes, level: int) -> photo.Frame:
    """Return the first page of state `level`, which the map and the session view show."""
    page = page_bundle.unbind(state)[0]
    return photo.Frame(page.data, *photo.sizes(page.origin)[level])
