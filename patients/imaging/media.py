"""What a recording sounds like and how a video begins: a waveform, or the first frame.

Runs in the decoding child, on bytes that nobody has checked. FFmpeg (PyAV) is told which container it is,
may use the codecs named here and no protocol at all, and reads from memory alone.
"""

from __future__ import annotations

import io
import re
from array import array
from collections.abc import Iterator
from datetime import datetime
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

from .fingerprint import fingerprint
from .kinds import Kind, ends_too_early, hides_a_guest
from .rendition import Unfit, jpeg, within
from .waveform import digest, waveform

# PyAV loads the class of each kind of stream when it meets one; here no file can be opened by then.
for _module in walk_packages(av.__path__, "av."):
    if not _module.name.endswith("__main__") and not _module.name.startswith("av.datasets"):
        import_module(_module.name)

_DEMUXERS = {Kind.MP3: "mp3", Kind.OGG: "ogg", Kind.WAV: "wav", Kind.MP4: "mov", Kind.WEBM: "matroska"}
_TYPES = {Kind.MP3: "mpeg", Kind.OGG: "ogg", Kind.WAV: "wav", Kind.MP4: "mp4", Kind.WEBM: "webm"}
# Names of decoders as FFmpeg has them; several may decode one codec.
SOUND = frozenset(
    {"mp3", "mp3float", "aac", "alac", "opus", "libopus", "vorbis", "libvorbis", "flac", "pcm_u8"}
    | {"pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"}
)
SIGHT = frozenset({"h264", "hevc", "vp8", "libvpx", "vp9", "libvpx-vp9", "av1", "libdav1d"})
_COVERS = frozenset({"mjpeg", "png"})  # pictures on a record's sleeve: passed over, never decoded
_MOST_STREAMS = 16
_RATE = 8000  # samples a second are enough to see what was loud
_BLOCK = 160  # samples for each peak: 20 ms
_FIRST_FRAME_WITHIN = 600  # packets
_PLAIN = 3.0
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_PLACE = re.compile(r"([+-]\d{1,2}\.\d+)([+-]\d{1,3}\.\d+)")  # ISO 6709, as phones write it


def render_media(data: bytes, kind: Kind, settings: dict[str, Any]) -> tuple[dict[str, Any], bytes, bytes]:
    """What `data` holds: facts, its picture (waveform or first frame) and the thumb of that.

    `settings` hold `max_bytes`, `max_seconds`, `max_pixels`, `screen_side` and `thumb_side`.
    Raises `Unfit`, `MemoryError` or whatever the decoder raises.
    """
    if ends_too_early(kind, data):
        raise Unfit("truncated")
    if hides_a_guest(data, kind):
        raise Unfit("guest")
    with _opened(data, kind) as container:
        sound, sight = _streams(container)
        facts: dict[str, Any] = {"moving": sight is not None, "sound": "", "fingerprint": ""}
        _check_length(container, settings["max_seconds"])
        if sight is not None:
            seconds = _seconds(container)
            picture = _poster(container, sight, settings)
            if ImageStat.Stat(picture.convert("L")).stddev[0] >= _PLAIN:
                facts["fingerprint"] = f"{fingerprint(picture):016x}"
        elif sound is not None and len(data) <= settings["max_bytes"]:
            peaks = _peaks(container, sound, settings["max_seconds"])
            seconds = len(peaks) * _BLOCK / _RATE
            picture = waveform(peaks)
            if (found := digest(peaks)) is not None:
                facts["sound"] = f"{found:016x}"
        else:
            raise Unfit("no_media" if sound is None else "too_many_bytes")
        screen = picture.resize(within(picture.size, settings["screen_side"]), Image.Resampling.LANCZOS)
        thumb = screen.resize(within(screen.size, settings["thumb_side"]), Image.Resampling.LANCZOS)
        facts |= {
            "media_type": f"{'video' if sight else 'audio'}/{_TYPES[kind]}",
            "seconds": seconds,
            "taken": _taken(container),
            "place": _place(container),
            "size": picture.size,
            "screen_size": screen.size,
            "thumb_size": thumb.size,
        }
    return facts, jpeg(screen, 86), jpeg(thumb, 82)


def _opened(data: bytes, kind: Kind) -> InputContainer:
    allowed = ",".join(sorted(SOUND | SIGHT))
    options = {
        "protocol_whitelist": "none",
        "codec_whitelist": allowed,
    }
    return av.open(io.BytesIO(data), "r", format=_DEMUXERS[kind], options=options, metadata_errors="replace")


def _streams(container: InputContainer) -> tuple[AudioStream | None, VideoStream | None]:
    """The sound and the moving picture to look at, of codecs that are taken; covers and texts are not."""
    if len(container.streams) > _MOST_STREAMS:
        raise Unfit("too_heavy")
    sounds, sights = [], []
    for stream in container.streams:
        if stream.type == "attachment":
            raise Unfit("guest")
        if isinstance(stream, AudioStream):
            sounds.append(stream)
        elif isinstance(stream, VideoStream) and not _is_cover(stream):
            sights.append(stream)
    for stream in (*sounds, *sights):
        if _codec(stream) not in SOUND | SIGHT:
            raise Unfit("codec")
    return next(iter(sounds), None), next(iter(sights), None)


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic) or _codec(stream) in _COVERS


def _codec(stream: Stream) -> str:
    return stream.codec_context.name if stream.codec_context is not None else ""


def _seconds(container: InputContainer) -> float:
    """How long the container says it is, in whichever of its places says most; 0 where none does."""
    said = [container.duration / av.time_base] if container.duration else []
    said += [
        float(stream.duration * stream.time_base)
        for stream in container.streams
        if stream.duration and stream.time_base
    ]
    said += [
        stream.frames / float(stream.average_rate)
        for stream in container.streams.video
        if stream.frames and stream.average_rate
    ]
    return max([*said, 0.0])


def _check_length(container: InputContainer, most: int) -> None:
    if not _seconds(container) <= most:
        raise Unfit("too_long")


def _peaks(container: InputContainer, stream: AudioStream, most: int) -> array[int]:
    """The largest amplitude of each 20 ms. All of it is decoded: a claim about its length is no proof."""
    resampler = AudioResampler(format="s16", layout="mono", rate=_RATE)
    peaks = array("H")
    waiting = bytearray()
    for frame in _frames(container, stream):
        for part in resampler.resample(frame):
            waiting += memoryview(part.planes[0])[: 2 * part.samples]
        if len(waiting) >= 64 * 1024:
            _measure(waiting, peaks)
            if len(peaks) * _BLOCK > most * _RATE:
                raise Unfit("too_long")
    for part in resampler.resample(None):
        waiting += memoryview(part.planes[0])[: 2 * part.samples]
    _measure(waiting, peaks)
    if not peaks:
        raise Unfit("no_media")
    return peaks


def _measure(waiting: bytearray, peaks: array[int]) -> None:
    """Take the whole blocks off `waiting` and add their peaks."""
    whole = len(waiting) - len(waiting) % (2 * _BLOCK)
    samples = array("h", bytes(waiting[:whole]))
    for start in range(0, len(samples), _BLOCK):
        block = samples[start : start + _BLOCK]
        peaks.append(max(*block, -min(block)) if len(block) > 1 else abs(block[0]))
    del waiting[:whole]


def _frames(container: InputContainer, stream: AudioStream | VideoStream) -> Iterator[Any]:
    """Decoded frames. A few bad packets are passed over, as players do; many are a damaged file."""
    stream.codec_context.thread_count = 1
    packets = bad = 0
    for packet in container.demux(stream):
        packets += 1
        try:
            frames = packet.decode()
        except InvalidDataError:
            bad += 1
            if bad > 3 + packets // 20:
                raise Unfit("broken") from None
            continue
        yield from frames
        if isinstance(stream, VideoStream) and packets > _FIRST_FRAME_WITHIN:
            return


def _poster(container: InputContainer, stream: VideoStream, settings: dict[str, Any]) -> Image.Image:
    """The first frame, upright and with square pixels, no larger than twice the screen rendition."""
    most = settings["max_pixels"]
    if stream.codec_context.width * stream.codec_context.height > most:
        raise Unfit("too_many_pixels")
    stream.codec_context.options = {"max_pixels": str(most)}
    frame: VideoFrame | None = next(_frames(container, stream), None)
    if frame is None:
        raise Unfit("no_media")
    picture = frame.to_image()
    shape = stream.sample_aspect_ratio
    if shape and shape > 0 and shape != 1 and 0.1 < shape < 10:
        picture = picture.resize((max(1, round(picture.width * shape)), picture.height))
    picture = picture.resize(within(picture.size, 2 * settings["screen_side"]), reducing_gap=3.0)
    turns = round(frame.rotation / 90) % 4
    return picture.rotate(90 * turns, expand=True) if turns else picture


def _tags(container: InputContainer) -> dict[str, str]:
    return {key.lower(): value for key, value in container.metadata.items()}


def _taken(container: InputContainer) -> str | None:
    """When it was recorded, as the device wrote it; None if it did not."""
    tags = _tags(container)
    for key in ("com.apple.quicktime.creationdate", "creation_time"):
        if found := _MOMENT.match(tags.get(key, "")):
            try:
                moment = datetime.fromisoformat(found.group())
            except ValueError:
                continue
            # A clock that was never set counts from 1904 or 1970.
            return moment.isoformat() if moment.year > 1970 else None
    return None


def _place(container: InputContainer) -> tuple[float, float] | None:
    """Latitude and longitude where it was recorded, in degrees; None if the device did not write it."""
    tags = _tags(container)
    for key in ("com.apple.quicktime.location.iso6709", "location", "location-eng"):
        if found := _PLACE.match(tags.get(key, "")):
            latitude, longitude = float(found[1]), float(found[2])
            if abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude or longitude):
                return latitude, longitude
    return None
