"""A blurred picture keeps the colors of a few pixels, and no finer detail."""

import io
from itertools import pairwise

from PIL import Image

from patients.imaging.blur import PIXELS_LEFT, blurred
from patients.imaging.rendition import jpeg


def photo(size: tuple[int, int], fine: int = 0) -> Image.Image:
    """Colors that change slowly over the picture; `fine` adds a checkered pattern of single pixels."""
    picture = Image.new("RGB", size)
    for x in range(size[0]):
        for y in range(size[1]):
            sign = fine if (x + y) % 2 else -fine
            picture.putpixel(
                (x, y), (80 + x * 90 // size[0] + sign, 90 + y * 70 // size[1] + sign, 120 + sign)
            )
    return picture


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_blurred_picture_keeps_its_size_and_roughly_its_colors() -> None:
    sharp = photo((320, 213))
    soft = opened(blurred(jpeg(sharp, 90)))
    assert (soft.format, soft.size) == ("JPEG", (320, 213))
    for place in [(20, 20), (160, 100), (300, 190)]:
        pairs = zip(sharp.getpixel(place), soft.getpixel(place), strict=True)
        assert max(abs(one - other) for one, other in pairs) < 25


def test_fine_detail_does_not_change_the_blurred_picture() -> None:
    plain, detailed = (opened(blurred(jpeg(photo((320, 240), fine), 95))) for fine in (0, 60))
    few = (PIXELS_LEFT, PIXELS_LEFT * 3 // 4)
    pairs = zip(plain.resize(few).tobytes(), detailed.resize(few).tobytes(), strict=True)
    assert max(abs(one - other) for one, other in pairs) <= 6
    across = [detailed.getpixel((x, 120))[0] for x in range(320)]
    assert max(abs(one - other) for one, other in pairwise(across)) <= 6


def test_a_narrow_strip_and_a_gray_picture_are_blurred_too() -> None:
    assert opened(blurred(jpeg(photo((300, 3)), 90))).size == (300, 3)
    assert opened(blurred(jpeg(photo((40, 40)).convert("L"), 90))).mode == "RGB"
