"""What every decoder of the child shares: how large a rendition is, how it is stored, why there is none."""

from __future__ import annotations

import io

# Pillow imports these two when it first needs them; in the child no file can be opened by then.
from PIL import (
    Image,
    ImageColor,  # noqa: F401
    ImagePalette,  # noqa: F401
)

Image.preinit()  # JPEG, which every rendition is written as, and a few more


class Unfit(Exception):
    """A file that is not taken; its argument is one of the codes of `patients.imaging.refusals`."""


def reason(error: Exception) -> str:
    """The code for what a decoder raised, from its type and words; the words themselves go nowhere."""
    words = str(error).lower()
    if isinstance(error, Unfit):
        return str(error)
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "too_many_pixels"
    if isinstance(error, MemoryError) or "memory" in words or "security limit" in words:
        return "too_heavy"
    if isinstance(error, EOFError) or any(
        said in words for said in ("truncated", "premature", "end of file")
    ):
        return "truncated"
    return "broken"


def within(size: tuple[int, int], side: int) -> tuple[int, int]:
    """`size` in proportion with its long side at most `side`, and no side under one pixel."""
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def jpeg(picture: Image.Image, quality: int) -> bytes:
    """`picture` as a JPEG without metadata."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
