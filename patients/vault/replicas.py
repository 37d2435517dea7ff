"""One copy of the key store on one volume: its layout on disk, and writes that are read back.

A directory holds these files: `slots`, a header and 128-byte slots, one for each data key; `epochs`, two
places for epoch keys, used in turn, each in a block of its own; and, only in the first copy, `lock`. All are
overwritten in place; only a new epoch replaces `slots` by a new file.
"""

import errno
import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from clinic import durable
from clinic.durable import sync_directory
from patients.vault.keys import KeyStoreDamaged


class Kek(Protocol):
    """A key that wraps keys: an `AESGCM` in this process's memory, or a `TokenKey`."""

    def encrypt(self, nonce: bytes, data: bytes | bytearray, aad: bytes, /) -> bytes: ...

    def decrypt_into(self, nonce: bytes, data: bytes, aad: bytes, buffer: bytearray, /) -> int: ...


# Slots are aligned to 128 bytes, so none crosses a disk sector (512 or more), and a sector is written whole.
SLOT = 128
BLOCK = 4096
DEK = 32
FREE = bytes(SLOT)
HEADER_MARK, LIVE_MARK, GONE_MARK = b"lacuna-1", b"live-key", b"gone-key"
EPOCH_MARK, TOKEN_MARK = b"epochkey", b"tokenkey"  # a wrapped key; or a note that it is in a token
_HEADER = struct.Struct(">8sQQQ16s32s")
_SLOT = struct.Struct(">8sQ16s12s48s")
CHECKSUM = 16  # bytes of SHA-256 after the fields, so that an altered slot is not taken for another key's


def padded(record: bytes) -> bytes:
    return record + bytes(SLOT - len(record))


@dataclass(frozen=True)
class Header:
    """The first 128 bytes of `slots`.

    `capacity`: number of slots after it. `mirrors`: number of further copies in use. `store`: a random id of
    the store.
    """

    epoch: int
    capacity: int
    mirrors: int
    store: bytes

    def packed(self) -> bytes:
        fields = struct.pack(">8sQQQ16s", HEADER_MARK, self.epoch, self.capacity, self.mirrors, self.store)
        return padded(fields + hashlib.sha256(fields).digest())

    @classmethod
    def parsed(cls, record: bytes) -> "Header":
        if len(record) != SLOT:
            raise KeyStoreDamaged("the slot file is cut off in its header")
        mark, epoch, capacity, mirrors, store, digest = _HEADER.unpack_from(record)
        if mark != HEADER_MARK or hashlib.sha256(record[:48]).digest() != digest:
            raise KeyStoreDamaged("the slot file's header is not valid")
        return cls(epoch, capacity, mirrors, store)


@dataclass(frozen=True, repr=False)
class Slot:
    """A slot as read. If writing was interrupted, its `mark` is neither LIVE_MARK nor GONE_MARK."""

    mark: bytes
    epoch: int
    key_id: UUID
    nonce: bytes
    wrapped: bytes
    record: bytes

    @classmethod
    def parsed(cls, record: bytes) -> "Slot":
        mark, epoch, key_id, nonce, wrapped = _SLOT.unpack_from(record)
        return cls(mark, epoch, UUID(bytes=key_id), nonce, wrapped, record)

    def intact(self, epoch: int) -> bool:
        """Return whether the slot is as written in `epoch`, live or destroyed.

        The noise in a destroyed slot is not checked.
        """
        if self.epoch != epoch or self.mark not in {LIVE_MARK, GONE_MARK}:
            return False
        return not self.live or self.record[_SLOT.size :][:CHECKSUM] == _checksum(self.record)

    @property
    def live(self) -> bool:
        return self.mark == LIVE_MARK

    def unwrap(self, kek: Kek, store: bytes, index: int) -> bytearray:
        """Return the data key. Errors: KeyStoreDamaged if `kek` does not open this slot."""
        aad = _slot_aad(store, self.epoch, index, self.key_id)
        return unwrapped(kek, self.nonce, self.wrapped, aad, f"slot {index} of key {self.key_id}")


def unwrapped(kek: Kek, nonce: bytes, wrapped: bytes, aad: bytes, what: str) -> bytearray:
    """Return the data key in `wrapped`, which `aad` binds to its place.

    Errors: KeyStoreDamaged, with `what` in the message.
    """
    dek = bytearray(DEK)
    try:
        kek.decrypt_into(nonce, wrapped, aad, dek)
    except InvalidTag:
        raise KeyStoreDamaged(f"{what} does not open") from None
    return dek


def live_slot(kek: Kek, store: bytes, epoch: int, index: int, key_id: UUID, dek: bytes | bytearray) -> bytes:
    """Return the record of `dek` for slot `index`, wrapped under the epoch key and bound to its place."""
    nonce = os.urandom(12)
    wrapped = kek.encrypt(nonce, dek, _slot_aad(store, epoch, index, key_id))
    fields = _SLOT.pack(LIVE_MARK, epoch, key_id.bytes, nonce, wrapped)
    return padded(fields + _checksum(fields))


def _checksum(record: bytes) -> bytes:
    return hashlib.sha256(record[: _SLOT.size]).digest()[:CHECKSUM]


def gone_slot(epoch: int, key_id: UUID) -> bytes:
    """Return the record that replaces a destroyed key: its id, which is no secret, and noise."""
    return struct.pack(">8sQ16s", GONE_MARK, epoch, key_id.bytes) + os.urandom(SLOT - 32)


def _slot_aad(store: bytes, epoch: int, index: int, key_id: UUID) -> bytes:
    return b"lacuna data key" + store + struct.pack(">QQ", epoch, index) + key_id.bytes


def epoch_record(root: AESGCM, store: bytes, epoch: int, kek: bytearray) -> bytes:
    """Return the record of an epoch key, wrapped under the root key."""
    nonce = os.urandom(12)
    return padded(
        _SLOT.pack(EPOCH_MARK, epoch, store, nonce, root.encrypt(nonce, kek, _epoch_aad(store, epoch)))
    )


def token_record(store: bytes, epoch: int) -> bytes:
    """Return the record of an epoch whose key is in a token."""
    return padded(struct.pack(">8sQ16s", TOKEN_MARK, epoch, store))


def in_token(record: bytes) -> bool:
    return record.startswith(TOKEN_MARK)


def epoch_of(record: bytes) -> int | None:
    """Return the epoch of the key in `record`, or None if the place is empty or its key was destroyed."""
    mark, epoch = struct.unpack_from(">8sQ", record)
    return epoch if mark in {EPOCH_MARK, TOKEN_MARK} else None


def epoch_key(root: AESGCM, store: bytes, epoch: int, record: bytes) -> AESGCM:
    """Return the unwrapped epoch key. Errors: KeyStoreDamaged if it is missing or the root key is another."""
    if epoch_of(record) != epoch:
        raise KeyStoreDamaged(f"the key of epoch {epoch} is missing")
    _mark, _epoch, _store, nonce, wrapped = _SLOT.unpack_from(record)
    kek = bytearray(DEK)
    try:
        root.decrypt_into(nonce, wrapped, _epoch_aad(store, epoch), kek)
        return AESGCM(kek)
    except InvalidTag:
        raise KeyStoreDamaged("the root key does not open the epoch key") from None
    finally:
        kek[:] = bytes(DEK)


def _epoch_aad(store: bytes, epoch: int) -> bytes:
    return b"lacuna epoch key" + store + struct.pack(">Q", epoch)


class Replica:
    """The files of one copy. The caller holds the store's lock.

    Errors: OSError, and KeyStoreDamaged for files that are missing or too short.
    """

    def __init__(self, directory: Path, *, writable: bool) -> None:
        self.directory = directory
        self.slots = directory / "slots"
        self.draft = directory / "slots.new"
        self.epochs = directory / "epochs"
        self._mode = (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC
        self._fd = -1
        self._epochs_fd = -1

    def open(self) -> Header:
        """Open both files, check that the slot file is as long as its header says, and return the header."""
        self.close()
        try:
            self._fd = os.open(self.slots, self._mode)
            self._epochs_fd = os.open(self.epochs, self._mode)
        except FileNotFoundError as error:
            self.close()
            raise KeyStoreDamaged(f"{Path(error.filename).name} is missing") from None
        header = self.header()
        self.stale(header)
        return header

    def close(self) -> None:
        for fd in (self._fd, self._epochs_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._epochs_fd = -1

    def stale(self, header: Header) -> bool:
        """Return whether the opened slot file was replaced.

        Errors: KeyStoreDamaged if the slot file is missing or cut off.
        """
        if self._fd < 0:
            return True
        try:
            current = self.slots.stat()
        except FileNotFoundError:
            raise KeyStoreDamaged("the slot file is missing") from None
        if (current.st_ino, current.st_dev) != (os.fstat(self._fd).st_ino, os.fstat(self._fd).st_dev):
            return True
        if current.st_size < (header.capacity + 1) * SLOT:
            raise KeyStoreDamaged("the slot file is cut off")
        return False

    def header(self) -> Header:
        return Header.parsed(os.pread(self._fd, SLOT, 0))

    def read(self, index: int, count: int = 1) -> bytes:
        """Return `count` slots from slot `index` on; 0 is the header."""
        data = os.pread(self._fd, count * SLOT, index * SLOT)
        if len(data) != count * SLOT:
            raise KeyStoreDamaged("the slot file is cut off")
        return data

    def read_epochs(self) -> list[bytes]:
        """Return the two records of epoch keys, by epoch number modulo 2."""
        records = [os.pread(self._epochs_fd, SLOT, place * BLOCK) for place in (0, 1)]
        if any(len(record) != SLOT for record in records):
            raise KeyStoreDamaged("the file of epoch keys is cut off")
        return records

    def write(self, index: int, records: bytes) -> None:
        """Overwrite slots in place, from slot `index` on; durable after `sync`."""
        _overwrite(self._fd, records, index * SLOT)

    def sync(self) -> None:
        durable.fdatasync(self._fd)

    def verify_on_disk(self, index: int, record: bytes) -> None:
        """Read a synced slot from the disk, not from the page cache. Errors: OSError if it differs."""
        _verify_on_disk(self._fd, record, index * SLOT)

    def write_epoch(self, place: int, record: bytes) -> None:
        """Write `record` to place 0 or 1 for epoch keys. It is durable and read back when this returns."""
        _overwrite(self._epochs_fd, record, place * BLOCK)
        durable.fdatasync(self._epochs_fd)
        _verify_on_disk(self._epochs_fd, record, place * BLOCK)

    def write_draft(self, content: bytes | bytearray) -> None:
        """Write a complete new slot file beside the present one, durable when this returns."""
        _write_new(self.draft, content)

    def put_draft_in_place(self) -> None:
        """Replace the slot file by the draft, durably."""
        self.draft.replace(self.slots)
        sync_directory(self.directory)

    def make_epochs(self, epoch: int, record: bytes) -> None:
        """Create the file of epoch keys, with `record` of `epoch` as its only one."""
        content = bytearray(2 * BLOCK)
        content[epoch % 2 * BLOCK : epoch % 2 * BLOCK + SLOT] = record
        draft = self.directory / "epochs.new"
        _write_new(draft, content)
        draft.replace(self.epochs)
        sync_directory(self.directory)

    def copy_from(self, original: "Replica", header: Header) -> None:
        """Become a copy of `original`, whose header is given. Overwrite what differs, in place if possible.

        Errors: KeyStoreDamaged if this directory holds another store.
        """
        content = original.read(0, header.capacity + 1)
        if self.slots.exists() and Header.parsed(self.slots.read_bytes()[:SLOT]).store != header.store:
            raise KeyStoreDamaged("a mirror holds another store")
        if not self.epochs.exists():
            self.make_epochs(0, bytes(SLOT))
        if not self.slots.exists():
            self.write_draft(content)
            self.put_draft_in_place()
        if self.open_unchecked().epoch != header.epoch:
            self.write_draft(content)
            self.put_draft_in_place()
            self.open_unchecked()
        self._overwrite_differences(content)
        for place, record in enumerate(original.read_epochs()):
            if self.read_epochs()[place] != record:
                self.write_epoch(place, record)
        self.open()

    def open_unchecked(self) -> Header:
        self.close()
        self._fd = os.open(self.slots, self._mode)
        self._epochs_fd = os.open(self.epochs, self._mode)
        return self.header()

    def _overwrite_differences(self, content: bytes) -> None:
        present = os.pread(self._fd, len(content), 0)
        if present == content and os.fstat(self._fd).st_size == len(content):
            return
        for start in range(0, len(content), BLOCK):
            if present[start : start + BLOCK] != content[start : start + BLOCK]:
                _overwrite(self._fd, content[start : start + BLOCK], start)
        os.ftruncate(self._fd, len(content))
        durable.fsync(self._fd)

    def repair_from(self, other: "Replica", header: Header) -> None:
        """Copy from another copy of the same epoch each slot that is damaged here, or destroyed there.

        A key that is destroyed in one copy was to be destroyed in all. Only intact slots are copied.
        """
        if not other.slots.exists():
            return
        with other.slots.open("rb") as file:
            other_content = file.read((header.capacity + 1) * SLOT)
        if len(other_content) < SLOT or other_content[:SLOT] != header.packed():
            return
        own_content = self.read(0, header.capacity + 1)
        if own_content == other_content:
            return
        for start in range(SLOT, len(other_content) - SLOT + 1, SLOT):
            own, other_record = own_content[start : start + SLOT], other_content[start : start + SLOT]
            if own in (other_record, FREE) or not (theirs := Slot.parsed(other_record)).intact(header.epoch):
                continue
            ours = Slot.parsed(own)
            if not ours.intact(header.epoch) or (
                ours.live and not theirs.live and ours.key_id == theirs.key_id
            ):
                self.write(start // SLOT, other_record)
        self.sync()

    def same_as(self, other: "Replica", header: Header) -> bool:
        return (
            self.read(0, header.capacity + 1) == other.read(0, header.capacity + 1)
            and self.read_epochs() == other.read_epochs()
        )


def records(data: bytes, first: int) -> Iterator[tuple[int, bytes]]:
    """Yield the used slots in `data`, which starts at slot `first`, with their numbers."""
    for start in range(0, len(data), SLOT):
        record = data[start : start + SLOT]
        if record != FREE:
            yield first + start // SLOT, record


def _write_new(path: Path, content: bytes | bytearray) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        _overwrite(fd, content, 0)
        durable.fsync(fd)
    finally:
        os.close(fd)


def _overwrite(fd: int, data: bytes | bytearray, start: int) -> None:
    with memoryview(data) as view:
        done = 0
        while done < len(view):
            done += os.pwrite(fd, view[done:], start + done)


def _verify_on_disk(fd: int, data: bytes, start: int) -> None:
    block = start - start % BLOCK
    durable.forget_cached(fd, block, BLOCK)
    if os.pread(fd, len(data), start) != data:
        raise OSError(errno.EIO, "what was read back is not what was written")
