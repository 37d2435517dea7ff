"""Why an uploaded file is refused: codes, and sentences for the user."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils.formats import number_format
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MEGABYTE, GIGABYTE = 1024**2, 1024**3


class Code(StrEnum):
    """The reasons to refuse a file. The values are stored in audit entries: do not change them."""

    EMPTY = "empty"
    SVG = "svg"
    HTML = "html"
    XML = "xml"
    POSTSCRIPT = "postscript"
    PDF = "pdf"  # not at the beginning of the file
    PDF_ACTIVE = "pdf_active"
    PDF_LOCKED = "pdf_locked"
    DOCUMENT = "document"
    MAIL = "mail"
    ARCHIVE = "archive"
    PROGRAM = "program"
    VIDEO = "video"
    AUDIO = "audio"
    CODEC = "codec"
    NO_MEDIA = "no_media"
    TOO_LONG = "too_long"
    RAW = "raw"
    UNKNOWN = "unknown"
    CONTRADICTION = "contradiction"  # of name and content
    GUEST = "guest"  # another file is hidden in it
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY_FRAMES = "too_many_frames"
    TOO_MANY_PAGES = "too_many_pages"
    PAGE_SHAPE = "page_shape"
    TRUNCATED = "truncated"
    BROKEN = "broken"
    TOO_HEAVY = "too_heavy"  # takes too much memory
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
    Code.PDF: _(
        "Something that is no PDF stands before the PDF in this file, so we cannot tell what else is in it. "
        "Please save it as PDF once more and bring that."
    ),
    Code.PDF_ACTIVE: _(
        "This PDF is not taken, because it carries a script, an attachment or a form that acts. Please print "
        "it to PDF once more, or photograph its pages."
    ),
    Code.PDF_LOCKED: _(
        "This PDF opens only with a password, so we cannot see its pages. Please save it without one, or "
        "photograph its pages."
    ),
    Code.DOCUMENT: _(
        "Documents of word processors are not taken, because programs can be in them. Please save the letter "
        "as PDF or plain text, or photograph it."
    ),
    Code.MAIL: _(
        "This is an e-mail as a mail program saves it. We would show its technical lines, and not what is "
        "attached. Please print it to PDF, or save its words as plain text, and bring what is attached by "
        "itself."
    ),
    Code.ARCHIVE: _(
        "Archives are not taken. Please unpack it and bring the pictures and letters themselves."
    ),
    Code.PROGRAM: _("Programs are not taken. Please bring pictures, or letters as plain text."),
    Code.VIDEO: _(
        "Videos of this kind are not taken. Please bring it as MP4, WebM or AVI, or a still picture."
    ),
    Code.AUDIO: _("Recordings of this kind are not taken. Please bring it as MP3, M4A, OGG or WAV."),
    Code.CODEC: _(
        "We cannot play what is in this file. Please bring it as MP3, M4A, OGG or WAV, or a video as MP4 or "
        "WebM."
    ),
    Code.NO_MEDIA: _("There is nothing to hear or see in this file. Please choose it again."),
    Code.TOO_LONG: _("This is longer than {minutes} minutes. Please bring it in parts."),
    Code.RAW: _("Raw camera files are not taken. Please export the picture as JPEG and bring that."),
    Code.UNKNOWN: _(
        "We do not know this kind of file. Please bring pictures (JPEG, PNG, WebP, GIF, HEIC, AVIF, TIFF), "
        "letters (PDF or plain text), recordings (MP3, M4A, OGG, WAV) or videos (MP4, WebM)."
    ),
    Code.CONTRADICTION: _(
        "The name of this file says one thing and its content another, so we cannot tell which is meant. "
        "Please choose the original file again, or give it the name that fits."
    ),
    Code.GUEST: _(
        "A second file or a script is hidden in this file, which nobody would see here. Please bring it as "
        "the camera, phone or program saved it, or a screenshot of it."
    ),
    Code.TOO_MANY_BYTES: _("This file is larger than {size}. Please bring a smaller copy of it, or a part."),
    Code.TOO_MANY_PIXELS: _(
        "This picture has more than {megapixels} million pixels. Please bring a smaller copy of it."
    ),
    Code.TOO_MANY_FRAMES: _(
        "This file holds more than {frames} pictures. Please bring the one that matters."
    ),
    Code.TOO_MANY_PAGES: _("This letter has more than {pages} pages. Please bring it in parts."),
    Code.PAGE_SHAPE: _(
        "A page of this PDF is too long and narrow to be shown. Please bring a picture of it instead."
    ),
    Code.TRUNCATED: _(
        "This file could not be opened: it ends too early. Please choose it again from where it was made."
    ),
    Code.BROKEN: _(
        "This file could not be opened: part of it is damaged. Please choose it again from where it was made."
    ),
    Code.TOO_HEAVY: _("This file needs more memory than we can give it. Please bring a smaller copy of it."),
    Code.TOO_SLOW: _("This file took too long to open. Please try again, or bring a smaller copy of it."),
    Code.CRASHED: _("This file could not be opened. Please save it in another format and bring that."),
    Code.LETTER_TOO_LONG: _("This letter is longer than {kilobytes} KB. Please bring it in parts."),
    Code.LETTER_UNREADABLE: _(
        "This letter could not be read. Please save it as plain text (UTF-8), or photograph it."
    ),
    Code.LETTER_BLANK: _("There are no words in this letter. Please choose it again."),
}


def size_words(count: int) -> str:
    """Return a number of bytes as a limit is told, such as "200 MB" or "4 GB"."""
    if count < GIGABYTE:
        return f"{number_format(max(1, count // MEGABYTE))} MB"
    gigabytes = round(count / GIGABYTE, 1)
    return f"{number_format(int(gigabytes) if gigabytes.is_integer() else gigabytes)} GB"


class FileRefused(Exception):
    """The file is refused.

    `code` is the reason for programs and logs. `sentence` is the reason for the user, in the language that is
    active when it is converted to text. `figures` are the values of the sentence's placeholders.
    """

    def __init__(self, code: Code, **figures: int | str) -> None:
        super().__init__(code.value)
        self.code = code
        self.sentence: StrOrPromise = format_lazy(SENTENCES[code], **figures)

    def __str__(self) -> str:
        return str(self.sentence)


def too_large(most: int) -> FileRefused:
    """Return the refusal of a file that has more than `most` bytes."""
    return FileRefused(Code.TOO_MANY_BYTES, size=size_words(most))
