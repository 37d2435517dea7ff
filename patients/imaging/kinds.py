"""Detect the kind of a file from its bytes, files hidden in it, and files that were cut off.

The decoder process uses this module, so it must not import Django.
"""

from __future__ import annotations

import re
import struct
from enum import StrEnum

from .file_view import Content, FileView, windows


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
    AVI = "avi"
    AMR = "amr"
    FLAC = "flac"


MEDIA = frozenset({Kind.MP3, Kind.OGG, Kind.WAV, Kind.MP4, Kind.WEBM, Kind.AVI, Kind.AMR, Kind.FLAC})
"""Containers of sound and video. Only the streams in a container tell which of the two it is."""

FILM_CONTAINERS = frozenset({Kind.MP4, Kind.WEBM, Kind.AVI})


AVIF_BRANDS = {b"avif", b"avis"}
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}

# Markup that a picture must not contain. Scripts, PHP and SVG are searched in the whole file. XMP's
# "<?xpacket" and "<x:xmpmeta" do not match. Twelve printable characters must follow: four letters of either
# case are in one of a hundred photos of 5 MB by chance, such a sequence in one of millions. The patterns
# begin with signs that have no case: 1.5 GB a second are searched so, else 65 MB.
_SCRIPTS = (
    re.compile(
        rb"<(?i:script\b[^>]{0,200}(?:src\s*=|>[\t\n\r -~]{0,2000}?</script)"
        rb"|(?:\?php|svg|iframe)[\t\n\r -~]{12})"
    ),
    re.compile(rb"__(?i:halt_compiler)[\t\n\r -~]{12}"),
)
# A web page, not only a tag in a caption: "Made with <html>" is a caption. The property list that Photoshop
# on a Mac stores with its print settings does not match either.
_WEB_PAGE = re.compile(
    rb"<(?i:script\b[\t\n\r -~]{12}"
    rb"|!doctype\s+(?:html|svg)[\t\n\r -~]{12}"
    rb"|html\b[^>]{0,200}>?\s*<(?:head|body|meta|title|script|!--)\b)"
)
_LONGEST_MARKUP = 4096  # bytes; no pattern above matches more
_FOREIGN_SIGNATURES = (b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c")
_ZIP_END = b"PK\x05\x06"
_ZIP_END_BYTES = 22 + 65535  # the end record with the longest comment it can have
_TAG_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # TIFF 6.0, page 15
_MP3_FRAMES = tuple(b"\xff" + bytes([second]) for second in (0xFB, 0xFA, 0xF3, 0xF2, 0xE3, 0xE2))
# Boxes at the top level of a file: ISO/IEC 14496-12, HEIF and QuickTime.
_TOP_BOXES = frozenset(
    {
        b"ftyp",
        b"styp",
        b"moov",
        b"mdat",
        b"moof",
        b"mfra",
        b"meta",
        b"meco",
        b"free",
        b"skip",
        b"wide",
        b"udta",
    }
    | {b"uuid", b"sidx", b"ssix", b"pdin", b"prft", b"emsg", b"pnot", b"PICT", b"junk", b"idat", b"imda"}
)
_PIPED_BYTES = 0x7F000000
"""From this length on, the length of the sound that a WAV states is a guess: its recorder wrote to a pipe."""

_EBML = b"\x1a\x45\xdf\xa3"
_EBML_WINDOW = 128
_WEBM = re.compile(rb"\x42\x82[\x81-\xff]webm")  # the element DocType and its size
_SEGMENT = b"\x18\x53\x80\x67"  # Matroska's element that holds everything after its header
_PDF_OBJECT = re.compile(rb"\d\s+\d+\s+obj\b|\bstartxref\b|\bxref\b")
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
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return Kind.AVI
    if head.startswith((b"#!AMR\n", b"#!AMR-WB\n")):
        return Kind.AMR
    # The first block of a FLAC is of type 0. 0x80 is added if it is the last, too.
    if head[:4] == b"fLaC" and head[4:5] in (b"\0", b"\x80"):
        return Kind.FLAC
    if head.startswith(_EBML):
        return Kind.WEBM if _WEBM.search(head[:_EBML_WINDOW]) else None
    found = brands(head)
    return Kind.MP4 if found and found[0] != b"crx " else None  # "crx ": Canon's raw pictures


def hides_another_file(data: Content, kind: Kind | None = None) -> bool:
    """Return whether another file is hidden in a file of `kind`: a PDF, an archive, a web page or a script.

    A video after a JPEG does not count: phones append one to every "motion photo". Renditions omit it. Markup
    without a script in a JPEG's header does not count either: it is a caption or a program's own settings.
    """
    if kind is not Kind.PDF and b"%PDF-" in data[:_PDF_WINDOW]:
        return True
    header = _header_bytes(data, kind) if isinstance(data, bytes) else 0
    return _ends_as_zip(data) or any(
        any(pattern.search(window) for pattern in _SCRIPTS)
        or _WEB_PAGE.search(window, header)
        or any(signature in window for signature in _FOREIGN_SIGNATURES)
        for window in windows(data, overlap=_LONGEST_MARKUP)
    )


def _header_bytes(data: bytes, kind: Kind | None) -> int:
    """Return how many bytes at the start of a JPEG are before its coded pixels; 0 for another kind."""
    at = 2
    while kind is Kind.JPEG and data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        if data[at + 1] == 0xDA:  # start of scan
            return at
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0


def _ends_as_zip(data: Content) -> bool:
    """Return whether unpackers would read `data` as a ZIP: it has the end record and its directory."""
    start = max(0, len(data) - _ZIP_END_BYTES)
    found = data[start:].rfind(_ZIP_END)
    at = start + found
    if found < 0 or len(data) - at < 22:
        return False
    size = int.from_bytes(data[at + 12 : at + 16], "little")
    return size <= at and data[at - size : at - size + 4] in (b"PK\x01\x02", _ZIP_END)


def ends_too_early(kind: Kind, data: Content) -> bool:
    """Return whether bytes are missing at the end of a file, by the lengths stated in it.

    Decoders do not notice some of these cuts, because all before them is complete. JPEG and GIF contain no
    length, so for them only decoding shows it. MP3 has none either, and is valid wherever it is cut.
    """
    if kind is Kind.PNG:
        return not any(b"IEND\xaeB`\x82" in window for window in windows(data, overlap=8))
    if kind in (Kind.WEBP, Kind.AVI):
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if kind in (Kind.HEIC, Kind.AVIF, Kind.MP4):
        return _boxes_end_too_early(data)
    if kind is Kind.TIFF:
        return _tags_end_too_early(data[:])
    if kind is Kind.PDF:
        return end_of_pdf(data[:]) == 0
    if kind is Kind.WAV:
        return _chunks_end_too_early(data)
    if kind is Kind.OGG:
        return _pages_end_too_early(data)
    return kind is Kind.WEBM and _segment_ends_too_early(data)


def _boxes_end_too_early(data: Content) -> bool:
    end = end_of_boxes(data)
    return end == 0 or end > len(data)


def end_of_boxes(data: Content) -> int:
    """Return where the last box of an ISO media file ends; beyond the end of `data` if the file was cut off.

    Some makers append bytes of their own behind the last box. Bytes there are taken for such if the boxes
    before are enough to show the file, and if they do not begin like a box of the standard. Otherwise they
    are a box that was cut off.
    """
    at = 0
    names: set[bytes] = set()
    while at + 8 <= len(data):
        box = data[at : at + 16]
        size, name = int.from_bytes(box[:4], "big"), box[4:8]
        if size == 1 and len(box) == 16:
            size = int.from_bytes(box[8:], "big")
        if size == 0:
            return len(data)
        complete = {b"moov", b"mdat"} <= names or b"meta" in names
        if size < 8 or (complete and at + size > len(data) and name not in _TOP_BOXES):
            return at
        names.add(name)
        at += size
    return at


def correct_lengths(data: FileView) -> None:
    """Let the lengths in a WAV read as the real ones, if its recorder had guessed them."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            # A file with 4 GB of sound or more has no room for its length here.
            if data[:4] == b"RIFF" and size >= _PIPED_BYTES and len(data) < 2**32:
                data.replace(4, (len(data) - 8).to_bytes(4, "little"))
                data.replace(at + 4, (len(data) - at - 8).to_bytes(4, "little"))
            return
        at += 8 + size + size % 2


def end_of_pdf(data: bytes) -> int:
    """Return where a PDF ends, behind its last end mark; 0 if it was cut off.

    Each change to a PDF appends objects and another end mark. So it was cut off if objects follow the last
    mark.
    """
    at = data.rfind(b"%%EOF")
    if at < 0 or _PDF_OBJECT.search(data, at):
        return 0
    return at + 5


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


def _chunks_end_too_early(data: Content) -> bool:
    """Return whether a chunk of a WAV points beyond the end.

    A recorder that is switched off leaves a length of 0, one that writes to a pipe about 2 or 4 GB. These are
    accepted.
    """
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return size < _PIPED_BYTES and at + 8 + size > len(data)
        at += 8 + size + size % 2
    return True  # it has no sound chunk, or ends before it


def _pages_end_too_early(data: Content) -> bool:
    """Return whether the last page of an Ogg is cut off, or it has only one page (RFC 3533, chapter 6)."""
    at = pages = 0
    while data[at : at + 4] == b"OggS" and at + 27 <= len(data):
        head = data[at : at + 27 + 255]  # with the longest table that a page can have
        at += 27 + head[26] + sum(head[27 : 27 + head[26]])
        pages += 1
    return at > len(data) or data[at : at + 4] in (b"OggS", b"Ogg", b"Og", b"O") or pages < 2


def _segment_ends_too_early(data: Content) -> bool:
    """Return whether a WebM is shorter than its segment says. Browsers record segments of unknown length."""
    at = data[:4096].find(_SEGMENT) + len(_SEGMENT)
    first = int.from_bytes(data[at : at + 1], "big")
    if at < len(_SEGMENT) or not first:
        return True
    width = 9 - first.bit_length()
    size = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    unknown = (1 << 7 * width) - 1
    return size != unknown and at + width + size > len(data)
