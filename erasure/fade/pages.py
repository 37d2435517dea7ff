"""How a letter of several pages fades: every page as a picture does, all of them in one pass.

The pages are one object under one key (patients/imaging/page_bundle.py): none of them outlives another, and
two fades of one state must never both exist, as with a single picture.
"""

from __future__ import annotations

from patients.imaging import page_bundle
from patients.imaging.page_bundle import MEDIA_TYPE, Page

from . import photo
from .photo import FRAMES

__all__ = ["FRAMES", "MEDIA_TYPE", "capacity_bits", "fade", "first"]


def fade(state: bytes, level: int) -> bytes:
    """State `level` + 1 from `state`, which is state `level` (0 is the letter as it came).

    Raises ValueError if `level` is not 0 to 11 or `state` is not one of that level.
    """
    return page_bundle.bind(
        [
            Page(photo.fade(page.data, level, origin=page.origin).data, page.origin)
            for page in page_bundle.unbind(state)
        ]
    )


def capacity_bits(state: bytes, level: int) -> int:
    """The most that state `level` can hold: 24 bits for each pixel of each page."""
    return sum(photo.capacity_bits(*photo.sizes(page.origin)[level]) for page in page_bundle.unbind(state))


def first(state: bytes, level: int) -> photo.Frame:
    """The first page of state `level`: what the map and the stage show."""
    page = page_bundle.unbind(state)[0]
    return photo.Frame(page.data, *photo.sizes(page.origin)[level])
