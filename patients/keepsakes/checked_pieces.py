"""Pieces of an upload that come with a checksum: they are appended only after it was compared."""

import tempfile
from typing import IO, cast

from patients.keepsakes.staging import TooManyBytes, Writer, staging_path
from patients.keepsakes.tus_headers import Checksum
from patients.vault.configured import key_store
from patients.vault.objects import associated_data
from patients.vault.stream import SEGMENT, Encryptor, Reader


class WrongChecksum(Exception):
    """The piece is not what the client has sent; it can send it again."""


class CheckedPiece:
    """Keeps a piece apart until its checksum was compared, then gives it to the upload's writer.

    The writer cannot take bytes back: it would encrypt other bytes under a nonce that it has used. So the
    piece is first encrypted under a nonce of its own, into a temporary file without a name.
    Errors: KeyGone; OSError.
    """

    def __init__(self, writer: Writer, checksum: Checksum) -> None:
        self.writer, self.checksum = writer, checksum
        self.size = 0
        self._key = key_store().get(writer.upload.pk)
        self._associated_data = associated_data(writer.upload.pk) + b" piece"
        self._encryptor = Encryptor(self._key, self._associated_data)
        directory = staging_path(writer.upload.pk).parent
        self._file = cast(IO[bytes], tempfile.TemporaryFile(dir=directory))  # noqa: SIM115 - closed in `close`

    def write(self, data: bytes) -> None:
        """Keep some bytes of the piece. Errors: TooManyBytes; OSError."""
        self.size += len(data)
        if self.writer.received + self.size > self.writer.upload.length:
            raise TooManyBytes
        self.checksum.update(data)
        self._file.write(self._encryptor.update(data))

    def take(self) -> None:
        """Give the whole piece to the writer. Errors: WrongChecksum; those of `Writer.write`."""
        if not self.checksum.is_right():
            raise WrongChecksum
        self._file.write(self._encryptor.finish())
        self._file.flush()
        with Reader(self._file, self._key, self._associated_data) as reader:
            while data := reader.read(SEGMENT):
                self.writer.write(data)

    def close(self) -> None:
        self._file.close()
