"""The decoding child: reads one file from its standard input and writes its renditions to standard output.

`patients.imaging.decode` starts it as `python -m patients.imaging.decoder_process SETTINGS`, with a clean
environment. It never sees a path, can open no file, socket or pipe once it is ready to read the file, and
prints no error: an exception's text can hold what it choked on. A refusal is a code in the answer.

Answer: `MAGIC`, the length of a JSON object as four bytes, big-endian, the object, then the bytes of the
screen rendition and of the thumb, whose lengths stand in the object.
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
# macOS takes the limit on a process's memory and does not keep to it, or refuses it.
LIMITS_MEMORY = sys.platform != "darwin"
# Only Linux lets a process refuse to be looked into by others of the same user.
HIDES_MEMORY = sys.platform == "linux"


def confine(memory: int, cpu_seconds: int) -> None:
    """Take from this process what decoding does not need: memory beyond `memory` bytes, processor time beyond
    `cpu_seconds`, writing to files, core dumps, and being looked into by others of the same user.

    What the system cannot take is left out; patients/checks.py says so at start."""
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
        # RLIMIT_CORE is not asked where core dumps are piped to a program; who is not dumpable has none
        # anywhere.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def close_the_doors() -> None:
    """From here on nothing can be opened: standard input, output and error are all the descriptors there
    are."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


Renderer = Callable[[bytes, Kind, dict[str, Any]], tuple[dict[str, Any], bytes, bytes]]


def renderer(kind: Kind) -> Renderer:
    """What renders files of `kind`. Only its libraries are loaded, now, while files can still be opened."""
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
    """Confine this process, decode standard input, answer on standard output."""
    settings = json.loads(sys.argv[1])
    confine(settings["memory"], settings["cpu_seconds"])
    # Imported under the limits: decoders bring much code of others with them.
    from .rendition import reason

    kind = Kind(settings["kind"])
    render = renderer(kind)
    close_the_doors()
    screen = thumb = b""
    try:
        facts, screen, thumb = render(sys.stdin.buffer.read(), kind, settings)
    except Exception as error:
        facts = {"refused": reason(error)}
    text = json.dumps(facts | {"screen_bytes": len(screen), "thumb_bytes": len(thumb)}).encode()
    sys.stdout.buffer.write(b"".join((MAGIC, struct.pack(">I", len(text)), text, screen, thumb)))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # The answer is out. To take all libraries down in order takes as long as a small picture.
    os._exit(0)
