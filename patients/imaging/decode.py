"""Pictures and letters from their bytes. Pictures are decoded in a child process that can be killed; the
parent holds 64 KB of a file at a time and writes none of it to disk."""

from __future__ import annotations

import codecs
import json
import re
import signal
import struct
import subprocess
import sys
import threading
import unicodedata
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol

from .child import MAGIC
from .kinds import Kind
from .refusals import Code, Refused
from .sniff import HEAD_BYTES, refusal, sniff

PIECE = 64 * 1024
_ROOT = Path(__file__).resolve().parents[2]
# Two renditions of at most 1280 and 360 px at JPEG's worst take under 4 MB; a longer answer is not one of
# ours.
_LONGEST_ANSWER = 8 * 1024 * 1024
# -P: nothing is imported from the working directory; -B: no compiled files are written.
COMMAND = (sys.executable, "-P", "-s", "-B", "-m", "patients.imaging.child")


class Source(Protocol):
    """Anything to read a file's bytes from, in order."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one file may ask for.

    Bytes: `max_bytes` of a picture, `max_letter_bytes` of a letter, `memory` of the child's address space
    (measured at 48 megapixels: WebP with transparency 0.93 GB, TIFF 0.69, 16-bit PNG 0.61, HEIC 0.49, JPEG
    0.14). Seconds: `cpu_seconds` of the child, `seconds` by the clock from start to answer (the slowest of
    the same files took 2.8). `max_pixels`: 50 MP as phones count them (8192 x 6144 is 50.3 million). Sides
    of the renditions in pixels: `screen_side`, `thumb_side`.
    """

    max_bytes: int = 200 * 1024 * 1024
    max_letter_bytes: int = 512 * 1024
    max_pixels: int = 50 * 1024 * 1024
    max_frames: int = 2000
    memory: int = 1536 * 1024 * 1024
    cpu_seconds: int = 30
    seconds: float = 60.0
    screen_side: int = 1280
    thumb_side: int = 360


DEFAULT_LIMITS = Limits()


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


def decode(source: Source, filename: str = "", *, limits: Limits = DEFAULT_LIMITS) -> Decoded | DecodedLetter:
    """What the file read from `source` holds; `filename` is only held against the bytes.

    Raises `Refused` with a sentence for the person, whatever is wrong with the file; errors of `source`
    itself come through unchanged, after the child was killed.
    """
    head = _read_head(source)
    if code := refusal(head, filename):
        raise Refused(code)
    kind = sniff(head)
    if kind is None:
        raise Refused(Code.UNKNOWN)
    if kind is Kind.LETTER:
        return _decode_letter(head, source, limits)
    return _decode_picture(kind, head, source, limits)


def _read_head(source: Source) -> bytes:
    head = b""
    while len(head) < HEAD_BYTES and (piece := source.read(HEAD_BYTES - len(head))):
        head += piece
    return head


def _decode_picture(kind: Kind, head: bytes, source: Source, limits: Limits) -> Decoded:
    settings = json.dumps(asdict(limits) | {"kind": kind})
    child = subprocess.Popen(  # noqa: S603 - the command is fixed; of the file only its kind is in it
        [*COMMAND, settings],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={"PYTHONPATH": str(_ROOT), "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2"},
        start_new_session=True,
    )
    late = threading.Event()
    timer = threading.Timer(limits.seconds, _give_up, (child, late))
    timer.daemon = True
    timer.start()
    try:
        answer = _exchange(child, head, source, limits)
        status = child.wait()
    finally:
        timer.cancel()
        child.kill()
        child.wait()
    if late.is_set() or status == -signal.SIGXCPU:
        raise Refused(Code.TOO_SLOW)
    if status != 0:
        raise Refused(Code.CRASHED)
    return _unpacked(kind, answer, limits)


def _give_up(child: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    child.kill()


def _exchange(child: subprocess.Popen[bytes], head: bytes, source: Source, limits: Limits) -> bytes:
    """Feed the child, then take its answer; whichever way this ends, both pipes are closed."""
    if child.stdin is None or child.stdout is None:
        raise ValueError("the child has no pipes")
    try:
        _feed(child.stdin, head, source, limits)
        return child.stdout.read(_LONGEST_ANSWER + 1)
    finally:
        child.stdout.close()
        _close(child.stdin)


def _feed(stdin: IO[bytes], head: bytes, source: Source, limits: Limits) -> None:
    """Pass the whole file on. A child that has stopped reading has said why, or its exit does."""
    fed = 0
    piece = head
    try:
        while piece:
            fed += len(piece)
            if fed > limits.max_bytes:
                raise Refused(Code.TOO_MANY_BYTES, megabytes=limits.max_bytes // 2**20)
            stdin.write(piece)
            piece = source.read(PIECE)
        stdin.close()
    except BrokenPipeError:
        return


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return


def _unpacked(kind: Kind, answer: bytes, limits: Limits) -> Decoded:
    """The child's answer, believed only as far as it can be checked: it has handled hostile bytes."""
    try:
        if not answer.startswith(MAGIC) or len(answer) > _LONGEST_ANSWER:
            raise ValueError
        start = len(MAGIC) + 4
        (length,) = struct.unpack(">I", answer[start - 4 : start])
        facts = json.loads(answer[start : start + length])
        if refused := facts.get("refused"):
            raise _refused(Code(refused), limits)
        return _checked(kind, facts, answer[start + length :], limits)
    except (ValueError, TypeError, KeyError, AttributeError, struct.error):
        raise Refused(Code.CRASHED) from None


def _refused(code: Code, limits: Limits) -> Refused:
    return Refused(code, megapixels=limits.max_pixels // 2**20, frames=limits.max_frames)


def _checked(kind: Kind, facts: dict[str, Any], renditions: bytes, limits: Limits) -> Decoded:
    width, height = _size(facts["size"], limits.max_pixels)
    screen = renditions[: int(facts["screen_bytes"])]
    thumb = renditions[len(screen) :]
    if [len(screen), len(thumb)] != [facts["screen_bytes"], facts["thumb_bytes"]] or not all(
        jpeg.startswith(b"\xff\xd8\xff") and jpeg.endswith(b"\xff\xd9") for jpeg in (screen, thumb)
    ):
        raise ValueError
    taken = facts["taken"] and datetime.fromisoformat(facts["taken"]).isoformat()
    place = facts["place"]
    return Decoded(
        kind=kind,
        width=width,
        height=height,
        taken=taken,
        gps=(float(place[0]), float(place[1])) if place else None,
        screen=screen,
        screen_size=_size(facts["screen_size"], limits.screen_side**2),
        thumb=thumb,
        thumb_size=_size(facts["thumb_size"], limits.thumb_side**2),
        fingerprint=int(facts["fingerprint"], 16) & (2**64 - 1),
    )


def _size(pair: list[int], most: int) -> tuple[int, int]:
    width, height = int(pair[0]), int(pair[1])
    if width < 1 or height < 1 or width * height > most:
        raise ValueError
    return width, height


def _decode_letter(head: bytes, source: Source, limits: Limits) -> DecodedLetter:
    """Plain text needs no decoder that could be attacked: it is read here."""
    data = bytearray(head)
    while piece := source.read(PIECE):
        data += piece
        if len(data) > limits.max_letter_bytes:
            break
    if len(data) > limits.max_letter_bytes:
        raise Refused(Code.LETTER_TOO_LONG, kilobytes=limits.max_letter_bytes // 1024)
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        raw = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(Code.LETTER_UNREADABLE) from None
    text = _normalized(raw)
    words = len(text.split())
    if not words:
        raise Refused(Code.LETTER_BLANK)
    return DecodedLetter(text, words)


# Marks that reverse the text around them could make a page around a letter lie.
_DIRECTION_MARKS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def _normalized(raw: str) -> str:
    """Composed characters, plain line ends; no controls, private or unassigned signs, or overrides of
    direction."""
    lines = re.sub(r"\r\n?|[\v\f\x85\u2028\u2029]", "\n", unicodedata.normalize("NFC", raw))
    kept = "".join(
        sign for sign in lines if sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cs", "Co", "Cn")
    )
    return _DIRECTION_MARKS.sub("", kept).strip("\n")
