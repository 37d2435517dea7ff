"""Decode an uploaded file.

Every kind of file but plain text is decoded in a subprocess, the decoder process, which can be killed. This
process has 64 KB of such a file in memory at a time and writes none of it to disk.
"""

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
    max_answer_bytes,
    parse_answer,
)
from .kinds import Kind
from .limits import DEFAULT_LIMITS, Limits
from .refusals import Code, FileRefused
from .sniff import HEAD_BYTES, refusal_code, sniff

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

CHUNK_BYTES = 64 * 1024
_ROOT = Path(__file__).resolve().parents[2]
# -P: nothing is imported from the working directory; -B: no compiled files are written.
COMMAND = (sys.executable, "-P", "-s", "-B", "-m", "patients.imaging.decoder_process")


class Source(Protocol):
    """An object to read a file's bytes from, in order."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""


def decode(source: Source, filename: str = "", *, limits: Limits = DEFAULT_LIMITS) -> Found:
    """Decode the file read from `source`. `filename` is only compared with the content.

    Errors: `FileRefused`, with a sentence for the user, whatever is wrong with the file. Errors of `source`
    are passed on unchanged, after the decoder process was killed.
    """
    head = _read_head(source)
    if code := refusal_code(head, filename):
        raise FileRefused(code)
    kind = sniff(head)
    if kind is None:
        raise FileRefused(Code.UNKNOWN)
    if kind is Kind.LETTER:
        return _decode_letter(head, source, limits)
    return _decode_in_subprocess(kind, head, source, limits)


def _read_head(source: Source) -> bytes:
    head = b""
    while len(head) < HEAD_BYTES and (piece := source.read(HEAD_BYTES - len(head))):
        head += piece
    return head


def _decode_in_subprocess(
    kind: Kind, head: bytes, source: Source, limits: Limits
) -> Decoded | DecodedPages | DecodedMedia:
    settings = json.dumps(asdict(limits) | {"kind": kind})
    process = subprocess.Popen(  # noqa: S603 - a fixed command; only the file's kind is added
        [*COMMAND, settings],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={"PYTHONPATH": str(_ROOT), "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2"},
        start_new_session=True,
    )
    timed_out = threading.Event()
    timer = threading.Timer(limits.seconds, _kill_on_timeout, (process, timed_out))
    timer.daemon = True
    timer.start()
    try:
        answer = _send_and_receive(process, kind, head, source, limits)
        status = process.wait()
    finally:
        timer.cancel()
        process.kill()
        process.wait()
    if timed_out.is_set() or status == -signal.SIGXCPU:
        raise FileRefused(Code.TOO_SLOW)
    if status != 0:
        raise FileRefused(Code.CRASHED)
    return parse_answer(kind, answer, limits)


def _kill_on_timeout(process: subprocess.Popen[bytes], timed_out: threading.Event) -> None:
    timed_out.set()
    process.kill()


def _send_and_receive(
    process: subprocess.Popen[bytes], kind: Kind, head: bytes, source: Source, limits: Limits
) -> bytes:
    """Write the file to the decoder process and return its answer. Both pipes are closed in every case."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("the decoder process has no pipes")
    try:
        # A video container may have sound only. Then the decoder process checks it against `max_bytes`.
        may_be_video = kind in (Kind.MP4, Kind.WEBM)
        _send_file(process.stdin, head, source, limits.max_video_bytes if may_be_video else limits.max_bytes)
        return process.stdout.read(max_answer_bytes(kind) + 1)
    finally:
        process.stdout.close()
        _close(process.stdin)


def _send_file(stdin: IO[bytes], head: bytes, source: Source, max_bytes: int) -> None:
    """Write the whole file. If the process stops reading, its answer or its exit status says why."""
    sent = 0
    piece = head
    try:
        while piece:
            sent += len(piece)
            if sent > max_bytes:
                raise FileRefused(Code.TOO_MANY_BYTES, megabytes=max_bytes // 2**20)
            stdin.write(piece)
            piece = source.read(CHUNK_BYTES)
        stdin.close()
    except BrokenPipeError:
        return


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return


def _decode_letter(head: bytes, source: Source, limits: Limits) -> DecodedLetter:
    """Read plain text in this process: it needs no decoder that could be attacked."""
    data = bytearray(head)
    while piece := source.read(CHUNK_BYTES):
        data += piece
        if len(data) > limits.max_letter_bytes:
            break
    if len(data) > limits.max_letter_bytes:
        raise FileRefused(Code.LETTER_TOO_LONG, kilobytes=limits.max_letter_bytes // 1024)
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        raw = data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefused(Code.LETTER_UNREADABLE) from None
    text = _clean_text(raw)
    words = len(text.split())
    if not words:
        raise FileRefused(Code.LETTER_BLANK)
    return DecodedLetter(text, words)


# Characters that reverse the text around them could make the page that shows a letter misleading.
_DIRECTION_MARKS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def _clean_text(raw: str) -> str:
    """Return text with composed characters (NFC) and line feeds as line ends.

    Control, surrogate, private and unassigned characters and overrides of direction are removed.
    """
    lines = re.sub(r"\r\n?|[\v\f\x85\u2028\u2029]", "\n", unicodedata.normalize("NFC", raw))
    kept = "".join(
        char for char in lines if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs", "Co", "Cn")
    )
    return _DIRECTION_MARKS.sub("", kept).strip("\n")
