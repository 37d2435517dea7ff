"""Kinds of files, and what their bytes give away; nothing here needs Django, so the decoding child may use
it."""

from __future__ import annotations

import re
import struct
from enum import StrEnum


class Kind(StrEnum):
    """What a keepsake's bytes are."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    GIF = "gif"
    HEIC = "heic"
    AVIF = "avif"
    TIFF = "tiff"
    LETTER = "letter"


AVIF_BRANDS = {b"avif", b"avis"}
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}

# Starts of other formats that a picture must not carry. HTML, PHP and SVG are looked for everywhere, since
# browsers and servers find them anywhere; XMP's own "<?xpacket" and "<x:xmpmeta" are not among them.
# Each with a dozen readable signs behind it: four letters of either case stand in one of a hundred photos of
# 5 MB by chance, these in one of millions.
_GUEST_TEXT = re.compile(
    rb"(?:<script|<\?php|<html|<svg|<!doctype|<iframe|__halt_compiler)[\t\n\r -~]{12}", re.IGNORECASE
)
_GUEST_FILES = (b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c")
_ZIP_END = b"PK\x05\x06"
_TAG_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # TIFF 6.0, page 15
_PDF_WINDOW = 1024  # where PDF readers look for "%PDF-" (ISO 32000, annex H of its first edition)


def brands(head: bytes) -> list[bytes]:
    """The brands of an ISO media file, its major one first; empty if it is none."""
    if len(head) < 12 or head[4:8] != b"ftyp":
        return []
    end = min(struct.unpack(">I", head[:4])[0], len(head))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]


def picture_kind(head: bytes) -> Kind | None:
    """The kind of picture that starts with `head`, or None."""
    if head.startswith(b"\xff\xd8\xff"):
        return Kind.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Kind.PNG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return Kind.GIF
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind.WEBP
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return Kind.TIFF
    if found := brands(head):
        if AVIF_BRANDS & set(found):
            return Kind.AVIF
        # A film may name mif1 among its compatible brands; only the major one makes it a picture.
        if found[0] in HEIF_BRANDS:
            return Kind.HEIC
    return None


def hides_a_guest(data: bytes) -> bool:
    """Whether another file is hidden in a picture: a PDF, an archive, a page or a script.

    A film behind a JPEG is none: phones append one to every "motion photo". Renditions drop it anyway.
    """
    if b"%PDF-" in data[:_PDF_WINDOW] or _GUEST_TEXT.search(data):
        return True
    return any(guest in data for guest in _GUEST_FILES) or _ends_as_zip(data)


def _ends_as_zip(data: bytes) -> bool:
    """Whether unpackers would read `data` as a ZIP: its end record and the directory that it names are
    there."""
    at = data.rfind(_ZIP_END, max(0, len(data) - 65557))  # the record and the longest comment it can have
    if at < 0 or len(data) - at < 22:
        return False
    size = int.from_bytes(data[at + 12 : at + 16], "little")
    return size <= at and data[at - size : at - size + 4] in (b"PK\x01\x02", _ZIP_END)


def ends_too_early(kind: Kind, data: bytes) -> bool:
    """Whether the container of a picture says that bytes are missing at its end.

    Decoders miss some of these cuts because the pixels before them are whole. JPEG and GIF carry no length of
    their own: there only decoding tells.
    """
    if kind is Kind.PNG:
        return b"IEND\xaeB`\x82" not in data
    if kind is Kind.WEBP:
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if kind in (Kind.HEIC, Kind.AVIF):
        return _boxes_end_too_early(data)
    if kind is Kind.TIFF:
        return _tags_end_too_early(data)
    return False


def _boxes_end_too_early(data: bytes) -> bool:
    at = 0
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if size == 1 and at + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, at + 8)
        if size == 0:
            return False
        if size < 8:
            return at == 0
        at += size
    return at > len(data)


def _tags_end_too_early(data: bytes) -> bool:
    """Whether a TIFF's first directory points beyond the end; the 64-bit variant is not looked at."""
    order = "<" if data[:2] == b"II" else ">"
    if data[2:4] not in (b"*\0", b"\0*"):
        return False
    try:
        (at,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, at)
        for entry in struct.iter_unpack(f"{order}HHII", data[at + 2 : at + 2 + 12 * count]):
            length = _TAG_BYTES.get(entry[1], 0) * entry[2]
            if length > 4 and entry[3] + length > len(data):
                return True
    except struct.error:
        return True
    return at + 2 + 12 * count > len(data)
