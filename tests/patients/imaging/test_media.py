"""Decoding recordings and videos (U1, U4, U8): types, pictures, metadata, and refused files."""

import io
import struct
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from patients.imaging import decode as decode_module
from patients.imaging import file_view
from patients.imaging.decode import DecodedMedia, Limits, decode
from patients.imaging.decoder_answer import max_answer_bytes
from patients.imaging.decoder_process import REQUEST
from patients.imaging.fingerprint import NEAR, distance
from patients.imaging.kinds import Kind
from patients.imaging.refusals import Code, FileRefused
from patients.imaging.waveform import SIZE, sound_fingerprint, waveform

from .media import other_voice, padded_film, recording, spoken, video
from .pictures import corners, scene


def decoded(data: bytes, name: str = "", limits: Limits | None = None) -> DecodedMedia:
    found = decode(io.BytesIO(data), name, limits=limits or Limits())
    assert isinstance(found, DecodedMedia)
    return found


def refusal_code(data: bytes, name: str = "", limits: Limits | None = None) -> Code:
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
def test_a_recording_is_shown_as_its_waveform(container: str, codec: str, rate: int, media_type: str) -> None:
    found = decoded(recording(container, codec, rate=rate))
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
def test_a_video_is_shown_as_its_first_frame(container: str, codec: str, media_type: str) -> None:
    found = decoded(video(container, codec, first=scene(320, 240)))
    assert (found.moving, found.media_type, found.sound) == (True, media_type, "")
    assert found.seconds == pytest.approx(1, abs=0.15)
    assert found.screen_size == (320, 240)
    assert corners(found.screen) == ["red", "lime", "blue", "yellow"]


def test_a_large_video_is_shown_no_larger_than_a_photograph() -> None:
    found = decoded(video(size=(1920, 1080), frames=2))
    assert (found.screen_size, found.thumb_size) == ((1280, 720), (360, 202))


def test_date_and_place_are_read_and_are_not_in_the_pictures() -> None:
    metadata = {"creation_time": "2003-08-14T12:01:44.000000Z", "location": "+40.7128-074.0060/"}
    found = decoded(video("mp4", metadata=metadata, movflags="use_metadata_tags"))
    assert (found.taken, found.gps) == ("2003-08-14", (40.7128, -74.006))
    assert b"40.71" not in found.screen + found.thumb


NEW_YORK = "+40.7128-074.0060/"
LOCAL_TIME = "com.apple.quicktime.creationdate"


@pytest.mark.parametrize(
    ("metadata", "taken"),
    [
        ({"creation_time": "2004-02-15T02:30:00.000000Z"}, None),
        ({"creation_time": "2004-02-15T02:30:00.000000Z", "location": NEW_YORK}, None),
        ({"creation_time": "2004-02-14T23:30:00.000000Z", "location": "+48.2082+016.3738/"}, None),
        ({"creation_time": "2004-02-14T12:00:00.000000Z"}, None),
        ({"creation_time": "2004-02-14T20:00:00.000000Z", "location": "-13.8333-171.7500/"}, None),
        ({"creation_time": "2004-02-15T00:30:00.000000Z", "location": NEW_YORK}, None),
        ({"creation_time": "2004-02-14T17:00:00.000000Z", "location": NEW_YORK}, "2004-02-14"),
        (
            {LOCAL_TIME: "2004-02-14T21:30:00-0500", "creation_time": "2004-02-15T02:30:00.000000Z"},
            "2004-02-14T21:30:00",
        ),
        ({LOCAL_TIME: "2004-02-15T02:30:00Z", "creation_time": "2004-02-15T02:30:00.000000Z"}, None),
        ({LOCAL_TIME: "2004-02-15T02:30:00"}, None),
        ({LOCAL_TIME: "1970-01-01T00:00:00+0000"}, None),
        ({LOCAL_TIME: "2190-01-01T00:00:00+0000"}, None),
        ({LOCAL_TIME: "2004-02-31T00:00:00+0000"}, None),
        ({"creation_time": "1970-01-01T17:00:00.000000Z", "location": NEW_YORK}, None),
    ],
)
def test_a_time_in_utc_is_not_mistaken_for_the_local_day(metadata: dict[str, str], taken: str | None) -> None:
    assert decoded(video("mp4", metadata=metadata, movflags="use_metadata_tags")).taken == taken


def test_a_reported_video_of_an_evening_is_not_dated_to_the_next_day(reported: Path) -> None:
    assert decoded((reported / "evening-utc.mp4").read_bytes()).taken is None


def bars(jpeg: bytes) -> list[int]:
    """How dark each of 32 columns of a waveform is (0 to 255)."""
    gray = Image.open(io.BytesIO(jpeg)).convert("L")
    middle = gray.crop((58, 0, gray.width - 58, gray.height))
    dark = middle.point([255 if value < 128 else 0 for value in range(256)])
    return list(dark.resize((32, 1), Image.Resampling.BOX).tobytes())


def test_a_waveform_shows_what_was_loud_and_what_was_quiet() -> None:
    # Eight seconds in 32 columns: the loud ones are 8 to 15.
    ink = bars(decoded(recording(loudness=lambda at: 0.9 if 2 <= at < 4 else 0.0)).screen)
    loud, quiet = ink[9:15], ink[0:7] + ink[17:]
    assert min(loud) > 4 * max(quiet)


def test_the_waveform_does_not_depend_on_the_recording_level() -> None:
    loud, quiet = (bars(decoded(recording(gain=gain)).screen) for gain in (1.0, 0.2))
    assert max(abs(one - other) for one, other in zip(loud, quiet, strict=True)) < 25


def test_quieter_copies_in_other_formats_have_similar_sound_fingerprints() -> None:
    one = int(decoded(recording("wav", "pcm_s16le")).sound, 16)
    copies = (
        decoded(recording("mp3", "libmp3lame", gain=0.3)),
        decoded(recording("ogg", "libopus", rate=48000, gain=0.7)),
        decoded(recording("ipod", "aac", rate=44100)),
    )
    assert max(distance(one, int(copy.sound, 16)) for copy in copies) <= NEAR / 2
    other = decoded(recording("wav", "pcm_s16le", loudness=other_voice))
    assert distance(one, int(other.sound, 16)) > NEAR + 6


def test_silence_and_a_steady_tone_have_no_sound_fingerprint() -> None:
    assert decoded(recording(loudness=lambda at: 0.0)).sound == ""
    assert decoded(recording(loudness=lambda at: 0.5)).sound == ""
    assert sound_fingerprint([1000] * 64) is None
    with pytest.raises(ValueError, match="nothing to hear"):
        waveform([])


def test_a_plain_first_frame_has_no_fingerprint() -> None:
    black = Image.new("RGB", (32, 32))
    assert decoded(video(first=black)).fingerprint == ""
    assert decoded(video(first=scene())).fingerprint != ""


WHOLE_FILES = [
    lambda: recording("wav", "pcm_s16le"),
    lambda: recording("ipod", "aac"),
    lambda: recording("ogg", "libopus", rate=48000),
    lambda: recording("webm", "libopus", rate=48000),
    lambda: video("mp4"),
    lambda: video("webm", "libvpx-vp9"),
]


@pytest.mark.parametrize("make", WHOLE_FILES, ids=["wav", "m4a", "ogg", "weba", "mp4", "webm"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_truncated_media_are_refused(make: Callable[[], bytes], share: float) -> None:
    whole = make()
    assert refusal_code(whole[: int(len(whole) * share)]) is Code.TRUNCATED


def test_a_truncated_mp3_is_accepted() -> None:
    whole = recording()
    assert decoded(whole[: len(whole) // 2]).seconds == pytest.approx(4, abs=0.4)


def video_claiming(seconds: int) -> bytes:
    """An MP4 of ten frames whose headers (movie, track, frame times) claim a length of `seconds`."""
    data = bytearray(video("mp4"))
    for name in (b"mvhd", b"mdhd"):
        at = data.find(name) + 4
        (scale,) = struct.unpack_from(">I", data, at + 12)
        struct.pack_into(">I", data, at + 16, scale * seconds)
    at = data.find(b"stts") + 4
    assert struct.unpack_from(">II", data, at + 4) == (1, 10)
    struct.pack_into(">I", data, at + 12, scale * seconds // 10)
    return bytes(data)


def test_an_mp4_that_claims_ten_hours_is_refused() -> None:
    assert refusal_code(video_claiming(36_000)) is Code.TOO_LONG
    assert refusal_code(video_claiming(36_000).replace(b"edts", b"free")) is Code.TOO_LONG
    assert decoded(video_claiming(1)).moving


def test_a_recording_longer_than_its_header_says_is_refused() -> None:
    whole = recording("ogg", "libopus", rate=48000, seconds=30)
    assert decoded(whole, limits=Limits(max_seconds=40)).seconds == pytest.approx(30, abs=0.5)
    assert refusal_code(whole, limits=Limits(max_seconds=20)) is Code.TOO_LONG
    raw = bytearray(recording("wav", "pcm_s16le", seconds=30))
    at = raw.find(b"data") + 4
    raw[at : at + 4] = b"\xff" * 4  # unknown length, as a recorder that was switched off leaves it
    assert refusal_code(bytes(raw), limits=Limits(max_seconds=20)) is Code.TOO_LONG


def test_a_frame_of_too_many_pixels_is_refused() -> None:
    assert refusal_code(video(size=(640, 480)), limits=Limits(max_pixels=300_000)) is Code.TOO_MANY_PIXELS


def test_a_video_has_the_size_limit_of_videos_and_sound_in_mp4_that_of_recordings() -> None:
    film, sound = video("mp4", frames=40), recording("ipod", "aac")
    small = Limits(max_recording_bytes=1000)
    assert decoded(film, limits=small).moving
    assert refusal_code(sound, limits=small) is Code.TOO_MANY_BYTES
    assert refusal_code(film, limits=Limits(max_video_bytes=1000)) is Code.TOO_MANY_BYTES


@pytest.mark.parametrize(
    "make",
    [
        lambda: video("mp4", "mpeg2video"),
        lambda: recording("mov", "pcm_s24be"),
        lambda: recording("wav", "adpcm_swf", rate=11025),
    ],
    ids=["mpeg2", "pcm_s24be", "adpcm_swf"],
)
def test_unlisted_codecs_are_refused(make: Callable[[], bytes]) -> None:
    assert refusal_code(make()) in {Code.CODEC, Code.NO_MEDIA}


def recording_with_zip() -> bytes:
    """A WebM with an appended zip archive."""
    return recording("webm", "libopus", rate=48000) + b"PK\x05\x06" + bytes(18)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (recording_with_zip, Code.GUEST),
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
def test_hostile_media_are_refused(make: Callable[[], bytes], code: Code) -> None:
    assert refusal_code(make()) in {code, Code.NO_MEDIA}


def test_a_name_that_contradicts_the_bytes_is_refused() -> None:
    for name in ("page.html", "run.exe"):
        assert refusal_code(recording(), name) is Code.CONTRADICTION
    assert decoded(recording(), "VOICE.M4A").moving is False


def test_six_minutes_are_decoded_in_four_seconds_of_processor_time() -> None:
    """An hour takes about three seconds. The longest recording, two hours, stays far below the limit."""
    found = decoded(recording(seconds=360, rate=8000, loudness=spoken), limits=Limits(cpu_seconds=4))
    assert found.seconds == pytest.approx(360, abs=1)


def test_a_film_that_is_larger_than_the_memory_of_the_decoder_process_is_decoded(tmp_path: Path) -> None:
    """The film has 700 MB, the decoder process 400: both processes read the film in parts."""
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        for piece in padded_film(700 * 2**20):
            file.write(piece)
    limits = Limits(memory=400 * 2**20)
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            found = decode(file, "film.mp4", limits=limits)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(found, DecodedMedia)
    assert found.moving
    # Reading the answer reserves memory for the largest answer.
    assert peak < max_answer_bytes(Kind.MP4) + 8 * 2**20
    with path.open("ab") as file:
        file.write(b"<script src=x></script>")
    with path.open("rb") as file, pytest.raises(FileRefused) as refusal:
        decode(file, "film.mp4", limits=limits)
    assert refusal.value.code is Code.GUEST


def test_a_script_that_begins_in_one_window_of_the_file_and_ends_in_the_next_is_found() -> None:
    film = video("mp4")
    script = b"<script src=x></script>"
    at = file_view.WINDOW - 11
    padding = bytes(at - len(film) - 8) + script + bytes(at)
    assert refusal_code(film + (len(padding) + 8).to_bytes(4, "big") + b"free" + padding) is Code.GUEST


@pytest.mark.parametrize(
    "request_bytes",
    [
        REQUEST + b"\0" * 8 + b"\xff" * 4,  # more bytes than one request may ask for
        REQUEST + b"\xff" * 12,  # beyond the end of the file
        REQUEST + b"\0",  # too short for a request
        b"\0" * 30,
        b"",
    ],
)
def test_an_invalid_request_of_the_decoder_process_counts_as_a_crash(
    request_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = f"import sys; sys.stdout.buffer.write({request_bytes!r})"
    monkeypatch.setattr(decode_module, "COMMAND", (sys.executable, "-c", program))
    assert refusal_code(recording()) is Code.CRASHED


def test_a_source_that_becomes_shorter_while_it_is_decoded_is_an_error() -> None:
    class Shrinking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return b"" if self.tell() > 4096 else super().read(size)

    with pytest.raises(EOFError):
        decode(Shrinking(recording("wav", "pcm_s16le")), "voice.wav")
