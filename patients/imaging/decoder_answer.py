"""What the decoding child found, and how far its answer is believed: it has handled hostile bytes."""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .decoder_process import MAGIC
from .kinds import MEDIA, Kind
from .limits import Limits
from .page_bundle import unbind
from .refusals import Code, Refused

_MEDIA_TYPE = re.compile(r"(audio/(mpeg|ogg|wav|mp4|webm)|video/(mp4|webm))")
_PRINT = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture that could be opened. Sizes are (width, height) in pixels, upright.

    `taken` is the camera's clock as naive ISO text, `gps` latitude and longitude in degrees. `screen` and
    `thumb` are JPEG in sRGB without any metadata; `fingerprint` is for
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
    """A letter: its text (composed Unicode, lines ended by a line feed, no control characters but tab) and
    the number of its words."""

    text: str
    words: int


@dataclass(frozen=True, slots=True)
class DecodedPages:
    """A letter as pages. `screen` holds all of them (patients/imaging/page_bundle.py), `thumb` the first.

    `screen_size` is the first page's, `capacity` what all hold at most, in bits; `prints` are fingerprints of
    the pages that are not blank, in hex.
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
    """A recording or, where `moving`, a video: its picture (waveform or first frame), and what plays it.

    `seconds`: its length. `fingerprint` (of a first frame) and `sound` (of a recording) are 64 bits in hex,
    or empty where they would say nothing.
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


def longest_answer(kind: Kind) -> int:
    """No answer of the child has more bytes.

    Two renditions of at most 1280 and 360 px at JPEG's worst take under 4 MB, thirty pages under 60.
    """
    return (64 if kind is Kind.PDF else 8) * 1024 * 1024


def unpacked(kind: Kind, answer: bytes, limits: Limits) -> Decoded | DecodedPages | DecodedMedia:
    """The child's answer, as far as it can be checked. Raises `Refused`."""
    try:
        if not answer.startswith(MAGIC) or len(answer) > longest_answer(kind):
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
        raise Refused(Code.CRASHED) from None


def _refused(code: Code, limits: Limits) -> Refused:
    return Refused(
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
        taken=_moment(facts["taken"]),
        gps=_place(facts["place"]),
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
        prints=tuple(map(_print, facts["prints"]))[: len(pages)],
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
        taken=_moment(facts["taken"]),
        gps=_place(facts["place"]),
        screen=screen,
        screen_size=_size(facts["screen_size"], limits.screen_side**2),
        thumb=thumb,
        thumb_size=_size(facts["thumb_size"], limits.thumb_side**2),
        fingerprint=_print(facts["fingerprint"]) if facts["fingerprint"] else "",
        sound=_print(facts["sound"]) if facts["sound"] else "",
    )


def _print(said: str) -> str:
    if not _PRINT.fullmatch(said):
        raise ValueError
    return said


def _moment(said: str | None) -> str | None:
    return datetime.fromisoformat(said).isoformat() if said else None


def _place(said: list[float] | None) -> tuple[float, float] | None:
    if not said:
        return None
    latitude, longitude = float(said[0]), float(said[1])
    if not math.isfinite(latitude) or not math.isfinite(longitude):
        raise ValueError
    return latitude, longitude


def _size(pair: list[int], most: int) -> tuple[int, int]:
    width, height = int(pair[0]), int(pair[1])
    if width < 1 or height < 1 or width * height > most:
        raise ValueError
    return width, height
