"""The decoder process: read one file from standard input and write its renditions to standard output.

`patients.imaging.decode` starts it as `python -m patients.imaging.decoder_process SETTINGS`, with a clean
environment. It is given no path. When it begins to read the file, it cannot open files, sockets or pipes any
more. It prints no errors, because the text of an exception can contain parts of the file. A refusal is a code
in the answer.

Answer: `MAGIC`, the length of a JSON object (four bytes, big-endian), the object, then the bytes of the
screen rendition and of the thumb. Their lengths are in the object.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import struct
import sys
from collections.abc import Callable
from typing import Any

from .kinds import MEDIA, Kind

MAGIC = b"LACUNA\x01\n"
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


Renderer = Callable[[bytes, Kind, dict[str, Any]], tuple[dict[str, Any], bytes, bytes]]


def load_renderer(kind: Kind) -> Renderer:
    """Return the function that renders files of `kind`, and import its libraries.

    Call it while files can still be opened.
    """
    if kind is Kind.PDF:
        from .pdf import render_pdf

        return lambda data, _kind, settings: render_pdf(data, settings)
    if kind in MEDIA:
        from .media import render_media

        return render_media
    from .render import load_decoder, render

    load_decoder(kind)
    return render


def main() -> None:
    """Limit this process, decode standard input and write the answer to standard output."""
    settings = json.loads(sys.argv[1])
    confine(settings["memory"], settings["cpu_seconds"])
    # Imported under the limits, because decoders import much third-party code.
    from .rendition import refusal_code

    kind = Kind(settings["kind"])
    render = load_renderer(kind)
    forbid_opening_files()
    screen = thumb = b""
    try:
        facts, screen, thumb = render(sys.stdin.buffer.read(), kind, settings)
    except Exception as error:
        facts = {"refused": refusal_code(error)}
    header = json.dumps(facts | {"screen_bytes": len(screen), "thumb_bytes": len(thumb)}).encode()
    sys.stdout.buffer.write(b"".join((MAGIC, struct.pack(">I", len(header)), header, screen, thumb)))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # The answer is written. A regular exit of all libraries would take as long as decoding a small picture.
    os._exit(0)
