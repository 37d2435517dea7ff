"""The demonstration's files: each is used once, is small, and looks like a real camera or scanner file."""

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from PIL import ExifTags, Image, ImageOps, ImageStat

from clinic.configuration.values import forget
from erasure.demo.bringing import Decoder
from erasure.demo.story import LETTERS, MEMORIES, PICTURES, RECORDINGS, StoryKeepsake, StoryMemory
from patients.imaging.decode import DecodedLetter, DecodedMedia, DecodedPages, DecodedPicture, decode
from patients.imaging.fingerprint import NEAR, distance, fingerprint

KEEPSAKES = {keepsake.key: keepsake for memory in MEMORIES for keepsake in memory.keepsakes}
MEMORY_OF = {keepsake.key: memory for memory in MEMORIES for keepsake in memory.keepsakes}
PICTURED = {key: keepsake for key, keepsake in KEEPSAKES.items() if keepsake.path.parent == PICTURES}
COPY = next(keepsake for keepsake in PICTURED.values() if keepsake.copy_of)
# The pictures taken with the camera held upright.
UPRIGHT = {
    "bookshop",
    "portrait-green",
    "red-day",
    "portrait-red",
    "tangerine",
    "portrait-orange",
    "before-the-party",
    "blue-ruin",
    "lights-out",
    "bookshop-last",
    "raincoat",
}
CAMERA = ("Fictional Camera Works", "Pocket 2")
SCANNER = ("Fictional Scanner Works", "Flatbed 1")
MOST_BYTES = 8_000_000  # of all files together
LETTER_PAPER = (612, 792)  # points


@contextmanager
def opened(keepsake: StoryKeepsake) -> Iterator[Image.Image]:
    with Image.open(keepsake.path) as picture:
        yield picture


def memory_of_exif_date(key: str) -> StoryMemory:
    """The memory whose day the picture's EXIF data state: for a copy, the memory of its original."""
    return MEMORY_OF[KEEPSAKES[key].copy_of or key]


def exif_of(key: str) -> tuple[Image.Exif, dict[int, Any], dict[int, Any]]:
    """The main, camera and GPS fields of a picture's EXIF data."""
    with opened(PICTURED[key]) as picture:
        fields = picture.getexif()
        return fields, fields.get_ifd(ExifTags.IFD.Exif), fields.get_ifd(ExifTags.IFD.GPSInfo)


def decoded(key: str) -> DecodedPicture | DecodedLetter | DecodedMedia | DecodedPages:
    path = KEEPSAKES[key].path
    return decode(io.BytesIO(path.read_bytes()), path.name)


def test_every_file_belongs_to_one_keepsake_and_every_keepsake_has_its_file() -> None:
    used = Counter(keepsake.path for keepsake in KEEPSAKES.values())
    existing = {path for directory in (PICTURES, LETTERS, RECORDINGS) for path in directory.iterdir()}
    assert set(used) == existing
    assert {path: times for path, times in used.items() if times > 1} == {}
    assert len(PICTURED) == 43


def test_the_files_are_small() -> None:
    sizes = {key: keepsake.path.stat().st_size for key, keepsake in KEEPSAKES.items()}
    assert sum(sizes.values()) <= MOST_BYTES
    assert {key: size for key, size in sizes.items() if size > 250_000} == {}


def test_pictures_have_the_size_that_the_session_view_shows() -> None:
    shown = {}
    for key, keepsake in PICTURED.items():
        with opened(keepsake) as picture:
            assert (picture.format, picture.mode) == ("JPEG", "RGB"), key
            shown[key] = ImageOps.exif_transpose(picture).size
    assert shown.pop(COPY.key) == (900, 674)
    assert shown == {key: (900, 1200) if key in UPRIGHT else (1200, 900) for key in shown}


def test_pictures_are_more_than_gray_boxes() -> None:
    for key, keepsake in PICTURED.items():
        with opened(keepsake) as picture:
            assert ImageStat.Stat(picture.convert("L")).stddev[0] > 12, key


@pytest.mark.parametrize("key", sorted(PICTURED))
def test_a_picture_has_the_exif_data_of_a_camera_or_a_scanner(key: str) -> None:
    fields, details, _ = exif_of(key)
    scanned = MEMORY_OF[key].childhood
    taken = datetime.strptime(details[ExifTags.Base.DateTimeOriginal], "%Y:%m:%d %H:%M:%S")
    written_at = datetime.strptime(fields[ExifTags.Base.DateTime], "%Y:%m:%d %H:%M:%S")
    assert (fields[ExifTags.Base.Make], fields[ExifTags.Base.Model]) == (SCANNER if scanned else CAMERA)
    assert taken.date() == date.fromisoformat(memory_of_exif_date(key).day)
    assert details[ExifTags.Base.DateTimeDigitized] == fields[ExifTags.Base.DateTime]
    assert written_at == taken or (scanned and written_at.date() == date(2004, 2, 13))
    with opened(PICTURED[key]) as picture:
        stated_size = (details[ExifTags.Base.ExifImageWidth], details[ExifTags.Base.ExifImageHeight])
        assert stated_size == picture.size
        # A camera held upright stores a wide picture, with its orientation in the EXIF data.
        turned = key in UPRIGHT and not scanned
        assert (picture.width > picture.height) == (key not in UPRIGHT or turned)
    assert fields[ExifTags.Base.Orientation] in ({6, 8} if turned else {1})


def test_two_pictures_have_gps_coordinates() -> None:
    placed = {key for key in PICTURED if exif_of(key)[2]}
    assert placed == {"sand", "footprints"}
    assert {MEMORY_OF[key].place for key in placed} == {"Montauk"}


@pytest.mark.parametrize(
    ("key", "taken", "gps", "size"),
    [
        ("house-on-the-beach", "2003-12-06T16:40:17", None, (1200, 900)),
        ("bookshop", "2001-12-04T17:20:31", None, (900, 1200)),
        ("portrait-orange", "2003-06-15T10:30:45", None, (900, 1200)),
        ("footprints", "2003-11-30T15:20:49", (41.03975, -71.930167), (1200, 900)),
        ("raincoat", "1976-10-01T12:00:00", None, (900, 1200)),
    ],
)
def test_the_clinic_reads_date_place_and_orientation(
    key: str, taken: str, gps: tuple[float, float] | None, size: tuple[int, int]
) -> None:
    found = decoded(key)
    assert isinstance(found, DecodedPicture)
    assert (found.taken, found.gps, found.screen_size) == (taken, gps, size)


def test_only_the_hidden_copy_looks_like_another_picture() -> None:
    """Otherwise a run would be held for two pictures that only look alike."""
    fingerprints = {}
    for key, keepsake in PICTURED.items():
        with opened(keepsake) as picture:
            fingerprints[key] = fingerprint(ImageOps.exif_transpose(picture))
    distances = {
        frozenset(pair): distance(fingerprints[pair[0]], fingerprints[pair[1]])
        for pair in combinations(fingerprints, 2)
    }
    assert distances.pop(frozenset((COPY.key, COPY.copy_of))) <= NEAR
    # All other pairs have a margin above NEAR.
    assert {tuple(sorted(pair)): bits for pair, bits in distances.items() if bits <= NEAR + 2} == {}


def test_the_typed_letter_is_a_pdf_of_two_pages() -> None:
    assert KEEPSAKES["terms"].path.stat().st_size < 8_000
    found = decoded("terms")
    assert isinstance(found, DecodedPages)
    assert (found.pages, len(found.prints)) == (2, 2)


def test_the_lines_of_the_typed_letter_fit_the_paper() -> None:
    document = pypdfium2.PdfDocument(KEEPSAKES["terms"].path.read_bytes())
    texts = []
    for page in document:
        text = page.get_textpage()
        texts.append(text.get_text_range())
        boxes = [text.get_charbox(index) for index in range(text.count_chars())]
        assert page.get_size() == LETTER_PAPER
        assert min(left for left, _, _, _ in boxes if left > 0) >= 80
        assert max(right for _, _, right, _ in boxes) < LETTER_PAPER[0] - 40
        assert min(bottom for _, bottom, _, _ in boxes if bottom > 0) > 60
    document.close()
    assert "TERMS, as between" in texts[0]
    assert "8. I get bored. You get quiet." in texts[1]


def test_the_recording_is_a_few_seconds_of_sound() -> None:
    assert KEEPSAKES["machine"].path.stat().st_size < 150_000
    found = decoded("machine")
    assert isinstance(found, DecodedMedia)
    assert (found.moving, found.media_type, 10 < found.seconds < 40) == (False, "audio/mpeg", True)
    assert found.sound != ""


@pytest.mark.parametrize("path", sorted(LETTERS.glob("*.txt")), ids=lambda path: path.stem)
def test_a_letter_is_decoded_as_its_text(path: Path) -> None:
    found = decode(io.BytesIO(path.read_bytes()), path.name)
    assert isinstance(found, DecodedLetter)
    assert found.text == path.read_text(encoding="utf-8").strip("\n")


def test_files_are_decoded_ahead_without_a_database() -> None:
    """Settings that are read while the database is made are the defaults, for two seconds."""
    forget()
    decoder = Decoder()
    (memory, *_others) = MEMORIES
    keepsake = memory.keepsakes[0]
    assert isinstance(decoder.decode(keepsake.content(), keepsake.path.name), DecodedPicture)
