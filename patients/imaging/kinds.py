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
    PDF = "pdf"
    MP3 = "mp3"
    OGG = "ogg"
    WAV = "wav"
    MP4 = "mp4"
    WEBM = "webm"


MEDIA = frozenset({Kind.MP3, Kind.OGG, Kind.WAV, Kind.MP4, Kind.WEBM})
"""Containers of sound and moving pictures; which of the two one holds, its streams decide."""


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
_MP3_FRAMES = tuple(b"\xff" + bytes([second]) for second in (0xFB, 0xFA, 0xF3, 0xF2, 0xE3, 0xE2))
_EBML = b"\x1a\x45\xdf\xa3"
_EBML_WINDOW = 128
_WEBM = re.compile(rb"\x42\x82[\x81-\xff]webm")  # the element DocType and its size
_SEGMENT = b"\x18\x53\x80\x67"  # Matroska's element that holds everything after its header
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


def media_kind(head: bytes) -> Kind | None:
    """The container of sound or moving pictures that starts with `head`, or None."""
    # Version and flags of an ID3 tag are no letters, so that a text that starts with those three is none.
    if (head.startswith(b"ID3") and head[3:4] in (b"\2", b"\3", b"\4")) or head.startswith(_MP3_FRAMES):
        return Kind.MP3
    if head.startswith(b"OggS\0"):
        return Kind.OGG
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return Kind.WAV
    if head.startswith(_EBML):
        return Kind.WEBM if _WEBM.search(head[:_EBML_WINDOW]) else None
    found = brands(head)
    return Kind.MP4 if found and found[0] != b"crx " else None


def hides_a_guest(data: bytes, kind: Kind | None = None) -> bool:
    """Whether another file is hidden in one of `kind`: a PDF, an archive, a page or a script.

    A film behind a JPEG is none: phones append one to every "motion photo". Renditions drop it anyway.
    """
    if kind is not Kind.PDF and b"%PDF-" in data[:_PDF_WINDOW]:
        return True
    if _GUEST_TEXT.search(data):
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
    """Whether a file's container says that bytes are missing at its end.

    Decoders miss some of these cuts because what stands before them is whole. JPEG and GIF carry no length of
    their own: there only decoding tells. Neither does MP3, which is whole wherever it is cut.
    """
    if kind is Kind.PNG:
        return b"IEND\xaeB`\x82" not in data
    if kind is Kind.WEBP:
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if kind in (Kind.HEIC, Kind.AVIF, Kind.MP4):
        return _boxes_end_too_early(data)
    if kind is Kind.TIFF:
        return _tags_end_too_early(data)
    if kind is Kind.PDF:
        return b"%%EOF" not in data[-_PDF_WINDOW:]
    if kind is Kind.WAV:
        return _chunks_end_too_early(data)
    if kind is Kind.OGG:
        return _pages_end_too_early(data)
    return kind is Kind.WEBM and _segment_ends_too_early(data)


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


def _chunks_end_too_early(data: bytes) -> bool:
    """Whether a chunk of a WAV points beyond the end. Recorders that are switched off leave 0 or all ones."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return size != 0xFFFFFFFF and at + 8 + size > len(data)
        at += 8 + size + size % 2
    return True  # there is no sound in it, or not yet


def _pages_end_too_early(data: bytes) -> bool:
    """Whether the last page of an Ogg is cut, or nothing but the first is there (RFC 3533, chapter 6)."""
    at = pages = 0
    while data[at : at + 4] == b"OggS" and at + 27 <= len(data):
        table = data[at + 27 : at + 27 + data[at + 26]]
        at += 27 + data[at + 26] + sum(table)
        pages += 1
    return at > len(data) or data[at : at + 4] in (b"OggS", b"Ogg", b"Og", b"O") or pages < 2


def _segment_ends_too_early(data: bytes) -> bool:
    """Whether a WebM is shorter than its segment says; what browsers record leaves that open."""
    at = data.find(_SEGMENT, 0, 4096) + len(_SEGMENT)
    if at < len(_SEGMENT) or at >= len(data) or not data[at]:
        return True
    width = 9 - data[at].bit_length()
    size = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    unknown = (1 << 7 * width) - 1
    return size != unknown and at + width + size > len(data)
