"""Generates photographs like those of cameras and phones, so that every clone of the repository has some.

Each imitates one of the real photos that may be installed beside the repository (SHARED): the same name,
size, file type, orientation, date and place, and the tags that its camera writes. The picture is drawn at
random from a fixed seed, in patches of every size as in a photograph: fading and fingerprints need that.
"""

import fcntl
import io
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageFilter

# Real photos from real cameras. They are not part of the repository.
SHARED = Path(__file__).resolve().parents[2] / "shared" / "samples" / "photos"
REPORTED = SHARED.with_name("reported")

Degrees = tuple[float, float]
_DATE, _DATE_TAKEN, _DATE_DIGITIZED = 0x0132, 0x9003, 0x9004
_EXIF, _GPS = 0x8769, 0x8825
_XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta><?xpacket end="w"?>'
)


@dataclass(frozen=True)
class Photo:
    """A photo to generate.

    size: as a viewer shows it, upright. tags, exposure_tags: EXIF tags by number, of the image and of its
    exposure IFD. place: latitude and longitude.
    """

    name: str
    size: tuple[int, int]
    make: str = ""
    model: str = ""
    taken: str = ""
    place: Degrees | None = None
    orientation: int = 1
    scene: str = ""  # seed of the picture; photos with the same scene show the same. By default the name.
    tags: dict[int, Any] = field(default_factory=dict)
    exposure_tags: dict[int, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)  # for Pillow's save()
    encoder: str = ""  # a key of _ENCODERS, where the file name's suffix does not say it

    def upright(self) -> Image.Image:
        # A phone removes the sensor's noise before it encodes HEIC.
        return draw_scene(self.scene or self.name, self.size, grain=not self.name.endswith(".HEIC"))

    def exif(self) -> Image.Exif:
        exif = Image.Exif()
        if self.make:
            exif[0x010F], exif[0x0110] = self.make, self.model
        exif[0x0112] = self.orientation
        exif.update(self.tags)
        if self.taken:
            exif.setdefault(_DATE, self.taken)
            exif.get_ifd(_EXIF).update({_DATE_TAKEN: self.taken, _DATE_DIGITIZED: self.taken})
        exif.get_ifd(_EXIF).update(self.exposure_tags)
        if self.place:
            exif.get_ifd(_GPS).update(_gps(*self.place))
        return exif

    def stored(self) -> Image.Image:
        """The pixels as the camera stores them: rotated, if EXIF tells viewers to rotate them back."""
        turned = _STORED_TURNED.get(self.orientation)
        return self.upright() if turned is None else self.upright().transpose(turned)

    def encode(self) -> bytes:
        buffer = io.BytesIO()
        _ENCODERS[self.encoder or Path(self.name).suffix.lower()](self, buffer)
        return buffer.getvalue()


# EXIF orientation: how to rotate an upright picture to the stored pixels.
_STORED_TURNED = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def _gps(latitude: float, longitude: float) -> dict[int, Any]:
    found: dict[int, Any] = {0: b"\2\3\0\0", 5: b"\0", 18: "WGS-84"}
    for tag, degrees, letters in ((1, latitude, "NS"), (3, longitude, "EW")):
        found[tag] = letters[degrees < 0]
        minutes, seconds = divmod(abs(degrees) * 3600, 60)
        whole, minutes = divmod(minutes, 60)
        found[tag + 1] = (whole, minutes, round(seconds, 4))
    return found


def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _jpeg(photo: Photo, into: io.BytesIO) -> None:
    photo.stored().save(into, "JPEG", **{"quality": 88, "exif": photo.exif(), **photo.options})


def _tiff(photo: Photo, into: io.BytesIO) -> None:
    """RGBA in strips, LZW-compressed, with a color profile: as Mac OS X writes it."""
    picture = photo.stored().convert("RGBA")
    options = {"compression": "tiff_lzw", "strip_size": 60_000, "icc_profile": _profile()}
    picture.save(into, "TIFF", tiffinfo=photo.tags, **options)


def _mpo(photo: Photo, into: io.BytesIO) -> None:
    """Two views in one file, as stereo cameras write them."""
    left, right = photo.stored(), ImageChops.offset(photo.stored(), 12, 0)
    left.save(into, "MPO", save_all=True, append_images=[right], quality=88, exif=photo.exif())


def _cmyk(photo: Photo, into: io.BytesIO) -> None:
    """CMYK, as print shops return it."""
    photo.stored().convert("CMYK").save(into, "JPEG", quality=88, exif=photo.exif())


def _heic(photo: Photo, into: io.BytesIO) -> None:
    picture = pillow_heif.from_pillow(photo.stored())
    picture.info["icc_profile"], picture.info["icc_profile_type"] = _profile(), "prof"
    speed = {"preset": "ultrafast"}  # the default takes seconds without a phone's hardware encoder
    picture.save(into, quality=60, exif=photo.exif().tobytes(), enc_params=speed)


_ENCODERS: dict[str, Callable[[Photo, io.BytesIO], None]] = {
    ".jpg": _jpeg,
    ".tiff": _tiff,
    ".heic": _heic,
    "mpo": _mpo,
    "cmyk": _cmyk,
}


# --- Drawing the pictures ---------------------------------------------------------------------------------


def draw_scene(name: str, size: tuple[int, int], *, grain: bool = True) -> Image.Image:
    """A picture seeded by `name`: light in patches of every size, shapes with edges, and a sensor's noise."""
    chance = random.Random(name)  # noqa: S311 - a drawing, no secret
    scale = 640 / max(size)
    small = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    picture = _patches(chance, small)
    pen = ImageDraw.Draw(picture, "RGBA")
    for _thing in range(chance.randint(5, 9)):
        _draw_thing(pen, chance, small)
    picture = picture.filter(ImageFilter.GaussianBlur(0.7)).resize(size, Image.Resampling.BICUBIC)
    return _with_grain(picture, chance) if grain else picture


def _patches(chance: random.Random, size: tuple[int, int]) -> Image.Image:
    """Noise at every scale, stronger at larger scales, as the light of a photograph is distributed."""
    bands = []
    shared = _noise(chance, size)
    for _band in range(3):
        bands.append(Image.blend(shared, _noise(chance, size), 0.25))
    return Image.merge("RGB", bands)


def _noise(chance: random.Random, size: tuple[int, int]) -> Image.Image:
    found = Image.new("L", size, 128)
    cells, strength = 3, 0.7
    while cells < max(size) / 2:
        grid = (cells, max(2, round(cells * size[1] / size[0])))
        patch = Image.frombytes("L", grid, chance.randbytes(grid[0] * grid[1]))
        patch = patch.resize(size, Image.Resampling.BICUBIC)
        # Both are centered on gray (128): the sum adds the patch's difference from gray.
        found = ImageChops.add(found, patch.point(lambda v, s=strength: round(128 + s * (v - 128))), 1, -128)
        cells, strength = cells * 2, strength * 0.72
    return found


def _draw_thing(pen: ImageDraw.ImageDraw, chance: random.Random, size: tuple[int, int]) -> None:
    """Draw a wall with windows, an ellipse or a ridge at a random place."""
    width, height = size
    x, y = chance.uniform(0, width), chance.uniform(0, height)
    across, down = chance.uniform(0.08, 0.35) * width, chance.uniform(0.08, 0.35) * height
    color = (*chance.randbytes(3), chance.randint(90, 190))
    box = (x - across / 2, y - down / 2, x + across / 2, y + down / 2)
    kind = chance.randrange(3)
    if kind == 0:
        pen.rectangle(box, fill=color)
        for column in range(3):
            left = box[0] + across * (0.15 + 0.28 * column)
            pen.rectangle(
                (left, y - down / 4, left + across * 0.14, y + down / 6), fill=(*chance.randbytes(3), 255)
            )
    elif kind == 1:
        pen.ellipse(box, fill=color)
    else:
        waves = [(chance.uniform(1, 9), chance.uniform(0, 6)) for _wave in range(4)]
        ridge = [
            (
                at,
                y
                + down / 4 * sum(math.sin(count * at / width * 6 + shift) / count for count, shift in waves),
            )
            for at in range(0, width + 8, 8)
        ]
        pen.polygon([*ridge, (width + 8, y + down), (0, y + down)], fill=color)


def _with_grain(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Add a sensor's noise: one tile of it, repeated over the picture."""
    side = 256
    tile = Image.frombytes("L", (side, side), chance.randbytes(side * side))
    tile = tile.point(lambda v: round(128 + (v - 128) / 20))
    grain = Image.new("L", picture.size)
    for top in range(0, picture.height, side):
        for left in range(0, picture.width, side):
            grain.paste(tile, (left, top))
    return ImageChops.add(picture, Image.merge("RGB", [grain] * 3), 1, -128)


# --- The photos and their cameras -------------------------------------------------------------------------

_SOFTWARE, _ARTIST, _DESCRIPTION, _HOST = 0x0131, 0x013B, 0x010E, 0x013C
_MAKER_NOTE, _USER_COMMENT = 0x927C, 0x9286
_OFFSET = 0x9011
_APPLE = {_MAKER_NOTE: b"Apple iOS\0\0\1MM" + bytes(range(200)), 0xA433: "Apple"}
_NIKON = {
    _MAKER_NOTE: b"Nikon\0\2\0\0\0MM\0*" + bytes(range(256)),
    _USER_COMMENT: b"ASCII\0\0\0" + b" " * 117,
}
_COOLPIX = {"make": "NIKON", "model": "COOLPIX P6000", "exposure_tags": _NIKON, "options": {"xmp": _XMP}}
_COOLPIX_TAGS = {_DESCRIPTION: " " * 31, _SOFTWARE: "Nikon Transfer 1.1 W"}
_MAC = {"icc_profile": _profile()}

PHOTOS = (
    Photo(
        "Canon_PowerShot_S40.jpg",
        (480, 360),
        "Canon",
        "Canon PowerShot S40",
        "2003:12:14 12:01:44",
        exposure_tags={
            _MAKER_NOTE: b"\x0c\0\1\0\3\0" + bytes(300),
            _USER_COMMENT: bytes(264),
            0x829A: 1 / 500,
        },
    ),
    Photo(
        "DSCN0010.jpg",
        (640, 480),
        taken="2008:10:22 16:28:39",
        place=(43.467448, 11.885127),
        tags={**_COOLPIX_TAGS, _DATE: "2008:11:01 21:15:07"},
        **_COOLPIX,
    ),
    Photo(
        "DSCN0021.jpg",
        (640, 480),
        taken="2008:10:22 16:38:20",
        place=(43.467082, 11.884538),
        tags={**_COOLPIX_TAGS, _DATE: "2008:11:01 21:15:08"},
        **_COOLPIX,
    ),
    Photo(
        "DSCN0042.jpg",
        (640, 480),
        taken="2008:10:22 17:00:07",
        place=(43.464455, 11.881478),
        tags={**_COOLPIX_TAGS, _DATE: "2008:11:01 21:15:11"},
        **_COOLPIX,
    ),
    Photo(
        "DudleyLeavittUtah.tiff",
        (196, 257),
        tags={
            _SOFTWARE: "Mac OS X 10.5.7 (9J61)",
            _DATE: "2009:09:26 01:11:52",
            _ARTIST: "Nobody in particular",
        },
    ),
    Photo(
        "HMD_Nokia_8.3_5G.jpg",
        (4608, 1976),
        "HMD Global",
        "Nokia 8.3 5G",
        "2022:08:14 14:12:31",
        (60.146706, 24.906772),
        tags={_SOFTWARE: "00WW_3_380_SP02"},
        exposure_tags={_OFFSET: "+03:00", 0x8827: 100},
    ),
    Photo(
        "IMG_5195.HEIC",
        (2566, 3313),
        "Apple",
        "iPhone 11 Pro Max",
        "2021:04:11 15:47:53",
        (39.051344, -94.288772),
        tags={_SOFTWARE: "14.4.2", _HOST: "iPhone 11 Pro Max"},
        exposure_tags={**_APPLE, _OFFSET: "-05:00"},
    ),
    Photo(
        "canon_hdr_NO.jpg",
        (1536, 2048),
        "Canon",
        "Canon PowerShot SX60 HS",
        "2015:02:09 22:47:44",
        orientation=6,
        tags={_DATE: "2015:02:26 04:20:03", _DESCRIPTION: " " * 31},
        exposure_tags={_MAKER_NOTE: b"\x1f\0\1\0\3\0" + bytes(300), _USER_COMMENT: bytes(264)},
        options={"xmp": _XMP},
    ),
    Photo(
        "iphone_13_pro_max.HEIC",
        (3024, 4032),
        "Apple",
        "iPhone 13 Pro Max",
        "2022:02:16 12:55:41",
        orientation=6,
        tags={_SOFTWARE: "15.2.1", _HOST: "iPhone 13 Pro Max"},
        exposure_tags={**_APPLE, _OFFSET: "+01:00"},
    ),
    Photo(
        "iphone_hdr_YES.jpg",
        (3264, 2448),
        "Apple",
        "iPhone 6",
        "2015:04:10 20:12:23",
        (40.446972, -3.724753),
        tags={_SOFTWARE: "8.3"},
        exposure_tags=_APPLE,
    ),
    Photo("jolla.jpg", (3264, 2448), "Jolla", "Jolla", "2014:09:21 16:00:56", options={"xmp": _XMP}),
    Photo(
        "kodak-dc210.jpg",
        (640, 480),
        "Eastman Kodak Company",
        "DC210 Zoom (V05.00)",
        tags={},
        exposure_tags={_DATE_TAKEN: "2000:10:26 16:46:51", _MAKER_NOTE: b"\1\4\3\0\2" + bytes(400)},
        options={"comment": b"DC210 Zoom"},
    ),
    Photo("landscape_3.jpg", (600, 450), orientation=3, scene="landscape", options=_MAC),
    Photo("landscape_8.jpg", (600, 450), orientation=8, scene="landscape", options=_MAC),
    Photo(
        "nikon-e950.jpg",
        (800, 600),
        "NIKON",
        "E950",
        "2001:04:06 11:51:40",
        tags={_SOFTWARE: "v981-79", _DESCRIPTION: " " * 10},
        exposure_tags={_MAKER_NOTE: b"Nikon\0\1\0\x0b\0" + bytes(300)},
    ),
    Photo("portrait_6.jpg", (450, 600), orientation=6, scene="at the window", options=_MAC),
)

# Of types that SHARED does not have.
OTHERS = (
    Photo(
        "DSCF0001.jpg",
        (800, 600),
        "FUJIFILM",
        "FinePix REAL 3D W3",
        "2011:07:02 18:20:31",
        (-33.858333, 151.215278),
        encoder="mpo",
    ),
    Photo("from-the-print-shop.jpg", (640, 480), encoder="cmyk"),
    Photo("progressive.jpg", (480, 640), orientation=8, options={"progressive": True}),
)


def make_photos(directory: Path) -> None:
    """Generate the photos that `directory` does not have yet. A lock makes other processes wait."""
    directory.mkdir(exist_ok=True)
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for photo in PHOTOS:
            path = directory / photo.name
            if not path.exists():
                draft = directory.with_suffix(".draft")
                draft.write_bytes(photo.encode())
                draft.replace(path)
