"""Decode the frames of a film or recording. This runs in the decoder process, on unchecked bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from av.container import InputContainer
from av.error import InvalidDataError
from av.stream import Stream

from .rendition import UnusableFile


def decoded_frames(
    container: InputContainer, streams: Sequence[Stream], *, max_packets: int | None = None
) -> Iterator[tuple[int, Any]]:
    """Yield the index of a stream and a decoded frame of it, in the order of the file.

    A few damaged packets are skipped, as players do. streams: of the container, not decoded yet. max_packets:
    stop after so many. Errors: `UnusableFile` if many packets are damaged.
    """
    for stream in streams:
        stream.codec_context.thread_count = 1
    packets = bad_packets = 0
    for packet in container.demux(*streams):
        packets += 1
        try:
            frames = packet.decode()
        except InvalidDataError:
            bad_packets += 1
            if bad_packets > 3 + packets // 20:  # 5 %, and a few at the beginning
                raise UnusableFile("broken") from None
            continue
        for frame in frames:
            yield packet.stream.index, frame
        if max_packets is not None and packets > max_packets:
            return
