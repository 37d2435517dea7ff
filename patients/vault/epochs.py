"""The epoch keys, one for each epoch, which wrap the data keys: on disk under a root key, or in a token.

The epoch's record on disk says which of the two, so a store can move from one to the other with a roll.
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
    """Makes, opens and destroys the epoch keys of a store on `replicas`, the first of which is authoritative.

    New keys are made in `token` if there is one, otherwise wrapped under `root` (32 bytes). `old_root_key` is
    the previous root key: it opens existing epoch keys and wraps no new ones. `at` is called with the name of
    each point where a crash may happen. The caller holds the store's lock. Errors: OSError, KeyStoreDamaged.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        root: bytes | bytearray | None,
        token: "Token | None",
        old_root_key: bytes | bytearray | None,
        at: Callable[[str], None],
    ) -> None:
        self._replicas = replicas
        self._root = AESGCM(root) if root is not None else None
        self._old_root = AESGCM(old_root_key) if old_root_key is not None else None
        self.token = token
        self._at = at

    @property
    def usable(self) -> bool:
        """False for an observer, which has neither root key nor token."""
        return self._root is not None or self.token is not None

    def make_first(self, store: bytes, epoch: int) -> None:
        """Make the first epoch key of a new store, and the file of epoch keys."""
        self._destroy_token_keys(store, keep=None)
        record, _ = self._make_key(store, epoch)
        self._replicas[0].make_epochs(epoch, record)

    def make(self, store: bytes, epoch: int) -> Kek:
        """Make the key of `epoch`, durable in every copy on return. The epoch must not have a key yet."""
        record, kek = self._make_key(store, epoch)
        self._at("roll.key-made")
        for replica in self._replicas:
            replica.write_epoch(epoch % 2, record)
        self._at("roll.key-written")
        return kek

    def open(self, store: bytes, epoch: int) -> Kek:
        """Return the key of `epoch`.

        Errors: KeyStoreDamaged if it is missing, or if the root key or token it needs is missing or another.
        """
        record = self._replicas[0].read_epochs()[epoch % 2]
        if epoch_of(record) != epoch:  # no root key or token can help then
            raise KeyStoreDamaged(f"the key of epoch {epoch} is missing")
        if not in_token(record):
            if self._root is None:
                raise KeyStoreDamaged("the epoch key is wrapped under a root key, and there is none")
            try:
                return epoch_key(self._root, store, epoch, record)
            except KeyStoreDamaged:
                if self._old_root is None:
                    raise
                return epoch_key(self._old_root, store, epoch, record)
        if record != token_record(store, epoch):
            raise KeyStoreDamaged(f"the key of epoch {epoch} is missing")
        if self.token is None:
            raise KeyStoreDamaged("the epoch key is in a token, and the settings name none")
        try:
            return self.token.key(_token_owner(store), _token_name(epoch))
        except NotInToken:
            raise KeyStoreDamaged(f"the token does not hold the key of epoch {epoch}") from None

    def custody(self, epoch: int) -> Literal["wrapped-slot", "token"]:
        return "token" if in_token(self._replicas[0].read_epochs()[epoch % 2]) else "wrapped-slot"

    def has_other_epoch(self, epoch: int) -> bool:
        """Return whether the first copy has the record of an epoch other than `epoch`."""
        return any(epoch_of(record) not in {None, epoch} for record in self._replicas[0].read_epochs())

    def keep_only(self, store: bytes, epoch: int) -> None:
        """Destroy the epoch keys that a complete or interrupted roll leaves: all except that of `epoch`."""
        for other in (epoch - 1, epoch + 1):
            if any(
                epoch_of(record) == other for replica in self._replicas for record in replica.read_epochs()
            ):
                noise = bytes(8) + os.urandom(SLOT - 8)
                for replica in self._replicas:
                    replica.write_epoch(other % 2, noise)
                self._at("roll.record-destroyed")
        self._destroy_token_keys(store, keep=epoch if self.custody(epoch) == "token" else None)

    def _destroy_token_keys(self, store: bytes, *, keep: int | None) -> None:
        if self.token is None:
            return
        for name in self.token.names(_token_owner(store)):
            if keep is None or name != _token_name(keep):
                self.token.destroy(_token_owner(store), name)

    def _make_key(self, store: bytes, epoch: int) -> tuple[bytes, Kek]:
        if self.token is not None:
            return token_record(store, epoch), self.token.make(_token_owner(store), _token_name(epoch))
        kek = bytearray(os.urandom(DEK))
        try:
            return epoch_record(self._root_cipher(), store, epoch, kek), AESGCM(kek)
        finally:
            kek[:] = bytes(DEK)

    def _root_cipher(self) -> AESGCM:
        if self._root is None:
            raise PermissionError("this store is an observer without a root key")
        return self._root


def _token_owner(store: bytes) -> str:
    return f"lacuna epochs {store.hex()}"


def _token_name(epoch: int) -> bytes:
    return epoch.to_bytes(8, "big")
