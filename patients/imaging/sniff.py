"""Detect the kind of a file from its first bytes, and refuse kinds that are not accepted.

The file's name is only compared with the bytes. The media type declared by the client is not read.
"""

from __future__ import annotations

import codecs
import re
from pathlib import PurePosixPath

from .kinds import MEDIA, Kind, brands, media_kind, picture_kind
from .refusals import Code

__all__ = ["HEAD_BYTES", "Kind", "refusal_code", "sniff"]

HEAD_BYTES = 4096
"""How many bytes from the start of a file the functions here need; fewer if the file is shorter."""

_PICTURE_EXTENSIONS = "jpg jpeg jpe jfif mpo png apng webp gif heic heif hif avif tif tiff"
_LETTER_EXTENSIONS = "txt text md"
# Sound and video together: phones use different extensions for the same container.
_MEDIA_EXTENSIONS = "mp3 m4a aac ogg oga opus wav mp4 m4v m4b mov webm weba mkv mka 3gp 3g2"
_REFUSED_EXTENSIONS = {
    Code.SVG: "svg svgz",
    Code.HTML: "htm html xhtml shtml mht mhtml hta",
    Code.XML: "xml xsl xslt dtd",
    Code.POSTSCRIPT: "ps eps epsf ai mvg msl",
    Code.DOCUMENT: "doc docx docm dot odt rtf pages wpd xls xlsx xlsm ods ppt pptx pptm odp",
    Code.ARCHIVE: "zip rar 7z tar gz tgz bz2 xz zst lz4 cab iso dmg jar apk ipa",
    Code.PROGRAM: "exe dll com scr msi bat cmd ps1 vbs vbe js mjs wsf lnk sh bash py pl rb php phtml phar "
    "asp aspx jsp cgi so dylib class swf desktop reg url",
    Code.RAW: "dng cr2 cr3 crw nef nrw arw srf sr2 orf rw2 raf pef srw x3f raw 3fr iiq",
    Code.VIDEO: "avi mpg mpeg wmv flv ogv",
    Code.AUDIO: "flac amr aif aiff mid midi wma caf",
}
_CODE_BY_EXTENSION = {name: code for code, names in _REFUSED_EXTENSIONS.items() for name in names.split()}

# Formats that are text. A text is a letter only if none of them matches.
_TEXT_FORMATS = (
    (Code.SVG, re.compile(r"<svg[\s>:]|<!doctype\s+svg", re.IGNORECASE)),
    (
        Code.HTML,
        re.compile(r"<!doctype\s+html|<(html|head|body|script|iframe|object|embed)[\s>]", re.IGNORECASE),
    ),
    (Code.XML, re.compile(r"\A\s*<(\?xml|!doctype|!entity|[\w:]+\s+xmlns)", re.IGNORECASE)),
    (Code.POSTSCRIPT, re.compile(r"\A\s*(%!|push graphic-context|viewbox\s+\d)", re.IGNORECASE)),
    (Code.PDF, re.compile(r"%PDF-\d")),
    (Code.DOCUMENT, re.compile(r"\A\s*\{\\rtf")),
    (Code.PROGRAM, re.compile(r"\A(#!\s*/|@echo off)|<\?php|__HALT_COMPILER", re.IGNORECASE)),
)

_EXTENSIONS_BY_KIND = {
    **dict.fromkeys(
        (Kind.JPEG, Kind.PNG, Kind.WEBP, Kind.GIF, Kind.HEIC, Kind.AVIF, Kind.TIFF),
        _PICTURE_EXTENSIONS.split(),
    ),
    **dict.fromkeys(MEDIA, _MEDIA_EXTENSIONS.split()),
    Kind.LETTER: _LETTER_EXTENSIONS.split(),
    Kind.PDF: ["pdf"],
}
_ACCEPTED_EXTENSIONS = {name for names in _EXTENSIONS_BY_KIND.values() for name in names}
_SIGNATURES: tuple[tuple[Code, tuple[bytes, ...]], ...] = (
    (
        Code.ARCHIVE,
        (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"Rar!\x1a", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b"),
    ),
    (Code.ARCHIVE, (b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"MSCF", b"\x1f\x9d")),
    (Code.DOCUMENT, (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)),
    (Code.POSTSCRIPT, (b"\xc5\xd0\xd3\xc6",)),
    (Code.AUDIO, (b"#!AMR", b"fLaC", b"MThd", b"FORM", b"caff", b"\xff\xf1", b"\xff\xf9")),
    (
        Code.PROGRAM,
        (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"),
    ),
    (Code.PROGRAM, (b"\0asm", b"dex\n", b"L\0\0\0\x01\x14\x02\0", b"FWS", b"CWS", b"ZWS")),
    (Code.VIDEO, (b"\x1a\x45\xdf\xa3", b"FLV\x01", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"\x30\x26\xb2\x75")),
    (Code.RAW, (b"FUJIFILMCCD-RAW", b"IIRO", b"MMOR", b"IIU\0", b"FOVb")),
)
_RIFF = {b"AVI ": Code.VIDEO, b"RMID": Code.AUDIO}


def sniff(head: bytes) -> Kind | None:
    """Return the kind of the file whose first `HEAD_BYTES` are `head`, or None if it is not accepted."""
    if kind := picture_kind(head):
        return None if _raw_camera_file(head) else kind
    if head.startswith(b"%PDF-"):
        return Kind.PDF
    if kind := media_kind(head):
        return kind
    text = _decode_text(head) if head else None
    return Kind.LETTER if text is not None and not _text_format(text) else None


def refusal_code(head: bytes, filename: str) -> Code | None:
    """Return why the file is refused, by its first bytes and its name; None if it is accepted.

    Upper-case and missing extensions are accepted. So are one kind of picture with the extension of another,
    and sound with that of a video, because phones and messengers do that. Other known extensions that do not
    fit the bytes are refused, because a program that trusts the name would do something else with them.
    """
    if not head:
        return Code.EMPTY
    kind = sniff(head)
    extension = _extension(filename)
    claimed = _CODE_BY_EXTENSION.get(extension)
    if kind is None:
        return _refused_format(head)
    if claimed is Code.RAW and kind is Kind.TIFF:
        return Code.RAW
    if extension in _EXTENSIONS_BY_KIND[kind]:
        return None
    if kind is Kind.LETTER and claimed:
        return claimed
    return Code.CONTRADICTION if claimed or extension in _ACCEPTED_EXTENSIONS else None


def _extension(filename: str) -> str:
    """Return the last extension of a file name in lower case, without its dot.

    Directories, trailing dots and spaces, and all after a NUL are ignored, as operating systems do.
    """
    name = re.split(r"[/\\]", filename.split("\0")[0])[-1].rstrip(". ")
    return PurePosixPath(name).suffix[1:].lower()


def _decode_text(head: bytes) -> str | None:
    """Return `head` as text if it is UTF-8, or marked UTF-16, without binary controls; else None.

    An incomplete last character is accepted.
    """
    encoding = "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return None
    return None if re.search(r"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f\ufffe\uffff]", text) else text


def _text_format(text: str) -> Code | None:
    return next((code for code, pattern in _TEXT_FORMATS if pattern.search(text)), None)


def _refused_format(head: bytes) -> Code:
    """Return the refusal code for a file of no accepted kind; `Code.UNKNOWN` if the format is unknown."""
    if (text := _decode_text(head)) is not None:
        return _text_format(text) or Code.UNKNOWN
    if _raw_camera_file(head):
        return Code.RAW
    if found := brands(head):
        return Code.RAW if found[0] == b"crx " else Code.VIDEO
    if b"%PDF-" in head[:1024]:
        return Code.PDF
    if head.startswith(b"PK") and re.search(
        rb"\[Content_Types\]\.xml|mimetypeapplication/vnd\.oasis|word/", head
    ):
        return Code.DOCUMENT
    if head[257:262] == b"ustar":
        return Code.ARCHIVE
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], Code.UNKNOWN)
    return next((code for code, signatures in _SIGNATURES if head.startswith(signatures)), Code.UNKNOWN)


def _raw_camera_file(head: bytes) -> bool:
    """Return whether a TIFF is Canon's raw format, whose first picture is only a preview."""
    return head[:4] == b"II*\0" and head[8:10] == b"CR"
