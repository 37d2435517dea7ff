"""Limits for decoding one uploaded file."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for one file, and the sizes of its renditions.

    Bytes: `max_bytes` of a picture or PDF, which the decoder process has in memory as a whole,
    `max_recording_bytes`, `max_video_bytes`, `max_letter_bytes` of a text letter, `memory` of the decoder
    process's address space (measured at 48 megapixels: WebP with transparency 0.93 GB, TIFF 0.69, 16-bit PNG
    0.61, HEIC 0.49, JPEG 0.14). Seconds: `cpu_seconds` of the decoder process, `seconds` of wall-clock time
    from its start to its answer (the slowest of the same files took 2.8), both for a small file
    (`for_size`), `max_seconds` of playing time. `max_pixels` is 50 MP as phones count them (8192 x 6144 is
    50.3 million). `max_frames` of an animation. A PDF may have `max_pages` pages and `max_objects` objects.
    `screen_side` and `thumb_side` are the longest sides of the renditions in pixels.
    """

    max_bytes: int = 200 * 1024 * 1024
    max_recording_bytes: int = 2 * 1024**3
    max_video_bytes: int = 4 * 1024**3
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

    def for_size(self, size: int) -> Limits:
        """Return these limits with more time for a large file, all of which is searched for hidden ones.

        size: of the file in bytes. Measured: 4 GiB take 11 s of processor time.
        """
        return replace(
            self,
            cpu_seconds=self.cpu_seconds + size // SEARCHED_A_SECOND,
            seconds=self.seconds + size / SENT_A_SECOND,
        )


SEARCHED_A_SECOND = 100 * 1024 * 1024
SENT_A_SECOND = 20 * 1024 * 1024

DEFAULT_LIMITS = Limits()

COPY_BYTES = 64 * 1024 * 1024
"""The largest size of the copy for browsers of a film or recording (browser_copy.py)."""

WORDS_LENGTH = 1000
"""How many characters are kept of the words that a file stores beside its content, such as a caption."""
