"""Render a recording (its waveform) or a video (its first frame).

This runs in the decoder process, on unchecked bytes. FFmpeg (PyAV) is given the container format. It may use
only the codecs listed here and no protocol, and it reads from memory only.
"""

from __future__ import annotations

import io
import re
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import InvalidDataError
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageStat

from .device_clock import AHEAD, is_possible
from .fingerprint import fingerprint
from .kinds import Kind, ends_too_early, hides_another_file
from .rendition import UnusableFile, fit_within, jpeg
from .waveform import sound_fingerprint, waveform

# PyAV imports the class of each kind of stream when it is first needed. By then no file can be opened here.
for _module in walk_packages(av.__path__, "av."):
    if not _module.name.endswith("__main__") and not _module.name.startswith("av.datasets"):
        import_module(_module.name)

_DEMUXERS = {Kind.MP3: "mp3", Kind.OGG: "ogg", Kind.WAV: "wav", Kind.MP4: "mov", Kind.WEBM: "matroska"}
_TYPES = {Kind.MP3: "mpeg", Kind.OGG: "ogg", Kind.WAV: "wav", Kind.MP4: "mp4", Kind.WEBM: "webm"}
# FFmpeg's names of decoders. One codec can have several.
AUDIO_DECODERS = frozenset(
    {"mp3", "mp3float", "aac", "alac", "opus", "libopus", "vorbis", "libvorbis", "flac", "pcm_u8"}
    | {"pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"}
)
VIDEO_DECODERS = frozenset({"h264", "hevc", "vp8", "libvpx", "vp9", "libvpx-vp9", "av1", "libdav1d"})
_COVERS = frozenset({"mjpeg", "png"})  # codecs of cover pictures, which are ignored and never decoded
_MAX_STREAMS = 16
_RATE = 8000  # samples per second, enough to show loudness
_BLOCK = 160  # samples per peak: 20 ms
_MAX_PACKETS_TO_FIRST_FRAME = 600
_MIN_CONTRAST = 3.0  # standard deviation of brightness; a frame below it is plain and gets no fingerprint
_ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?")
# How far the clock at a place may be from the sun's: it is 3 hours in the west of China, with summer time.
_CLOCK_BESIDE_SUN = timedelta(hours=4)
_FAR_FROM_DATE_LINE = 150  # degrees of longitude
_ISO_6709 = re.compile(r"([+-]\d{1,2}\.\d+)([+-]\d{1,3}\.\d+)")  # ISO 6709, as phones write it


def render_media(data: bytes, kind: Kind, settings: dict[str, Any]) -> tuple[dict[str, Any], bytes, bytes]:
    """Return the facts about `data`, its screen rendition (waveform or first frame) and its thumb.

    Keys of `settings`: `max_bytes`, `max_seconds`, `max_pixels`, `screen_side` and `thumb_side`.
    Errors: `UnusableFile`, `MemoryError` or whatever the decoder raises.
    """
    if ends_too_early(kind, data):
        raise UnusableFile("truncated")
    if hides_another_file(data, kind):
        raise UnusableFile("guest")
    with _open(data, kind) as container:
        audio, video = _choose_streams(container)
        facts: dict[str, Any] = {"moving": video is not None, "sound": "", "fingerprint": ""}
        _check_length(container, settings["max_seconds"])
        if video is not None:
            seconds = _duration(container)
            picture = _first_frame(container, video, settings)
            if ImageStat.Stat(picture.convert("L")).stddev[0] >= _MIN_CONTRAST:
                facts["fingerprint"] = f"{fingerprint(picture):016x}"
        elif audio is not None and len(data) <= settings["max_bytes"]:
            peaks = _peaks(container, audio, settings["max_seconds"])
            seconds = len(peaks) * _BLOCK / _RATE
            picture = waveform(peaks)
            if (found := sound_fingerprint(peaks)) is not None:
                facts["sound"] = f"{found:016x}"
        else:
            raise UnusableFile("no_media" if audio is None else "too_many_bytes")
        screen = picture.resize(fit_within(picture.size, settings["screen_side"]), Image.Resampling.LANCZOS)
        thumb = screen.resize(fit_within(screen.size, settings["thumb_side"]), Image.Resampling.LANCZOS)
        facts |= {
            "media_type": f"{'video' if video else 'audio'}/{_TYPES[kind]}",
            "seconds": seconds,
            "taken": _recorded_at(container),
            "place": _location(container),
            "size": picture.size,
            "screen_size": screen.size,
            "thumb_size": thumb.size,
        }
    return facts, jpeg(screen, 86), jpeg(thumb, 82)


def _open(data: bytes, kind: Kind) -> InputContainer:
    allowed = ",".join(sorted(AUDIO_DECODERS | VIDEO_DECODERS))
    options = {
        "protocol_whitelist": "none",
        "codec_whitelist": allowed,
    }
    return av.open(io.BytesIO(data), "r", format=_DEMUXERS[kind], options=options, metadata_errors="replace")


def _choose_streams(container: InputContainer) -> tuple[AudioStream | None, VideoStream | None]:
    """Return the first audio and the first video stream. Covers and subtitles are ignored.

    Errors: `UnusableFile`, also for an audio or video stream of another codec.
    """
    if len(container.streams) > _MAX_STREAMS:
        raise UnusableFile("too_heavy")
    audio_streams, video_streams = [], []
    for stream in container.streams:
        if stream.type == "attachment":
            raise UnusableFile("guest")
        if isinstance(stream, AudioStream):
            audio_streams.append(stream)
        elif isinstance(stream, VideoStream) and not _is_cover(stream):
            video_streams.append(stream)
    for stream in (*audio_streams, *video_streams):
        if _codec(stream) not in AUDIO_DECODERS | VIDEO_DECODERS:
            raise UnusableFile("codec")
    return next(iter(audio_streams), None), next(iter(video_streams), None)


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic) or _codec(stream) in _COVERS


def _codec(stream: Stream) -> str:
    return stream.codec_context.name if stream.codec_context is not None else ""


def _duration(container: InputContainer) -> float:
    """Return the longest of the durations stated in the container, in seconds; 0 if there is none."""
    durations = [container.duration / av.time_base] if container.duration else []
    durations += [
        float(stream.duration * stream.time_base)
        for stream in container.streams
        if stream.duration and stream.time_base
    ]
    durations += [
        stream.frames / float(stream.average_rate)
        for stream in container.streams.video
        if stream.frames and stream.average_rate
    ]
    return max([*durations, 0.0])


def _check_length(container: InputContainer, max_seconds: int) -> None:
    if not _duration(container) <= max_seconds:
        raise UnusableFile("too_long")


def _peaks(container: InputContainer, stream: AudioStream, max_seconds: int) -> array[int]:
    """Return the largest amplitude of each 20 ms. All is decoded: the stated duration can be wrong."""
    resampler = AudioResampler(format="s16", layout="mono", rate=_RATE)
    peaks = array("H")
    pending = bytearray()
    for frame in _frames(container, stream):
        for part in resampler.resample(frame):
            pending += memoryview(part.planes[0])[: 2 * part.samples]
        if len(pending) >= 64 * 1024:
            _add_peaks(pending, peaks)
            if len(peaks) * _BLOCK > max_seconds * _RATE:
                raise UnusableFile("too_long")
    for part in resampler.resample(None):
        pending += memoryview(part.planes[0])[: 2 * part.samples]
    _add_peaks(pending, peaks)
    if not peaks:
        raise UnusableFile("no_media")
    return peaks


def _add_peaks(pending: bytearray, peaks: array[int]) -> None:
    """Remove the whole blocks from `pending` and append their peaks to `peaks`."""
    whole = len(pending) - len(pending) % (2 * _BLOCK)
    samples = array("h", bytes(pending[:whole]))
    for start in range(0, len(samples), _BLOCK):
        block = samples[start : start + _BLOCK]
        peaks.append(max(*block, -min(block)) if len(block) > 1 else abs(block[0]))
    del pending[:whole]


def _frames(container: InputContainer, stream: AudioStream | VideoStream) -> Iterator[Any]:
    """Yield decoded frames. A few bad packets are skipped, as players do. Many mean a damaged file."""
    stream.codec_context.thread_count = 1
    packets = bad_packets = 0
    for packet in container.demux(stream):
        packets += 1
        try:
            frames = packet.decode()
        except InvalidDataError:
            bad_packets += 1
            if bad_packets > 3 + packets // 20:
                raise UnusableFile("broken") from None
            continue
        yield from frames
        if isinstance(stream, VideoStream) and packets > _MAX_PACKETS_TO_FIRST_FRAME:
            return


def _first_frame(container: InputContainer, stream: VideoStream, settings: dict[str, Any]) -> Image.Image:
    """Return the first frame, upright, with square pixels, at most twice as large as the screen rendition."""
    max_pixels = settings["max_pixels"]
    if stream.codec_context.width * stream.codec_context.height > max_pixels:
        raise UnusableFile("too_many_pixels")
    stream.codec_context.options = {"max_pixels": str(max_pixels)}
    frame: VideoFrame | None = next(_frames(container, stream), None)
    if frame is None:
        raise UnusableFile("no_media")
    picture = frame.to_image()
    aspect = stream.sample_aspect_ratio
    if aspect and aspect > 0 and aspect != 1 and 0.1 < aspect < 10:
        picture = picture.resize((max(1, round(picture.width * aspect)), picture.height))
    picture = picture.resize(fit_within(picture.size, 2 * settings["screen_side"]), reducing_gap=3.0)
    turns = round(frame.rotation / 90) % 4
    return picture.rotate(90 * turns, expand=True) if turns else picture


def _tags(container: InputContainer) -> dict[str, str]:
    return {key.lower(): value for key, value in container.metadata.items()}


def _recorded_at(container: InputContainer) -> str | None:
    """Return the local time of recording, or only its day, or None if the device did not store it surely."""
    tags = _tags(container)
    for key in ("com.apple.quicktime.creationdate", "date"):
        found = _ISO_TIME.fullmatch(tags.get(key, "").strip())
        # A time with an offset is the time of the clock there; "Z" stands for UTC, whatever the clock said.
        if found and found[2] and found[2] != "Z" and (time := _possible_time(found[1])):
            return time.isoformat()
    found = _ISO_TIME.fullmatch(tags.get("creation_time", "").strip())
    time = _possible_time(found[1]) if found else None
    return _sure_day(time, _location(container)) if time else None


def _possible_time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if is_possible(time, datetime.now(UTC).replace(tzinfo=None) + AHEAD) else None


def _sure_day(utc: datetime, place: tuple[float, float] | None) -> str | None:
    """Return the local day of a time in UTC, or None if it may be the day before or after.

    The place tells the local time roughly. Some devices store their local time as if it were UTC, so the day
    has to be the same without any shift too.
    """
    if place is None or abs(place[1]) > _FAR_FROM_DATE_LINE:
        return None
    by_sun = utc + timedelta(hours=place[1] / 15)
    days = {time.date() for time in (utc, by_sun - _CLOCK_BESIDE_SUN, by_sun + _CLOCK_BESIDE_SUN)}
    return days.pop().isoformat() if len(days) == 1 else None


def _location(container: InputContainer) -> tuple[float, float] | None:
    """Return latitude and longitude of the recording in degrees as the device stored them, or None."""
    tags = _tags(container)
    for key in ("com.apple.quicktime.location.iso6709", "location", "location-eng"):
        if found := _ISO_6709.match(tags.get(key, "")):
            latitude, longitude = float(found[1]), float(found[2])
            if abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude or longitude):
                return latitude, longitude
    return None
