"""The decoder process: read one file through standard input and write its renditions to standard output.

`patients.imaging.decode` starts it as `python -m patients.imaging.decoder_process SETTINGS`, with a clean
environment. It is given no path. When it begins to read the file, it cannot open files, sockets or pipes any
more. It prints no errors, because the text of an exception can contain parts of the file. A refusal is a code
in the answer.

A picture or a PDF comes on standard input as a whole. Sound and video may be larger than memory: with `size`
among the settings, this process asks for the parts that it needs. A request on standard output is
`REQUEST`, an offset (eight bytes, big-endian) and a length (four). The bytes come on standard input.

Answer: `MAGIC`, the length of a JSON object (four bytes, big-endian), the object, then the bytes of the
screen rendition, of the thumb and of the copy for browsers, if there is one. Their lengths are in the object.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import resource
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .file_view import Content, FileView
from .kinds import MEDIA, Kind

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAGIC = b"LACUNA\x01\n"
REQUEST = b"LACUNA\x02\n"
REQUEST_FIELDS = struct.Struct(">QI")  # offset and length
PART_BYTES = 256 * 1024  # requested at a time
_PR_SET_DUMPABLE = 4
# macOS accepts the limit on a process's memory but does not enforce it, or rejects it.
LIMITS_MEMORY = sys.platform != "darwin"
# Only on Linux can a process prevent other processes of the same user from reading its memory.
HIDES_MEMORY = sys.platform == "linux"


def confine(memory: int, cpu_seconds: int) -> None:
    """Limit this process to `memory` bytes of address space and `cpu_seconds` of processor time.

    Also forbid writing to files and core dumps, and prevent other processes of the same user from reading its
    memory. Limits that the system does not have are left out; patients/checks.py warns of it at start.
    """
    if LIMITS_MEMORY:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for limit, most in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(limit, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    if HIDES_MEMORY:
        # RLIMIT_CORE is ignored if the system pipes core dumps to a program. A process that is not dumpable
        # never has a core dump.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def forbid_opening_files() -> None:
    """Allow no file descriptors but standard input, output and error, so that nothing can be opened."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


class RequestedFile(io.RawIOBase):
    """A file of `size` bytes that the parent process has; it is asked for the parts that are read."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size, self._at = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence] + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read at most `PART_BYTES`. Errors: EOFError if the parent process has ended."""
        with memoryview(buffer).cast("B") as target:
            length = max(0, min(len(target), PART_BYTES, self._size - self._at))
            if not length:
                return 0
            sys.stdout.buffer.write(REQUEST + REQUEST_FIELDS.pack(self._at, length))
            sys.stdout.buffer.flush()
            data = sys.stdin.buffer.read(length)
            if len(data) < length:
                raise EOFError
            target[:length] = data
        self._at += length
        return length


def read_content(settings: dict[str, Any]) -> Content:
    """Return the file: all of standard input, or a view of a file of `settings["size"]` bytes."""
    if "size" not in settings:
        return sys.stdin.buffer.read()
    size = settings["size"]
    return FileView(io.BufferedReader(RequestedFile(size), PART_BYTES), size)


Renderer = Callable[[Any, Kind, dict[str, Any]], tuple[Any, ...]]
"""Returns facts, screen rendition and thumb; of media also the copy for browsers, which may be empty."""


def load_renderer(kind: Kind) -> Renderer:
    """Return the function that renders files of `kind`, and import its libraries.

    Call it while files can still be opened.
    """
    if kind is Kind.PDF:
        from .pdf import load_random_numbers, render_pdf

        load_random_numbers()
        return lambda data, _kind, settings: render_pdf(data, settings)
    if kind in MEDIA:
        from .media import render_media

        return render_media
    from .render import load_decoder, render

    load_decoder(kind)
    return render


def answer_of(facts: dict[str, Any], screen: bytes = b"", thumb: bytes = b"", copy: bytes = b"") -> bytes:
    """Return the answer for what a renderer has returned, in the format above."""
    lengths = {"screen_bytes": len(screen), "thumb_bytes": len(thumb), "copy_bytes": len(copy)}
    header = json.dumps(facts | lengths).encode()
    return b"".join((MAGIC, struct.pack(">I", len(header)), header, screen, thumb, copy))


def main() -> None:
    """Limit this process, decode standard input and write the answer to standard output."""
    settings = json.loads(sys.argv[1])
    confine(settings["memory"], settings["cpu_seconds"])
    # Imported under the limits, because decoders import much third-party code.
    from .rendition import code_of_error

    kind = Kind(settings["kind"])
    render = load_renderer(kind)
    forbid_opening_files()
    try:
        answer = answer_of(*render(read_content(settings), kind, settings))
    except Exception as error:
        answer = answer_of({"refused": code_of_error(error)})
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # The answer is written. A regular exit of all libraries would take as long as decoding a small picture.
    os._exit(0)
