"""The key store of one machine: a file of slots that are overwritten in place, and an epoch key above them.

A database can't forget a row (ERASURE.md has the figures), so keys live here. `destroy` overwrites a slot;
`roll_epoch` wraps the survivors anew and destroys the key that the old slots were wrapped under, so that
whatever a journal or a copy-on-write file system kept of them opens with nothing.

Order of a roll, each step durable before the next: the new epoch's key beside the old one's; a new slot
file; its renaming, which decides; the mirrors; the old epoch key's end. Whoever opens the store after a crash
sees by the slot file's epoch which of the two keys is the leftover, and destroys that.
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
from patients.vault.keys import Attestation, KeyExists, KeyGone, KeyStoreDamaged, KeyStoreState, Rolled
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

# Slots looked at beyond the last one known, so that one lost to a failed write hides none after it.
WINDOW = 32
CHUNK = 8192  # slots read at a time


class SlotFileKeyStore:
    """A `KeyStore` on local disk, for any number of processes and threads of one machine.

    `directory` holds the store, made on first use; `root_key` (32 bytes) wraps the epoch key and is not kept
    here, unless there is a `token`, in which epoch keys then stand; `before` is the root key that `root_key`
    takes over from, until the next roll; `root` says where that key came from;
    `mirrors` are further directories, on other volumes, that hold the same bytes: nothing is created or
    destroyed until each has acknowledged. A mirror that was in use and is empty is an error; to put a new one
    in a lost one's place, open the store once without it. `growth` is how many slots are laid out at a time.
    `at` is called with the name of each point a crash may fall on; tests end the process there.

    Errors: KeyStoreDamaged for a store that is cut short or altered, or another root key.
    """

    def __init__(
        self,
        directory: Path,
        root_key: bytes | bytearray | None,
        mirrors: Sequence[Path] = (),
        *,
        token: "Token | None" = None,
        before: bytes | bytearray | None = None,
        root: Literal["file", "environment"] = "file",
        growth: int = 1024,
        at: Callable[[str], None] = lambda point: None,
    ) -> None:
        self.directory = directory
        self.growth = growth
        self._at = at
        self._root: Literal["file", "environment"] = root
        usable = root_key is not None or token is not None
        self._replicas = [Replica(place, writable=usable) for place in (directory, *mirrors)]
        self._epochs = EpochKeys(self._replicas, root_key, token, before, at)
        self._lock = StoreLock(directory, writable=usable)
        self._settled = False
        self._index: dict[UUID, int] = {}
        self._hurt: set[int] = set()  # slots that were altered, perhaps in the id
        self._used = 0
        self._header = Header(0, 0, 0, b"")
        self._kek: Kek | None = None
        try:
            with self._held(exclusive=usable):
                pass
        except BaseException:
            self.close()  # who tries again and again must not run out of descriptors
            raise

    @classmethod
    def observer(cls, directory: Path, mirrors: Sequence[Path] = ()) -> "SlotFileKeyStore":
        """Open a store to look at, without its keys and without writing: `attest`, `ids` and `state` work.

        Errors: KeyStoreDamaged also where a mirror differs, or a roll was broken off and not yet recovered.
        """
        return cls(directory, None, mirrors)

    def create(self, key_id: UUID, case: UUID | None = None) -> bytes:
        with self._held(exclusive=True):
            kek, index = self._opened(), self._index.get(key_id)
            if index is not None:
                raise KeyExists(key_id) if self._slot(index, key_id).live else KeyGone(key_id)
            if self._used == self._header.capacity:
                self._grow()
            dek = os.urandom(DEK)
            index = self._used + 1
            record = live_slot(kek, self._header.store, self._header.epoch, index, key_id, dek)
            self._write(index, record, "create")
            self._index[key_id] = self._used = index
            return dek

    def get(self, key_id: UUID) -> bytes:
        found = self.get_many([key_id])
        if key_id not in found:
            if key_id not in self._index:
                self._check_hurt()
            raise KeyGone(key_id)
        return found[key_id]

    def get_many(self, ids: Iterable[UUID]) -> dict[UUID, bytes]:
        with self._held():
            found = {}
            for key_id in ids:
                index = self._index.get(key_id)
                if index is not None and (slot := self._slot(index, key_id)).live:
                    found[key_id] = bytes(slot.unwrap(self._opened(), self._header.store, index))
            return found

    def destroy(self, key_id: UUID) -> bool:
        with self._held(exclusive=True):
            self._opened()
            index = self._index.get(key_id)
            if index is None:
                return False
            was_live = any(self._slot(index, key_id, replica).live for replica in self._replicas)
            # Written even if it is gone: an earlier call may have failed between its write and its sync.
            record = gone_slot(self._header.epoch, key_id)
            self._write(index, record, "destroy")
            for replica in self._replicas:
                replica.prove(index, record)
            self._hurt.discard(index)
            return was_live

    def roll_epoch(self) -> Rolled:
        with self._held(exclusive=True):
            self._opened()
            old = self._header
            self._recover(old)
            content, survivors = self._rewrapped(self._epochs.make(old.store, old.epoch + 1), old)
            for replica in self._replicas:
                replica.write_draft(content)
            self._at("roll.slots-written")
            for replica in self._replicas:
                replica.put_draft_in_place()
                self._at("roll.renamed")
            dropped = self._used - survivors
            self._load()  # which ends the old epoch's key, by the same way as after a crash
            self._at("roll.old-key-destroyed")
            return Rolled(self._header.epoch, survivors, dropped)

    def roll_case(self, case: UUID) -> None:
        """Nothing: a destroyed slot is overwritten where it stands; for residues there is `roll_epoch`."""

    def attest(self, key_id: UUID) -> Attestation:
        with self._held():
            index = self._index.get(key_id)
            if index is None:
                self._check_hurt()
                return Attestation(key_id, "absent", None, self._header.epoch)
            live = any(self._slot(index, key_id, replica).live for replica in self._replicas)
            return Attestation(key_id, "live" if live else "destroyed", index, self._header.epoch)

    def ids(self) -> Iterator[UUID]:
        with self._held():
            return iter([slot.key_id for _, slot in self._used_slots() if slot.live])

    def state(self) -> KeyStoreState:
        with self._held():
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
                root=self._root if self._epochs.custody(self._header.epoch) == "wrapped-slot" else "",
                token=self._epochs.token.maker() if self._epochs.token else "",
            )

    def close(self) -> None:
        """Give back the files. The store opens them again when it is used again."""
        with self._lock.closing():
            self._forget()

    @contextmanager
    def _held(self, *, exclusive: bool = False) -> Iterator[None]:
        with self._lock.held(exclusive=exclusive):
            try:
                self._refresh(exclusive=exclusive)
                yield
            except (OSError, KeyStoreDamaged):
                self._forget()  # what is known of the files may be wrong now; read them anew
                raise

    def _refresh(self, *, exclusive: bool) -> None:
        """See what other processes did: a roll (another file), growth, new keys."""
        if self._lock.forked:
            self._forget()
            self._lock.forked = False
        if self._settled and not any(replica.stale(self._header) for replica in self._replicas):
            self._look_for_new_keys()
            return
        if self._epochs.usable and not exclusive:
            self._lock.make_exclusive()
        self._load()

    def _forget(self) -> None:
        for replica in self._replicas:
            replica.close()
        self._settled = False
        self._index.clear()
        self._hurt.clear()
        self._used = 0
        self._header = Header(0, 0, 0, b"")
        self._kek = None

    def _load(self) -> None:
        self._forget()
        primary, *mirrors = self._replicas
        if self._epochs.usable:
            self._begin_empty(primary)
        self._header = primary.open()
        if self._epochs.usable:
            self._kek = self._epochs.open(self._header.store, self._header.epoch)
            self._recover_mirrors(primary, mirrors)
            self._recover(self._header)
        else:
            self._look_only(primary, mirrors)
        for index, slot in self._used_slots():
            self._note(index, slot)
        self._settled = True

    def _begin_empty(self, primary: Replica) -> None:
        """Lay out a store where there is none, or end a beginning that was broken off.

        The empty slot file is first: epoch keys without slots, or used slots without epoch keys, are damage.
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
                # Is its volume not mounted? A new copy in its place would leave the old one's keys alive.
                raise KeyStoreDamaged(f"mirror {number} does not hold its copy")
            make_directory(mirror.directory)
            primary.heal_from(mirror, self._header)
            mirror.take_over(primary, self._header)
        if len(mirrors) != self._header.mirrors:
            self._header = replace(self._header, mirrors=len(mirrors))
            for replica in self._replicas:
                replica.write(0, self._header.packed())
                replica.sync()

    def _look_only(self, primary: Replica, mirrors: list[Replica]) -> None:
        if self._epochs.leftover(self._header.epoch):
            raise KeyStoreDamaged("a roll was broken off; the store recovers when it is next opened for use")
        for mirror in mirrors:
            mirror.open()
            if not mirror.same_as(primary, self._header):
                raise KeyStoreDamaged("a mirror differs from the key store")

    def _recover(self, header: Header) -> None:
        """Destroy what a broken-off roll left: the key of the epoch before or after, the new slot file."""
        self._epochs.keep_only(header.store, header.epoch)
        for replica in self._replicas:
            replica.draft.unlink(missing_ok=True)

    def _used_slots(self) -> Iterator[tuple[int, Slot]]:
        for first in range(1, self._header.capacity + 1, CHUNK):
            data = self._replicas[0].read(first, min(CHUNK, self._header.capacity + 1 - first))
            for index, record in records(data, first):
                yield index, Slot.parsed(record)

    def _note(self, index: int, slot: Slot) -> None:
        self._used = max(self._used, index)
        if slot.mark in {LIVE_MARK, GONE_MARK} and slot.epoch == self._header.epoch:
            self._index[slot.key_id] = index
        if not slot.whole(self._header.epoch):
            self._hurt.add(index)

    def _look_for_new_keys(self) -> None:
        """A slot is never reused within an epoch, so what others created stands after the last one known."""
        found = True
        while found:
            found = False
            if self._used == self._header.capacity:
                self._header = self._replicas[0].header()  # another process may have grown the file
            count = min(WINDOW, self._header.capacity - self._used)
            first = self._used + 1
            for index, record in records(self._replicas[0].read(first, count) if count else b"", first):
                self._note(index, Slot.parsed(record))
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

    def _write(self, index: int, record: bytes, deed: str) -> None:
        for replica in self._replicas:
            replica.write(index, record)
            self._at(f"{deed}.written")
        for replica in self._replicas:
            replica.sync()
        self._at(f"{deed}.durable")

    def _grow(self) -> None:
        """Lay out more slots. The header names them only when they are there."""
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

    def _rewrapped(self, kek: Kek, old: Header) -> tuple[bytearray, int]:
        """The next epoch's slot file and the number of its keys.

        Errors: KeyStoreDamaged for a live key that does not open: a roll would lose it for good.
        """
        content, survivors = bytearray(SLOT), 0
        for index, slot in self._used_slots():
            if slot.live:
                survivors += 1
                dek = slot.unwrap(self._opened(), old.store, index)
                content += live_slot(kek, old.store, old.epoch + 1, survivors, slot.key_id, dek)
                dek[:] = bytes(DEK)
        header = replace(old, epoch=old.epoch + 1, capacity=survivors + self.growth)
        content[:SLOT] = header.packed()
        content += FREE * self.growth
        return content, survivors

    def _check_hurt(self) -> None:
        """Errors: KeyStoreDamaged where a key that isn't found may stand in a slot that was altered."""
        if self._hurt:
            raise KeyStoreDamaged(f"slot {min(self._hurt)} was altered; whose it was can't be told")

    def _opened(self) -> Kek:
        if self._kek is None:
            raise PermissionError("this store was opened to look at, without its keys")
        return self._kek
