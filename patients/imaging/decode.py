"""Keepsakes from their bytes. All but plain text is decoded in a child process that can be killed; the parent
holds 64 KB of a file at a time and writes none of it to disk."""

from __future__ import annotations

import codecs
import json
import re
import signal
import subprocess
import sys
import threading
import unicodedata
from dataclasses import asdict
from pathlib import Path
from typing import IO, Protocol

from .decoder_answer import (
    Decoded,
    DecodedLetter,
    DecodedMedia,
    DecodedPages,
    Found,
    longest_answer,
    unpacked,
)
from .kinds import Kind
from .limits import DEFAULT_LIMITS, Limits
from .refusals import Code, Refused
from .sniff import HEAD_BYTES, refusal, sniff

__all__ = [
    "DEFAULT_LIMITS",
    "Decoded",
    "DecodedLetter",
    "DecodedMedia",
    "DecodedPages",
    "Found",
    "Limits",
    "Source",
    "decode",
]

PIECE = 64 * 1024
_ROOT = Path(__file__).resolve().parents[2]
# -P: nothing is imported from the working directory; -B: no compiled files are written.
COMMAND = (sys.executable, "-P", "-s", "-B", "-m", "patients.imaging.decoder_process")


class Source(Protocol):
    """Anything to read a file's bytes from, in order."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


def decode(source: Source, filename: str = "", *, limits: Limits = DEFAULT_LIMITS) -> Found:
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
    return _decode_in_child(kind, head, source, limits)


def _read_head(source: Source) -> bytes:
    head = b""
    while len(head) < HEAD_BYTES and (piece := source.read(HEAD_BYTES - len(head))):
        head += piece
    return head


def _decode_in_child(
    kind: Kind, head: bytes, source: Source, limits: Limits
) -> Decoded | DecodedPages | DecodedMedia:
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
        answer = _exchange(child, kind, head, source, limits)
        status = child.wait()
    finally:
        timer.cancel()
        child.kill()
        child.wait()
    if late.is_set() or status == -signal.SIGXCPU:
        raise Refused(Code.TOO_SLOW)
    if status != 0:
        raise Refused(Code.CRASHED)
    return unpacked(kind, answer, limits)


def _give_up(child: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    child.kill()


def _exchange(
    child: subprocess.Popen[bytes], kind: Kind, head: bytes, source: Source, limits: Limits
) -> bytes:
    """Feed the child, then take its answer; whichever way this ends, both pipes are closed."""
    if child.stdin is None or child.stdout is None:
        raise ValueError("the child has no pipes")
    try:
        # A container of moving pictures may hold sound alone; then the child holds it against `max_bytes`.
        moving = kind in (Kind.MP4, Kind.WEBM)
        _feed(child.stdin, head, source, limits.max_video_bytes if moving else limits.max_bytes)
        return child.stdout.read(longest_answer(kind) + 1)
    finally:
        child.stdout.close()
        _close(child.stdin)


def _feed(stdin: IO[bytes], head: bytes, source: Source, most: int) -> None:
    """Pass the whole file on. A child that has stopped reading has said why, or its exit does."""
    fed = 0
    piece = head
    try:
        while piece:
            fed += len(piece)
            if fed > most:
                raise Refused(Code.TOO_MANY_BYTES, megabytes=most // 2**20)
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
