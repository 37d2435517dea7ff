"""The typefaces for a letter's page, and the choice of one for each character.

All are font files of this repository (fonts/ABOUT.txt), so a page looks the same on every machine.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from .letter_cells import is_invisible

FOLDER = Path(__file__).with_name("fonts")
FACES = (
    FOLDER / "NotoSerif-Italic.ttf",
    FOLDER / "NotoSansSymbols-Subset.ttf",
    FOLDER / "NotoSansSymbols2-Subset.ttf",
)
_NONEXISTENT = "\U0010ffff"


def face_of(cluster: str, first: str = "") -> str | None:
    """Return the path of the first typeface that has a character and all its marks; None if none has.

    cluster: one character with its marks. first: the path of a typeface to try before ours.
    """
    chars = [char for char in cluster if not is_invisible(char)]
    paths = [first] if first else []
    for path in [*paths, *map(str, FACES)]:
        if all(_has(path, char) for char in chars):
            return path
    return None


@lru_cache(maxsize=32)
def face(path: str, size: int) -> ImageFont.FreeTypeFont:
    """Return a typeface at a size in pixels."""
    return ImageFont.truetype(path, size)


@lru_cache(maxsize=len(FACES) + 1)
def _plain_face(path: str) -> tuple[ImageFont.FreeTypeFont, bytes]:
    """Return a typeface for looking up characters, and its picture of a character that it lacks."""
    plain = ImageFont.truetype(path, 24, layout_engine=ImageFont.Layout.BASIC)
    return plain, bytes(plain.getmask(_NONEXISTENT))


@lru_cache(maxsize=8192)
def _has(path: str, char: str) -> bool:
    """Return whether a typeface has a character: all characters that it lacks have the same picture."""
    plain, lacking = _plain_face(path)
    return bytes(plain.getmask(char)) != lacking
