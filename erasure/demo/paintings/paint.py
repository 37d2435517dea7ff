"""Paints what the story's keepsakes show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from io import BytesIO

from PIL import Image, ImageEnhance, ImageOps

from erasure.demo import story
from erasure.demo.paintings import (
    bookshop,
    childhood,
    city,
    nights,
    portraits,
    rooms,
    sea,
    things,
    train,
    turned,
)
from erasure.demo.paintings.brush import Canvas

_QUALITY = 88
_DATE_TAKEN = 0x9003
_EXIF_DETAILS = 0x8769

SCENES: dict[str, Callable[[int], Canvas]] = {
    scene.__name__: scene
    for scene in (
        sea.beach_far,
        sea.beach_house,
        sea.beach_orange,
        sea.footprints,
        sea.frozen_river,
        sea.lake,
        city.snow_street,
        city.lit_windows,
        nights.skyline,
        city.elephants,
        city.market,
        nights.drive_in,
        nights.stars,
        nights.car_rain,
        bookshop.bookshop,
        bookshop.bookshop_dark,
        bookshop.bookshop_blue,
        rooms.couch,
        rooms.kitchen_red,
        rooms.restaurant,
        rooms.fridge_note,
        train.train_window,
        portraits.portrait_green,
        portraits.portrait_red,
        portraits.portrait_orange,
        portraits.portrait_blue,
        turned.hair_red,
        turned.hair_orange,
        train.train_red,
        things.mug,
        things.potatoes,
        things.snow_globe,
        things.necklace,
        things.cassette,
        things.tickets,
        things.dahlia,
        childhood.under_table,
        childhood.raincoat,
        childhood.bicycle,
        childhood.porch,
    )
}
"""Who paints what: from a seed to a canvas of the scene's own format."""


def paint(scene: str, *, seed: int, upright: bool = False, taken: str) -> bytes:
    """One picture, as a camera would have saved it.

    Args:
        scene: A name in `SCENES`.
        seed: Which of its pictures; the same scene and seed give the same bytes.
        upright: Whether it is higher than wide; what was painted otherwise is cropped.
        taken: The day it claims to have been taken, YYYY-MM-DD.

    Returns:
        A JPEG of 1200 x 900 or 900 x 1200 pixels with the day as its only metadata.

    Raises:
        KeyError: There is no such scene.
        ValueError: `taken` is not a day.
    """
    day = date.fromisoformat(taken)
    picture = SCENES[scene](seed).finished()
    size = (900, 1200) if upright else (1200, 900)
    if picture.size != size:
        picture = ImageOps.fit(picture, size, Image.Resampling.BICUBIC)
    return _saved(picture, day)


def paint_thing(key: str) -> bytes:
    """The picture of the story's keepsake with this key.

    A copy is its original printed again: smaller, a little cropped and darker, with the original's date.

    Raises:
        KeyError: There is no such keepsake, or it is no picture.
    """
    pictures = {
        thing.key: (thing, moment)
        for moment in story.MOMENTS
        for thing in moment.things
        if thing.scene or thing.copy_of
    }
    thing, moment = pictures[key]
    if thing.copy_of:
        moment = pictures[thing.copy_of][1]
        with Image.open(BytesIO(paint_thing(thing.copy_of))) as picture:
            return _saved(_printed_again(picture), date.fromisoformat(moment.day))
    return paint(thing.scene, seed=thing.seed, upright=thing.upright, taken=moment.day)


def _printed_again(picture: Image.Image) -> Image.Image:
    across, down = round(picture.width * 0.015), round(picture.height * 0.015)
    cropped = picture.crop((across, down, picture.width - across, picture.height - down))
    smaller = cropped.resize((900, round(900 * cropped.height / cropped.width)), Image.Resampling.LANCZOS)
    return ImageEnhance.Brightness(smaller).enhance(0.93)


def _saved(picture: Image.Image, day: date) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(_EXIF_DETAILS)[_DATE_TAKEN] = f"{day:%Y:%m:%d} 12:00:00"
    file = BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY, exif=exif)
    return file.getvalue()
