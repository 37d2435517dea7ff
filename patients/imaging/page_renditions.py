"""Renditions of a letter that is brought as pages: a PDF, or a scan of several pages.

This runs in the decoder process.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PIL import Image, ImageStat

from .fingerprint import page_fingerprint
from .page_bundle import Page, bind
from .rendition import UnusableFile, fit_within, jpeg

_MIN_CONTRAST = 3.0
"""Pages whose brightness has a smaller standard deviation are blank, and get no fingerprint."""


def render_pages(drawn: Iterable[Image.Image], thumb_side: int) -> tuple[dict[str, Any], bytes, bytes]:
    """Return the facts about pages, their bundle and the thumb of the first one.

    `drawn` are the pages in RGB, as large as they are stored. `thumb_side` is in pixels. Errors:
    `UnusableFile` for no pages.
    """
    pages, prints, thumb = [], [], None
    for page in drawn:
        if thumb is None:
            thumb = page.resize(fit_within(page.size, thumb_side), Image.Resampling.LANCZOS)
        if ImageStat.Stat(page.convert("L")).stddev[0] >= _MIN_CONTRAST:
            prints.append(f"{page_fingerprint(page):016x}")
        pages.append(Page(jpeg(page, 84), page.size))
    if thumb is None:
        raise UnusableFile("broken")
    facts = {
        "pages": len(pages),
        "screen_size": pages[0].origin,
        "thumb_size": thumb.size,
        "prints": prints,
    }
    return facts, bind(pages), jpeg(thumb, 82)
