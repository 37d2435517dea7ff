"""A photo fades frame by frame: each is made from the one before and new noise, and holds less."""

import io
import math
import os
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageOps, ImageStat

from erasure.fade.photo import BLANK, FRAMES, PAPER, Frame, capacity_bits, fade, sizes

SAMPLES = ["iphone_hdr_YES.jpg", "portrait_6.jpg", "iphone_13_pro_max.HEIC", "DSCN0021.jpg"]


def jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=86)
    return buffer.getvalue()


def picture_of(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def screen_rendition(path: Path) -> Image.Image:
    pillow_heif.register_heif_opener()
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    picture.thumbnail((1280, 1280))
    return picture


def fade_frames(picture: Image.Image, focus: tuple[float, float] | None = None) -> Iterator[Frame]:
    data = jpeg(picture)
    for level in range(FRAMES):
        frame = fade(data, level, origin=picture.size, focus=focus)
        yield frame
        data = frame.data


def checkered(width: int = 480, height: int = 320) -> Image.Image:
    """A colored picture with fine detail everywhere, so that every loss shows."""
    picture = Image.new("RGB", (width, height), (190, 120, 60))
    pen = ImageDraw.Draw(picture)
    for y in range(0, height, 8):
        for x in range(0, width, 8):
            if (x + y) // 8 % 2:
                pen.rectangle((x, y, x + 7, y + 7), fill=(30, 60, 110))
    return picture


sides = st.one_of(st.integers(1, 40), st.integers(1, 1280), st.integers(1000, 6000))


@given(width=sides, height=sides)
def test_capacity_falls_with_every_frame_until_one_pixel_is_left(width: int, height: int) -> None:
    found = sizes((width, height))
    assert len(found) == FRAMES + 1
    assert found[0] == (width, height)
    bits = [capacity_bits(*size) for size in found]
    for before, after in pairwise(bits):
        assert after < before or before == after == 24
    for larger, smaller in pairwise(found):
        assert smaller[0] <= larger[0]
        assert smaller[1] <= larger[1]
        assert min(smaller) >= 1
    assert max(found[-1]) <= 24
    assert max(found[1]) <= max(1, 0.83 * max(found[0]) + 1)


def test_sizes_of_a_screen_rendition() -> None:
    long_sides = [max(size) for size in sizes((1280, 960))]
    assert long_sides == [1280, 919, 660, 474, 340, 244, 175, 126, 90, 65, 47, 33, 24]
    assert sizes((1280, 960))[-1] == (24, 18)
    assert sizes((3, 2))[-1] == (1, 1)
    with pytest.raises(ValueError, match="at least one pixel"):
        sizes((0, 10))


@settings(max_examples=12, deadline=None)
@given(width=st.integers(1, 90), height=st.integers(1, 90))
def test_every_size_fades_to_the_end(width: int, height: int) -> None:
    picture = Image.new("RGB", (width, height), (120, 60, 30))
    frames = list(fade_frames(picture))
    wanted = list(sizes((width, height))[1:])
    assert [(frame.width, frame.height) for frame in frames] == wanted
    assert [picture_of(frame.data).size for frame in frames] == wanted


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (10, 10), (1280, 9), (4000, 30), (2, 1280)])
def test_odd_shapes_fade_to_the_end(size: tuple[int, int]) -> None:
    frames = list(fade_frames(Image.new("RGB", size, (120, 60, 30))))
    assert [(frame.width, frame.height) for frame in frames] == list(sizes(size)[1:])


def test_a_frame_depends_on_nothing_but_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same noise, the same bytes give the same frame, whatever was faded in between."""
    source = random.Random(4)  # noqa: S311 - repeatable noise in place of the system's
    monkeypatch.setattr("erasure.fade.photo.os.urandom", source.randbytes)
    frame = jpeg(checkered())
    first = fade(frame, 0, origin=(480, 320))
    list(fade_frames(checkered(300, 200)))
    source.seed(4)
    assert fade(frame, 0, origin=(480, 320)) == first


def test_the_noise_comes_from_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = os.urandom

    def counted(count: int) -> bytes:
        asked.append(count)
        return real(count)

    monkeypatch.setattr("erasure.fade.photo.os.urandom", counted)
    random.seed(1)
    fade(jpeg(checkered()), 0, origin=(480, 320))
    # The grain alone needs one byte for each pixel.
    assert sum(asked) > math.prod(sizes((480, 320))[1])


@pytest.mark.parametrize("level", [0, 4, 8])
def test_two_fades_of_one_frame_differ_everywhere(level: int) -> None:
    origin = (1000, 700)
    data = jpeg(checkered(*origin).resize(sizes(origin)[level]))
    random.seed(7)
    one = picture_of(fade(data, level, origin=origin).data)
    random.seed(7)
    other = picture_of(fade(data, level, origin=origin).data)
    difference = ImageChops.difference(one.convert("L"), other.convert("L"))
    # Blocks of about 8 x 8 pixels. Blocks that are paper in both, as at the rim in late frames, may be equal.
    blocks = (max(1, one.width // 8), max(1, one.height // 8))
    same_paper = ImageChops.lighter(paper_map(one), paper_map(other)).resize(blocks, Image.Resampling.BOX)
    means = difference.resize(blocks, Image.Resampling.BOX).tobytes()
    pictured = [mean for mean, paper in zip(means, same_paper.tobytes(), strict=True) if paper < 128]
    assert len(pictured) > 0.15 * len(means)
    assert sum(mean > 2 for mean in pictured) > 0.97 * len(pictured)


def paper_map(picture: Image.Image) -> Image.Image:
    """255 where a picture differs from paper by less than 7 of 255 levels of gray, 0 elsewhere."""
    difference = ImageChops.difference(picture, Image.new("RGB", picture.size, PAPER)).convert("L")
    return difference.point([255] * 7 + [0] * 249)


def test_grain_is_three_to_four_percent() -> None:
    """In the middle of a plain gray picture, every deviation from gray is grain."""
    frame = picture_of(fade(jpeg(Image.new("RGB", (900, 900), (128, 128, 128))), 0, origin=(900, 900)).data)
    middle = frame.convert("L").crop((200, 200, 440, 440))
    assert 0.025 < ImageStat.Stat(middle).stddev[0] / 255 < 0.045


def ssim(one: Image.Image, other: Image.Image) -> float:
    """Mean structural similarity of two gray pictures over blocks of 8 x 8 pixels; 1 is the same."""
    width, height = one.size
    a, b = one.tobytes(), other.tobytes()
    # The constants are those of Wang and others (2004): (0.01 * 255)**2 and (0.03 * 255)**2.
    found = []
    for top in range(0, height - 7, 8):
        for left in range(0, width - 7, 8):
            at = [(top + y) * width + left + x for y in range(8) for x in range(8)]
            p, q = [a[i] for i in at], [b[i] for i in at]
            mean_p, mean_q = sum(p) / 64, sum(q) / 64
            var_p = sum(v * v for v in p) / 64 - mean_p**2
            var_q = sum(v * v for v in q) / 64 - mean_q**2
            both = sum(v * w for v, w in zip(p, q, strict=True)) / 64 - mean_p * mean_q
            light = (2 * mean_p * mean_q + 6.5) / (mean_p**2 + mean_q**2 + 6.5)
            found.append(light * (2 * both + 58.5) / (var_p + var_q + 58.5))
    return sum(found) / len(found)


def restored(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture with its contrast stretched, at a size where fine detail does not count."""
    return ImageOps.autocontrast(picture.convert("L").resize(size, Image.Resampling.BICUBIC))


@pytest.mark.parametrize("name", SAMPLES)
def test_contrast_cannot_restore_the_later_frames(sample_photos: Path, name: str) -> None:
    original = screen_rendition(sample_photos / name)
    scale = 256 / max(original.size)
    size = (round(original.width * scale), round(original.height * scale))
    seen = restored(original, size)
    left = [ssim(seen, restored(picture_of(frame.data), size)) for frame in fade_frames(original)]
    assert left[0] > 0.8  # the first third is still the picture
    assert left[2] > 0.5
    assert max(left[5:]) < 0.45
    assert max(left[7:]) < 0.32
    bleached = restored(Image.blend(original, Image.new("RGB", original.size, PAPER), 0.8), size)
    assert ssim(seen, bleached) > 0.8  # control: bleaching alone would not fool this measure


@pytest.mark.parametrize("focus", [(0.25, 0.3), (0.75, 0.7)])
def test_the_focus_spot_goes_last(focus: tuple[float, float]) -> None:
    """In six fades the focus keeps far more of the picture than the rim and than the mirrored spot."""
    kept = {"spot": 0.0, "mirror": 0.0, "rim": 0.0}
    for _ in range(6):
        frames = list(fade_frames(checkered(360, 360), focus))
        for frame in frames[5:10]:
            paper = paper_map(picture_of(frame.data)).resize((100, 100), Image.Resampling.BOX)
            x, y = round(100 * focus[0]), round(100 * focus[1])
            kept["spot"] += pictured(paper, (x - 8, y - 8, x + 8, y + 8))
            kept["mirror"] += pictured(paper, (92 - x, 92 - y, 108 - x, 108 - y))
            kept["rim"] += pictured(paper, (0, 0, 100, 6)) / 2 + pictured(paper, (0, 94, 100, 100)) / 2
    assert kept["spot"] > 27  # of 30
    assert kept["spot"] > kept["mirror"] + 5
    assert kept["spot"] > kept["rim"] + 10


def pictured(paper: Image.Image, box: tuple[int, int, int, int]) -> float:
    """The share of a box that is not paper."""
    return 1 - ImageStat.Stat(paper.crop(box)).mean[0] / 255


def test_paper_only_grows() -> None:
    shares = [
        ImageStat.Stat(paper_map(picture_of(frame.data))).mean[0] / 255 for frame in fade_frames(checkered())
    ]
    assert shares[0] < 0.05
    assert 0.05 < shares[4] < 0.3
    assert 0.5 < shares[-1] < 0.95
    assert all(after > before - 0.06 for before, after in pairwise(shares))


def test_frames_carry_no_metadata() -> None:
    picture = checkered()
    exif = Image.Exif()
    exif[0x010E] = "CANARY"
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif, comment=b"CANARY")
    frame = fade(buffer.getvalue(), 0, origin=picture.size)
    assert b"CANARY" in buffer.getvalue()
    assert b"CANARY" not in frame.data
    assert not Image.open(io.BytesIO(frame.data)).getexif()
    assert b"Exif" not in frame.data


@pytest.mark.parametrize("level", [-1, 12, 99])
def test_there_is_no_pass_beyond_the_twelve(level: int) -> None:
    with pytest.raises(ValueError, match="no such pass"):
        fade(jpeg(checkered()), level, origin=(480, 320))


def test_the_size_is_compared_before_decoding() -> None:
    data = jpeg(checkered())
    with pytest.raises(ValueError, match="not of its level's size"):
        fade(data, 1, origin=(480, 320))
    # These bytes are only the header. Decoding them would raise an OSError.
    with pytest.raises(ValueError, match="not of its level's size"):
        fade(data[:700], 0, origin=(481, 320))
    with pytest.raises(OSError, match="truncated"):
        fade(data[:700], 0, origin=(480, 320))


def test_blank_is_one_pixel_of_paper() -> None:
    assert (BLANK.width, BLANK.height) == (1, 1)
    pixel = picture_of(BLANK.data).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    assert all(abs(a - b) <= 2 for a, b in zip(pixel, PAPER, strict=True))
