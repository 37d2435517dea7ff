"""Make a copy that browsers can play, if they cannot play a film or recording itself.

Cameras of 2003 wrote motion JPEG, dictaphones ADPCM, telephones AMR and H.263. No browser plays them. The
copy is MP4 with H.264 and AAC. This runs in the decoder process, on streams that it has opened.
"""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .frames import decoded_frames
from .limits import COPY_BYTES
from .rendition import UnusableFile, fit_within

# Codecs that no browser plays, by the names of FFmpeg's decoders for them.
AUDIO_TO_COPY = frozenset(
    {
        "adpcm_ms",
        "adpcm_ima_wav",
        "adpcm_ima_qt",
        "pcm_s16be",
        "pcm_s8",
        "gsm_ms",
        "amrnb",
        "amrwb",
        "libopencore_amrnb",
        "libopencore_amrwb",
    }
)
VIDEO_TO_COPY = frozenset({"mjpeg", "mjpegb", "mpeg4", "h263"})
_PLAYED_IN_WAV_ONLY = frozenset({"pcm_u8", "pcm_s16le", "pcm_mulaw", "pcm_alaw", "pcm_s24le", "pcm_f32le"})
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_SIDE = 1280  # pixels: the longest side of the copy


def needs_copy(audio: str, video: str, *, in_wav: bool) -> bool:
    """Return whether a copy has to be made, because browsers cannot play these codecs.

    audio, video: FFmpeg's names of the decoders; empty if there is no such stream. in_wav: whether the file
    is a WAV. Of a film only the picture decides, not the sound: to encode a large film again would take too
    long.
    """
    if video:
        return video in VIDEO_TO_COPY
    return audio in AUDIO_TO_COPY or (audio in _PLAYED_IN_WAV_ONLY and not in_wav)


def browser_copy(
    container: InputContainer, audio: AudioStream | None, video: VideoStream | None, max_seconds: int
) -> bytes:
    """Return an MP4 of the streams, at most `COPY_BYTES`. The caller has read nothing from the container yet.

    max_seconds: the longest playing time. Errors: `UnusableFile` if it is longer, if the copy would be
    larger, or if too much of the file is damaged.
    """
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as target:
        writers: dict[int, Any] = {}
        if video is not None:
            writers[video.index] = _VideoWriter(target, video)
        if audio is not None:
            writers[audio.index] = _AudioWriter(target, audio)
        for index, frame in decoded_frames(container, [one for one in (video, audio) if one is not None]):
            if frame.time is not None and frame.time > max_seconds:
                raise UnusableFile("too_long")
            writers[index].write(frame)
            if out.tell() > COPY_BYTES:
                raise UnusableFile("too_heavy")
        for writer in writers.values():
            writer.write(None)  # writes the frames that the encoder holds back
    return out.getvalue()


class _VideoWriter:
    """Encodes frames as H.264. Both sides are even, as H.264 with this pixel format needs them."""

    def __init__(self, target: OutputContainer, source: VideoStream) -> None:
        self.target, self.last_pts = target, -1
        self.stream = target.add_stream("libx264", rate=source.average_rate or Fraction(15))
        self.stream.options = {"preset": "ultrafast", "crf": "20"}
        self.stream.codec_context.thread_count = 1
        self.stream.codec_context.time_base = source.time_base or Fraction(1, 90000)
        self.stream.pix_fmt = "yuv420p"
        width, height = fit_within((source.codec_context.width, source.codec_context.height), _SIDE)
        self.size = (max(2, width - width % 2), max(2, height - height % 2))
        self.stream.width, self.stream.height = self.size

    def write(self, frame: VideoFrame | None) -> None:
        """Encode one frame; None at the end. A frame that is not later than the last is left out."""
        if frame is not None:
            if frame.pts is None or frame.pts <= self.last_pts:
                return
            self.last_pts = frame.pts
            pts, base = frame.pts, frame.time_base
            frame = frame.reformat(*self.size, format="yuv420p")
            # Type 0: the encoder chooses. In motion JPEG every frame is a key frame, in the copy few.
            frame.pts, frame.time_base, frame.pict_type = pts, base, 0
        self.target.mux(self.stream.encode(frame))


class _AudioWriter:
    """Encodes frames as AAC, at the sampling rate of AAC that is nearest to the source's."""

    def __init__(self, target: OutputContainer, source: AudioStream) -> None:
        self.target = target
        rate = min(_AAC_RATES, key=lambda one: abs(one - source.codec_context.sample_rate))
        self.stream = target.add_stream("aac", rate=rate)
        self.stream.layout = "mono" if source.codec_context.channels == 1 else "stereo"

    def write(self, frame: Any) -> None:
        """Encode one frame; None at the end."""
        self.target.mux(self.stream.encode(frame))
