"""What a key store promises. Whoever keeps the data keys, the rest of the house knows only this."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

Reason = Literal[
    "copy-on-write", "data-journal", "overlay", "snapshot", "network", "volatile", "unsynced", "unknown"
]


class KeyGone(Exception):
    """There is no such key: it was destroyed, or never made. What it sealed can't be read again."""

    def __init__(self, key_id: UUID) -> None:
        super().__init__(f"key {key_id} is gone")
        self.key_id = key_id


class KeyExists(Exception):
    """A key of this id is in use."""

    def __init__(self, key_id: UUID) -> None:
        super().__init__(f"key {key_id} exists")
        self.key_id = key_id


class KeyStoreDamaged(Exception):
    """The store can't be trusted as it is: cut short, altered, without its epoch key, or mirrors disagree.

    Never taken for erasure: a missing key is `KeyGone`, a store that can't tell is this.
    """


class NotInToken(KeyStoreDamaged):
    """The token answers, and holds no such key."""

    def __init__(self, name: bytes) -> None:
        super().__init__(f"the token holds no key {name.hex()}")
        self.name = name


class TokenUnreachable(OSError):
    """The token does not answer, or refuses. Nothing was promised; the call may be repeated."""


@dataclass(frozen=True)
class Attestation:
    """What the store says of one key, read from every copy of the store.

    `slot` counts from 1 within `epoch`, the store's present one; None when absent. A destroyed key is
    `destroyed` until the epoch is rolled, and `absent` from then on: its slot no longer exists.
    """

    key_id: UUID
    state: Literal["live", "destroyed", "absent"]
    slot: int | None
    epoch: int


@dataclass(frozen=True)
class Rolled:
    """An epoch's end: `epoch` began, the key of the one before is destroyed.

    `survivors` keys were wrapped anew, `dropped` slots of destroyed keys were left behind.
    """

    epoch: int
    survivors: int
    dropped: int


@dataclass(frozen=True)
class VolumeWarning:
    """Why an overwritten byte might survive on the volume that holds a copy of the store.

    `place` is "keys" or "mirror 1", "mirror 2", ..., or "database"; `filesystem` as the kernel names it.
    `reason`: copy-on-write, data-journal, overlay, snapshot (each may keep the old block), network (its
    server may), volatile (keys end with the machine's memory), unsynced (the database doesn't wait for its
    disk) or unknown.
    """

    place: str
    filesystem: str
    reason: Reason


@dataclass(frozen=True)
class KeyStoreState:
    """Facts for certificates and start-up checks.

    `destroyed` counts the destroyed keys of this epoch, `mirrors` the further copies that acknowledge every
    write, `custody` where the epoch key stands: `wrapped-slot` is a slot of its own under a root key (its
    residue and a copy of the root key together would be the weakest point), `token` a PKCS#11 token.
    `kind` is where data keys stand, `root` where the root key came from ("" for none), `token` the token's
    maker and model as it says itself ("" for none). What all this limits: patients/vault/limits.py.
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
    """Holds 32-byte data keys by id. Safe for many threads and processes at once.

    All methods raise KeyStoreDamaged as said there, and OSError where the disk does: then nothing was
    promised, and the call may be repeated; only `create` then wants a new id, and the old one `destroy`.
    """

    def create(self, key_id: UUID, case: UUID | None = None) -> bytes:
        """Make a random key and return it once it is durable in every copy of the store.

        `case`: whose it is; None for what belongs to no case, such as a request for an appointment.
        Errors: KeyExists; KeyGone for an id destroyed in this epoch (an erased thing is not brought back).
        """

    def get(self, key_id: UUID) -> bytes:
        """Return a live key. Errors: KeyGone."""

    def get_many(self, ids: Iterable[UUID]) -> dict[UUID, bytes]:
        """Return those of `ids` that are live; the gone are left out."""

    def destroy(self, key_id: UUID) -> bool:
        """Destroy a key in every copy of the store and check that it is. May be repeated.

        Returns True if this call ended a live key, False if there was none.
        """

    def roll_epoch(self) -> Rolled:
        """Wrap the survivors under a new epoch key, then destroy the old one."""

    def roll_case(self, case: UUID) -> int | None:
        """What a step's end asks for: leave nothing destroyed of `case` that a residue could open.

        Returns the number of survivors wrapped anew, or None where that is done by `roll_epoch` alone: a slot
        is overwritten where it stands, a row of a database is not.
        """

    def attest(self, key_id: UUID) -> Attestation:
        """Say what the store holds of a key. Needs no key of its own."""

    def ids(self) -> Iterator[UUID]:
        """Every live key's id, as at the time of the call."""

    def state(self) -> KeyStoreState:
        """Facts about the store as a whole."""

    def close(self) -> None:
        """Give back files and connections. The store opens them again when it is used again."""
