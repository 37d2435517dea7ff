"""U1, U2: the first bytes decide the type of a file; other types are refused with an explanation."""

import codecs
import io
import struct
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from patients.imaging.refusals import SENTENCES, Code, FileRefused
from patients.imaging.sniff import HEAD_BYTES, Kind, accepted_kind, sniff
from tests.photos import OTHERS, Photo


def encoded(file_format: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), (200, 40, 90)).save(buffer, file_format)
    return buffer.getvalue()


def iso_media(brand: bytes, *compatible: bytes) -> bytes:
    """The beginning of an ISO media file (HEIC, AVIF, MP4) with this brand and these compatible brands."""
    box = brand + b"\0\0\0\0" + b"".join(compatible)
    return struct.pack(">I", 8 + len(box)) + b"ftyp" + box + b"\0" * 40


def refusal_code(head: bytes, filename: str) -> Code | None:
    """Return why a file is refused; None if it is accepted."""
    try:
        accepted_kind(head, filename)
    except FileRefused as refusal:
        return refusal.code
    return None


def zipped(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "x" * 50)
    return buffer.getvalue()


KINDS = [
    ("JPEG", Kind.JPEG),
    ("PNG", Kind.PNG),
    ("GIF", Kind.GIF),
    ("WEBP", Kind.WEBP),
    ("TIFF", Kind.TIFF),
    ("AVIF", Kind.AVIF),
]


@pytest.mark.parametrize(("file_format", "kind"), KINDS)
def test_pictures_are_known_by_their_bytes(file_format: str, kind: Kind) -> None:
    head = encoded(file_format)[:HEAD_BYTES]
    assert sniff(head) is kind
    for name in ("", "IMG_0001", "PHOTO.JPG", "photo.Heic", "x.png", "C:\\old\\y.jpeg", "ảnh.jpg"):
        assert refusal_code(head, name) is None


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (iso_media(b"heic", b"mif1", b"heic"), Kind.HEIC),
        (iso_media(b"mif1", b"mif1", b"heic"), Kind.HEIC),
        (iso_media(b"mif1", b"mif1", b"avif"), Kind.AVIF),
        (iso_media(b"avis", b"msf1"), Kind.AVIF),
    ],
)
def test_iso_media_are_known_by_their_brands(head: bytes, kind: Kind) -> None:
    assert sniff(head) is kind


MEDIA = [
    (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", Kind.PDF, "LETTER.PDF"),
    (b"ID3\x04\0\0\0\0\0", Kind.MP3, "voice.mp3"),
    (b"\xff\xfb\x90\x64\0", Kind.MP3, "voice.MP3"),
    (b"OggS\0\x02\0\0", Kind.OGG, "PTT-2003.opus"),
    (b"RIFF\0\0\0\0WAVEfmt ", Kind.WAV, "tape.wav"),
    (iso_media(b"M4A "), Kind.MP4, "memo.m4a"),
    (iso_media(b"isom", b"mp41"), Kind.MP4, "VID.mp4"),
    (iso_media(b"mp42", b"mif1"), Kind.MP4, "VID.mp4"),
    (iso_media(b"qt  "), Kind.MP4, "IMG_0001.MOV"),
    (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm", Kind.WEBM, "recorded.webm"),
    (b"fLaC\0\0\0\x22", Kind.FLAC, "tape.flac"),
    (b"#!AMR\n\x3c\x91", Kind.AMR, "voice.amr"),
    (b"RIFF\0\0\0\0AVI LIST", Kind.AVI, "film.avi"),
]


@pytest.mark.parametrize(("head", "kind", "name"), MEDIA)
def test_pdf_sound_and_video_are_known_by_their_bytes(head: bytes, kind: Kind, name: str) -> None:
    assert sniff(head) is kind
    assert refusal_code(head, name) is refusal_code(head, "") is refusal_code(head, "IMG.2003") is None
    for other in ("photo.jpg", "letter.txt", "From joel@lacuna.com"):
        assert refusal_code(head, other) is None, other
    for wrong in ("page.html", "tool.exe", "film.wmv"):
        assert refusal_code(head, wrong) is Code.CONTRADICTION, wrong


def test_one_accepted_kind_may_have_the_name_of_another() -> None:
    assert refusal_code(iso_media(b"isom"), "voice.m4a") is None
    assert refusal_code(iso_media(b"isom"), "letter.pdf") is None
    assert refusal_code(encoded("JPEG"), "voice.mp3") is None


def test_a_letter_that_begins_like_a_recording_is_a_letter() -> None:
    assert sniff(b"ID3 is what she called the third of our ideas.") is Kind.LETTER


def test_every_sample_photo_is_known(sample_photos: Path) -> None:
    photos = list(sample_photos.iterdir())
    assert photos
    for path in photos:
        head = path.read_bytes()[:HEAD_BYTES]
        expected = {".jpg": Kind.JPEG, ".heic": Kind.HEIC, ".tiff": Kind.TIFF}[path.suffix.lower()]
        assert sniff(head) is expected
        assert refusal_code(head, path.name) is None


@pytest.mark.parametrize("photo", OTHERS, ids=lambda photo: photo.name)
def test_jpeg_photos_that_are_no_samples_are_known(photo: Photo) -> None:
    head = photo.encode()[:HEAD_BYTES]
    assert sniff(head) is Kind.JPEG
    assert refusal_code(head, photo.name) is None


@pytest.mark.parametrize(
    "letter",
    [
        b"Dear Joel,\r\n\tI could not stay.",
        "Em nhớ anh.".encode(),
        codecs.BOM_UTF8 + "Chère Clementine".encode(),
        "Cher Joel".encode("utf-16"),
        codecs.BOM_UTF16_BE + "Cher Joel".encode("utf-16-be"),
        b"MZ is how this letter starts, and BZh, and ID3: all words here.",
        b"I love you <3 and 2 < 3 > 1",
        b"From: Joel\nTo: Clementine\n\nI received: nothing.",
        ("é" * 4000).encode()[:4095],
    ],
)
def test_plain_text_is_a_letter(letter: bytes) -> None:
    assert sniff(letter) is Kind.LETTER
    for name in ("", "LETTER.TXT", "letter.md", "goodbye"):
        assert refusal_code(letter, name) is None


FOREIGN = [
    (b"", Code.EMPTY),
    (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", Code.SVG),
    (b"<?xml version='1.0'?>\n<!-- x --><svg width='1'/>", Code.SVG),
    ("<svg onload=x>".encode("utf-16"), Code.SVG),
    (b"<!DOCTYPE html><p>hi", Code.HTML),
    (b"\n\n  <HTML><body>", Code.HTML),
    (b"Dear Joel <script>alert(1)</script>", Code.HTML),
    (b"<?xml version='1.0'?><note/>", Code.XML),
    (b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>", Code.XML),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n", Code.POSTSCRIPT),
    (b"\xc5\xd0\xd3\xc6" + b"\0" * 40, Code.POSTSCRIPT),
    (b"push graphic-context\nimage over 0,0 1,1 'x'", Code.POSTSCRIPT),
    (b"Dear Joel %PDF-1.7", Code.PDF),
    (b"junk\0\xff" * 30 + b"%PDF-1.4", Code.PDF),
    (zipped("a.txt"), Code.ARCHIVE),
    (zipped("word/document.xml"), Code.DOCUMENT),
    (b"Rar!\x1a\x07\x01\x00", Code.ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c\0\x04", Code.ARCHIVE),
    (b"\x1f\x8b\x08\0\0\0", Code.ARCHIVE),
    (b"letter.txt".ljust(257, b"\0") + b"ustar\x0000", Code.ARCHIVE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 40, Code.DOCUMENT),
    (b"{\\rtf1\\ansi Dear Joel}", Code.DOCUMENT),
    (b"MZ\x90\0\x03\0\0\0", Code.PROGRAM),
    (b"\x7fELF\x02\x01\x01\0", Code.PROGRAM),
    (b"\xcf\xfa\xed\xfe\x07\0\0\x01", Code.PROGRAM),
    (b"#!/bin/sh\nrm -r x", Code.PROGRAM),
    (b"hello <?php echo 1 ?>", Code.PROGRAM),
    (iso_media(b"crx "), Code.RAW),
    (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81", Code.VIDEO),
    (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska", Code.VIDEO),
    (b"\xff\xf1\x50\x80", Code.AUDIO),
    (b"From: Joel <joel@lacuna.com>\r\nMIME-Version: 1.0\r\n\r\nDear Clementine", Code.MAIL),
    (b"Return-Path: <joel@lacuna.com>\nReceived: from here\n  by there\n\nDear", Code.MAIL),
    (b"RIFF\0\0\0\0RMIDdata", Code.AUDIO),
    (b"II*\0\x10\0\0\0CR\x02\0", Code.RAW),
    (b"BM\x36\0\0\0\0\0", Code.UNKNOWN),
    (b"\x93\xfe\x81 Windows text \xe9\xe8", Code.UNKNOWN),
]


@pytest.mark.parametrize(("head", "code"), FOREIGN)
def test_every_refused_type_has_an_explanation(head: bytes, code: Code) -> None:
    for name in ("photo.jpg", "", "LETTER.TXT"):
        assert refusal_code(head, name) is code
    assert str(SENTENCES[code]).endswith(".")
    assert sniff(head) is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("photo.html", Code.CONTRADICTION),
        ("photo.jpg.exe", Code.CONTRADICTION),
        ("photo.SVG", Code.CONTRADICTION),
        ("photo.php. ", Code.CONTRADICTION),
        ("photo.pdf", None),
        ("photo.txt", None),
        ("For joel@lacuna.com", None),
        ("evil/../photo.js", Code.CONTRADICTION),
        ("photo.exe\0.jpg", Code.CONTRADICTION),
        ("html.jpg", None),
        ("photo.exe.jpg", None),
        ("photo.2003", None),
    ],
)
def test_a_picture_is_refused_only_if_its_name_contradicts_it(name: str, code: Code | None) -> None:
    assert refusal_code(encoded("JPEG"), name) is code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("letter.html", Code.HTML),
        ("letter.js", Code.PROGRAM),
        ("letter.bat", Code.PROGRAM),
        ("letter.jpg", Code.CONTRADICTION),
        ("letter.pdf", Code.CONTRADICTION),
        ("letter.mp3", Code.CONTRADICTION),
        ("letter.svg", Code.SVG),
    ],
)
def test_a_letter_with_a_contradicting_name_is_refused(name: str, code: Code) -> None:
    assert refusal_code(b"Dear Joel", name) is code


def test_a_tiff_with_the_name_of_a_raw_file_is_refused() -> None:
    assert refusal_code(encoded("TIFF"), "DSC_0001.NEF") is Code.RAW


def test_every_code_has_a_complete_sentence() -> None:
    assert set(SENTENCES) == set(Code)
    figures = {"size": "1 MB", "megapixels": 2, "frames": 3, "kilobytes": 4, "pages": 5, "minutes": 6}
    for code in Code:
        sentence = str(FileRefused(code, **figures))
        assert sentence.endswith(".")
        assert "{" not in sentence
