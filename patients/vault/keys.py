"""The interface of a key store. The rest of the project uses only this, wherever the data keys are stored."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

Reason = Literal[
    "copy-on-write", "data-journal", "overlay", "snapshot", "network", "volatile", "unsynced", "unknown"
]


class KeyGone(Exception):
    """The key does not exist: it was destroyed, or never created. What it encrypted can't be read again."""

    def __init__(self, key_id: UUID) -> None:
        super().__init__(f"key {key_id} is gone")
        self.key_id = key_id


class KeyExists(Exception):
    """There is a live key with this id."""

    def __init__(self, key_id: UUID) -> None:
        super().__init__(f"key {key_id} exists")
        self.key_id = key_id


class Unwanted(Exception):
    """Nobody wants this key any more: what it was for is doomed, or its maker may not make it any more."""

    def __init__(self, key_id: UUID) -> None:
        super().__init__(f"key {key_id} is not wanted any more")
        self.key_id = key_id


def always() -> bool:
    """Return True: a key is wanted under any circumstances."""
    return True


class KeyStoreDamaged(Exception):
    """The store can't be trusted: it is cut off or altered, has no epoch key, or its mirrors differ.

    Never treat this as erasure. A missing key is `KeyGone`; this means that the store can't tell.
    """


class NotInToken(KeyStoreDamaged):
    """The token answered that it has no such key."""

    def __init__(self, name: bytes) -> None:
        super().__init__(f"the token holds no key {name.hex()}")
        self.name = name


class TokenUnreachable(OSError):
    """The token does not answer, or refuses. The effect of the call is unknown; it may be repeated."""


@dataclass(frozen=True)
class Attestation:
    """What the store records about one key, read from every copy of the store.

    `epoch` is the store's present epoch. `slot` counts from 1 within it; it is None for an absent key, and in
    a store without slots. A destroyed key is `destroyed` until the epoch is rolled, and `absent` after that:
    its slot no longer exists.
    """

    key_id: UUID
    state: Literal["live", "destroyed", "absent"]
    slot: int | None
    epoch: int


@dataclass(frozen=True)
class Rolled:
    """Result of rolling the epoch. `epoch` is the new one; the key of the previous one is destroyed.

    `survivors`: how many live keys were wrapped again under a new key. `dropped`: how many records of
    destroyed keys were left behind.
    """

    epoch: int
    survivors: int
    dropped: int


@dataclass(frozen=True)
class VolumeWarning:
    """Why an overwritten byte might survive on the volume that holds a copy of the store.

    `place`: "keys", "mirror 1", "mirror 2", ..., or "database". `filesystem`: its type in the kernel's words.
    `reason`: copy-on-write, data-journal, overlay or snapshot (the old block may be kept), network (the
    server may keep it), volatile (the keys are lost when the machine stops), unsynced (the database doesn't
    wait for its disk) or unknown.
    """

    place: str
    filesystem: str
    reason: Reason


@dataclass(frozen=True)
class KeyStoreState:
    """Facts about a key store, for certificates and start-up checks.

    `destroyed`: number of keys destroyed in this epoch. `mirrors`: number of further copies; each must
    acknowledge every write. `custody`: where the epoch key is. `wrapped-slot` is a slot of its own on disk,
    wrapped under a root key (a residue of the slot and a copy of the root key together would be the weakest
    point); `token` is a PKCS#11 token. `kind`: where the data keys are. `root`: where the root key came from
    ("" for none). `token`: the token's maker and model as the token reports them ("" for none). What these
    facts mean for a claim of erasure: patients/vault/limits.py.
    """

    epoch: int
    live: int
    destroyed: int
    mirrors: int
    custody: Literal["wrapped-slot", "token"]
    warnings: tuple[VolumeWarning, ...]
    kind: Literal["slot-file", "database"] = "slot-file"
    root: Literal["", "file", "environment"] = ""
    token: str = ""


class KeyStore(Protocol):
    """Stores 32-byte data keys by id. Safe for many threads and processes at once.

    Every method raises KeyStoreDamaged for the reasons given there, and OSError if a disk, database or token
    fails. After an OSError the effect of the call is unknown, and it may be repeated, except `create`: call
    that with a new id, and `destroy` the old one.
    """

    def create(self, key_id: UUID, case: UUID | None = None, *, wanted: Callable[[], bool] = always) -> bytes:
        """Make a random key; return it once it is durable in every copy of the store.

        `case`: the case it belongs to; None for something without a case, such as an appointment request.
        `wanted` is asked while no other process can destroy this id. So if the answer turns to no before
        `destroy` is called, then after that call the key does not exist and never will. It must only read,
        and must not use the store.
        Errors: Unwanted if the answer is no (nothing is made); KeyExists; KeyGone for an id destroyed in this
        epoch (what was erased is not brought back).
        """

    def get(self, key_id: UUID) -> bytes:
        """Return a live key. Errors: KeyGone."""

    def get_many(self, ids: Iterable[UUID]) -> dict[UUID, bytes]:
        """Return the live keys among `ids` by id. Keys that do not exist are left out."""

    def destroy(self, key_id: UUID) -> bool:
        """Destroy a key in every copy of the store and check that it is destroyed. May be repeated.

        It waits for a `create` of this id that has begun, also if there is no key yet. Return True if this
        call destroyed a live key, False if there was none.
        """

    def roll_epoch(self) -> Rolled:
        """Wrap the live keys under a new epoch key, then destroy the old one."""

    def roll_case(self, case: UUID) -> int | None:
        """Ensure that no residue of a destroyed key of `case` can be opened. Called at the end of a step.

        Return the number of live keys that were wrapped again, or None if only `roll_epoch` wraps keys again:
        a slot is overwritten in place, but a row of a database is not.
        """

    def attest(self, key_id: UUID) -> Attestation:
        """Return what the store records about a key. Works without epoch key and token."""

    def ids(self) -> Iterator[UUID]:
        """Return the ids of all keys that are live at the time of the call."""

    def state(self) -> KeyStoreState:
        """Return facts about the whole store."""

    def close(self) -> None:
        """Close files and connections. The store opens them again when it is used again."""
