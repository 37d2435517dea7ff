"""The pictures of the demonstration: every scene paints, by seed alone, as a photograph with its day."""

from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from itertools import combinations
from multiprocessing import get_context

import pytest
from PIL import Image, ImageChops, ImageStat

from erasure.demo.paintings.paint import SCENES, paint, paint_thing
from erasure.demo.story import MOMENTS
from patients.imaging.fingerprint import NEAR, distance, fingerprint

PICTURES = {
    thing.key: (thing, moment)
    for moment in MOMENTS
    for thing in moment.things
    if thing.scene or thing.copy_of
}
COPY = next(thing for thing, _ in PICTURES.values() if thing.copy_of)
TAKEN, DETAILS = 0x9003, 0x8769


def opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures, 0 to 255."""
    return float(sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3)


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_another_seed_is_another_painting(scene: str) -> None:
    picture = opened(paint(scene, seed=1, taken="2002-03-17"))
    other = opened(paint(scene, seed=2, taken="2002-03-17"))
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (1200, 900))
    # Blurred down to 40 x 30: other grain does not count, the painting itself must be another.
    assert difference(picture.reduce(30), other.reduce(30)) > 0.4
    # A picture, and no gray box: light and dark lie well apart.
    assert ImageStat.Stat(picture.convert("L")).stddev[0] > 12


def test_the_same_scene_and_seed_are_the_same_bytes() -> None:
    assert paint("beach_house", seed=1, taken="2003-12-06") == paint(
        "beach_house", seed=1, taken="2003-12-06"
    )


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
    # The copy of a print keeps the day of what it was printed from.
    origin = {key: PICTURES[thing.copy_of or key][1] for key, (thing, _) in PICTURES.items()}
    assert {key: dict(picture.getexif().get_ifd(DETAILS)) for key, picture in pictures.items()} == {
        key: {TAKEN: f"{moment.day.replace('-', ':')} 12:00:00"} for key, moment in origin.items()
    }
    assert {key for key, picture in pictures.items() if set(picture.getexif()) != {DETAILS}} == set()
    assert {key: picture.size for key, picture in pictures.items() if key != COPY.key} == {
        key: (900, 1200) if thing.upright else (1200, 900)
        for key, (thing, _) in PICTURES.items()
        if key != COPY.key
    }
    assert pictures[COPY.key].width == 900
    prints = {key: fingerprint(picture) for key, picture in pictures.items()}
    apart = {frozenset(pair): distance(prints[pair[0]], prints[pair[1]]) for pair in combinations(prints, 2)}
    assert apart.pop(frozenset((COPY.key, COPY.copy_of))) <= NEAR
    # The copy resembles whatever its original does; the others keep a margin.
    assert {tuple(sorted(pair)): bits for pair, bits in apart.items() if bits <= NEAR + 2} == {}
