"""Why a file is not taken, in words for the person who brought it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class Code(StrEnum):
    """One reason to refuse a file; stable, fit for logs and audit entries."""

    EMPTY = "empty"
    SVG = "svg"
    HTML = "html"
    XML = "xml"
    POSTSCRIPT = "postscript"
    PDF = "pdf"
    DOCUMENT = "document"
    ARCHIVE = "archive"
    PROGRAM = "program"
    VIDEO = "video"
    AUDIO = "audio"
    RAW = "raw"
    UNKNOWN = "unknown"
    CONTRADICTION = "contradiction"
    GUEST = "guest"
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY_FRAMES = "too_many_frames"
    TRUNCATED = "truncated"
    BROKEN = "broken"
    TOO_HEAVY = "too_heavy"
    TOO_SLOW = "too_slow"
    CRASHED = "crashed"
    LETTER_TOO_LONG = "letter_too_long"
    LETTER_UNREADABLE = "letter_unreadable"
    LETTER_BLANK = "letter_blank"


SENTENCES: dict[Code, StrOrPromise] = {
    Code.EMPTY: _("This file is empty. Please choose it again from where it was saved."),
    Code.SVG: _("SVG drawings are not taken, because they can carry programs. Please bring a picture of it."),
    Code.HTML: _("Web pages are not taken. Please bring a picture of the page, or its words as plain text."),
    Code.XML: _("XML files are not taken. Please bring a picture, or the words as plain text."),
    Code.POSTSCRIPT: _(
        "PostScript files are not taken, because they are programs. Please bring a picture of it."
    ),
    Code.PDF: _("PDFs are not taken yet; please bring a photo of each page, or its words as plain text."),
    Code.DOCUMENT: _(
        "Documents of word processors are not taken. Please save the letter as plain text, or photograph it."
    ),
    Code.ARCHIVE: _(
        "Archives are not taken. Please unpack it and bring the pictures and letters themselves."
    ),
    Code.PROGRAM: _("Programs are not taken. Please bring pictures, or letters as plain text."),
    Code.VIDEO: _("Videos are not taken yet. A still picture from it is welcome."),
    Code.AUDIO: _("Recordings are not taken yet. Please keep it until we can take it."),
    Code.RAW: _("Raw camera files are not taken. Please export the picture as JPEG and bring that."),
    Code.UNKNOWN: _(
        "We do not know this kind of file. Please bring JPEG, PNG, WebP, GIF, HEIC, AVIF or TIFF pictures, "
        "or letters as plain text."
    ),
    Code.CONTRADICTION: _(
        "The name of this file says one thing and its content another. Please choose the original file again."
    ),
    Code.GUEST: _(
        "Something that is not a picture is hidden in this picture. Please bring it as the camera or phone "
        "saved it."
    ),
    Code.TOO_MANY_BYTES: _("This file is larger than {megabytes} MB. Please bring a smaller copy of it."),
    Code.TOO_MANY_PIXELS: _(
        "This picture has more than {megapixels} million pixels. Please bring a smaller copy of it."
    ),
    Code.TOO_MANY_FRAMES: _(
        "This file holds more than {frames} pictures. Please bring the one that matters."
    ),
    Code.TRUNCATED: _(
        "This picture could not be opened: it ends too early. Please choose it again from the phone or "
        "camera that took it."
    ),
    Code.BROKEN: _(
        "This picture could not be opened: part of it is damaged. Please choose it again from the phone or "
        "camera that took it."
    ),
    Code.TOO_HEAVY: _(
        "This picture needs more memory than we can give it. Please bring a smaller copy of it."
    ),
    Code.TOO_SLOW: _("This picture took too long to open. Please try again, or bring a smaller copy of it."),
    Code.CRASHED: _("This picture could not be opened. Please save it as JPEG and bring that."),
    Code.LETTER_TOO_LONG: _("This letter is longer than {kilobytes} KB. Please bring it in parts."),
    Code.LETTER_UNREADABLE: _(
        "This letter could not be read. Please save it as plain text (UTF-8), or photograph it."
    ),
    Code.LETTER_BLANK: _("There are no words in this letter. Please choose it again."),
}


class Refused(Exception):
    """A file that is not taken.

    `code` says why, for programs and logs; `sentence` says why to the person, in the language active when
    it is turned into text. `figures` fill the sentence's placeholders.
    """

    def __init__(self, code: Code, **figures: int) -> None:
        super().__init__(code.value)
        self.code = code
        self.sentence: StrOrPromise = format_lazy(SENTENCES[code], **figures)

    def __str__(self) -> str:
        return str(self.sentence)
