"""How much one file may ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one file may ask for.

    Bytes: `max_bytes` of a picture, a PDF or a recording, `max_video_bytes` of a video, `max_letter_bytes` of
    a letter, `memory` of the child's address space (measured at 48 megapixels: WebP with transparency 0.93
    GB, TIFF 0.69, 16-bit PNG 0.61, HEIC 0.49, JPEG 0.14). Seconds: `cpu_seconds` of the child, `seconds` by
    the clock from start to answer (the slowest of the same files took 2.8), `max_seconds` of sound and of
    moving pictures. `max_pixels`: 50 MP as phones count them (8192 x 6144 is 50.3 million). `max_pages` of a
    PDF, which may hold `max_objects` parts. Sides of the renditions in pixels: `screen_side`, `thumb_side`.
    """

    max_bytes: int = 200 * 1024 * 1024
    max_video_bytes: int = 256 * 1024 * 1024
    max_letter_bytes: int = 512 * 1024
    max_pixels: int = 50 * 1024 * 1024
    max_frames: int = 2000
    max_pages: int = 30
    max_objects: int = 100_000
    max_seconds: int = 2 * 3600
    memory: int = 1536 * 1024 * 1024
    cpu_seconds: int = 30
    seconds: float = 60.0
    screen_side: int = 1280
    thumb_side: int = 360


DEFAULT_LIMITS = Limits()
