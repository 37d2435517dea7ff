"""Blurs a picture so far that nobody is recognized in it."""

import io

from PIL import Image

from patients.imaging.rendition import jpeg

# Pixels of the long side that are left of the picture. At sixteen, people who know a face recognize it.
PIXELS_LEFT = 8


def blurred(data: bytes) -> bytes:
    """Return the JPEG `data` blurred, as a JPEG of the same size.

    The long side is reduced to `PIXELS_LEFT` pixels and enlarged again, so all finer detail is lost. With a
    filter in the browser, the sharp picture would be sent too.
    """
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
        size = picture.size
        scale = PIXELS_LEFT / max(size)
        few = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
        picture.draft("RGB", few)
        small = picture.convert("RGB").resize(few, Image.Resampling.BOX)
    return jpeg(small.resize(size, Image.Resampling.BICUBIC), 70)
