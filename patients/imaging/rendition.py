"""Functions that all renderers of the decoder process share: size, storage and refusal codes."""

from __future__ import annotations

import io
from collections.abc import Iterable

# Pillow imports these two when it first needs them. By then the decoder process cannot open files.
from PIL import (
    Image,
    ImageColor,  # noqa: F401
    ImagePalette,  # noqa: F401
)

from .limits import WORDS_LENGTH

Image.preinit()  # imports JPEG, the format of every rendition, and a few more


class UnusableFile(Exception):
    """The file is refused. The argument is a code of `patients.imaging.refusals`."""


def code_of_error(error: Exception) -> str:
    """Return the refusal code for a decoder's error, by its type and message.

    The message is not passed on: it can contain parts of the file.
    """
    message = str(error).lower()
    if isinstance(error, UnusableFile):
        return str(error)
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "too_many_pixels"
    if isinstance(error, MemoryError) or "memory" in message or "security limit" in message:
        return "too_heavy"
    if isinstance(error, EOFError) or any(
        part in message for part in ("truncated", "premature", "end of file")
    ):
        return "truncated"
    return "broken"


def stored_words(values: Iterable[object]) -> str:
    """Return the words that a file stores beside its content, such as a caption.

    At most `WORDS_LENGTH` characters are returned. `values`: text or bytes; anything else is ignored.
    """
    found: dict[str, None] = {}  # a dict, to keep the order and no words twice
    for value in values:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if isinstance(text, str) and (words := " ".join(text.replace("\0", " ").split())):
            found[words] = None
    return " / ".join(found)[:WORDS_LENGTH]


def fit_within(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return `size` scaled down so that its long side is at most `side`; no side under one pixel."""
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def jpeg(picture: Image.Image, quality: int) -> bytes:
    """Return `picture` as a JPEG without metadata."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
