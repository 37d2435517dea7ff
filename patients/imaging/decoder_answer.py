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
from .limits import Limits
from .page_bundle import unbind
from .refusals import Code, FileRefused

_MEDIA_TYPE = re.compile(r"(audio/(mpeg|ogg|wav|mp4|webm)|video/(mp4|webm))")
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_HEX_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture. Sizes are (width, height) in pixels of the upright picture.

    `taken` is the time by the camera's clock, as ISO text without time zone; only a day if the time is not
    sure. `gps` is latitude and longitude
    in degrees. `screen` and `thumb` are JPEG in sRGB without any metadata. `fingerprint` is for
    `patients.imaging.fingerprint.distance`.
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


@dataclass(frozen=True, slots=True)
class DecodedLetter:
    """A decoded text letter: its text and the number of its words.

    The text is composed Unicode, its lines end with a line feed, and tab is its only control character.
    """

    text: str
    words: int


@dataclass(frozen=True, slots=True)
class DecodedPages:
    """A decoded letter of pages (a PDF). `pages` is their number.

    `screen` is the bundle of all pages (patients/imaging/page_bundle.py), `thumb` shows the first one.
    `screen_size` is the size of the first page. `capacity` is the most information in all pages together,
    in bits. `prints` are the fingerprints of the pages that are not blank, in hex.
    """

    pages: int
    screen: bytes
    screen_size: tuple[int, int]
    capacity: int
    thumb: bytes
    thumb_size: tuple[int, int]
    prints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DecodedMedia:
    """A decoded recording or, if `moving`, video.

    `media_type` is for the player, `seconds` is the duration. `screen` and `thumb` show a recording's
    waveform or a video's first frame. `fingerprint` (of a first frame) and `sound` (of a recording) are 64
    bits in hex, or empty if they would be of no use, as for silence or a plain frame.
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


Found = Decoded | DecodedLetter | DecodedPages | DecodedMedia


def max_answer_bytes(kind: Kind) -> int:
    """Return how many bytes an answer may have.

    Two renditions of at most 1280 and 360 px take less than 4 MB at JPEG's worst, thirty pages less than 60.
    """
    return (64 if kind is Kind.PDF else 8) * 1024 * 1024


def parse_answer(kind: Kind, answer: bytes, limits: Limits) -> Decoded | DecodedPages | DecodedMedia:
    """Parse and check an answer of the decoder process. Errors: `FileRefused`, also for an invalid answer."""
    try:
        if not answer.startswith(MAGIC) or len(answer) > max_answer_bytes(kind):
            raise ValueError
        start = len(MAGIC) + 4
        (length,) = struct.unpack(">I", answer[start - 4 : start])
        facts = json.loads(answer[start : start + length])
        if refused := facts.get("refused"):
            raise _refused(Code(refused), limits)
        screen, thumb = _renditions(facts, answer[start + length :])
        if kind is Kind.PDF:
            return _pages(facts, screen, thumb, limits)
        if kind in MEDIA:
            return _media(facts, screen, thumb, limits)
        return _picture(kind, facts, screen, thumb, limits)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, struct.error):
        raise FileRefused(Code.CRASHED) from None


def _refused(code: Code, limits: Limits) -> FileRefused:
    return FileRefused(
        code,
        megapixels=limits.max_pixels // 2**20,
        megabytes=limits.max_bytes // 2**20,
        frames=limits.max_frames,
        pages=limits.max_pages,
        minutes=limits.max_seconds // 60,
    )


def _renditions(facts: dict[str, Any], data: bytes) -> tuple[bytes, bytes]:
    screen = data[: int(facts["screen_bytes"])]
    thumb = data[len(screen) :]
    if [len(screen), len(thumb)] != [facts["screen_bytes"], facts["thumb_bytes"]]:
        raise ValueError
    _check_jpeg(thumb)
    return screen, thumb


def _check_jpeg(data: bytes) -> None:
    if not data.startswith(b"\xff\xd8\xff") or not data.endswith(b"\xff\xd9"):
        raise ValueError


def _picture(kind: Kind, facts: dict[str, Any], screen: bytes, thumb: bytes, limits: Limits) -> Decoded:
    _check_jpeg(screen)
    width, height = _size(facts["size"], limits.max_pixels)
    return Decoded(
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
    )


def _media(facts: dict[str, Any], screen: bytes, thumb: bytes, limits: Limits) -> DecodedMedia:
    _check_jpeg(screen)
    media_type, seconds = str(facts["media_type"]), float(facts["seconds"])
    moving = media_type.startswith("video/")
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
    )


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
