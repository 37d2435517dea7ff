"""A large file as a sequence of bytes, of which only the parts that are asked for are in memory.

The decoder process uses this module, so it must not import Django.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

WINDOW = 1024 * 1024
"""Bytes of a file that are searched at once."""


class FileView(io.RawIOBase):
    """Reads a seekable file, both as a file and by slices: `view[4:8]`.

    file: is read only where it is asked for. size: of the file in bytes.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        super().__init__()
        self._file, self._size, self._at = file, size, 0
        self._replaced: dict[int, bytes] = {}

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, span: slice) -> bytes:
        """Return the bytes from `span.start` to `span.stop`, as for `bytes`."""
        start, stop, _step = span.indices(self._size)
        self._file.seek(start)
        data = self._file.read(max(0, stop - start))
        for at, new in self._replaced.items():
            if start < at + len(new) and at < stop:
                whole = bytearray(data)
                for index, byte in enumerate(new):
                    if start <= at + index < stop:
                        whole[at + index - start] = byte
                data = bytes(whole)
        return data

    def replace(self, at: int, new: bytes) -> None:
        """Let the bytes at `at` read as `new`. The file itself is not changed."""
        self._replaced[at] = new

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("the position would be negative")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        with memoryview(buffer).cast("B") as target:
            data = self[self._at : self._at + len(target)]
            target[: len(data)] = data
        self._at += len(data)
        return len(data)


Content = bytes | FileView
"""The content of a file: whole, or read where it is asked for."""


def as_view(content: Content) -> FileView:
    """Return a view of bytes, or the view that `content` is already. Its position is at the beginning."""
    if isinstance(content, bytes):
        return FileView(io.BytesIO(content), len(content))
    content.seek(0)
    return content


def windows(content: Content, start: int = 0, *, overlap: int = 0) -> Iterator[bytes]:
    """Yield a content from `start` on: a view `WINDOW` bytes at a time, bytes in one piece.

    overlap: how many bytes of the window before are repeated at the beginning of each window, so that nothing
    that is searched for is cut in two.
    """
    if isinstance(content, bytes):
        yield content[start:] if start else content
        return
    before = b""
    for at in range(start, len(content), WINDOW):
        window = before + content[at : at + WINDOW]
        yield window
        before = window[-overlap:] if overlap else b""
