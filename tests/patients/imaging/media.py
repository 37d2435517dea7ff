"""Factories for PDFs, recordings and videos."""

import io
import math
import struct
from array import array
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
import pikepdf
from PIL import Image, ImageDraw

A4 = (595, 842)  # points
FRAME = 960  # samples
Loudness = Callable[[float], float]


def spoken(at: float) -> float:
    """The loudness of a voice after `at` seconds: words, and pauses between them."""
    return max(0.0, math.sin(2.1 * at) * math.sin(0.83 * at + 1) + 0.35 * math.sin(5.3 * at)) * 0.9


def other_voice(at: float) -> float:
    return max(0.0, math.cos(1.3 * at + 0.4) * math.sin(2.9 * at) + 0.3 * math.cos(7.1 * at)) * 0.9


def recording(
    container: str = "mp3",
    codec: str = "libmp3lame",
    *,
    seconds: float = 8,
    rate: int = 16000,
    loudness: Loudness = spoken,
    gain: float = 1.0,
    metadata: dict[str, str] | None = None,
    **options: str,
) -> bytes:
    """A recording of a tone whose loudness at each second is given by `loudness`."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as target:
        target.metadata.update(metadata or {})
        stream = target.add_stream(codec, rate=rate, options=options)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        for frame in tone(seconds, rate, loudness, gain):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return out.getvalue()


def tone(seconds: float, rate: int, loudness: Loudness, gain: float) -> list[av.AudioFrame]:
    """A tone in frames of FRAME samples of 16 bits, whose loudness follows `loudness` frame by frame."""
    frames = []
    for start in range(0, int(seconds * rate), FRAME):
        level = min(1.0, loudness(start / rate)) * gain * 30000
        samples = array("h", [round(level * math.sin(0.17 * (start + i))) for i in range(FRAME)])
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate, frame.pts = rate, start
        frames.append(frame)
    return frames


def video(
    container: str = "mp4",
    codec: str = "libx264",
    *,
    size: tuple[int, int] = (320, 240),
    frames: int = 10,
    first: Image.Image | None = None,
    metadata: dict[str, str] | None = None,
    **options: str,
) -> bytes:
    """A video of a ball that rolls to the right on red. first: the picture of the first frame."""
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=options) as target:
        target.metadata.update(metadata or {})
        stream = target.add_stream(codec, rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            picture = Image.new("RGB", size, (150, 30, 30))
            left, top = size[0] * number // frames, size[1] // 3
            ImageDraw.Draw(picture).ellipse((left, top, left + 40, top + 40), fill="white")
            frame = av.VideoFrame.from_image(first.resize(size) if first and number == 0 else picture)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return out.getvalue()


def camera_clip(sound: str) -> bytes:
    """A clip of motion JPEG, with or without sound."""
    out = io.BytesIO()
    with av.open(out, "w", format="mov") as target:
        film = target.add_stream("mjpeg", rate=15)
        film.width, film.height, film.pix_fmt = 320, 240, "yuvj420p"
        stream = target.add_stream(sound, rate=8000, layout="mono") if sound else None
        assert stream is None or isinstance(stream, av.AudioStream)
        for number in range(15):
            shown = av.VideoFrame.from_image(Image.new("RGB", (320, 240), (150, 30, 30)))
            shown.pts, shown.time_base = number, Fraction(1, 15)
            target.mux(film.encode(shown))
        target.mux(film.encode(None))
        if stream:
            for frame in tone(1, 8000, spoken, 1):
                target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
    return out.getvalue()


def pdf(
    pages: int = 2,
    *,
    size: tuple[float, float] = A4,
    words: str = "Dear Joel",
    change: Callable[[pikepdf.Pdf], None] | None = None,
    **save: Any,
) -> bytes:
    """A PDF letter. change: a function that may change the document before it is saved."""
    document = pikepdf.new()
    font = pikepdf.Dictionary(
        Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
    )
    shared = document.make_indirect(font)
    for number in range(pages):
        lines = [
            f"0 -{24 + (number * 7 + line * 5) % 13} Td ({words} {number} {'la ' * (line % 5 + 2)}) Tj"
            for line in range(16)
        ]
        body = f"BT /F1 18 Tf 60 {size[1] - 60} Td {' '.join(lines)} ET".encode()
        page = pikepdf.Dictionary(
            Type=pikepdf.Name.Page,
            MediaBox=pikepdf.Array([0, 0, size[0], size[1]]),
            Resources=pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=shared)),
            Contents=document.make_stream(body),
        )
        document.pages.append(pikepdf.Page(document.make_indirect(page)))
    if change:
        change(document)
    out = io.BytesIO()
    document.save(out, **save)
    return out.getvalue()


def padded_film(size: int) -> Iterator[bytes]:
    """Yield the pieces of a video of `size` bytes: most of it is a box that players skip.

    The video is never in memory as a whole, so it may be as large as the films of telephones.
    """
    film = video("mp4")
    padding = size - len(film)
    yield film + struct.pack(">I4sQ", 1, b"free", padding)  # a box with a length of 64 bits
    left = padding - 16
    while left:
        piece = bytes(min(left, 1024 * 1024))
        left -= len(piece)
        yield piece
