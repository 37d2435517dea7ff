"""What a PDF shows, page by page. Whatever could act, hide or reach out of it is refused before that.

Runs in the decoding child, on bytes that nobody has checked. qpdf (pikepdf) reads the structure, PDFium
(pypdfium2, built without scripts and XFA) draws the pages; neither may open a file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pikepdf
import pypdfium2  # type: ignore[import-untyped]
from PIL import Image, ImageStat

from .fingerprint import page_fingerprint
from .kinds import Kind, ends_too_early, hides_a_guest
from .letter_page import CREAM
from .page_bundle import Page, bind
from .rendition import Unfit, jpeg, within

# What makes a PDF more than pages. Links stay: nobody can follow one on a picture of a page, and letters
# printed from a mailbox are full of them.
_ACTIVE_KEYS = frozenset(
    {"/JS", "/JavaScript", "/AA", "/XFA", "/EF", "/EmbeddedFiles", "/RichMediaContent", "/Collection"}
)
_ACTIVE_ACTIONS = frozenset(
    {"/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/ResetForm", "/GoToR", "/GoToE", "/Rendition"}
    | {"/Movie", "/Sound", "/RichMediaExecute", "/GoTo3DView"}
)
_ACTIVE_PARTS = frozenset(
    {"/FileAttachment", "/RichMedia", "/Movie", "/Sound", "/Screen", "/3D", "/EmbeddedFile"}
)
_LONGEST_TO_SHORTEST = 30
"""A page may be so many times as long as it is wide: a till receipt is, a line of a million is not."""

_PLAIN = 3.0
"""Pages whose brightness deviates less than this are blank: they look like every other blank page."""


def render_pdf(data: bytes, settings: dict[str, Any]) -> tuple[dict[str, Any], bytes, bytes]:
    """The pages of `data`: facts, all pages bound together, and the thumb of the first.

    `settings` hold `max_pages`, `max_objects`, `max_pixels`, `screen_side` and `thumb_side`.
    Raises `Unfit`, `MemoryError` or whatever the libraries raise.
    """
    if ends_too_early(Kind.PDF, data):
        raise Unfit("truncated")
    if hides_a_guest(data, Kind.PDF):
        raise Unfit("guest")
    _inspect(data, settings)
    pages = list(_drawn(data, settings))
    if not pages:
        raise Unfit("broken")
    first = pages[0]
    thumb = first.resize(within(first.size, settings["thumb_side"]), Image.Resampling.LANCZOS)
    facts = {
        "pages": len(pages),
        "screen_size": first.size,
        "thumb_size": thumb.size,
        "prints": [f"{page_fingerprint(page):016x}" for page in pages if not _blank(page)],
    }
    sheaf = bind([Page(jpeg(page, 84), page.size) for page in pages])
    return facts, sheaf, jpeg(thumb, 82)


def _inspect(data: bytes, settings: dict[str, Any]) -> None:
    """Refuse, before anything is drawn, what is more than pages and what has too many."""
    try:
        pdf = pikepdf.open(io.BytesIO(data), attempt_recovery=False, suppress_warnings=True)
    except pikepdf.PasswordError:
        raise Unfit("pdf_locked") from None
    except pikepdf.exceptions.QpdfRuntimeError as error:
        # Only ciphers ask for random numbers, which this process has no way to.
        raise Unfit("pdf_locked" if "random" in str(error) else "broken") from None
    with pdf:
        if pdf.is_encrypted:
            raise Unfit("pdf_locked")
        claimed = pdf.Root.Pages.get("/Count", 0)
        if int(claimed) > settings["max_pages"] or len(pdf.pages) > settings["max_pages"]:
            raise Unfit("too_many_pages")
        if len(pdf.objects) > settings["max_objects"]:
            raise Unfit("too_heavy")
        for part in _parts(pdf):
            _inspect_part(part, settings["max_pixels"])


def _parts(pdf: pikepdf.Pdf) -> Iterator[pikepdf.Object]:
    """Every dictionary and stream there is, however deep it stands and whether or not a page needs it."""
    waiting: list[pikepdf.Object] = [pdf.trailer, *pdf.objects]
    while waiting:
        part = waiting.pop()
        if isinstance(part, pikepdf.Array):
            inner = list(part)
        elif isinstance(part, pikepdf.Dictionary | pikepdf.Stream):
            yield part
            inner = [value for _key, value in part.items()]
        else:
            continue
        # What has a number of its own comes by itself.
        waiting += [value for value in inner if isinstance(value, pikepdf.Object) and not value.is_indirect]


def _inspect_part(part: pikepdf.Object, max_pixels: int) -> None:
    keys = set(part.keys())
    if keys & _ACTIVE_KEYS or _name(part, "/S") in _ACTIVE_ACTIONS:
        raise Unfit("pdf_active")
    if {_name(part, "/Subtype"), _name(part, "/Type")} & _ACTIVE_PARTS:
        raise Unfit("pdf_active")
    if isinstance(part, pikepdf.Stream):
        if "/F" in keys:  # its bytes lie in another file
            raise Unfit("pdf_active")
        if _name(part, "/Subtype") == "/Image" and _pixels(part) > max_pixels:
            raise Unfit("too_many_pixels")


def _name(part: pikepdf.Object, key: str) -> str:
    value = part.get(key)
    return str(value) if isinstance(value, pikepdf.Name) else ""


def _pixels(part: pikepdf.Object) -> int:
    try:
        return int(part.get("/Width", 0)) * int(part.get("/Height", 0))
    except (TypeError, ValueError):
        raise Unfit("broken") from None


def _drawn(data: bytes, settings: dict[str, Any]) -> Iterator[Image.Image]:
    """Each page on cream paper. Its long side is `screen_side` pixels: ours to say, not the file's."""
    side = settings["screen_side"]
    document = pypdfium2.PdfDocument(data)
    if len(document) > settings["max_pages"]:
        raise Unfit("too_many_pages")
    sizes = [document.get_page_size(number) for number in range(len(document))]
    for width, height in sizes:
        if not min(width, height) > 0 or max(width, height) > _LONGEST_TO_SHORTEST * min(width, height):
            raise Unfit("page_shape")
    for number, size in enumerate(sizes):
        page = document[number]
        bitmap = page.render(
            scale=side / max(size), fill_color=(*CREAM, 255), may_draw_forms=False, rev_byteorder=True
        )
        drawn = bitmap.to_pil().convert("RGB")
        bitmap.close()
        page.close()
        yield drawn.resize(within(drawn.size, side)) if max(drawn.size) > side else drawn


def _blank(page: Image.Image) -> bool:
    return ImageStat.Stat(page.convert("L")).stddev[0] < _PLAIN
