"""Detect the kind of a file from its bytes, files hidden in it, and files that were cut off.

The decoder process uses this module, so it must not import Django.
"""

from __future__ import annotations

import re
import struct
from enum import StrEnum


class Kind(StrEnum):
    """The kind of an uploaded file."""

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
"""Containers of sound and video. Only the streams in a container tell which of the two it is."""


AVIF_BRANDS = {b"avif", b"avis"}
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}

# Beginnings of other formats that a picture must not contain. HTML, PHP and SVG are searched in the whole
# file, because browsers and servers find them anywhere. XMP's "<?xpacket" and "<x:xmpmeta" do not match.
# Twelve printable characters must follow: four letters of either case are in one of a hundred photos of 5 MB
# by chance, such a sequence in one of millions.
_FOREIGN_TEXT = re.compile(
    rb"(?:<script|<\?php|<html|<svg|<!doctype|<iframe|__halt_compiler)[\t\n\r -~]{12}", re.IGNORECASE
)
_FOREIGN_SIGNATURES = (b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c")
_ZIP_END = b"PK\x05\x06"
_TAG_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # TIFF 6.0, page 15
_MP3_FRAMES = tuple(b"\xff" + bytes([second]) for second in (0xFB, 0xFA, 0xF3, 0xF2, 0xE3, 0xE2))
_EBML = b"\x1a\x45\xdf\xa3"
_EBML_WINDOW = 128
_WEBM = re.compile(rb"\x42\x82[\x81-\xff]webm")  # the element DocType and its size
_SEGMENT = b"\x18\x53\x80\x67"  # Matroska's element that holds everything after its header
_PDF_WINDOW = 1024  # where PDF readers look for "%PDF-" (ISO 32000, annex H of its first edition)


def brands(head: bytes) -> list[bytes]:
    """Return the brands of an ISO media file, the major brand first; empty for another kind of file."""
    if len(head) < 12 or head[4:8] != b"ftyp":
        return []
    end = min(struct.unpack(">I", head[:4])[0], len(head))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]


def picture_kind(head: bytes) -> Kind | None:
    """Return the kind of picture that begins with `head`, or None."""
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
        # A video may have mif1 among its compatible brands. It is a picture only if the major brand says so.
        if found[0] in HEIF_BRANDS:
            return Kind.HEIC
    return None


def media_kind(head: bytes) -> Kind | None:
    """Return the kind of sound or video container that begins with `head`, or None."""
    # In an ID3 tag no letter follows "ID3", but a version byte. A text that begins with "ID3" does not match.
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


def hides_another_file(data: bytes, kind: Kind | None = None) -> bool:
    """Return whether another file is hidden in a file of `kind`: a PDF, an archive, a web page or a script.

    A video after a JPEG does not count: phones append one to every "motion photo". Renditions omit it.
    """
    if kind is not Kind.PDF and b"%PDF-" in data[:_PDF_WINDOW]:
        return True
    if _FOREIGN_TEXT.search(data):
        return True
    return any(signature in data for signature in _FOREIGN_SIGNATURES) or _ends_as_zip(data)


def _ends_as_zip(data: bytes) -> bool:
    """Return whether unpackers would read `data` as a ZIP: it has the end record and its directory."""
    at = data.rfind(
        _ZIP_END, max(0, len(data) - 65557)
    )  # length of the record with the longest comment it can have
    if at < 0 or len(data) - at < 22:
        return False
    size = int.from_bytes(data[at + 12 : at + 16], "little")
    return size <= at and data[at - size : at - size + 4] in (b"PK\x01\x02", _ZIP_END)


def ends_too_early(kind: Kind, data: bytes) -> bool:
    """Return whether bytes are missing at the end of a file, by the lengths stated in it.

    Decoders do not notice some of these cuts, because all before them is complete. JPEG and GIF contain no
    length, so for them only decoding shows it. MP3 has none either, and is valid wherever it is cut.
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
    """Return whether a TIFF's first directory points beyond the end. The 64-bit variant is not checked."""
    byte_order = "<" if data[:2] == b"II" else ">"
    if data[2:4] not in (b"*\0", b"\0*"):
        return False
    try:
        (at,) = struct.unpack_from(f"{byte_order}I", data, 4)
        (count,) = struct.unpack_from(f"{byte_order}H", data, at)
        for entry in struct.iter_unpack(f"{byte_order}HHII", data[at + 2 : at + 2 + 12 * count]):
            length = _TAG_BYTES.get(entry[1], 0) * entry[2]
            if length > 4 and entry[3] + length > len(data):
                return True
    except struct.error:
        return True
    return at + 2 + 12 * count > len(data)


def _chunks_end_too_early(data: bytes) -> bool:
    """Return whether a chunk of a WAV points beyond the end.

    A recorder that is switched off leaves a length of 0 or all ones; these are accepted.
    """
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return size != 0xFFFFFFFF and at + 8 + size > len(data)
        at += 8 + size + size % 2
    return True  # it has no sound chunk, or ends before it


def _pages_end_too_early(data: bytes) -> bool:
    """Return whether the last page of an Ogg is cut off, or it has only one page (RFC 3533, chapter 6)."""
    at = pages = 0
    while data[at : at + 4] == b"OggS" and at + 27 <= len(data):
        table = data[at + 27 : at + 27 + data[at + 26]]
        at += 27 + data[at + 26] + sum(table)
        pages += 1
    return at > len(data) or data[at : at + 4] in (b"OggS", b"Ogg", b"Og", b"O") or pages < 2


def _segment_ends_too_early(data: bytes) -> bool:
    """Return whether a WebM is shorter than its segment says. Browsers record segments of unknown length."""
    at = data.find(_SEGMENT, 0, 4096) + len(_SEGMENT)
    if at < len(_SEGMENT) or at >= len(data) or not data[at]:
        return True
    width = 9 - data[at].bit_length()
    size = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    unknown = (1 << 7 * width) - 1
    return size != unknown and at + width + size > len(data)
