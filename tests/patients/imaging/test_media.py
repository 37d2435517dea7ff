"""Recordings and videos (U1, U4, U8): what they are, how they look, and what of that kind is refused."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from patients.imaging.decode import DecodedMedia, Limits, decode
from patients.imaging.fingerprint import NEAR, distance
from patients.imaging.refusals import Code, FileRefused
from patients.imaging.waveform import SIZE, sound_fingerprint, waveform

from .media import other_voice, recording, spoken, video
from .pictures import corners, saved, scene


def opened(data: bytes, name: str = "", limits: Limits | None = None) -> DecodedMedia:
    found = decode(io.BytesIO(data), name, limits=limits or Limits())
    assert isinstance(found, DecodedMedia)
    return found


def refused(data: bytes, name: str = "", limits: Limits | None = None) -> Code:
    with pytest.raises(FileRefused) as caught:
        decode(io.BytesIO(data), name, limits=limits or Limits())
    assert str(caught.value).endswith(".")
    return caught.value.code


SOUNDS = [
    ("mp3", "libmp3lame", 16000, "audio/mpeg"),
    ("ipod", "aac", 16000, "audio/mp4"),
    ("ipod", "alac", 16000, "audio/mp4"),
    ("ogg", "libopus", 48000, "audio/ogg"),
    ("ogg", "flac", 16000, "audio/ogg"),
    ("wav", "pcm_s16le", 16000, "audio/wav"),
    ("webm", "libopus", 48000, "audio/webm"),
]


@pytest.mark.parametrize(("container", "codec", "rate", "media_type"), SOUNDS)
def test_a_recording_becomes_its_waveform(container: str, codec: str, rate: int, media_type: str) -> None:
    found = opened(recording(container, codec, rate=rate))
    assert (found.moving, found.media_type, found.fingerprint) == (False, media_type, "")
    assert found.seconds == pytest.approx(8, abs=0.15)
    assert found.screen_size == Image.open(io.BytesIO(found.screen)).size == SIZE
    assert found.thumb_size == Image.open(io.BytesIO(found.thumb)).size == (360, 144)


@pytest.mark.parametrize(
    ("container", "codec", "media_type"),
    [
        ("mp4", "libx264", "video/mp4"),
        ("mov", "libx264", "video/mp4"),
        ("webm", "libvpx-vp9", "video/webm"),
        ("webm", "libvpx", "video/webm"),
    ],
)
def test_a_video_becomes_its_first_frame(container: str, codec: str, media_type: str) -> None:
    found = opened(video(container, codec, first=scene(320, 240)))
    assert (found.moving, found.media_type, found.sound) == (True, media_type, "")
    assert found.seconds == pytest.approx(1, abs=0.15)
    assert found.screen_size == (320, 240)
    assert corners(found.screen) == ["red", "lime", "blue", "yellow"]


def test_a_large_video_is_shown_no_larger_than_a_photograph() -> None:
    found = opened(video(size=(1920, 1080), frames=2))
    assert (found.screen_size, found.thumb_size) == ((1280, 720), (360, 202))


def test_when_and_where_it_was_recorded_is_read_and_stays_out_of_its_picture() -> None:
    told = {"creation_time": "2003-08-14T12:01:44.000000Z", "location": "+40.7128-074.0060/"}
    found = opened(video("mp4", metadata=told, movflags="use_metadata_tags"))
    assert (found.taken, found.gps) == ("2003-08-14", (40.7128, -74.006))
    assert b"40.71" not in found.screen + found.thumb


NEW_YORK = "+40.7128-074.0060/"
APPLE = "com.apple.quicktime.creationdate"


@pytest.mark.parametrize(
    ("told", "taken"),
    [
        ({"creation_time": "2004-02-15T02:30:00.000000Z"}, None),
        ({"creation_time": "2004-02-15T02:30:00.000000Z", "location": NEW_YORK}, None),
        ({"creation_time": "2004-02-14T23:30:00.000000Z", "location": "+48.2082+016.3738/"}, None),
        ({"creation_time": "2004-02-14T12:00:00.000000Z"}, None),
        ({"creation_time": "2004-02-14T20:00:00.000000Z", "location": "-13.8333-171.7500/"}, None),
        ({"creation_time": "2004-02-15T00:30:00.000000Z", "location": NEW_YORK}, None),
        ({"creation_time": "2004-02-14T17:00:00.000000Z", "location": NEW_YORK}, "2004-02-14"),
        (
            {APPLE: "2004-02-14T21:30:00-0500", "creation_time": "2004-02-15T02:30:00.000000Z"},
            "2004-02-14T21:30:00",
        ),
        ({APPLE: "2004-02-15T02:30:00Z", "creation_time": "2004-02-15T02:30:00.000000Z"}, None),
        ({APPLE: "2004-02-15T02:30:00"}, None),
        ({APPLE: "1970-01-01T00:00:00+0000"}, None),
        ({APPLE: "2190-01-01T00:00:00+0000"}, None),
        ({APPLE: "2004-02-31T00:00:00+0000"}, None),
        ({"creation_time": "1970-01-01T17:00:00.000000Z", "location": NEW_YORK}, None),
    ],
)
def test_a_time_in_utc_is_not_taken_for_the_local_day(told: dict[str, str], taken: str | None) -> None:
    assert opened(video("mp4", metadata=told, movflags="use_metadata_tags")).taken == taken


def test_a_reported_film_of_an_evening_is_not_of_the_day_after(reported: Path) -> None:
    assert opened((reported / "evening-utc.mp4").read_bytes()).taken is None


def bars(jpeg: bytes) -> list[int]:
    """How much ink stands in each of 32 columns of a waveform."""
    gray = Image.open(io.BytesIO(jpeg)).convert("L")
    middle = gray.crop((58, 0, gray.width - 58, gray.height))
    dark = middle.point([255 if value < 128 else 0 for value in range(256)])
    return list(dark.resize((32, 1), Image.Resampling.BOX).tobytes())


def test_a_waveform_shows_what_was_loud_and_what_was_quiet() -> None:
    ink = bars(opened(recording(loudness=lambda at: 0.9 if 2 <= at < 4 else 0.0)).screen)
    loud, quiet = ink[9:15], ink[0:7] + ink[17:]
    assert min(loud) > 4 * max(quiet)


def test_how_loud_it_was_taken_does_not_show() -> None:
    loud, quiet = (bars(opened(recording(gain=gain)).screen) for gain in (1.0, 0.2))
    assert max(abs(one - other) for one, other in zip(loud, quiet, strict=True)) < 25


def test_a_copy_in_another_format_and_softer_has_nearly_the_same_digest() -> None:
    one = int(opened(recording("wav", "pcm_s16le")).sound, 16)
    copies = (
        opened(recording("mp3", "libmp3lame", gain=0.3)),
        opened(recording("ogg", "libopus", rate=48000, gain=0.7)),
        opened(recording("ipod", "aac", rate=44100)),
    )
    assert max(distance(one, int(copy.sound, 16)) for copy in copies) <= NEAR / 2
    other = opened(recording("wav", "pcm_s16le", loudness=other_voice))
    assert distance(one, int(other.sound, 16)) > NEAR + 6


def test_silence_and_a_steady_tone_have_no_digest() -> None:
    assert opened(recording(loudness=lambda at: 0.0)).sound == ""
    assert opened(recording(loudness=lambda at: 0.5)).sound == ""
    assert sound_fingerprint([1000] * 64) is None
    with pytest.raises(ValueError, match="nothing to hear"):
        waveform([])


def test_a_plain_first_frame_has_no_fingerprint() -> None:
    black = Image.new("RGB", (32, 32))
    assert opened(video(first=black)).fingerprint == ""
    assert opened(video(first=scene())).fingerprint != ""


CUT = [
    lambda: recording("wav", "pcm_s16le"),
    lambda: recording("ipod", "aac"),
    lambda: recording("ogg", "libopus", rate=48000),
    lambda: recording("webm", "libopus", rate=48000),
    lambda: video("mp4"),
    lambda: video("webm", "libvpx-vp9"),
]


@pytest.mark.parametrize("make", CUT, ids=["wav", "m4a", "ogg", "weba", "mp4", "webm"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_what_was_cut_is_refused(make: Callable[[], bytes], share: float) -> None:
    whole = make()
    assert refused(whole[: int(len(whole) * share)]) is Code.TRUNCATED


def test_of_a_cut_mp3_what_is_there_is_taken() -> None:
    whole = recording()
    assert opened(whole[: len(whole) // 2]).seconds == pytest.approx(4, abs=0.4)


def claiming(seconds: int) -> bytes:
    """An MP4 of ten frames that claims to play for so long, in its movie, its track and each frame's time."""
    data = bytearray(video("mp4"))
    for name in (b"mvhd", b"mdhd"):
        at = data.find(name) + 4
        (scale,) = struct.unpack_from(">I", data, at + 12)
        struct.pack_into(">I", data, at + 16, scale * seconds)
    at = data.find(b"stts") + 4
    assert struct.unpack_from(">II", data, at + 4) == (1, 10)
    struct.pack_into(">I", data, at + 12, scale * seconds // 10)
    return bytes(data)


def test_an_mp4_that_claims_ten_hours_is_refused_unseen() -> None:
    assert refused(claiming(36_000)) is Code.TOO_LONG
    assert refused(claiming(36_000).replace(b"edts", b"free")) is Code.TOO_LONG
    assert opened(claiming(1)).moving


def test_a_recording_that_is_longer_than_it_says_is_refused_all_the_same() -> None:
    whole = recording("ogg", "libopus", rate=48000, seconds=30)
    assert opened(whole, limits=Limits(max_seconds=40)).seconds == pytest.approx(30, abs=0.5)
    assert refused(whole, limits=Limits(max_seconds=20)) is Code.TOO_LONG
    raw = bytearray(recording("wav", "pcm_s16le", seconds=30))
    at = raw.find(b"data") + 4
    raw[at : at + 4] = b"\xff" * 4  # a recorder that was switched off: its length is not known
    assert refused(bytes(raw), limits=Limits(max_seconds=20)) is Code.TOO_LONG


def test_a_frame_of_too_many_pixels_is_refused() -> None:
    assert refused(video(size=(640, 480)), limits=Limits(max_pixels=300_000)) is Code.TOO_MANY_PIXELS


def test_a_video_has_a_cap_of_its_own_and_sound_in_its_container_that_of_recordings() -> None:
    film, sound = video("mp4", frames=40), recording("ipod", "aac")
    small = Limits(max_bytes=1000)
    assert opened(film, limits=small).moving
    assert refused(sound, limits=small) is Code.TOO_MANY_BYTES
    assert refused(film, limits=Limits(max_video_bytes=1000)) is Code.TOO_MANY_BYTES


@pytest.mark.parametrize(
    "make",
    [
        lambda: video("mp4", "mpeg4"),
        lambda: recording("mov", "pcm_s16be"),
        lambda: recording("wav", "adpcm_ms"),
    ],
    ids=["mpeg4", "pcm_s16be", "adpcm"],
)
def test_codecs_that_are_not_named_are_not_decoded(make: Callable[[], bytes]) -> None:
    assert refused(make()) in {Code.CODEC, Code.NO_MEDIA}


def attached() -> bytes:
    """A WebM whose file name and text say what another reader would do with it."""
    return recording("webm", "libopus", rate=48000) + b"PK\x05\x06" + bytes(18)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (attached, Code.GUEST),
        (lambda: recording(metadata={"title": "<script>alert(document.cookie)</script>"}), Code.GUEST),
        (lambda: b"ID3\x03\0\0\0\0\0\0" + b"%PDF-1.7 " + bytes(500), Code.GUEST),
        (lambda: b"ID3\x03\0\0\0\0\0\0" + bytes(500), Code.BROKEN),
        (lambda: b"OggS\0" + bytes(500), Code.TRUNCATED),
        (lambda: b"\0\0\0\x10ftypisom\0\0\0\0", Code.BROKEN),
        (lambda: b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov", Code.BROKEN),
        (lambda: b"\x1a\x45\xdf\xa3\x84\x42\x82\x84webm\x18\x53\x80\x67\x80", Code.BROKEN),
        (lambda: b"\xff\xfb\x90\x64" + bytes(2000), Code.BROKEN),
    ],
)
def test_hostile_files_get_a_sentence(make: Callable[[], bytes], code: Code) -> None:
    assert refused(make()) in {code, Code.NO_MEDIA}


def test_a_name_that_contradicts_the_bytes_is_refused() -> None:
    for name in ("photo.jpg", "letter.pdf", "letter.txt", "page.html", "run.exe"):
        assert refused(recording(), name) is Code.CONTRADICTION
    assert refused(saved(scene()), "voice.mp3") is Code.CONTRADICTION
    assert opened(recording(), "VOICE.M4A").moving is False


def test_two_hours_are_heard_through_within_the_limits() -> None:
    """An hour takes about three seconds of processor time here; a tenth of that is measured."""
    found = opened(recording(seconds=360, rate=8000, loudness=spoken), limits=Limits(cpu_seconds=4))
    assert found.seconds == pytest.approx(360, abs=1)
