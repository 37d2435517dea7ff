"""PDFs, recordings and videos for the tests, made here."""

import io
import math
from array import array
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import pikepdf
from PIL import Image, ImageDraw

A4 = (595, 842)
Loudness = Callable[[float], float]


def spoken(at: float) -> float:
    """How loud a voice is after so many seconds: words, and pauses between them."""
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
    """A recording of a tone that is as loud as `loudness` says."""
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
    frames = []
    for start in range(0, int(seconds * rate), 960):
        level = min(1.0, loudness(start / rate)) * gain * 30000
        samples = array("h", [round(level * math.sin(0.17 * (start + i))) for i in range(960)])
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
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
    """A video of a ball that rolls to the right, on red; `first` is shown before it."""
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=options) as target:
        target.metadata.update(metadata or {})
        stream = target.add_stream(codec, rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            picture = Image.new("RGB", size, (150, 30, 30))
            at = size[0] * number // frames
            ImageDraw.Draw(picture).ellipse((at, size[1] // 3, at + 40, size[1] // 3 + 40), fill="white")
            frame = av.VideoFrame.from_image(first.resize(size) if first and number == 0 else picture)
            frame.pts, frame.time_base = number, Fraction(1, 10)
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
    """A letter of so many pages; `change` may do anything to it before it is saved."""
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
