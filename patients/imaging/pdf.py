"""Render the pages of a PDF. PDFs with active, hidden or external content are refused first.

This runs in the decoder process, on unchecked bytes. qpdf (pikepdf) reads the structure. PDFium (pypdfium2,
built without scripts and XFA) draws the pages. Neither can open a file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pikepdf
import pypdfium2  # type: ignore[import-untyped]
from PIL import Image

from .kinds import Kind, end_of_pdf, ends_too_early, hides_another_file
from .letter_page import CREAM
from .page_renditions import render_pages
from .rendition import UnusableFile, fit_within

# Content that is refused. Links are allowed: in the picture of a page they do nothing, and letters printed
# from a mailbox are full of them.
_ACTIVE_KEYS = frozenset(
    {"/JS", "/JavaScript", "/AA", "/XFA", "/EF", "/EmbeddedFiles", "/RichMediaContent", "/Collection"}
)
_ACTIVE_ACTIONS = frozenset(
    {"/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/ResetForm", "/GoToR", "/GoToE", "/Rendition"}
    | {"/Movie", "/Sound", "/RichMediaExecute", "/GoTo3DView"}
)
_ACTIVE_TYPES = frozenset(
    {"/FileAttachment", "/RichMedia", "/Movie", "/Sound", "/Screen", "/3D", "/EmbeddedFile"}
)
_WHITESPACE = b"\0\t\n\f\r "  # as PDF defines it
_MAX_ASPECT = 30
"""The largest ratio of a page's long side to its short side. A till receipt is within it."""


def load_random_numbers() -> None:
    """Let qpdf open its source of random numbers. Call it while files can still be opened.

    A PDF that only forbids printing is encrypted, with an empty password, and qpdf needs them to decrypt it.
    """
    empty = pikepdf.new()
    empty.add_blank_page()
    empty.save(io.BytesIO(), encryption=pikepdf.Encryption(owner="x", user="", R=6))


def render_pdf(data: bytes, settings: dict[str, Any]) -> tuple[dict[str, Any], bytes, bytes]:
    """Return the facts about `data`, the bundle of its pages and the thumb of the first page.

    Keys of `settings`: `max_pages`, `max_objects`, `max_pixels`, `screen_side` and `thumb_side`.
    Errors: `UnusableFile`, `MemoryError` or whatever the libraries raise.
    """
    if ends_too_early(Kind.PDF, data):
        raise UnusableFile("truncated")
    if hides_another_file(data, Kind.PDF):
        raise UnusableFile("guest")
    # What is before and behind the PDF itself was searched above. Its offsets count from its first byte.
    extra = len(data[end_of_pdf(data) :].strip(_WHITESPACE)) > 0
    data = data[data.index(b"%PDF-") : end_of_pdf(data)] + b"\n"
    _check_structure(data, settings)
    facts, bundle, thumb = render_pages(_draw_pages(data, settings), settings["thumb_side"])
    return facts | {"unshown": ["behind"] if extra else []}, bundle, thumb


def _check_structure(data: bytes, settings: dict[str, Any]) -> None:
    """Check the PDF's structure before anything is drawn: locks, active content, numbers and sizes."""
    try:
        pdf = pikepdf.open(io.BytesIO(data), attempt_recovery=False, suppress_warnings=True)
    except pikepdf.PasswordError:
        raise UnusableFile("pdf_locked") from None
    except pikepdf.exceptions.QpdfRuntimeError as error:
        # Random numbers are needed for encryption only.
        raise UnusableFile("pdf_locked" if "random" in str(error) else "broken") from None
    with pdf:
        declared_count = pdf.Root.Pages.get("/Count", 0)
        if int(declared_count) > settings["max_pages"] or len(pdf.pages) > settings["max_pages"]:
            raise UnusableFile("too_many_pages")
        if len(pdf.objects) > settings["max_objects"]:
            raise UnusableFile("too_heavy")
        for part in _parts(pdf):
            _check_part(part, settings["max_pixels"])


def _parts(pdf: pikepdf.Pdf) -> Iterator[pikepdf.Object]:
    """Yield every dictionary and stream of the PDF, at any depth, also those that no page uses."""
    pending: list[pikepdf.Object] = [pdf.trailer, *pdf.objects]
    while pending:
        part = pending.pop()
        if isinstance(part, pikepdf.Array):
            inner = list(part)
        elif isinstance(part, pikepdf.Dictionary | pikepdf.Stream):
            yield part
            inner = [value for _key, value in part.items()]
        else:
            continue
        # Indirect objects are in pdf.objects already.
        pending += [value for value in inner if isinstance(value, pikepdf.Object) and not value.is_indirect]


def _check_part(part: pikepdf.Object, max_pixels: int) -> None:
    keys = set(part.keys())
    if keys & _ACTIVE_KEYS or _name(part, "/S") in _ACTIVE_ACTIONS:
        raise UnusableFile("pdf_active")
    if {_name(part, "/Subtype"), _name(part, "/Type")} & _ACTIVE_TYPES:
        raise UnusableFile("pdf_active")
    if isinstance(part, pikepdf.Stream):
        if "/F" in keys:  # its bytes are in another file
            raise UnusableFile("pdf_active")
        if _name(part, "/Subtype") == "/Image" and _pixels(part) > max_pixels:
            raise UnusableFile("too_many_pixels")


def _name(part: pikepdf.Object, key: str) -> str:
    value = part.get(key)
    return str(value) if isinstance(value, pikepdf.Name) else ""


def _pixels(part: pikepdf.Object) -> int:
    try:
        return int(part.get("/Width", 0)) * int(part.get("/Height", 0))
    except (TypeError, ValueError):
        raise UnusableFile("broken") from None


def _draw_pages(data: bytes, settings: dict[str, Any]) -> Iterator[Image.Image]:
    """Yield each page on cream paper, its long side `screen_side` pixels, whatever size the PDF states."""
    side = settings["screen_side"]
    document = pypdfium2.PdfDocument(data)
    if len(document) > settings["max_pages"]:
        raise UnusableFile("too_many_pages")
    sizes = [document.get_page_size(number) for number in range(len(document))]
    for width, height in sizes:
        if not min(width, height) > 0 or max(width, height) > _MAX_ASPECT * min(width, height):
            raise UnusableFile("page_shape")
    for number, size in enumerate(sizes):
        page = document[number]
        bitmap = page.render(
            scale=side / max(size), fill_color=(*CREAM, 255), may_draw_forms=False, rev_byteorder=True
        )
        drawn = bitmap.to_pil().convert("RGB")
        bitmap.close()
        page.close()
        yield drawn.resize(fit_within(drawn.size, side)) if max(drawn.size) > side else drawn
