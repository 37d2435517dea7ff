"""Render a picture: upright, in sRGB, without transparency and without metadata.

This runs in the decoder process, on unchecked bytes. No file can be opened here.
"""

from __future__ import annotations

import copy  # noqa: F401 - Pillow imports it for GIF, when no file can be opened any more
import io
import math
import re
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from PIL import (
    Image,
    ImageCms,
    TiffImagePlugin,  # noqa: F401 - Pillow imports it for EXIF, when no file can be opened any more
)
from PIL.Image import Transpose

from .device_clock import AHEAD, is_possible
from .fingerprint import fingerprint
from .kinds import Kind, ends_too_early, hides_another_file
from .page_renditions import render_pages
from .rendition import UnusableFile, fit_within, jpeg, stored_words

PAPER = (0xF7, 0xF9, 0xF8)  # the background of transparent pictures
_FORMATS = {
    Kind.JPEG: ("JPEG", "MPO"),
    Kind.PNG: ("PNG",),
    Kind.WEBP: ("WEBP",),
    Kind.GIF: ("GIF",),
    Kind.HEIC: ("HEIF",),
    Kind.AVIF: ("AVIF",),
    Kind.TIFF: ("TIFF",),
}
# Modules of decoders that Pillow does not import at once.
_DECODERS = {
    Kind.JPEG: "PIL.MpoImagePlugin",
    Kind.WEBP: "PIL.WebPImagePlugin",
    Kind.AVIF: "PIL.AvifImagePlugin",
}
_TRANSPOSITIONS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
# EXIF tags by number.
_ORIENTATION, _CHANGED, _EXIF_FIELDS, _GPS_FIELDS = 0x0112, 0x0132, 0x8769, 0x8825
_TAKEN, _DIGITIZED, _FILE_SOURCE = 0x9003, 0x9004, 0xA300
# Exposure time, aperture, sensitivity, shutter speed, aperture value, flash, focal length: only cameras know
# them.
_EXPOSURE = (0x829A, 0x829D, 0x8827, 0x9201, 0x9202, 0x9209, 0x920A)
_SCANNED = (b"\1", b"\2")  # values of _FILE_SOURCE: a scanner for film, a scanner for paper
_MAKER, _MODEL, _PROGRAM = 0x010F, 0x0110, 0x0131
_SCANNER_PROGRAM = re.compile(r"scan|silverfast", re.IGNORECASE)
_SCANNER_MODEL = re.compile(
    r"scan|perfection|\blide\b|opticfilm|plustek|microtek|reflecta|officejet|deskjet|workforce|\bmfc|\bmfp"
    r"|all-in-one|multifunction",
    re.IGNORECASE,
)
_APPENDED_VIDEO = re.compile(rb"\xff\xd9.{0,4096}?\0\0\0.ftyp", re.DOTALL)  # the end of a JPEG, then a video
_CAPTION = 0x010E
_COMMENTS = ("comment", "Title", "Description", "Comment")  # of JPEG and GIF, and PNG's keywords
_DNG_VERSION, _SUBFILE_TYPE = 50706, 254
_PREVIEW, _MASK = 1, 4  # bits of the type of a TIFF's picture
_EXIF_TIME = re.compile(r"\s*(\d{4})[:/-](\d\d)[:/-](\d\d)[ T](\d\d):(\d\d):(\d\d)")

warnings.simplefilter("error", Image.DecompressionBombWarning)

_SRGB = ImageCms.createProfile("sRGB")


def load_decoder(kind: Kind) -> None:
    """Import the decoder for pictures of `kind`. Call it while files can still be opened."""
    if kind is Kind.HEIC:
        import pillow_heif

        # Each decoding thread needs address space, which counts toward the memory limit.
        pillow_heif.options.DECODE_THREADS = 2
        pillow_heif.register_heif_opener(thumbnails=False)
    elif kind in _DECODERS:
        import_module(_DECODERS[kind])


def render(data: bytes, kind: Kind, settings: dict[str, Any]) -> tuple[dict[str, Any], bytes, bytes]:
    """Return the facts about the picture `data`, its screen rendition and its thumb.

    A TIFF of several pages is a letter: then the screen rendition is the bundle of its pages.

    Keys of `settings`: `max_pixels`, `max_frames`, `max_pages`, and `screen_side` and `thumb_side` in pixels.
    Errors: `UnusableFile`, `MemoryError` or whatever the decoder raises.
    """
    if ends_too_early(kind, data):
        raise UnusableFile("truncated")
    if hides_another_file(data, kind):
        raise UnusableFile("guest")
    Image.MAX_IMAGE_PIXELS = settings["max_pixels"]
    picture = Image.open(io.BytesIO(data), formats=_FORMATS[kind])
    _check_size(picture, settings)
    if kind is Kind.TIFF:
        _refuse_raw(picture)
        numbers = _letter_pages(picture)
        if len(numbers) > settings["max_pages"]:
            raise UnusableFile("too_many_pages")
        if len(numbers) > 1:
            return render_pages(_draw_pages(picture, numbers, settings), settings["thumb_side"])
    taken, place = _time_and_location(picture)
    full_size = picture.size
    side = settings["screen_side"]
    if kind is Kind.JPEG:
        # Decode at twice the wanted size or more, so that the final reduction is of good quality.
        picture.draft(None, fit_within(full_size, 2 * side))
    picture.load()
    if picture.width * picture.height > settings["max_pixels"]:
        raise UnusableFile("too_many_pixels")
    if kind is not Kind.JPEG:
        full_size = picture.size
    # Read it after loading: the decoders of TIFF and HEIC rotate upright while loading and update this value.
    orientation = picture.getexif().get(_ORIENTATION, 1)
    upright = _rotate(_flatten_on_paper(_reduce(picture, side)), orientation)
    screen = Image.new("RGB", upright.size, PAPER)
    screen.paste(upright)
    thumb = screen.resize(fit_within(screen.size, settings["thumb_side"]), Image.Resampling.LANCZOS)
    facts = {
        "size": full_size[::-1] if orientation in (5, 6, 7, 8) else full_size,
        "taken": taken,
        "place": place,
        "words": _stored_words(picture),
        "unshown": _unshown(data, kind, picture),
        "screen_size": screen.size,
        "thumb_size": thumb.size,
        "fingerprint": f"{fingerprint(screen):016x}",
    }
    return facts, jpeg(screen, 86), jpeg(thumb, 82)


def _check_size(picture: Image.Image, settings: dict[str, Any]) -> None:
    """Refuse a picture that is too large, before any pixel is decoded."""
    if picture.width * picture.height > settings["max_pixels"]:
        raise UnusableFile("too_many_pixels")
    if getattr(picture, "n_frames", 1) > settings["max_frames"]:
        raise UnusableFile("too_many_frames")


def _refuse_raw(picture: Image.Image) -> None:
    """Refuse a camera's raw file. It is a TIFF whose first picture is only a preview."""
    tags = picture.getexif()
    if _DNG_VERSION in tags or tags.get(_SUBFILE_TYPE, 0) & _PREVIEW:
        raise UnusableFile("raw")


def _letter_pages(picture: Image.Image) -> list[int]:
    """Return the numbers of a TIFF's pictures that are pages: all but previews and masks of others."""
    numbers = []
    for number in range(getattr(picture, "n_frames", 1)):
        picture.seek(number)
        if not picture.getexif().get(_SUBFILE_TYPE, 0) & (_PREVIEW | _MASK):
            numbers.append(number)
    picture.seek(0)
    return numbers


def _draw_pages(picture: Image.Image, numbers: list[int], settings: dict[str, Any]) -> Iterator[Image.Image]:
    """Yield the pages of a scanned letter, upright. Errors: `UnusableFile` for one that is too large."""
    for number in numbers:
        picture.seek(number)
        if picture.width * picture.height > settings["max_pixels"]:
            raise UnusableFile("too_many_pixels")
        picture.load()
        orientation = picture.getexif().get(_ORIENTATION, 1)
        yield _rotate(_flatten_on_paper(_reduce(picture, settings["screen_side"])), orientation).convert(
            "RGB"
        )


def _reduce(picture: Image.Image, side: int) -> Image.Image:
    """Return an eight-bit copy, its long side at most `side` pixels, in the picture's own color model."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        picture = _to_eight_bits(picture)
    elif picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    elif picture.mode == "PA" or (picture.mode in ("1", "L", "RGB") and "transparency" in picture.info):
        picture = picture.convert("RGBA")
    elif picture.mode == "1":
        picture = picture.convert("L")
    return picture.resize(fit_within(picture.size, side), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    """Return a gray picture of eight bits per pixel.

    Of sixteen bits the upper eight are used. Wider values are scaled from their darkest to their lightest.
    """
    exact = picture.convert("F")
    if picture.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    else:
        low, high = (float(edge) for edge in exact.getextrema())  # type: ignore[arg-type]
        if low >= 0 and 255 < high <= 65535 and picture.mode == "I":
            low, high = 0.0, 65535.0
    scale = 255.0 / (high - low) if math.isfinite(high - low) and high > low else 1.0
    # Pillow takes only a function of this form: the value times a number, plus a number.
    return exact.point(lambda value: value * scale + (-low * scale)).convert("L")


def _flatten_on_paper(picture: Image.Image) -> Image.Image:
    """Return `picture` in sRGB, with `PAPER` where it is transparent."""
    alpha = picture.convert("RGBA").getchannel("A") if picture.mode in ("LA", "RGBA", "La", "RGBa") else None
    colors = _convert_to_srgb(picture)
    if alpha is None:
        return colors
    paper = Image.new("RGB", picture.size, PAPER)
    paper.paste(colors, mask=alpha)
    return paper


def _convert_to_srgb(picture: Image.Image) -> Image.Image:
    """Return the colors of `picture` in sRGB, converted by its own profile if it has a valid one."""
    opaque = picture
    if picture.mode in ("LA", "La", "RGBA", "RGBa"):
        opaque = picture.convert("RGBA").convert("RGB")
    profile = picture.info.get("icc_profile")
    if picture.mode == "LAB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    if profile and opaque.mode in ("L", "RGB", "CMYK", "LAB"):
        try:
            source_profile = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(
                opaque, source_profile, _SRGB, outputMode="RGB"
            ) or opaque.convert("RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            if picture.mode == "LAB":
                raise
    return opaque.convert("RGB")


def _rotate(picture: Image.Image, orientation: int) -> Image.Image:
    """Return `picture` upright, by its EXIF orientation. Unknown numbers leave it as it is."""
    return picture.transpose(_TRANSPOSITIONS[orientation]) if orientation in _TRANSPOSITIONS else picture


def _unshown(data: bytes, kind: Kind, picture: Image.Image) -> list[str]:
    """Return codes of what is in the file and is not drawn (patients/imaging/unshown.py)."""
    has_film = kind is Kind.JPEG and _APPENDED_VIDEO.search(data) is not None
    found = {"pictures": getattr(picture, "n_frames", 1) > 1, "film": has_film}
    return [code for code, is_there in found.items() if is_there]


def _stored_words(picture: Image.Image) -> str:
    """Return the caption or comment that is stored in the file; empty if there is none."""
    try:
        caption = picture.getexif().get(_CAPTION)
    except Exception:  # damaged EXIF, for which a picture is not refused
        caption = None
    return stored_words([caption, *(picture.info.get(key) for key in _COMMENTS)])


def _time_and_location(picture: Image.Image) -> tuple[str | None, tuple[float, float] | None]:
    """Return when the picture was taken, by the camera's clock, and where. Each is None if not stored.

    A picture with damaged EXIF is not refused: both are None then.
    """
    try:
        exif = picture.getexif()
        return _time_taken(exif, exif.get_ifd(_EXIF_FIELDS)), _location(exif.get_ifd(_GPS_FIELDS))
    except Exception:
        return None, None


def _time_taken(exif: Image.Exif, fields: dict[int, Any]) -> str | None:
    """Return when the picture was taken, never when a print of it was scanned.

    A scanner stores its own day as that of digitizing or of the last change, and some store it as that of
    taking. Only a camera, which also stores the exposure, digitizes what it takes at that moment.
    """
    taken, digitized = fields.get(_TAKEN), fields.get(_DIGITIZED)
    if _is_scanned(exif, fields):
        # A person may have entered the real day later: then the two days differ.
        values = [taken] if digitized and str(taken)[:10] != str(digitized)[:10] else []
    elif any(tag in fields for tag in _EXPOSURE):
        values = [taken, digitized, exif.get(_CHANGED)]
    else:
        values = [taken]
    return next(filter(None, map(_parse_time, values)), None)


def _is_scanned(exif: Image.Exif, fields: dict[int, Any]) -> bool:
    if fields.get(_FILE_SOURCE) in _SCANNED or _SCANNER_PROGRAM.search(str(exif.get(_PROGRAM, ""))):
        return True
    device = f"{exif.get(_MAKER, '')} {exif.get(_MODEL, '')}"
    return not any(tag in fields for tag in _EXPOSURE) and bool(_SCANNER_MODEL.search(device))


def _parse_time(value: object) -> str | None:
    found = _EXIF_TIME.match(str(value))
    try:
        time = datetime(*map(int, found.groups())) if found else None  # type: ignore[arg-type]
    except ValueError:
        return None
    latest = datetime.now(UTC).replace(tzinfo=None) + AHEAD
    return time.isoformat() if time and is_possible(time, latest) else None


def _location(gps: dict[int, Any]) -> tuple[float, float] | None:
    """Return latitude and longitude in degrees, north and east positive.

    None if they are missing, impossible or exactly (0, 0), which cameras store when they do not know.
    """
    try:
        # GPS tags: 1 and 3 are "N" or "S" and "E" or "W", 2 and 4 are degrees, minutes and seconds.
        latitude, longitude = (
            math.fsum(float(part) / 60**power for power, part in enumerate(gps[tag])) for tag in (2, 4)
        )
        latitude *= -1 if str(gps.get(1, "N")).strip("\0 ").upper() == "S" else 1
        longitude *= -1 if str(gps.get(3, "E")).strip("\0 ").upper() == "W" else 1
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180) or latitude == longitude == 0:
        return None
    return round(latitude, 6), round(longitude, 6)
