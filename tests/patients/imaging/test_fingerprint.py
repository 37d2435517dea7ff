"""Fingerprints of copies are near each other, those of different pictures are not."""

import io
from itertools import combinations
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, ImageEnhance, ImageOps

from patients.imaging.fingerprint import NEAR, distance, fingerprint

SAME_SCENE = {"landscape_3.jpg", "landscape_8.jpg"}


def pictures(folder: Path) -> dict[str, Image.Image]:
    pillow_heif.register_heif_opener()
    found = {}
    for path in folder.iterdir():
        picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        picture.thumbnail((1280, 1280))
        found[path.name] = picture
    return found


def recompress(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=30)
    return Image.open(buffer)


def crop(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    return picture.crop((int(width * 0.03), int(height * 0.03), int(width * 0.97), int(height * 0.97)))


def test_copies_have_near_fingerprints_and_other_pictures_have_not(sample_photos: Path) -> None:
    originals = pictures(sample_photos)
    assert len(originals) > 2
    prints = {name: fingerprint(picture) for name, picture in originals.items()}
    for name, picture in originals.items():
        width, height = picture.size
        for copy in (
            recompress(picture),
            picture.resize((160, round(160 * height / width))),
            picture.resize((width * 2 // 3, height * 2 // 3)),
            ImageEnhance.Brightness(picture).enhance(1.25),
            crop(picture),
        ):
            assert distance(prints[name], fingerprint(copy)) <= NEAR, name
    for one, other in combinations(prints, 2):
        if {one, other} == SAME_SCENE:
            assert distance(prints[one], prints[other]) <= NEAR
        else:
            assert distance(prints[one], prints[other]) > NEAR + 6, (one, other)


@pytest.mark.parametrize("shade", [0, 7, 128, 255])
def test_blank_pictures_have_a_fingerprint_too(shade: int) -> None:
    assert fingerprint(Image.new("L", (50, 40), shade)) == 0


def test_distance_counts_bits() -> None:
    assert distance(0b1011, 0b0010) == 2
    assert distance(2**64 - 1, 0) == 64
