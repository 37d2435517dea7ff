"""U1 to U7: real pictures are decoded, hostile ones are refused, and neither harms the calling process."""

import io
import random
import sys
import threading
import time
import tracemalloc
import zipfile
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, ImageChops, ImageCms, ImageStat
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from patients.imaging import decode as decode_module
from patients.imaging.decode import DecodedLetter, DecodedPicture, Limits, decode
from patients.imaging.decoder_answer import max_answer_bytes
from patients.imaging.kinds import Kind
from patients.imaging.refusals import Code, FileRefused
from tests.photos import OTHERS, Photo

from .pictures import chunk, corners, png, saved, scene, segments

# EXIF tags by number: 0x010E description, 0x010F make, 0x0110 model, 0x0112 orientation, 0x0131 software,
# 0x0132 time of the last change, 0x8769 the EXIF directory, 0x8825 the GPS directory, 0x9003 time taken,
# 0x9004 time digitized, 0x927C the maker's note, 0xA300 source of the file (2 is a scanner),
# 0xA431 serial number of the camera, 0xC62F the same in raw files.
UPRIGHT = ["red", "lime", "blue", "yellow"]


def decoded(data: bytes, name: str = "", limits: Limits = decode_module.DEFAULT_LIMITS) -> DecodedPicture:
    found = decode(io.BytesIO(data), name, limits=limits)
    assert isinstance(found, DecodedPicture)
    return found


def refusal_code(data: bytes, name: str = "", limits: Limits = decode_module.DEFAULT_LIMITS) -> Code:
    with pytest.raises(FileRefused) as caught:
        decode(io.BytesIO(data), name, limits=limits)
    assert len(str(caught.value)) > 20
    return caught.value.code


SAMPLES = [
    ("Canon_PowerShot_S40.jpg", 480, 360, "2003-12-14T12:01:44", None),
    ("DSCN0010.jpg", 640, 480, "2008-10-22T16:28:39", (43.467448, 11.885127)),
    ("DSCN0021.jpg", 640, 480, "2008-10-22T16:38:20", (43.467082, 11.884538)),
    ("DSCN0042.jpg", 640, 480, "2008-10-22T17:00:07", (43.464455, 11.881478)),
    ("DudleyLeavittUtah.tiff", 196, 257, None, None),
    ("HMD_Nokia_8.3_5G.jpg", 4608, 1976, "2022-08-14T14:12:31", (60.146706, 24.906772)),
    ("IMG_5195.HEIC", 2566, 3313, "2021-04-11T15:47:53", (39.051344, -94.288772)),
    ("canon_hdr_NO.jpg", 1536, 2048, "2015-02-09T22:47:44", None),
    ("iphone_13_pro_max.HEIC", 3024, 4032, "2022-02-16T12:55:41", None),
    ("iphone_hdr_YES.jpg", 3264, 2448, "2015-04-10T20:12:23", (40.446972, -3.724753)),
    ("jolla.jpg", 3264, 2448, "2014-09-21T16:00:56", None),
    ("kodak-dc210.jpg", 640, 480, "2000-10-26T16:46:51", None),
    ("landscape_3.jpg", 600, 450, None, None),
    ("landscape_8.jpg", 600, 450, None, None),
    ("nikon-e950.jpg", 800, 600, "2001-04-06T11:51:40", None),
    ("portrait_6.jpg", 450, 600, None, None),
]


@pytest.mark.parametrize(("name", "width", "height", "taken", "gps"), SAMPLES)
def test_sample_photos_are_decoded_with_their_time_and_place(
    sample_photos: Path,
    name: str,
    width: int,
    height: int,
    taken: str | None,
    gps: tuple[float, float] | None,
) -> None:
    with (sample_photos / name).open("rb") as file:
        found = decode(file, name)
    assert isinstance(found, DecodedPicture)
    assert (found.width, found.height, found.taken, found.gps) == (width, height, taken, gps)
    assert_bare_renditions(found)


def assert_bare_renditions(found: DecodedPicture) -> None:
    width, height = found.width, found.height
    for jpeg, size, side in (
        (found.screen, found.screen_size, 1280),
        (found.thumb, found.thumb_size, 360),
    ):
        assert Image.open(io.BytesIO(jpeg)).size == size
        assert max(size) == min(side, max(width, height))
        assert size[0] / size[1] == pytest.approx(width / height, abs=0.01)
        # JFIF header, tables, frame: no segment that could contain a place, a serial number or a thumbnail.
        assert {segment[0] for segment in segments(jpeg)} <= {0xE0, 0xDB, 0xC0, 0xC4}
        assert [segment[1:] for segment in segments(jpeg) if segment[0] == 0xE0] == [
            b"JFIF\0\1\1\0\0\1\0\1\0\0"
        ]


@pytest.mark.parametrize("photo", OTHERS, ids=lambda photo: photo.name)
def test_photos_of_other_kinds_are_decoded_upright_with_their_time_and_place(photo: Photo) -> None:
    found = decoded(photo.encode(), photo.name)
    assert (found.width, found.height) == photo.size
    taken = {"DSCF0001.jpg": "2011-07-02T18:20:31"}.get(photo.name)
    assert (found.taken, found.gps) == (taken, photo.place)
    assert_bare_renditions(found)
    shown, drawn = Image.open(io.BytesIO(found.thumb)).convert("L"), photo.upright().convert("L")
    assert ImageStat.Stat(ImageChops.difference(shown, drawn.resize(shown.size))).mean[0] < 12


def test_the_samples_are_all_covered(sample_photos: Path) -> None:
    assert sorted(path.name for path in sample_photos.iterdir()) == sorted(row[0] for row in SAMPLES)


def test_metadata_of_the_original_is_not_in_the_renditions() -> None:
    canary = b"CANARY-serial-4711"
    thumbnail = saved(Image.new("RGB", (40, 30), "red"))
    exif = Image.Exif()
    exif[0x010E] = canary.decode()
    exif[0xC62F] = canary.decode()
    exif.get_ifd(0x8769)[0xA431] = canary.decode()
    exif.get_ifd(0x8769)[0x927C] = canary + thumbnail
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(
        scene(), exif=exif, comment=canary, icc_profile=profile, xmp=b"<x:xmpmeta>" + canary + b"</x:xmpmeta>"
    )
    data = data + canary
    assert data.count(canary) >= 5
    found = decoded(data)
    for jpeg in (found.screen, found.thumb):
        assert canary not in jpeg
        assert jpeg.count(b"\xff\xd8\xff") == 1
        assert Image.open(io.BytesIO(jpeg)).info.keys() <= {
            "jfif",
            "jfif_version",
            "jfif_unit",
            "jfif_density",
        }


def rotated_scene(turn: int) -> Image.Image:
    """The stored pixels that a viewer shows as `scene()` under the EXIF orientation `turn`."""
    transpose = Image.Transpose
    undo = {
        2: transpose.FLIP_LEFT_RIGHT,
        3: transpose.ROTATE_180,
        4: transpose.FLIP_TOP_BOTTOM,
        5: transpose.TRANSPOSE,
        6: transpose.ROTATE_90,
        7: transpose.TRANSVERSE,
        8: transpose.ROTATE_270,
    }
    return scene().transpose(undo[turn]) if turn in undo else scene()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_is_applied_once(turn: int, file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    found = decoded(saved(rotated_scene(turn), file_format, exif=exif))
    assert (found.width, found.height) == (300, 200)
    assert found.screen_size == (300, 200)
    assert corners(found.screen) == UPRIGHT
    assert corners(found.thumb) == UPRIGHT


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_orientation_of_a_heic_is_applied_once(turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    buffer = io.BytesIO()
    picture = pillow_heif.from_pillow(rotated_scene(turn))
    picture.save(buffer, quality=90, exif=exif.tobytes())
    found = decoded(buffer.getvalue())
    assert found.kind is Kind.HEIC
    assert (found.width, found.height) == (300, 200)
    assert corners(found.screen) == UPRIGHT


def test_an_unknown_orientation_is_left_alone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 11
    assert corners(decoded(saved(scene(), exif=exif)).screen) == UPRIGHT


PAPER = (0xF7, 0xF9, 0xF8)  # the color behind transparent pixels


def middle(jpeg: bytes) -> tuple[int, ...]:
    picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
    pixel = picture.getpixel((picture.width // 2, picture.height // 2))
    assert isinstance(pixel, tuple)
    return pixel


def is_near(one: tuple[int, ...], other: tuple[int, ...], by: int = 6) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= by


CLEAR = Image.new("RGBA", (60, 40), (255, 0, 0, 0))
MODES = [
    (saved(Image.new("CMYK", (60, 40), (0, 255, 255, 0))), (254, 0, 0)),
    (saved(Image.new("L", (60, 40), 128)), (128, 128, 128)),
    (saved(Image.new("1", (60, 40), 1), "PNG"), (255, 255, 255)),
    (saved(Image.new("I;16", (60, 40), 0x8000), "PNG"), (128, 128, 128)),
    (saved(Image.new("I;16", (60, 40), 0x4000), "TIFF"), (64, 64, 64)),
    (saved(Image.new("F", (60, 40), 0.5), "TIFF"), (0, 0, 0)),
    (saved(CLEAR, "PNG"), PAPER),
    (saved(CLEAR, "WEBP", lossless=True), PAPER),
    (saved(Image.new("RGBA", (60, 40), (0, 0, 0, 128)), "PNG"), (123, 124, 123)),
    (saved(Image.new("LA", (60, 40), (0, 0)), "PNG"), PAPER),
    (saved(CLEAR.convert("P"), "PNG", transparency=CLEAR.convert("P").getpixel((0, 0))), PAPER),
    (saved(CLEAR, "GIF"), PAPER),
    (saved(Image.new("P", (60, 40), 1), "GIF"), (1, 1, 1)),
    (saved(Image.new("RGB", (60, 40), (9, 200, 30)), "PNG", transparency=(9, 200, 30)), PAPER),
    (saved(Image.new("LAB", (60, 40), (128, 128, 128)), "TIFF"), (119, 119, 119)),
    (saved(Image.new("YCbCr", (60, 40), (81, 90, 240)), "TIFF"), (239, 14, 14)),
]


@pytest.mark.parametrize(("data", "color"), MODES)
def test_every_color_model_is_converted_to_srgb_on_paper(data: bytes, color: tuple[int, ...]) -> None:
    found = decoded(data)
    assert (found.width, found.height) == (60, 40)
    assert is_near(middle(found.screen), color), middle(found.screen)


def test_the_embedded_color_profile_is_applied() -> None:
    """A profile whose red is sRGB's green: without conversion the picture would stay red."""
    swapped = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = swapped.index(b"rXYZ"), swapped.index(b"gXYZ")
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    found = decoded(saved(Image.new("RGB", (60, 40), (255, 0, 0)), "PNG", icc_profile=bytes(swapped)))
    assert is_near(middle(found.screen), (0, 255, 0))


def test_a_broken_profile_is_ignored() -> None:
    data = saved(Image.new("RGB", (60, 40), (255, 0, 0)), "PNG", icc_profile=b"no profile at all" * 20)
    assert is_near(middle(decoded(data).screen), (254, 0, 0))


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "MPO", "AVIF"])
def test_the_first_of_several_frames_is_shown(file_format: str) -> None:
    first, second = (Image.new("RGB", (60, 40), color) for color in ((200, 30, 30), (30, 30, 200)))
    data = saved(first, file_format, save_all=True, append_images=[second])
    found = decoded(data)
    assert is_near(middle(found.screen), (200, 30, 30), 12)


def test_too_many_frames_are_refused() -> None:
    frames = [Image.new("L", (8, 8), shade) for shade in range(12)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert refusal_code(data, limits=Limits(max_frames=11)) is Code.TOO_MANY_FRAMES
    assert decoded(data, limits=Limits(max_frames=12)).width == 8


@pytest.mark.parametrize(
    ("gps", "place"),
    [
        ({1: "S", 2: (33.0, 51.0, 30.0), 3: "W", 4: (70.0, 30.0, 0.0)}, (-33.858333, -70.5)),
        ({1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (10.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (40.0, 0.0, 0.0)}, None),
    ],
)
def test_gps_coordinates_are_read(gps: dict[int, object], place: tuple[float, float] | None) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update(gps)
    assert decoded(saved(scene(), exif=exif)).gps == place


CAMERA = {0x829A: 0.01, 0x829D: 2.8}  # EXIF tags that only a camera writes: exposure time and aperture


@pytest.mark.parametrize(
    ("tags", "taken"),
    [
        ({0x9003: "2003:02:14 09:08:07", 0x9004: "2004:01:01 00:00:00"}, "2003-02-14T09:08:07"),
        ({0x9003: "0000:00:00 00:00:00", 0x9004: "2004:01:02 10:00:00", **CAMERA}, "2004-01-02T10:00:00"),
        ({0x9003: "1980:01:01 00:03:00", 0x9004: "2004:01:02 10:00:00", **CAMERA}, "2004-01-02T10:00:00"),
        ({0x9003: "    :  :     :  :  "}, None),
        ({0x9003: "1970:01:01 00:03:12"}, None),
        ({0x9003: "1969:12:31 19:00:00"}, None),
        ({0x9003: "1904:01:01 00:00:00"}, None),
        ({0x9003: "2000:01:01 00:00:41"}, None),
        ({0x9003: "2000:01:01 00:10:41"}, "2000-01-01T00:10:41"),
        ({0x9003: "2190:02:14 09:08:07"}, None),
        ({0x9004: "2021:05:02 10:00:00"}, None),
        ({0x9003: "2021:05:02 10:00:00", 0x9004: "2021:05:02 10:00:00", 0xA300: b"\2"}, None),
        (
            {0x9003: "2003:02:14 12:00:00", 0x9004: "2021:05:02 10:00:00", 0xA300: b"\2"},
            "2003-02-14T12:00:00",
        ),
        ({0x9003: "2003:02:31 09:08:07"}, None),
        ({0x9003: "2003-02-14T09:08:07+02:00"}, "2003-02-14T09:08:07"),
        ({}, None),
    ],
)
def test_the_date_taken_is_read(tags: dict[int, str], taken: str | None) -> None:
    exif = Image.Exif()
    exif[0x0132] = "2022:01:01 00:00:00"
    exif.get_ifd(0x8769).update(tags)
    assert decoded(saved(scene(), exif=exif)).taken == taken


def test_the_modification_date_of_a_camera_photo_is_used_if_there_is_no_other() -> None:
    exif = Image.Exif()
    exif[0x0132], exif[0x010F] = "2001:01:01 01:01:01", "Nikon"
    exif.get_ifd(0x8769).update(CAMERA)
    assert decoded(saved(scene(), exif=exif)).taken == "2001-01-01T01:01:01"


@pytest.mark.parametrize("program", ["EPSON Scan", "VueScan 9 x64", "SilverFast 8"])
def test_the_date_of_a_scan_is_not_the_date_of_the_picture(program: str) -> None:
    exif = Image.Exif()
    exif[0x0131], exif[0x0132], exif[0x010F] = program, "2021:05:02 10:00:00", "Brother"
    exif.get_ifd(0x8769).update({0x9003: "2021:05:02 10:00:00", 0x9004: "2021:05:02 10:00:00"})
    assert decoded(saved(scene(), exif=exif)).taken is None


def test_scanners_are_recognized_by_make_and_model() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "EPSON", "Perfection V600"
    exif.get_ifd(0x8769).update({0x9003: "2021:05:02 10:00:00"})
    assert decoded(saved(scene(), exif=exif)).taken is None


@pytest.mark.parametrize("name", ["future.jpg", "scan-epson.jpg", "scan-digitized.jpg"])
def test_reported_pictures_with_a_date_that_is_not_theirs_have_none(reported: Path, name: str) -> None:
    assert decoded((reported / name).read_bytes(), name).taken is None


def test_a_picture_with_damaged_exif_is_accepted() -> None:
    data = saved(scene(), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\x99" * 40)
    assert (decoded(data).taken, decoded(data).gps) == (None, None)


TRUNCATED = {Code.TRUNCATED, Code.BROKEN}


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9, 0.98])
def test_truncated_files_are_refused(file_format: str, share: float) -> None:
    picture = Image.effect_mandelbrot((320, 240), (-2, -1.2, 0.8, 1.2), 60).convert("RGB")
    data = saved(picture, file_format)
    assert decoded(data).width == 320
    assert refusal_code(data[: int(len(data) * share)]) in TRUNCATED


@pytest.mark.parametrize(
    "name", ["IMG_5195.HEIC", "iphone_hdr_YES.jpg", "DudleyLeavittUtah.tiff", "DSCN0010.jpg"]
)
@pytest.mark.parametrize("share", [0.1, 0.6, 0.97])
def test_truncated_photos_are_refused(sample_photos: Path, name: str, share: float) -> None:
    data = (sample_photos / name).read_bytes()
    assert refusal_code(data[: int(len(data) * share)], name) in TRUNCATED


def test_a_truncated_picture_says_what_to_do() -> None:
    data = saved(scene(800, 600))
    with pytest.raises(FileRefused) as caught:
        decode(io.BytesIO(data[: len(data) // 2]))
    assert str(caught.value) == (
        "This file could not be opened: it ends too early. Please choose it again from where it was made."
    )


def test_144_megapixels_in_17_kilobytes_are_refused_quickly() -> None:
    data = png(12000, 12000)
    assert len(data) < 20_000
    started = time.monotonic()
    assert refusal_code(data) is Code.TOO_MANY_PIXELS
    assert time.monotonic() - started < 10
    with pytest.raises(FileRefused, match="50 million pixels"):
        decode(io.BytesIO(data))


def test_the_pixel_limit_is_exact() -> None:
    data = saved(scene(300, 200))
    assert refusal_code(data, limits=Limits(max_pixels=59_999)) is Code.TOO_MANY_PIXELS
    assert decoded(data, limits=Limits(max_pixels=60_000)).width == 300


def test_pixels_are_counted_before_they_are_decoded() -> None:
    """The memory limit is too small for these pixels: TOO_MANY_PIXELS shows that they were counted first."""
    assert refusal_code(png(12000, 12000), limits=Limits(memory=150 * 2**20)) is Code.TOO_MANY_PIXELS


def test_a_gif_with_a_huge_canvas_is_refused() -> None:
    data = bytearray(saved(Image.new("P", (10, 10)), "GIF"))
    data[6:10] = b"\xff\xff\xff\xff"
    assert refusal_code(bytes(data)) is Code.TOO_MANY_PIXELS


def test_a_text_chunk_that_decompresses_to_80_megabytes_is_refused() -> None:
    info = PngInfo()
    info.add_text("Comment", "\0" * (80 * 2**20), zip=True)
    data = saved(scene(), "PNG", pnginfo=info)
    assert len(data) < 200_000
    assert refusal_code(data) in {Code.BROKEN, Code.TOO_HEAVY}


def zip_of(text: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("evil.html", text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        saved(scene()) + zip_of(b"<p>"),
        saved(scene(), "PNG") + zip_of(b"plain"),
        saved(scene(), "GIF", comment=b"*/=1;</script><script>alert(1)</script>"),
        saved(scene(), comment=b"<?php system($_GET['x']); ?>"),
        saved(scene(), comment=b"%PDF-1.7\n1 0 obj<</OpenAction 2 0 R>>"),
        saved(scene()) + b"<html><body onload=alert(1)>",
        saved(scene(), "PNG")[:-12] + chunk(b"tEXt", b"x\0<SVG onload=alert(1)>") + chunk(b"IEND", b""),
        saved(scene()) + b"Rar!\x1a\x07\x01\0" + b"\0" * 30,
    ],
)
def test_polyglots_are_refused(data: bytes) -> None:
    assert refusal_code(data, "photo.jpg") is Code.GUEST


def test_a_photo_with_an_appended_video_is_accepted() -> None:
    """Phones append a video to every motion photo."""
    film = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0" * 4000
    assert decoded(saved(scene()) + film, "MVIMG_0001.jpg").width == 300


def test_a_raw_file_is_refused_although_its_preview_could_be_decoded() -> None:
    tags = ImageFileDirectory_v2()
    tags[50706] = b"\x01\x04\x00\x00"  # DNGVersion: makes a TIFF a raw file
    assert refusal_code(saved(scene(), "TIFF", tiffinfo=tags)) is Code.RAW
    assert decoded(saved(scene(), "TIFF")).width == 300


def test_a_file_with_the_signature_of_another_type_is_refused() -> None:
    assert refusal_code(b"\xff\xd8\xff" + saved(scene(), "PNG")) is Code.BROKEN
    assert refusal_code(b"GIF89a" + b"\x41" * 500) in {Code.BROKEN, Code.TOO_MANY_PIXELS, Code.TRUNCATED}


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_a_damaged_file_is_either_decoded_or_refused(file_format: str) -> None:
    """U6: whatever is changed in the file, there is no other exception."""
    whole = saved(scene(), file_format)
    generator = random.Random(file_format)  # noqa: S311 - the same damage in every run
    for _ in range(5):
        data = bytearray(whole)
        for _ in range(12):
            data[generator.randrange(12, len(data))] = generator.randrange(256)
        try:
            found = decode(io.BytesIO(data))
        except FileRefused as refusal:
            assert refusal.code in Code  # noqa: PT017 - both results are right
        else:
            assert isinstance(found, DecodedPicture)
            assert Image.open(io.BytesIO(found.screen)).size == found.screen_size


def test_a_file_that_is_too_large_is_refused() -> None:
    data = saved(scene())
    assert refusal_code(data + b"\0" * 2**20, limits=Limits(max_bytes=2**20)) is Code.TOO_MANY_BYTES


# Parts of the command lines of processes that run as long as this one: Python's resource tracker, the tests'
# servers and their watcher.
RUNNING_ALL_THE_TIME = ("multiprocessing.resource_tracker", "moto.server", "tests/watcher.py", "bin/postgres")


def descendants() -> list[str]:
    """Command lines of this process's child processes, zombies included, except RUNNING_ALL_THE_TIME."""
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    words = [Path(f"/proc/{child}/cmdline").read_text() for child in children]
    return [line for line in words if not any(name in line for name in RUNNING_ALL_THE_TIME)]


def set_child_program(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(decode_module, "COMMAND", (sys.executable, "-c", program))


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", Code.CRASHED),
        ("import sys; sys.stdin.buffer.read(); sys.exit(3)", Code.CRASHED),
        ("", Code.CRASHED),
        ("import sys; sys.stdin.buffer.read(); print('nonsense')", Code.CRASHED),
        ("import sys; sys.stdout.buffer.write(b'LACUNA\\x01\\n' + b'\\0\\0\\0\\x02{}')", Code.CRASHED),
        ("import sys; sys.stdout.buffer.write(b'LACUNA\\x01\\n' + b'\\0\\0\\0\\x02[]')", Code.CRASHED),
        ("import sys; sys.stdout.buffer.write(b'LACUNA\\x01\\n' + b'x' * 3)", Code.CRASHED),
        (
            "import sys; sys.stdin.buffer.read()\nwhile True: sys.stdout.buffer.write(b'x' * 65536)",
            Code.CRASHED,
        ),
        ("import sys\nwhile True: sys.stdout.buffer.write(b'x' * 65536)", Code.TOO_SLOW),
        ("import time; time.sleep(60)", Code.TOO_SLOW),
        ("import sys, time; sys.stdin.buffer.read(); time.sleep(60)", Code.TOO_SLOW),
    ],
)
def test_a_failing_child_process_does_not_harm_the_parent(
    monkeypatch: pytest.MonkeyPatch, program: str, code: Code
) -> None:
    set_child_program(monkeypatch, program)
    large = saved(scene()) + b"\0" * 300_000
    assert refusal_code(large, limits=Limits(seconds=1.5)) is code
    assert descendants() == []


FACTS = (
    '{"size": [99, 66], "taken": null, "place": null, "screen_size": [9, 6], "thumb_size": [3, 2],'
    ' "fingerprint": "0", "screen_bytes": 5, "thumb_bytes": 5}'
)


@pytest.mark.parametrize(
    ("original", "claimed"),
    [
        ("[99, 66]", "[99999, 99999]"),
        ("[99, 66]", "[99, 0]"),
        ("[9, 6]", "[5000, 5000]"),
        ('"taken": null', '"taken": "<script>"'),
        ('"place": null', '"place": "here"'),
        ('"thumb_bytes": 5', '"thumb_bytes": 4'),
        ('"screen_bytes": 5', '"screen_bytes": -5'),
        ('"fingerprint": "0"', '"fingerprint": "x"'),
        ('{"size"', '{"refused": "no such code", "size"'),
    ],
)
def test_invalid_facts_of_the_child_process_are_refused(
    monkeypatch: pytest.MonkeyPatch, original: str, claimed: str
) -> None:
    def answering(facts: str) -> str:
        answer = b"LACUNA\x01\n" + len(facts).to_bytes(4) + facts.encode() + 2 * b"\xff\xd8\xff\xff\xd9"
        return f"import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write({answer!r})"

    set_child_program(monkeypatch, answering(FACTS))
    assert decoded(saved(scene())).screen_size == (9, 6)
    assert original in FACTS
    set_child_program(monkeypatch, answering(FACTS.replace(original, claimed)))
    assert refusal_code(saved(scene())) is Code.CRASHED


def test_processor_time_is_limited() -> None:
    heavy = saved(Image.effect_noise((6000, 4000), 90), "PNG", compress_level=1)
    assert refusal_code(heavy, limits=Limits(cpu_seconds=0)) is Code.TOO_SLOW


def test_memory_is_limited() -> None:
    heavy = png(7000, 7000)
    assert refusal_code(heavy, limits=Limits(memory=120 * 2**20)) in {Code.TOO_HEAVY, Code.CRASHED}
    assert decoded(heavy).width == 7000


def test_the_parent_sends_the_file_in_small_pieces() -> None:
    """For a file of 60 MB the parent process needs memory only for a few pieces."""

    class Stream:
        def __init__(self, head: bytes, zeros: int) -> None:
            self.head, self.zeros, self.largest = head, zeros, 0

        def read(self, size: int, /) -> bytes:
            self.largest = max(self.largest, size)
            piece, self.head = self.head[:size], self.head[size:]
            if not piece:
                piece = b"\0" * min(size, self.zeros)
                self.zeros -= len(piece)
            return piece

    decode(Stream(saved(scene()), 0))
    stream = Stream(saved(scene()), 60 * 2**20)
    tracemalloc.start()
    try:
        found = decode(stream)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(found, DecodedPicture)
    assert stream.zeros == 0
    assert stream.largest == 64 * 1024
    # Reading the answer reserves memory for the largest answer.
    assert peak < max_answer_bytes(Kind.JPEG) + 8 * 2**20


def test_an_exception_while_reading_the_source_is_raised() -> None:
    class Vault:
        reads = 0

        def read(self, size: int, /) -> bytes:
            self.reads += 1
            if self.reads > 2:
                raise OSError("the last segment is missing")
            return saved(scene(900, 700))[:size]

    with pytest.raises(OSError, match="last segment"):
        decode(Vault())
    assert descendants() == []


def test_letters_are_normalized_and_their_words_counted() -> None:
    data = "\ufeffDear Joel,\r\n\r\nI\u202e said\x07 no\u0301.\x85Clementine\n\n".encode()
    assert decode(io.BytesIO(data), "LETTER.TXT") == DecodedLetter("Dear Joel,\n\nI said nó.\nClementine", 6)
    wide = "Cher Joel, adieu".encode("utf-16")
    assert decode(io.BytesIO(wide)) == DecodedLetter("Cher Joel, adieu", 3)


def test_invalid_letters_are_refused() -> None:
    assert refusal_code(b"word " * 300, limits=Limits(max_letter_bytes=1000)) is Code.LETTER_TOO_LONG
    assert refusal_code(b"  \n\t\n ") is Code.LETTER_BLANK
    assert refusal_code(b"word " * 2000 + b"\xff\xfe\xfa") is Code.LETTER_UNREADABLE
    assert refusal_code(b"") is Code.EMPTY
    assert refusal_code(b"Dear Joel %PDF-1.4") is Code.PDF
