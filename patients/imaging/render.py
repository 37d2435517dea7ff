"""What a picture shows, as the clinic keeps it: upright, in sRGB, on paper, and without a word of metadata.

Runs in the decoding child, on bytes that nobody has checked; nothing here may open a file.
"""

from __future__ import annotations

import copy  # noqa: F401 - Pillow imports it for GIF, when no file can be opened any more
import io
import math
import re
import warnings
from datetime import datetime
from importlib import import_module
from typing import Any

from PIL import (
    Image,
    ImageCms,
    TiffImagePlugin,  # noqa: F401 - Pillow imports it for EXIF, when no file can be opened any more
)
from PIL.Image import Transpose

from .fingerprint import fingerprint
from .kinds import Kind, ends_too_early, hides_a_guest
from .rendition import Unfit, jpeg, within

PAPER = (0xF7, 0xF9, 0xF8)
_FORMATS = {
    Kind.JPEG: ("JPEG", "MPO"),
    Kind.PNG: ("PNG",),
    Kind.WEBP: ("WEBP",),
    Kind.GIF: ("GIF",),
    Kind.HEIC: ("HEIF",),
    Kind.AVIF: ("AVIF",),
    Kind.TIFF: ("TIFF",),
}
# Modules of the decoders that Pillow does not load by itself.
_DECODERS = {
    Kind.JPEG: "PIL.MpoImagePlugin",
    Kind.WEBP: "PIL.WebPImagePlugin",
    Kind.AVIF: "PIL.AvifImagePlugin",
}
_WAYS_TO_TURN = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_ORIENTATION, _CHANGED, _MAKER, _EXIF_FIELDS, _GPS_FIELDS = 0x0112, 0x0132, 0x010F, 0x8769, 0x8825
_DNG_VERSION, _SUBFILE_TYPE = 50706, 254
_STAMP = re.compile(r"\s*(\d{4})[:/-](\d\d)[:/-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_FIRST_PHOTOGRAPH = 1826

warnings.simplefilter("error", Image.DecompressionBombWarning)

_SRGB = ImageCms.createProfile("sRGB")


def load_decoder(kind: Kind) -> None:
    """Import what decodes pictures of `kind`. It must be called while files can still be opened."""
    if kind is Kind.HEIC:
        import pillow_heif

        # Each decoding thread costs address space of its own, which the limit on memory counts.
        pillow_heif.options.DECODE_THREADS = 2
        pillow_heif.register_heif_opener(thumbnails=False)
    elif kind in _DECODERS:
        import_module(_DECODERS[kind])


def render(data: bytes, kind: Kind, settings: dict[str, Any]) -> tuple[dict[str, Any], bytes, bytes]:
    """What the picture `data` shows: facts, screen rendition and thumb.

    `settings` hold `max_pixels`, `max_frames`, and `screen_side` and `thumb_side` in pixels.
    Raises `Unfit`, `MemoryError` or whatever the decoder raises.
    """
    if ends_too_early(kind, data):
        raise Unfit("truncated")
    if hides_a_guest(data, kind):
        raise Unfit("guest")
    Image.MAX_IMAGE_PIXELS = settings["max_pixels"]
    picture = Image.open(io.BytesIO(data), formats=_FORMATS[kind])
    _check(picture, settings)
    if kind is Kind.TIFF:
        _refuse_raw(picture)
    taken, place = _when_and_where(picture)
    full = picture.size
    side = settings["screen_side"]
    if kind is Kind.JPEG:
        # Twice the size that is wanted keeps the final reduction a clean one.
        picture.draft(None, within(full, 2 * side))
    picture.load()
    if picture.width * picture.height > settings["max_pixels"]:
        raise Unfit("too_many_pixels")
    if kind is not Kind.JPEG:
        full = picture.size
    # Read now, not before: TIFF and HEIC turn themselves upright while they load and then say so here.
    turn = picture.getexif().get(_ORIENTATION, 1)
    upright = _turned(_on_paper(_reduced(picture, side)), turn)
    screen = Image.new("RGB", upright.size, PAPER)
    screen.paste(upright)
    thumb = screen.resize(within(screen.size, settings["thumb_side"]), Image.Resampling.LANCZOS)
    facts = {
        "size": full[::-1] if turn in (5, 6, 7, 8) else full,
        "taken": taken,
        "place": place,
        "screen_size": screen.size,
        "thumb_size": thumb.size,
        "fingerprint": f"{fingerprint(screen):016x}",
    }
    return facts, jpeg(screen, 86), jpeg(thumb, 82)


def _check(picture: Image.Image, settings: dict[str, Any]) -> None:
    """Refuse what is too large before a single pixel is decoded."""
    if picture.width * picture.height > settings["max_pixels"]:
        raise Unfit("too_many_pixels")
    if getattr(picture, "n_frames", 1) > settings["max_frames"]:
        raise Unfit("too_many_frames")


def _refuse_raw(picture: Image.Image) -> None:
    """A camera's raw file is a TIFF whose first picture is a preview: refused, not taken for the picture."""
    tags = picture.getexif()
    if _DNG_VERSION in tags or tags.get(_SUBFILE_TYPE, 0) & 1:
        raise Unfit("raw")


def _reduced(picture: Image.Image, side: int) -> Image.Image:
    """An eight-bit copy no larger than `side`, in the picture's own color model."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        picture = _eight_bits(picture)
    elif picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    elif picture.mode == "PA" or (picture.mode in ("1", "L", "RGB") and "transparency" in picture.info):
        picture = picture.convert("RGBA")
    elif picture.mode == "1":
        picture = picture.convert("L")
    return picture.resize(within(picture.size, side), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Sixteen bits are cut to their upper eight; wider numbers are stretched between their darkest and
    lightest."""
    exact = picture.convert("F")
    if picture.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    else:
        low, high = (float(edge) for edge in exact.getextrema())  # type: ignore[arg-type]
        if low >= 0 and 255 < high <= 65535 and picture.mode == "I":
            low, high = 0.0, 65535.0
    scale = 255.0 / (high - low) if math.isfinite(high - low) and high > low else 1.0
    return exact.point(lambda value: value * scale + (-low * scale)).convert("L")


def _on_paper(picture: Image.Image) -> Image.Image:
    """`picture` in sRGB, with paper where it is transparent."""
    alpha = picture.convert("RGBA").getchannel("A") if picture.mode in ("LA", "RGBA", "La", "RGBa") else None
    colors = _in_srgb(picture)
    if alpha is None:
        return colors
    paper = Image.new("RGB", picture.size, PAPER)
    paper.paste(colors, mask=alpha)
    return paper


def _in_srgb(picture: Image.Image) -> Image.Image:
    """The colors of `picture` in sRGB, by its own profile where it has one that works."""
    opaque = picture
    if picture.mode in ("LA", "La", "RGBA", "RGBa"):
        opaque = picture.convert("RGBA").convert("RGB")
    profile = picture.info.get("icc_profile")
    if picture.mode == "LAB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    if profile and opaque.mode in ("L", "RGB", "CMYK", "LAB"):
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(opaque, own, _SRGB, outputMode="RGB") or opaque.convert("RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            if picture.mode == "LAB":
                raise
    return opaque.convert("RGB")


def _turned(picture: Image.Image, turn: int) -> Image.Image:
    """`picture` as EXIF orientation `turn` says to see it; unknown numbers leave it as it is."""
    return picture.transpose(_WAYS_TO_TURN[turn]) if turn in _WAYS_TO_TURN else picture


def _when_and_where(picture: Image.Image) -> tuple[str | None, tuple[float, float] | None]:
    """When the picture was taken, by the camera's own clock, and where; None for what it does not say.

    Damaged EXIF is no reason to refuse a picture.
    """
    try:
        exif = picture.getexif()
        fields = exif.get_ifd(_EXIF_FIELDS)
        # When the file was changed is when it was taken only if a camera wrote it, not a scanner's program.
        stamps = [fields.get(0x9003), fields.get(0x9004), exif.get(_CHANGED) if exif.get(_MAKER) else None]
        return next(filter(None, map(_moment, stamps)), None), _place(exif.get_ifd(_GPS_FIELDS))
    except Exception:
        return None, None


def _moment(stamp: object) -> str | None:
    found = _STAMP.match(str(stamp))
    try:
        moment = datetime(*map(int, found.groups())) if found else None  # type: ignore[arg-type]
    except ValueError:
        return None
    return moment.isoformat() if moment and moment.year >= _FIRST_PHOTOGRAPH else None


def _place(gps: dict[int, Any]) -> tuple[float, float] | None:
    """Latitude and longitude in degrees, north and east positive; None if absent, impossible or exactly (0,
    0), which cameras write when they do not know."""
    try:
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
