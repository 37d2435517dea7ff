"""Tink's AES256-GCM-HKDF streaming encryption with 64 KB segments, written and read in pieces.

A ciphertext is a header (its own length, a salt, a nonce prefix) and segments of 65,536 bytes. The header
counts as part of the first segment. Each segment ends with a 16-byte tag. Its nonce contains its number and
whether it is the last, so nothing can be cut off, inserted or moved. The layout is the one that Google Tink
publishes for `AesGcmHkdfStreamingKey` (derived key 32 bytes, HKDF-SHA256, first segment offset 0), and the
tests compare with Tink. Tink's own Python reader is not used: it cannot seek, and a Range request needs that.
"""

import io
import os
from typing import IO, TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.utils import Buffer

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

KEY = 32
SEGMENT = 64 * 1024
HEADER = 40  # length byte, 32-byte salt, 7-byte nonce prefix
TAG = 16
FIRST = SEGMENT - HEADER - TAG  # plaintext bytes in the first segment
NEXT = SEGMENT - TAG  # plaintext bytes in each later segment but the last, which may have fewer


class Tampered(Exception):
    """The ciphertext is not exactly what was encrypted under this key and associated data."""


def plaintext_of(segments: int) -> int:
    """Return the number of plaintext bytes in the first `segments` segments, none of them the last."""
    return FIRST + (segments - 1) * NEXT if segments else 0


def ciphertext_size(plaintext: int) -> int:
    """Return the size of the ciphertext of `plaintext` bytes, with its header and a tag for each segment."""
    segments = 1 + max(0, -(-(plaintext - FIRST) // NEXT))
    return HEADER + plaintext + segments * TAG


def plaintext_size(ciphertext: int) -> int:
    """Return the size of the plaintext in a ciphertext of `ciphertext` bytes.

    Errors: Tampered if no plaintext has a ciphertext of this size.
    """
    plaintext = ciphertext - HEADER - TAG * -(-ciphertext // SEGMENT)
    if plaintext < 0 or ciphertext_size(plaintext) != ciphertext:
        raise Tampered("no plaintext has a ciphertext of this size")
    return plaintext


def _segment_cipher(key: Buffer, aad: bytes, header: bytes) -> AESGCM:
    if memoryview(key).nbytes != KEY:
        raise ValueError(f"a data key has {KEY} bytes")
    derived = bytearray(KEY)
    HKDF(SHA256(), KEY, salt=header[1:33], info=aad).derive_into(key, derived)
    cipher = AESGCM(derived)
    derived[:] = bytes(KEY)
    return cipher


def _nonce(header: bytes, index: int, last: bool) -> bytes:
    return header[33:] + index.to_bytes(4, "big") + (b"\x01" if last else b"\x00")


class Encryptor:
    """Encrypts one object as its bytes arrive.

    `update` returns only whole segments, so what was written and fsynced so far is always a multiple of
    `SEGMENT` bytes, and `resume` can continue it.

    `key` is the object's 32-byte data key, used for no other object. `aad` is associated data with its id.
    """

    def __init__(self, key: Buffer, aad: bytes) -> None:
        self._begin(key, aad, bytes([HEADER]) + os.urandom(HEADER - 1), 0)

    @classmethod
    def resume(cls, key: Buffer, aad: bytes, header: bytes, segments: int) -> "Encryptor":
        """Return an encryptor that continues an object after its first `segments` segments, none the last.

        The next plaintext byte to pass is number `plaintext_of(segments)`. The caller must cut off any
        ciphertext after those segments, and must pass the same plaintext as before: a segment's nonce depends
        only on its number. Errors: Tampered if `header` is not a vault object's.
        """
        if len(header) != HEADER or header[0] != HEADER:
            raise Tampered("this is not the header of a vault object")
        encryptor = cls.__new__(cls)
        encryptor._begin(key, aad, bytes(header), segments)
        return encryptor

    def _begin(self, key: Buffer, aad: bytes, header: bytes, segments: int) -> None:
        self.header = header
        self.segments = segments
        self.finished = False
        self._cipher = _segment_cipher(key, aad, header)
        self._buffer = bytearray()

    @property
    def _segment_capacity(self) -> int:
        return NEXT if self.segments else FIRST

    @property
    def unsealed(self) -> bytes:
        """The plaintext behind the last segment that was returned, at most one segment."""
        return bytes(self._buffer)

    def update(self, data: Buffer) -> bytes:
        """Encrypt more plaintext; return the segments it completes, which may be none.

        A segment is returned only when a byte after it is known, because the last segment is marked.
        Errors: ValueError after `finish`.
        """
        if self.finished:
            raise ValueError("this object is finished")
        self._buffer += data
        out = bytearray()
        start = 0
        with memoryview(self._buffer) as view:
            while len(view) - start > self._segment_capacity:
                end = start + self._segment_capacity
                out += self._seal(view[start:end], last=False)
                start = end
        self._buffer[:start] = bytes(start)
        del self._buffer[:start]
        return bytes(out)

    def finish(self) -> bytes:
        """Return the last segment. Errors: ValueError when called twice."""
        if self.finished:
            raise ValueError("this object is finished")
        self.finished = True
        with memoryview(self._buffer) as view:
            out = self._seal(view, last=True)
        self._buffer[:] = bytes(len(self._buffer))
        return out

    def _seal(self, plaintext: memoryview, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self.header, self.segments, last), plaintext, None)
        self.segments += 1
        return sealed if self.segments > 1 else self.header + sealed


class Reader(io.RawIOBase):
    """Reads an encrypted object as a seekable file, decrypting only the segments it is asked for.

    Opening it checks the last segment, and so the object's length, before any byte is served. Later reads
    check the segments they touch. Closing it closes `raw`.

    `raw` is a seekable binary file with the ciphertext; `key` and `aad` are those of the `Encryptor`.
    Errors: Tampered, at opening or reading.
    """

    def __init__(self, raw: IO[bytes], key: Buffer, aad: bytes) -> None:
        super().__init__()
        # Set these before anything can fail: `close` needs them, and the destructor calls it too.
        self._raw = raw
        self._plain = bytearray(NEXT)
        self._length = raw.seek(0, os.SEEK_END)
        self.size = plaintext_size(self._length)
        self._last = (self._length - 1) // SEGMENT
        self._position = 0
        self._loaded = -1
        self._header = self._read_exactly(0, HEADER)
        if self._header[0] != HEADER:
            raise Tampered("this is not a vault object")
        self._cipher = _segment_cipher(key, aad, self._header)
        self._load(self._last)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError("the position would be negative")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        if self.closed:
            raise ValueError("read of a closed object")
        done = 0
        with memoryview(buffer).cast("B") as target:
            wanted = min(len(target), max(0, self.size - self._position))
            while done < wanted:
                index, within = self._locate(self._position)
                available = self._load(index)
                count = min(available - within, wanted - done)
                target[done : done + count] = memoryview(self._plain)[within : within + count]
                done += count
                self._position += count
        return done

    def readall(self) -> bytes:
        return self.read(max(0, self.size - self._position)) or b""

    def close(self) -> None:
        if not self.closed:
            self._plain[:] = bytes(len(self._plain))
            self._raw.close()
        super().close()

    @staticmethod
    def _locate(position: int) -> tuple[int, int]:
        if position < FIRST:
            return 0, position
        index, within = divmod(position - FIRST, NEXT)
        return index + 1, within

    def _load(self, index: int) -> int:
        """Decrypt segment `index` into `_plain`, unless it is there; return the length of its plaintext."""
        start = index * SEGMENT if index else HEADER
        length = min((index + 1) * SEGMENT, self._length) - start
        if self._loaded != index:
            self._loaded = -1
            nonce = _nonce(self._header, index, index == self._last)
            with memoryview(self._plain)[: length - TAG] as plain:
                try:
                    self._cipher.decrypt_into(nonce, self._read_exactly(start, length), None, plain)
                except InvalidTag:
                    raise Tampered(f"segment {index} does not decrypt") from None
            self._loaded = index
        return length - TAG

    def _read_exactly(self, start: int, length: int) -> bytes:
        self._raw.seek(start)
        pieces = []
        while length:
            piece = self._raw.read(length)
            if not piece:
                raise Tampered("the object became shorter while it was read")
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)
