"""Detect the kind of a file from its first bytes, and refuse kinds that are not accepted.

The file's name is only compared with the bytes. The media type declared by the client is not read.
"""

from __future__ import annotations

import codecs
import re
from pathlib import PurePosixPath

from .kinds import MEDIA, Kind, brands, media_kind, picture_kind
from .letter_text import BINARY_CONTROLS, text_encoding
from .refusals import Code, FileRefused

__all__ = ["HEAD_BYTES", "Kind", "accepted_kind", "kind_by_name", "sniff"]

HEAD_BYTES = 4096
"""How many bytes from the start of a file the functions here need; fewer if the file is shorter."""

_PICTURE_EXTENSIONS = "jpg jpeg jpe jfif mpo png apng webp gif heic heif hif avif tif tiff"
_LETTER_EXTENSIONS = "txt text md"
_SOUND_EXTENSIONS = "mp3 m4a aac ogg oga opus wav m4b weba mka amr awb flac"
_VIDEO_EXTENSIONS = "mp4 m4v mov webm mkv 3gp 3g2 avi"
_REFUSED_EXTENSIONS = {
    Code.SVG: "svg svgz",
    Code.HTML: "htm html xhtml shtml mht mhtml hta",
    Code.XML: "xml xsl xslt dtd",
    Code.POSTSCRIPT: "ps eps epsf ai mvg msl",
    Code.DOCUMENT: "doc docx docm dot odt rtf pages wpd xls xlsx xlsm ods ppt pptx pptm odp",
    Code.MAIL: "eml emlx msg mbox",
    Code.ARCHIVE: "zip rar 7z tar gz tgz bz2 xz zst lz4 cab iso dmg jar apk ipa",
    # A name that ends in .com is an address more often than a program of 1981.
    Code.PROGRAM: "exe dll scr msi bat cmd ps1 vbs vbe js mjs wsf lnk sh bash py pl rb php phtml phar "
    "asp aspx jsp cgi so dylib class swf desktop reg url",
    Code.RAW: "dng cr2 cr3 crw nef nrw arw srf sr2 orf rw2 raf pef srw x3f raw 3fr iiq",
    Code.VIDEO: "mpg mpeg wmv flv ogv",
    Code.AUDIO: "aif aiff mid midi wma caf",
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
    (
        Code.MAIL,  # header lines, of which one is written by programs only
        re.compile(
            r"\A(?:From .*\r?\n)?(?:[\w-]+:.*\r?\n(?:[ \t].*\r?\n)*)*?"
            r"(?:mime-version|message-id|return-path|content-type|x-mailer):",
            re.IGNORECASE,
        ),
    ),
    (Code.PROGRAM, re.compile(r"\A(#!\s*/|@echo off)|<\?php|__HALT_COMPILER", re.IGNORECASE)),
)

_EXTENSIONS_BY_KIND = {
    **dict.fromkeys(
        (Kind.JPEG, Kind.PNG, Kind.WEBP, Kind.GIF, Kind.HEIC, Kind.AVIF, Kind.TIFF),
        _PICTURE_EXTENSIONS.split(),
    ),
    # Sound and video together: phones use different extensions for the same container.
    **dict.fromkeys(MEDIA, f"{_SOUND_EXTENSIONS} {_VIDEO_EXTENSIONS}".split()),
    Kind.LETTER: _LETTER_EXTENSIONS.split(),
    Kind.PDF: ["pdf"],
}
# For each extension one kind of those with its size limit. Letters have none here: `check_head` in
# patients/keepsakes/limits.py compares them with their own limit, by their first bytes.
_KIND_BY_EXTENSION = {
    **dict.fromkeys(_VIDEO_EXTENSIONS.split(), Kind.MP4),
    **dict.fromkeys(_SOUND_EXTENSIONS.split(), Kind.MP3),
    **dict.fromkeys(_PICTURE_EXTENSIONS.split(), Kind.JPEG),
    "pdf": Kind.PDF,
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
    (Code.AUDIO, (b"MThd", b"FORM", b"caff", b"\xff\xf1", b"\xff\xf9")),
    (
        Code.PROGRAM,
        (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"),
    ),
    (Code.PROGRAM, (b"\0asm", b"dex\n", b"L\0\0\0\x01\x14\x02\0", b"FWS", b"CWS", b"ZWS")),
    (Code.VIDEO, (b"\x1a\x45\xdf\xa3", b"FLV\x01", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"\x30\x26\xb2\x75")),
    (Code.RAW, (b"FUJIFILMCCD-RAW", b"IIRO", b"MMOR", b"IIU\0", b"FOVb")),
)
_REFUSED_RIFF = {b"RMID": Code.AUDIO}  # by the format of the RIFF container


def sniff(head: bytes) -> Kind | None:
    """Return the kind of the file whose first `HEAD_BYTES` are `head`, or None if it is not accepted."""
    if kind := picture_kind(head):
        return None if _raw_camera_file(head) else kind
    if head.lstrip(b"\0\t\n\f\r ").startswith(b"%PDF-"):
        return Kind.PDF
    if kind := media_kind(head):
        return kind
    text = _decode_text(head) if head else None
    return Kind.LETTER if text is not None and not _text_format(text) else None


def accepted_kind(head: bytes, filename: str) -> Kind:
    """Return the kind of a file, by its first `HEAD_BYTES` and its name.

    Errors: `FileRefused` if its kind, or its name beside its content, is not accepted.
    """
    if not head:
        raise FileRefused(Code.EMPTY)
    kind = sniff(head)
    if kind is None:
        raise FileRefused(_refused_format(head))
    if code := _name_refusal(kind, _extension(filename)):
        raise FileRefused(code)
    return kind


def _name_refusal(kind: Kind, extension: str) -> Code | None:
    """Return why a file of an accepted kind is refused for its extension; None if it is not.

    Missing extensions are accepted. So is every extension of an accepted kind, because phones, scanners and
    messengers mix them up: the bytes decide, and no file is ever served by its name. A letter is the
    exception: text with the name of a picture or a recording is the error page of a failed download.
    Extensions of refused kinds are refused, because a program that trusts the name would do something else
    with the bytes.
    """
    claimed = _CODE_BY_EXTENSION.get(extension)  # the refused kind of file that the name claims
    if claimed is Code.RAW and kind is Kind.TIFF:
        return Code.RAW
    if extension in _EXTENSIONS_BY_KIND[kind] or (
        kind is not Kind.LETTER and extension in _ACCEPTED_EXTENSIONS
    ):
        return None
    if kind is Kind.LETTER and claimed:
        return claimed
    return Code.CONTRADICTION if claimed or extension in _ACCEPTED_EXTENSIONS else None


def kind_by_name(filename: str) -> Kind | None:
    """Return a kind with the size limit of files with this name; None if the name tells no limit.

    It may be another kind than that of the file: every name of a recording gives `Kind.MP3`.
    """
    return _KIND_BY_EXTENSION.get(_extension(filename))


def _extension(filename: str) -> str:
    """Return the last extension of a file name in lower case, without its dot.

    Directories, trailing dots and spaces, and all after a NUL are ignored, as operating systems do.
    """
    name = re.split(r"[/\\]", filename.split("\0")[0])[-1].rstrip(". ")
    return PurePosixPath(name).suffix[1:].lower()


def _decode_text(head: bytes) -> str | None:
    """Return `head` as text if it has an encoding of letters and no binary controls; else None.

    An incomplete last character is accepted.
    """
    if (encoding := text_encoding(head)) is None:
        return None
    if encoding == "cp1252" and _signature(head):  # nearly any bytes can be read as cp1252
        return None
    text = codecs.getincrementaldecoder(encoding)().decode(head)
    return None if BINARY_CONTROLS.search(text) else text


def _text_format(text: str) -> Code | None:
    """Return the refusal code if a text is in a format such as HTML; None for plain words."""
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
        return _REFUSED_RIFF.get(head[8:12], Code.UNKNOWN)
    return _signature(head) or Code.UNKNOWN


def _signature(head: bytes) -> Code | None:
    """Return the refusal code of the format whose signature begins the file, or None."""
    return next((code for code, signatures in _SIGNATURES if head.startswith(signatures)), None)


def _raw_camera_file(head: bytes) -> bool:
    """Return whether a TIFF is Canon's raw format, whose first picture is only a preview."""
    return head[:4] == b"II*\0" and head[8:10] == b"CR"
