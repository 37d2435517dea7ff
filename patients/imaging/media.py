"""Render a recording (its waveform) or a video (its first frame).

This runs in the decoder process, on unchecked bytes. FFmpeg (PyAV) is given the container format. It may use
only the codecs listed here and no protocol, and it reads from memory only.
"""

from __future__ import annotations

import re
from array import array
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageStat

from .browser_copy import AUDIO_TO_COPY, VIDEO_TO_COPY, browser_copy, needs_copy
from .device_clock import AHEAD, is_possible
from .file_view import Content, FileView, as_view, windows
from .fingerprint import fingerprint
from .frames import decoded_frames
from .kinds import Kind, correct_lengths, end_of_boxes, ends_too_early, hides_another_file
from .rendition import UnusableFile, fit_within, jpeg, stored_words
from .waveform import sound_fingerprint, waveform

# PyAV imports the class of each kind of stream when it is first needed. By then no file can be opened here.
for _module in walk_packages(av.__path__, "av."):
    if not _module.name.endswith("__main__") and not _module.name.startswith("av.datasets"):
        import_module(_module.name)

_DEMUXERS = {Kind.MP3: "mp3", Kind.OGG: "ogg", Kind.WAV: "wav", Kind.MP4: "mov", Kind.WEBM: "matroska"}
_DEMUXERS |= {Kind.AVI: "avi", Kind.AMR: "amr", Kind.FLAC: "flac"}
# The second half of a media type, for containers that browsers play. Of the others an MP4 copy is made.
_TYPES = {Kind.MP3: "mpeg", Kind.OGG: "ogg", Kind.WAV: "wav", Kind.MP4: "mp4", Kind.WEBM: "webm"}
# FFmpeg's names of decoders. One codec can have several.
AUDIO_DECODERS = frozenset(
    {"mp3", "mp3float", "aac", "alac", "opus", "libopus", "vorbis", "libvorbis", "flac", "pcm_u8"}
    | {"pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"}
    | AUDIO_TO_COPY
)
VIDEO_DECODERS = (
    frozenset({"h264", "hevc", "vp8", "libvpx", "vp9", "libvpx-vp9", "av1", "libdav1d"}) | VIDEO_TO_COPY
)
_WORDS = ("title", "comment", "description")  # tags of a file that hold words of a person
_MAX_STREAMS = 16
_RATE = 8000  # samples per second, enough to show loudness
_BLOCK = 160  # samples per peak: 20 ms
_MAX_PACKETS_TO_FIRST_FRAME = 600
_MIN_CONTRAST = 3.0  # standard deviation of brightness; a frame below it is plain and gets no fingerprint
_ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?")
# How far a place's legal time may be from its solar time: 3 hours in the west of China, with summer time.
_LEGAL_FROM_SOLAR_TIME = timedelta(hours=4)
_FAR_FROM_DATE_LINE = 150  # degrees of longitude
_ISO_6709 = re.compile(r"([+-]\d{1,2}\.\d+)([+-]\d{1,3}\.\d+)")  # ISO 6709, as phones write it


def render_media(
    content: Content, kind: Kind, settings: dict[str, Any]
) -> tuple[dict[str, Any], bytes, bytes, bytes]:
    """Return the facts about a file, its screen rendition (waveform or first frame), its thumb and a copy.

    The copy is empty if browsers can play the file itself. Of a large file only a few megabytes
    are in memory at a time.

    Keys of `settings`: `max_recording_bytes`, `max_seconds`, `max_pixels`, `screen_side` and `thumb_side`.
    Errors: `UnusableFile`, `MemoryError` or whatever the decoder raises.
    """
    data = as_view(content)
    if ends_too_early(kind, data):
        raise UnusableFile("truncated")
    if hides_another_file(data, kind):
        raise UnusableFile("guest")
    if kind is Kind.WAV:
        correct_lengths(data)
    with _open(data, kind) as container:
        audio, video = _choose_streams(container)
        facts: dict[str, Any] = {"moving": video is not None, "sound": "", "fingerprint": ""}
        stated_seconds = _stated_duration(container)
        if not stated_seconds <= settings["max_seconds"]:  # it may also be no number
            raise UnusableFile("too_long")
        if video is not None:
            seconds = stated_seconds
            picture = _first_frame(container, video, settings)
            if ImageStat.Stat(picture.convert("L")).stddev[0] >= _MIN_CONTRAST:
                facts["fingerprint"] = f"{fingerprint(picture):016x}"
        elif audio is not None and len(data) <= settings["max_recording_bytes"]:
            peaks = _peaks(container, audio, settings["max_seconds"])
            seconds = len(peaks) * _BLOCK / _RATE
            # `ends_too_early` does not know the lengths in a FLAC, but its header states the duration.
            if kind is Kind.FLAC and seconds < 0.95 * stated_seconds - 1:
                raise UnusableFile("truncated")
            picture = waveform(peaks)
            if (found := sound_fingerprint(peaks)) is not None:
                facts["sound"] = f"{found:016x}"
        else:
            raise UnusableFile("no_media" if audio is None else "too_many_bytes")
        screen = picture.resize(fit_within(picture.size, settings["screen_side"]), Image.Resampling.LANCZOS)
        thumb = screen.resize(fit_within(screen.size, settings["thumb_side"]), Image.Resampling.LANCZOS)
        facts |= {
            "media_type": f"{'video' if video else 'audio'}/{_TYPES.get(kind, 'mp4')}",
            "seconds": seconds,
            "taken": _recorded_at(container),
            "place": _location(container),
            "words": stored_words(_tags(container).get(key) for key in _WORDS),
            "unshown": _unshown(container, audio, video, data, kind),
            "size": picture.size,
            "screen_size": screen.size,
            "thumb_size": thumb.size,
        }
    copy = b""
    if kind not in _TYPES or needs_copy(_codec(audio), _codec(video), in_wav=kind is Kind.WAV):
        with _open(data, kind) as container:
            copy = browser_copy(container, *_choose_streams(container), settings["max_seconds"])
        facts["media_type"] = f"{'video' if video else 'audio'}/mp4"
    return facts, jpeg(screen, 86), jpeg(thumb, 82), copy


def _open(data: FileView, kind: Kind) -> InputContainer:
    """Open a container at its beginning."""
    allowed = ",".join(sorted(AUDIO_DECODERS | VIDEO_DECODERS))
    options = {
        "protocol_whitelist": "none",
        "codec_whitelist": allowed,
    }
    data.seek(0)
    return av.open(data, "r", format=_DEMUXERS[kind], options=options, metadata_errors="replace")


def _choose_streams(container: InputContainer) -> tuple[AudioStream | None, VideoStream | None]:
    """Return the first audio and the first video stream that can be decoded. A cover is no video.

    Errors: `UnusableFile`, also if there are audio streams or video streams and none of them can be decoded.
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
    audio = next((stream for stream in audio_streams if _codec(stream) in AUDIO_DECODERS), None)
    video = next((stream for stream in video_streams if _codec(stream) in VIDEO_DECODERS), None)
    if (audio_streams and audio is None) or (video_streams and video is None):
        raise UnusableFile("codec")
    return audio, video


def _unshown(
    container: InputContainer,
    audio: AudioStream | None,
    video: VideoStream | None,
    data: FileView,
    kind: Kind,
) -> list[str]:
    """Return codes of what is in the file and cannot be heard or seen (patients/imaging/unshown.py)."""
    others = [stream for stream in container.streams if stream not in (audio, video)]
    found = {
        "sounds": any(isinstance(stream, AudioStream) for stream in others),
        "films": any(isinstance(stream, VideoStream) and not _is_cover(stream) for stream in others),
        "subtitles": any(stream.type == "subtitle" for stream in others),
        "cover": any(isinstance(stream, VideoStream) and _is_cover(stream) for stream in others),
        "behind": kind is Kind.MP4 and any(part.strip(b"\0") for part in windows(data, end_of_boxes(data))),
    }
    return [code for code, is_there in found.items() if is_there]


def _is_cover(stream: VideoStream) -> bool:
    """Return whether a video stream is the still picture of an album. No film is a sequence of PNGs."""
    return bool(stream.disposition & Disposition.attached_pic) or _codec(stream) == "png"


def _codec(stream: Stream | None) -> str:
    """Return FFmpeg's name of a stream's decoder; empty if there is no stream, or no decoder for it."""
    return stream.codec_context.name if stream is not None and stream.codec_context is not None else ""


def _stated_duration(container: InputContainer) -> float:
    """Return the longest duration that a file states of itself, in seconds; 0 if it states none.

    It may be stated of the whole file, of a stream, or as a number of frames.
    """
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


def _peaks(container: InputContainer, stream: AudioStream, max_seconds: int) -> array[int]:
    """Return the largest amplitude of each 20 ms. All is decoded, as the stated duration can be wrong.

    Errors: `UnusableFile` if it lasts longer than `max_seconds`, or no sound is in it.
    """
    resampler = AudioResampler(format="s16", layout="mono", rate=_RATE)
    peaks = array("H")
    pending = bytearray()
    for _index, frame in decoded_frames(container, [stream]):
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
        peaks.append(max(*block, -min(block)))
    del pending[:whole]


def _first_frame(container: InputContainer, stream: VideoStream, settings: dict[str, Any]) -> Image.Image:
    """Return the first frame, upright, with square pixels, at most twice as large as the screen rendition.

    Errors: `UnusableFile` if it has too many pixels, or none can be decoded.
    """
    max_pixels = settings["max_pixels"]
    if stream.codec_context.width * stream.codec_context.height > max_pixels:
        raise UnusableFile("too_many_pixels")
    stream.codec_context.options = {"max_pixels": str(max_pixels)}
    frames = decoded_frames(container, [stream], max_packets=_MAX_PACKETS_TO_FIRST_FRAME)
    frame: VideoFrame | None = next((frame for _index, frame in frames), None)
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
    """Return what the file says of itself, by key in lower case."""
    return {key.lower(): value for key, value in container.metadata.items()}


def _recorded_at(container: InputContainer) -> str | None:
    """Return the local time of recording in ISO format; only the day, or None, if no more is sure."""
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
    """Parse an ISO time; None for a time at which the file cannot have been made."""
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
    solar = utc + timedelta(hours=place[1] / 15)
    days = {time.date() for time in (utc, solar - _LEGAL_FROM_SOLAR_TIME, solar + _LEGAL_FROM_SOLAR_TIME)}
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
