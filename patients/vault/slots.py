"""The key store of one machine: a file of slots that are overwritten in place, wrapped under an epoch key.

A database can't forget a row (ERASURE.md has the figures), so keys are stored here. `destroy` overwrites a
slot. `roll_epoch` wraps the live keys again under a new epoch key and destroys the old one. After that,
nothing opens what a journal or a copy-on-write file system kept of the old slots.

Order of a roll, each action durable before the next: 1. Write the new epoch key beside the old one. 2. Write
a new slot file. 3. Rename it over the old one; this decides. 4. Rename those of the mirrors. 5. Destroy the
old epoch key. After a crash, whoever opens the store next compares the slot file's epoch with the two epoch
keys, and destroys the one that is left over.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from clinic.durable import make_directory
from patients.vault.epochs import EpochKeys
from patients.vault.keys import (
    Attestation,
    KeyExists,
    KeyGone,
    KeyStoreDamaged,
    KeyStoreState,
    Rolled,
    Unwanted,
    always,
)
from patients.vault.lock import StoreLock
from patients.vault.replicas import (
    DEK,
    FREE,
    GONE_MARK,
    LIVE_MARK,
    SLOT,
    Header,
    Kek,
    Replica,
    Slot,
    gone_slot,
    live_slot,
    records,
)
from patients.vault.volume import volume_warnings

if TYPE_CHECKING:
    from patients.vault.token import Token

# Slots read beyond the last known one, so that a slot lost to a failed write does not hide those after it.
LOOKAHEAD = 32
SLOTS_PER_READ = 8192


class SlotFileKeyStore:
    """A `KeyStore` on local disk, for any number of processes and threads of one machine.

    `directory` holds the store and is created on first use. `mirrors` are further directories with the same
    bytes, on other volumes: a key is created or destroyed only when each has acknowledged it. A mirror that
    was in use and is empty is an error; to replace a lost mirror, open the store once without it.

    `root_key` (32 bytes) wraps the epoch key and is not stored here. If there is a `token`, new epoch keys
    are made in it instead. `old_root_key` is the previous root key, needed until the next roll.
    `root_key_source` says where `root_key` came from.

    `growth` is the number of slots added at a time. `at` is called with the name of each point where a crash
    may happen; tests end the process there.

    Errors: KeyStoreDamaged if the store is cut off or altered, or the root key is another.
    """

    def __init__(
        self,
        directory: Path,
        root_key: bytes | bytearray | None,
        mirrors: Sequence[Path] = (),
        *,
        token: "Token | None" = None,
        old_root_key: bytes | bytearray | None = None,
        root_key_source: Literal["file", "environment"] = "file",
        growth: int = 1024,
        at: Callable[[str], None] = lambda point: None,
    ) -> None:
        self.directory = directory
        self.growth = growth
        self._at = at
        self._root_key_source: Literal["file", "environment"] = root_key_source
        usable = root_key is not None or token is not None
        self._replicas = [Replica(place, writable=usable) for place in (directory, *mirrors)]
        self._epochs = EpochKeys(self._replicas, root_key, token, old_root_key, at)
        self._lock = StoreLock(directory, writable=usable)
        self._loaded = False
        self._index: dict[UUID, int] = {}
        self._damaged: set[int] = set()  # altered slots; their ids may be wrong
        self._last_used = 0
        self._header = Header(0, 0, 0, b"")
        self._kek: Kek | None = None
        try:
            with self._locked(exclusive=usable):
                pass
        except BaseException:
            self.close()  # a caller that retries must not run out of file descriptors
            raise

    @classmethod
    def observer(cls, directory: Path, mirrors: Sequence[Path] = ()) -> "SlotFileKeyStore":
        """Open a store without its keys and without writing. Only `attest`, `ids` and `state` work.

        Errors: KeyStoreDamaged also if a mirror differs, or an interrupted roll is not yet recovered.
        """
        return cls(directory, None, mirrors)

    def create(self, key_id: UUID, case: UUID | None = None, *, wanted: Callable[[], bool] = always) -> bytes:
        with self._locked(exclusive=True):
            if not wanted():
                raise Unwanted(key_id)
            kek, index = self._epoch_key(), self._index.get(key_id)
            if index is not None:
                raise KeyExists(key_id) if self._slot(index, key_id).live else KeyGone(key_id)
            if self._last_used == self._header.capacity:
                self._grow()
            dek = os.urandom(DEK)
            index = self._last_used + 1
            record = live_slot(kek, self._header.store, self._header.epoch, index, key_id, dek)
            self._write(index, record, "create")
            self._index[key_id] = self._last_used = index
            return dek

    def get(self, key_id: UUID) -> bytes:
        found = self.get_many([key_id])
        if key_id not in found:
            if key_id not in self._index:
                self._check_undamaged()
            raise KeyGone(key_id)
        return found[key_id]

    def get_many(self, ids: Iterable[UUID]) -> dict[UUID, bytes]:
        with self._locked():
            found = {}
            for key_id in ids:
                index = self._index.get(key_id)
                if index is not None and (slot := self._slot(index, key_id)).live:
                    found[key_id] = bytes(slot.unwrap(self._epoch_key(), self._header.store, index))
            return found

    def destroy(self, key_id: UUID) -> bool:
        with self._locked(exclusive=True):
            self._epoch_key()
            index = self._index.get(key_id)
            if index is None:
                return False
            was_live = any(self._slot(index, key_id, replica).live for replica in self._replicas)
            # Write it even if the key is gone: an earlier call may have failed between write and sync.
            record = gone_slot(self._header.epoch, key_id)
            self._write(index, record, "destroy")
            for replica in self._replicas:
                replica.verify_on_disk(index, record)
            self._damaged.discard(index)
            return was_live

    def roll_epoch(self) -> Rolled:
        with self._locked(exclusive=True):
            self._epoch_key()
            old = self._header
            self._remove_leftovers(old)
            content, survivors = self._next_slot_file(self._epochs.make(old.store, old.epoch + 1), old)
            for replica in self._replicas:
                replica.write_draft(content)
            self._at("roll.slots-written")
            for replica in self._replicas:
                replica.put_draft_in_place()
                self._at("roll.renamed")
            dropped = self._last_used - survivors
            self._load()  # also destroys the old epoch key, as after a crash
            self._at("roll.old-key-destroyed")
            return Rolled(self._header.epoch, survivors, dropped)

    def roll_case(self, case: UUID) -> None:
        """Do nothing: a destroyed slot is overwritten in place, and `roll_epoch` takes care of residues."""

    def attest(self, key_id: UUID) -> Attestation:
        with self._locked():
            index = self._index.get(key_id)
            if index is None:
                self._check_undamaged()
                return Attestation(key_id, "absent", None, self._header.epoch)
            live = any(self._slot(index, key_id, replica).live for replica in self._replicas)
            return Attestation(key_id, "live" if live else "destroyed", index, self._header.epoch)

    def ids(self) -> Iterator[UUID]:
        with self._locked():
            return iter([slot.key_id for _, slot in self._used_slots() if slot.live])

    def state(self) -> KeyStoreState:
        with self._locked():
            marks = [slot.mark for _, slot in self._used_slots()]
            places = {
                f"mirror {number}" if number else "keys": replica.directory
                for number, replica in enumerate(self._replicas)
            }
            return KeyStoreState(
                epoch=self._header.epoch,
                live=marks.count(LIVE_MARK),
                destroyed=marks.count(GONE_MARK),
                mirrors=len(self._replicas) - 1,
                custody=self._epochs.custody(self._header.epoch),
                warnings=volume_warnings(places),
                root=self._root_key_source
                if self._epochs.custody(self._header.epoch) == "wrapped-slot"
                else "",
                token=self._epochs.token.maker() if self._epochs.token else "",
            )

    def close(self) -> None:
        """Close the files. The store opens them again when it is used again."""
        with self._lock.closing():
            self._reset()

    @contextmanager
    def _locked(self, *, exclusive: bool = False) -> Iterator[None]:
        """Hold the store's lock, with what is cached of the files up to date."""
        with self._lock.held(exclusive=exclusive):
            try:
                self._refresh(exclusive=exclusive)
                yield
            except (OSError, KeyStoreDamaged):
                self._reset()  # what is cached of the files may be wrong now; read them again
                raise

    def _refresh(self, *, exclusive: bool) -> None:
        """Read what other processes did: a roll (another slot file), growth, new keys."""
        if self._lock.forked:
            self._reset()
            self._lock.forked = False
        if self._loaded and not any(replica.stale(self._header) for replica in self._replicas):
            self._index_new_slots()
            return
        if self._epochs.usable and not exclusive:
            self._lock.make_exclusive()
        self._load()

    def _reset(self) -> None:
        """Close the files and forget what is cached of them."""
        for replica in self._replicas:
            replica.close()
        self._loaded = False
        self._index.clear()
        self._damaged.clear()
        self._last_used = 0
        self._header = Header(0, 0, 0, b"")
        self._kek = None

    def _load(self) -> None:
        """Open the files, recover from a crash unless this is an observer, and index the slots."""
        self._reset()
        primary, *mirrors = self._replicas
        if self._epochs.usable:
            self._create_if_missing(primary)
        self._header = primary.open()
        if self._epochs.usable:
            self._kek = self._epochs.open(self._header.store, self._header.epoch)
            self._recover_mirrors(primary, mirrors)
            self._remove_leftovers(self._header)
        else:
            self._check_as_observer(primary, mirrors)
        for index, slot in self._used_slots():
            self._add_to_index(index, slot)
        self._loaded = True

    def _create_if_missing(self, primary: Replica) -> None:
        """Create the store if there is none, or complete an interrupted creation.

        The empty slot file is written first: epoch keys without slots, or used slots without epoch keys, are
        damage.
        """
        if primary.slots.exists():
            if not primary.epochs.exists() and not any(primary.slots.read_bytes()[SLOT:]):
                header = Header.parsed(primary.slots.read_bytes()[:SLOT])
            else:
                return
        elif primary.epochs.exists():
            raise KeyStoreDamaged("the slot file is missing")
        else:
            header = Header(1, self.growth, 0, os.urandom(16))
            primary.write_draft(header.packed() + FREE * header.capacity)
            primary.put_draft_in_place()
            self._at("begin.slots-written")
        self._epochs.make_first(header.store, header.epoch)

    def _recover_mirrors(self, primary: Replica, mirrors: list[Replica]) -> None:
        for number, mirror in enumerate(mirrors, 1):
            if number <= self._header.mirrors and not mirror.slots.exists():
                # Perhaps its volume is not mounted. A new copy would leave the keys in the old one alive.
                raise KeyStoreDamaged(f"mirror {number} does not hold its copy")
            make_directory(mirror.directory)
            primary.repair_from(mirror, self._header)
            mirror.copy_from(primary, self._header)
        if len(mirrors) != self._header.mirrors:
            self._header = replace(self._header, mirrors=len(mirrors))
            for replica in self._replicas:
                replica.write(0, self._header.packed())
                replica.sync()

    def _check_as_observer(self, primary: Replica, mirrors: list[Replica]) -> None:
        """Check without writing that nothing has to be recovered. Errors: KeyStoreDamaged."""
        if self._epochs.has_other_epoch(self._header.epoch):
            raise KeyStoreDamaged("a roll was interrupted; the store recovers when it is next opened for use")
        for mirror in mirrors:
            mirror.open()
            if not mirror.same_as(primary, self._header):
                raise KeyStoreDamaged("a mirror differs from the key store")

    def _remove_leftovers(self, header: Header) -> None:
        """Destroy what an interrupted roll left: the key of the epoch before or after, the new slot file."""
        self._epochs.keep_only(header.store, header.epoch)
        for replica in self._replicas:
            replica.draft.unlink(missing_ok=True)

    def _used_slots(self) -> Iterator[tuple[int, Slot]]:
        for first in range(1, self._header.capacity + 1, SLOTS_PER_READ):
            data = self._replicas[0].read(first, min(SLOTS_PER_READ, self._header.capacity + 1 - first))
            for index, record in records(data, first):
                yield index, Slot.parsed(record)

    def _add_to_index(self, index: int, slot: Slot) -> None:
        self._last_used = max(self._last_used, index)
        if slot.mark in {LIVE_MARK, GONE_MARK} and slot.epoch == self._header.epoch:
            self._index[slot.key_id] = index
        if not slot.intact(self._header.epoch):
            self._damaged.add(index)

    def _index_new_slots(self) -> None:
        """Index the slots that other processes have filled.

        A slot is never reused within an epoch, so they come after the last known one.
        """
        found = True
        while found:
            found = False
            if self._last_used == self._header.capacity:
                self._header = self._replicas[0].header()  # another process may have grown the file
            count = min(LOOKAHEAD, self._header.capacity - self._last_used)
            first = self._last_used + 1
            for index, record in records(self._replicas[0].read(first, count) if count else b"", first):
                self._add_to_index(index, Slot.parsed(record))
                found = True

    def _slot(self, index: int, key_id: UUID, replica: Replica | None = None) -> Slot:
        slot = Slot.parsed((replica or self._replicas[0]).read(index))
        if (
            slot.key_id != key_id
            or slot.epoch != self._header.epoch
            or slot.mark not in {LIVE_MARK, GONE_MARK}
        ):
            raise KeyStoreDamaged(f"slot {index} does not hold key {key_id}")
        return slot

    def _write(self, index: int, record: bytes, operation: str) -> None:
        for replica in self._replicas:
            replica.write(index, record)
            self._at(f"{operation}.written")
        for replica in self._replicas:
            replica.sync()
        self._at(f"{operation}.durable")

    def _grow(self) -> None:
        """Add free slots. The header counts them only when they are durable."""
        header = replace(self._header, capacity=self._header.capacity + self.growth)
        for replica in self._replicas:
            replica.write(self._header.capacity + 1, FREE * self.growth)
            replica.sync()
        self._at("grow.laid-out")
        for replica in self._replicas:
            replica.write(0, header.packed())
            replica.sync()
            self._at("grow.named")
        self._header = header

    def _next_slot_file(self, kek: Kek, old: Header) -> tuple[bytearray, int]:
        """Return the next epoch's slot file and the number of its keys.

        Errors: KeyStoreDamaged for a live key that does not open: a roll would lose it for good.
        """
        content, survivors = bytearray(SLOT), 0
        for index, slot in self._used_slots():
            if slot.live:
                survivors += 1
                dek = slot.unwrap(self._epoch_key(), old.store, index)
                content += live_slot(kek, old.store, old.epoch + 1, survivors, slot.key_id, dek)
                dek[:] = bytes(DEK)
        header = replace(old, epoch=old.epoch + 1, capacity=survivors + self.growth)
        content[:SLOT] = header.packed()
        content += FREE * self.growth
        return content, survivors

    def _check_undamaged(self) -> None:
        """Errors: KeyStoreDamaged if a slot was altered: a key that isn't found may be in it."""
        if self._damaged:
            raise KeyStoreDamaged(f"slot {min(self._damaged)} was altered; which key it held is not known")

    def _epoch_key(self) -> Kek:
        """Return the present epoch key. Errors: PermissionError in an observer."""
        if self._kek is None:
            raise PermissionError("this store is an observer without keys")
        return self._kek
