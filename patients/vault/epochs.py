"""The keys above the data keys, one to an epoch: under a root key in a place of its own, or in a token.

Which of the two is said by the epoch's record, so that a store moves from one to the other with a roll.
"""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from patients.vault.keys import KeyStoreDamaged, NotInToken
from patients.vault.replicas import (
    DEK,
    SLOT,
    Kek,
    Replica,
    epoch_key,
    epoch_of,
    epoch_record,
    in_token,
    token_record,
)

if TYPE_CHECKING:
    from patients.vault.token import Token


class EpochKeys:
    """Makes, opens and destroys epoch keys for a store on `replicas`, the first of which decides.

    New ones are made in `token` where there is one, else under `root` (32 bytes); `before` is the root key of
    old, which opens and wraps nothing any more. `at` is called with the
    name of each point a crash may fall on. Callers hold the store's lock. Errors: OSError, KeyStoreDamaged.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        root: bytes | bytearray | None,
        token: "Token | None",
        before: bytes | bytearray | None,
        at: Callable[[str], None],
    ) -> None:
        self._replicas = replicas
        self._root = AESGCM(root) if root is not None else None
        self._before = AESGCM(before) if before is not None else None
        self.token = token
        self._at = at

    @property
    def usable(self) -> bool:
        """False for a store that was opened to look at."""
        return self._root is not None or self.token is not None

    def make_first(self, store: bytes, epoch: int) -> None:
        """Make a new store's first key, and the file for such keys."""
        self._clear_token(store, keep=None)
        record, _ = self._made(store, epoch)
        self._replicas[0].make_epochs(epoch, record)

    def make(self, store: bytes, epoch: int) -> Kek:
        """Make an epoch's key, durable in every copy on return. There must be none of that epoch."""
        record, kek = self._made(store, epoch)
        self._at("roll.key-made")
        for replica in self._replicas:
            replica.write_epoch(epoch % 2, record)
        self._at("roll.key-written")
        return kek

    def open(self, store: bytes, epoch: int) -> Kek:
        """Errors: KeyStoreDamaged where it isn't there, or what it stands under is missing or another."""
        record = self._replicas[0].read_epochs()[epoch % 2]
        if epoch_of(record) != epoch:  # an error that does not pass, whatever keys there are
            raise KeyStoreDamaged(f"the key of epoch {epoch} is missing")
        if not in_token(record):
            if self._root is None:
                raise KeyStoreDamaged("the epoch key is wrapped under a root key, and there is none")
            try:
                return epoch_key(self._root, store, epoch, record)
            except KeyStoreDamaged:
                if self._before is None:
                    raise
                return epoch_key(self._before, store, epoch, record)
        if record != token_record(store, epoch):
            raise KeyStoreDamaged(f"the key of epoch {epoch} is missing")
        if self.token is None:
            raise KeyStoreDamaged("the epoch key stands in a token, and the settings name none")
        try:
            return self.token.key(_owner(store), _name(epoch))
        except NotInToken:
            raise KeyStoreDamaged(f"the token does not hold the key of epoch {epoch}") from None

    def custody(self, epoch: int) -> Literal["wrapped-slot", "token"]:
        return "token" if in_token(self._replicas[0].read_epochs()[epoch % 2]) else "wrapped-slot"

    def leftover(self, epoch: int) -> bool:
        """Does the first copy hold the record of another epoch than this?"""
        return any(epoch_of(record) not in {None, epoch} for record in self._replicas[0].read_epochs())

    def keep_only(self, store: bytes, epoch: int) -> None:
        """Destroy every key but that of `epoch`: what a roll, whole or broken off, leaves behind."""
        for other in (epoch - 1, epoch + 1):
            if any(
                epoch_of(record) == other for replica in self._replicas for record in replica.read_epochs()
            ):
                noise = bytes(8) + os.urandom(SLOT - 8)
                for replica in self._replicas:
                    replica.write_epoch(other % 2, noise)
                self._at("roll.record-destroyed")
        self._clear_token(store, keep=epoch if self.custody(epoch) == "token" else None)

    def _clear_token(self, store: bytes, *, keep: int | None) -> None:
        if self.token is None:
            return
        for name in self.token.names(_owner(store)):
            if keep is None or name != _name(keep):
                self.token.destroy(_owner(store), name)

    def _made(self, store: bytes, epoch: int) -> tuple[bytes, Kek]:
        if self.token is not None:
            return token_record(store, epoch), self.token.make(_owner(store), _name(epoch))
        kek = bytearray(os.urandom(DEK))
        try:
            return epoch_record(self._wrapping(), store, epoch, kek), AESGCM(kek)
        finally:
            kek[:] = bytes(DEK)

    def _wrapping(self) -> AESGCM:
        if self._root is None:
            raise PermissionError("this store was opened to look at, without its root key")
        return self._root


def _owner(store: bytes) -> str:
    return f"lacuna epochs {store.hex()}"


def _name(epoch: int) -> bytes:
    return epoch.to_bytes(8, "big")
