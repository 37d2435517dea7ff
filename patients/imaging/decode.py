"""Decode an uploaded file.

Plain text is decoded here. Every other kind of file is decoded in a subprocess, the decoder process, which
can be killed. This process has 64 KB of such a file in memory at a time and writes none of it to disk. The
decoder process has a picture or a PDF in memory as a whole, and of sound and video only the parts that it
asks for.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Protocol, cast

from .decoder_answer import (
    DecodedFile,
    DecodedLetter,
    DecodedMedia,
    DecodedPages,
    DecodedPicture,
    max_answer_bytes,
    parse_answer,
)
from .decoder_process import PART_BYTES, REQUEST, REQUEST_FIELDS
from .kinds import FILM_CONTAINERS, MEDIA, Kind
from .letter_text import clean_text, text_encoding
from .limits import DEFAULT_LIMITS, Limits
from .refusals import Code, FileRefused, too_large
from .sniff import HEAD_BYTES, accepted_kind

__all__ = [
    "DEFAULT_LIMITS",
    "DecodedFile",
    "DecodedLetter",
    "DecodedMedia",
    "DecodedPages",
    "DecodedPicture",
    "Limits",
    "Source",
    "decode",
]

CHUNK_BYTES = 64 * 1024
_ROOT = Path(__file__).resolve().parents[2]
# -P: nothing is imported from the working directory; -B: no compiled files are written.
COMMAND = (sys.executable, "-P", "-s", "-B", "-m", "patients.imaging.decoder_process")


class Source(Protocol):
    """An object to read a file's bytes from, in order; of sound and video also from elsewhere."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""


class SeekableSource(Source, Protocol):
    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to an offset and return it."""


def decode(source: Source, filename: str = "", *, limits: Limits = DEFAULT_LIMITS) -> DecodedFile:
    """Decode the file read from `source`. `filename` is only compared with the content.

    Errors: `FileRefused`, with a sentence for the user, whatever is wrong with the file. Errors of `source`
    are passed on unchanged, after the decoder process was killed.
    """
    head = _read_head(source)
    kind = accepted_kind(head, filename)
    if kind is Kind.LETTER:
        return _decode_letter(head, source, limits)
    return _decode_in_subprocess(kind, head, source, limits)


def max_bytes_of(kind: Kind, limits: Limits) -> int:
    """Return how many bytes a file of a kind may have.

    A container of films may have sound only. The decoder process then checks it as a recording.
    """
    if kind in FILM_CONTAINERS:
        return limits.max_video_bytes
    if kind is Kind.LETTER:
        return limits.max_letter_bytes
    return limits.max_recording_bytes if kind in MEDIA else limits.max_bytes


def _read_head(source: Source) -> bytes:
    head = b""
    while len(head) < HEAD_BYTES and (piece := source.read(HEAD_BYTES - len(head))):
        head += piece
    return head


def _decode_in_subprocess(
    kind: Kind, head: bytes, source: Source, limits: Limits
) -> DecodedPicture | DecodedPages | DecodedMedia:
    settings: dict[str, Any] = {"kind": kind}
    if kind in MEDIA:
        seekable = cast(SeekableSource, source)
        settings["size"] = size = seekable.seek(0, os.SEEK_END)
        if size > max_bytes_of(kind, limits):
            raise too_large(max_bytes_of(kind, limits))
        limits = limits.for_size(size)
    process = subprocess.Popen(  # noqa: S603 - a fixed command; only the file's kind is added
        [*COMMAND, json.dumps(asdict(limits) | settings)],
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
        if kind in MEDIA:
            answer = _answer_requests(process, kind, seekable, size)
        else:
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
        _send_file(process.stdin, head, source, max_bytes_of(kind, limits))
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
                raise too_large(max_bytes)
            stdin.write(piece)
            piece = source.read(CHUNK_BYTES)
        stdin.close()
    except BrokenPipeError:
        return


def _answer_requests(
    process: subprocess.Popen[bytes], kind: Kind, source: SeekableSource, size: int
) -> bytes:
    """Send the decoder process the parts that it asks for, and return its answer. Both pipes are closed.

    It has read hostile bytes, so a request that it cannot mean ends the exchange, as if it had crashed.
    """
    if process.stdin is None or process.stdout is None:
        raise ValueError("the decoder process has no pipes")
    try:
        while (start := process.stdout.read(len(REQUEST))) == REQUEST:
            fields = process.stdout.read(REQUEST_FIELDS.size)
            if len(fields) < REQUEST_FIELDS.size:
                return b""
            offset, length = REQUEST_FIELDS.unpack(fields)
            if length > PART_BYTES or offset + length > size:
                return b""
            _send_part(process.stdin, source, offset, length)
        return start + process.stdout.read(max_answer_bytes(kind) + 1 - len(start))
    except BrokenPipeError:
        return b""
    finally:
        process.stdout.close()
        _close(process.stdin)


def _send_part(stdin: IO[bytes], source: SeekableSource, offset: int, length: int) -> None:
    """Write a part of the file. Errors: BrokenPipeError; EOFError if the file has become shorter."""
    source.seek(offset)
    while length:
        piece = source.read(min(CHUNK_BYTES, length))
        if not piece:
            raise EOFError
        stdin.write(piece)
        length -= len(piece)
    stdin.flush()


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
    encoding = text_encoding(bytes(data))
    try:
        raw = data.decode(encoding or "utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefused(Code.LETTER_UNREADABLE) from None
    text = clean_text(raw)
    words = len(text.split())
    if not words:
        raise FileRefused(Code.LETTER_BLANK)
    return DecodedLetter(text, words)
