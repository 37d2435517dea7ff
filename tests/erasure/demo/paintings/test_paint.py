"""The pictures of the demonstration: every scene paints, by seed alone, as a photograph with its date."""

from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from itertools import combinations
from multiprocessing import get_context

import pytest
from PIL import Image, ImageChops, ImageStat

from erasure.demo.paintings.paint import SCENES, paint, paint_thing
from erasure.demo.story import MOMENTS
from patients.imaging.fingerprint import NEAR, distance, fingerprint

PICTURES = {thing.key: (thing, moment) for moment in MOMENTS for thing in moment.things if not thing.words}
TAKEN, DETAILS = 0x9003, 0x8769


def opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture


def day_in(picture: Image.Image) -> str:
    return str(picture.getexif().get_ifd(DETAILS)[TAKEN])


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures, 0 to 255."""
    return float(sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3)


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_a_scene_is_painted_by_its_seed_alone(scene: str) -> None:
    data = paint(scene, seed=1, taken="2002-03-17")
    assert paint(scene, seed=1, taken="2002-03-17") == data
    other = paint(scene, seed=2, taken="2002-03-17")
    picture = opened(data)
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (1200, 900))
    assert day_in(picture) == "2002:03:17 12:00:00"
    # Blurred down to 40 x 30: other grain does not count, the painting itself must be another.
    assert difference(picture.reduce(30), opened(other).reduce(30)) > 0.4
    # A picture, and no gray box: light and dark lie well apart.
    assert ImageStat.Stat(picture.convert("L")).stddev[0] > 12


def test_every_scene_hangs_somewhere_in_the_story() -> None:
    assert {thing.scene for thing, _moment in PICTURES.values()} - {""} == set(SCENES)


def test_an_upright_picture_is_higher_than_wide() -> None:
    assert opened(paint("lake", seed=1, upright=True, taken="2002-08-18")).size == (900, 1200)


def test_what_is_no_scene_no_keepsake_or_no_day_is_refused() -> None:
    with pytest.raises(KeyError):
        paint("a-scene-nobody-paints", seed=1, taken="2002-08-18")
    with pytest.raises(KeyError):
        paint_thing("sister")
    with pytest.raises(ValueError, match="isoformat"):
        paint("lake", seed=1, taken="in August")


def test_the_storys_pictures_are_dated_and_only_the_hidden_copy_looks_like_another() -> None:
    """Two targets that resemble a childhood picture would hold the run for no reason."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as painters:
        pictures = dict(zip(PICTURES, map(opened, painters.map(paint_thing, PICTURES)), strict=True))
    of_copy = {key: PICTURES[thing.copy_of or key][1] for key, (thing, _moment) in PICTURES.items()}
    assert {key: day_in(picture) for key, picture in pictures.items()} == {
        key: f"{moment.day.replace('-', ':')} 12:00:00" for key, moment in of_copy.items()
    }
    prints = {key: fingerprint(picture) for key, picture in pictures.items()}
    alike = {(one, two) for one, two in combinations(prints, 2) if distance(prints[one], prints[two]) <= NEAR}
    assert alike == {("house-on-the-beach", "hidden-copy")}
    assert pictures["hidden-copy"].size != pictures["house-on-the-beach"].size
