"""Parse and check the answer of the decoder process. It is not trusted: it has read hostile bytes."""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from .decoder_process import MAGIC
from .kinds import MEDIA, Kind
from .letter_text import clean_text
from .limits import COPY_BYTES, WORDS_LENGTH, Limits
from .page_bundle import unbind
from .refusals import Code, FileRefused, size_words
from .unshown import SENTENCES

_MEDIA_TYPE = re.compile(r"(audio/(mpeg|ogg|wav|mp4|webm)|video/(mp4|webm))")
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_HEX_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """A decoded picture. Sizes are (width, height) in pixels of the upright picture.

    `taken` is the time by the camera's clock, as ISO text without time zone. `gps` is latitude and longitude
    in degrees. `screen` and `thumb` are JPEG in sRGB without any metadata. `fingerprint` is for
    `patients.imaging.fingerprint.distance`. `words` is the caption or comment in the file, to be shown as
    text. `unshown` are codes of what the file contains and its page does not show
    (patients/imaging/unshown.py).
    """

    kind: Kind
    width: int
    height: int
    taken: str | None
    gps: tuple[float, float] | None
    screen: bytes
    screen_size: tuple[int, int]
    thumb: bytes
    thumb_size: tuple[int, int]
    fingerprint: int
    words: str = ""
    unshown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DecodedLetter:
    """A decoded text letter: its text and the number of its words.

    The text is composed Unicode, its lines end with a line feed, and tab is its only control character.
    """

    text: str
    words: int


@dataclass(frozen=True, slots=True)
class DecodedPages:
    """A decoded letter that has pages: a PDF, or a scan of several pages. `pages` is their number.

    `screen` is the bundle of all pages (patients/imaging/page_bundle.py), `thumb` shows the first one.
    `screen_size` is the size of the first page. `capacity` is the most information that all pages together
    can contain, in bits. `prints` are the fingerprints of the pages that are not blank, in hex. `unshown`: as
    of `DecodedPicture`.
    """

    pages: int
    screen: bytes
    screen_size: tuple[int, int]
    capacity: int
    thumb: bytes
    thumb_size: tuple[int, int]
    prints: tuple[str, ...]
    unshown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DecodedMedia:
    """A decoded recording or, if `moving`, video.

    `media_type` is that of `copy`, or of the file if there is no copy. `seconds` is the duration. `taken` is
    a local time, as ISO text, or only a day. `screen` and `thumb` show a recording's waveform or a video's
    first frame. `fingerprint` (of a first frame) and `sound` (the fingerprint of a recording) are 64 bits in
    hex, or empty if they would be of no use, as for silence or a plain frame. `copy` is an MP4 for browsers;
    empty if they can play the file itself. `gps`, `words`, `unshown`: as of `DecodedPicture`.
    """

    moving: bool
    media_type: str
    seconds: float
    taken: str | None
    gps: tuple[float, float] | None
    screen: bytes
    screen_size: tuple[int, int]
    thumb: bytes
    thumb_size: tuple[int, int]
    fingerprint: str
    sound: str
    copy: bytes = b""
    words: str = ""
    unshown: tuple[str, ...] = ()


DecodedFile = DecodedPicture | DecodedLetter | DecodedPages | DecodedMedia


def max_answer_bytes(kind: Kind) -> int:
    """Return how many bytes an answer may have.

    Two renditions of at most 1280 and 360 px take less than 4 MB at JPEG's worst, thirty pages less than 60.
    """
    if kind in MEDIA:
        return 8 * 1024 * 1024 + COPY_BYTES
    return (64 if kind in (Kind.PDF, Kind.TIFF) else 8) * 1024 * 1024


def parse_answer(kind: Kind, answer: bytes, limits: Limits) -> DecodedPicture | DecodedPages | DecodedMedia:
    """Parse and check an answer of the decoder process. Errors: `FileRefused`, also for an invalid answer."""
    try:
        if not answer.startswith(MAGIC) or len(answer) > max_answer_bytes(kind):
            raise ValueError
        start = len(MAGIC) + 4
        (length,) = struct.unpack(">I", answer[start - 4 : start])
        facts = json.loads(answer[start : start + length])
        if refused := facts.get("refused"):
            raise _refused(Code(refused), limits)
        screen, thumb, copy = _renditions(facts, answer[start + length :])
        if kind is Kind.PDF or (kind is Kind.TIFF and "pages" in facts):
            return _pages(facts, screen, thumb, limits)
        if kind in MEDIA:
            return _media(facts, screen, thumb, copy, limits)
        if copy:
            raise ValueError
        return _picture(kind, facts, screen, thumb, limits)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, struct.error):
        raise FileRefused(Code.CRASHED) from None


def _refused(code: Code, limits: Limits) -> FileRefused:
    return FileRefused(
        code,
        megapixels=limits.max_pixels // 2**20,
        size=size_words(limits.max_recording_bytes),
        frames=limits.max_frames,
        pages=limits.max_pages,
        minutes=limits.max_seconds // 60,
    )


def _renditions(facts: dict[str, Any], data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return screen rendition, thumb and copy for browsers. Errors: ValueError if their lengths are wrong."""
    lengths = [facts["screen_bytes"], facts["thumb_bytes"], facts.get("copy_bytes", 0)]
    if min(lengths) < 0 or sum(lengths) != len(data):
        raise ValueError
    screen, rest = data[: lengths[0]], data[lengths[0] :]
    thumb, copy = rest[: lengths[1]], rest[lengths[1] :]
    _check_jpeg(thumb)
    if copy and copy[4:8] != b"ftyp":
        raise ValueError
    return screen, thumb, copy


def _check_jpeg(data: bytes) -> None:
    if not data.startswith(b"\xff\xd8\xff") or not data.endswith(b"\xff\xd9"):
        raise ValueError


def _picture(
    kind: Kind, facts: dict[str, Any], screen: bytes, thumb: bytes, limits: Limits
) -> DecodedPicture:
    _check_jpeg(screen)
    width, height = _size(facts["size"], limits.max_pixels)
    return DecodedPicture(
        kind=kind,
        width=width,
        height=height,
        taken=_timestamp(facts["taken"]),
        gps=_coordinates(facts["place"]),
        screen=screen,
        screen_size=_size(facts["screen_size"], limits.screen_side**2),
        thumb=thumb,
        thumb_size=_size(facts["thumb_size"], limits.thumb_side**2),
        fingerprint=int(facts["fingerprint"], 16) & (2**64 - 1),
        words=_words(facts),
        unshown=_unshown(facts),
    )


def _pages(facts: dict[str, Any], screen: bytes, thumb: bytes, limits: Limits) -> DecodedPages:
    pages = unbind(screen)
    if len(pages) > limits.max_pages or len(pages) != int(facts["pages"]):
        raise ValueError
    sizes = [_size(list(page.origin), limits.screen_side**2) for page in pages]
    for page in pages:
        _check_jpeg(page.data)
    return DecodedPages(
        pages=len(pages),
        screen=screen,
        screen_size=sizes[0],
        capacity=sum(width * height * 24 for width, height in sizes),
        thumb=thumb,
        thumb_size=_size(facts["thumb_size"], limits.thumb_side**2),
        prints=tuple(map(_hex_fingerprint, facts["prints"]))[: len(pages)],
        unshown=_unshown(facts),
    )


def _media(facts: dict[str, Any], screen: bytes, thumb: bytes, copy: bytes, limits: Limits) -> DecodedMedia:
    _check_jpeg(screen)
    media_type, seconds = str(facts["media_type"]), float(facts["seconds"])
    moving = media_type.startswith("video/")
    if copy and media_type not in {"audio/mp4", "video/mp4"}:
        raise ValueError
    if not _MEDIA_TYPE.fullmatch(media_type) or not 0 <= seconds <= limits.max_seconds + 1:
        raise ValueError
    return DecodedMedia(
        moving=moving,
        media_type=media_type,
        seconds=seconds,
        taken=_timestamp(facts["taken"]),
        gps=_coordinates(facts["place"]),
        screen=screen,
        screen_size=_size(facts["screen_size"], limits.screen_side**2),
        thumb=thumb,
        thumb_size=_size(facts["thumb_size"], limits.thumb_side**2),
        fingerprint=_hex_fingerprint(facts["fingerprint"]) if facts["fingerprint"] else "",
        sound=_hex_fingerprint(facts["sound"]) if facts["sound"] else "",
        copy=copy,
        words=_words(facts),
        unshown=_unshown(facts),
    )


def _unshown(facts: dict[str, Any]) -> tuple[str, ...]:
    """Return the codes of what the file holds and its page does not show (patients/imaging/unshown.py)."""
    codes = [str(code) for code in facts.get("unshown", [])]
    if not set(codes) <= set(SENTENCES):
        raise ValueError
    return tuple(codes)


def _words(facts: dict[str, Any]) -> str:
    """Return the words stored in the file on one line, without characters that cannot be shown."""
    return " ".join(clean_text(str(facts.get("words", ""))).split())[:WORDS_LENGTH]


def _hex_fingerprint(value: str) -> str:
    if not _HEX_FINGERPRINT.fullmatch(value):
        raise ValueError
    return value


def _timestamp(value: str | None) -> str | None:
    """Return a checked ISO time, or a checked ISO day if it is one."""
    if value and _ISO_DAY.fullmatch(value):
        return date.fromisoformat(value).isoformat()
    return datetime.fromisoformat(value).isoformat() if value else None


def _coordinates(value: list[float] | None) -> tuple[float, float] | None:
    if not value:
        return None
    latitude, longitude = float(value[0]), float(value[1])
    if not math.isfinite(latitude) or not math.isfinite(longitude):
        raise ValueError
    return latitude, longitude


def _size(pair: list[int], max_pixels: int) -> tuple[int, int]:
    width, height = int(pair[0]), int(pair[1])
    if width < 1 or height < 1 or width * height > max_pixels:
        raise ValueError
    return width, height
