"""A PKCS#11 token: AES keys that are made, used and destroyed inside it, and never leave it.

Data keys pass through it one at a time: the token encrypts and decrypts them under its own key (AES-256-GCM),
so what this process holds is a handle. PKCS#11 v2.40; OASIS "Cryptographic Token Interface Base
Specification".
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pkcs11
from cryptography.exceptions import InvalidTag
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import (
    EncryptedDataInvalid,
    EncryptedDataLenRange,
    FunctionFailed,
    GeneralError,
    KeyHandleInvalid,
    ObjectHandleInvalid,
    PinIncorrect,
    PinLocked,
    PKCS11Error,
    UserAlreadyLoggedIn,
)

from patients.vault.keys import KeyStoreDamaged, NotInToken, TokenUnreachable

TAG_BITS = 128
LOOKS = 50
WAITS = (0.01, 0.05, 0.1, 0.2, 0.4)  # seconds between looks at what may be on its way
# What the token must say of a key of ours, or it is refused: no way leads out of the token.
INSIDE = {
    Attribute.SENSITIVE: True,
    Attribute.ALWAYS_SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.NEVER_EXTRACTABLE: True,
    Attribute.LOCAL: True,
}
TEMPLATE = {
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.MODIFIABLE: False,
    Attribute.ENCRYPT: True,
    Attribute.DECRYPT: True,
    Attribute.WRAP: False,
    Attribute.UNWRAP: False,
    Attribute.SIGN: False,
    Attribute.VERIFY: False,
}
# Tokens answer a wrong tag with the first two; SoftHSM with the third.
DOES_NOT_OPEN = (EncryptedDataInvalid, EncryptedDataLenRange, GeneralError, FunctionFailed)
GONE_MEANWHILE = (ObjectHandleInvalid, FunctionFailed, GeneralError)

# One session to a process and token: logging one out would log out all. They are kept until the process ends,
# a parent's in its child too, whose collection would close a session of the same number.
_sessions: dict[tuple[int, str, str], Any] = {}
_left: list[Any] = []
_libraries: dict[str, int] = {}
_lock = threading.RLock()


def _new_lock() -> None:
    global _lock  # noqa: PLW0603 - a thread that is not in this child may hold the parent's
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_new_lock)


class TokenKey:
    """One key in a token, with the methods of `AESGCM` that the vault uses. Errors: TokenUnreachable."""

    def __init__(self, token: "Token", name: bytes, handle: Any) -> None:
        self._token = token
        self._name = name
        self._handle = handle

    def encrypt(self, nonce: bytes, data: bytes | bytearray, aad: bytes) -> bytes:
        """Ciphertext and tag of `data`, made in the token under a 12-byte `nonce`. Errors: NotInToken."""
        params = GCMParams(nonce, aad, TAG_BITS)
        return bytes(
            self._do(
                lambda: self._handle.encrypt(bytes(data), mechanism=Mechanism.AES_GCM, mechanism_param=params)
            )
        )

    def decrypt_into(self, nonce: bytes, data: bytes, aad: bytes, buffer: bytearray) -> int:
        """Put what the token decrypts into `buffer`; return its length. Errors: InvalidTag, NotInToken."""
        params = GCMParams(nonce, aad, TAG_BITS)
        try:
            plain = self._do(
                lambda: self._handle.decrypt(
                    bytes(data), mechanism=Mechanism.AES_GCM, mechanism_param=params
                ),
                refusals=DOES_NOT_OPEN,
            )
        except DOES_NOT_OPEN as error:
            raise InvalidTag from error
        buffer[:] = plain
        return len(plain)

    def _do(self, work: Callable[[], Any], refusals: tuple[type[PKCS11Error], ...] = ()) -> Any:
        try:
            return self._token._do(work, (*refusals, KeyHandleInvalid, ObjectHandleInvalid))
        except (KeyHandleInvalid, ObjectHandleInvalid):
            raise NotInToken(self._name) from None


class Token:
    """The token labelled `label`, through the PKCS#11 library `module`, as the user whose PIN is `pin`.

    A key has an owner, a short text all keys of one store or case share, and a `name` of its own. Safe for
    threads, and for children of a fork. Nothing is opened before it is needed.
    Errors of all methods: TokenUnreachable.
    """

    def __init__(self, module: Path, label: str, pin: str) -> None:
        self._module = str(module)
        self._label = label
        self._pin = pin

    def make(self, owner: str, name: bytes) -> TokenKey:
        """Make a random AES-256 key that cannot leave the token; it is in the token on return.

        Errors: KeyStoreDamaged for a token that makes keys which could leave it.
        """
        made = self._do(
            lambda: self._session().generate_key(
                KeyType.AES, 256, label=owner, id=name, store=True, template=TEMPLATE
            )
        )
        if not self._kept_inside(made):
            self.destroy(owner, name)
            raise KeyStoreDamaged("the token made a key that could leave it")
        return TokenKey(self, name, made)

    def key(self, owner: str, name: bytes) -> TokenKey:
        """Errors: NotInToken; KeyStoreDamaged where two keys have the name, or the key could leave."""
        found = self._found(owner, name)
        if not found:
            raise NotInToken(name)
        try:
            sound = len(found) == 1 and self._kept_inside(found[0])
        except ObjectHandleInvalid:
            raise NotInToken(name) from None
        if not sound:
            raise KeyStoreDamaged("a key in the token is not as this house made it")
        return TokenKey(self, name, found[0])

    def names(self, owner: str) -> set[bytes]:
        """The names of an owner's keys."""
        return {bytes(said) for said in self._said(self._found(owner), Attribute.ID)}

    def owners(self, prefix: str) -> set[str]:
        """Every owner of a key whose text begins with `prefix`."""
        labels = self._said(self._found(None), Attribute.LABEL)
        return {label for label in labels if label.startswith(prefix)}

    def destroy(self, owner: str, name: bytes) -> None:
        """Destroy a key and look that it is gone. May be repeated. Errors: TokenUnreachable if it stays."""
        for item in self._found(owner, name):
            # Whatever it answers: another process may have been faster. What counts is what is found then.
            with suppress(*GONE_MEANWHILE):
                self._do(item.destroy, GONE_MEANWHILE)
        if self._found(owner, name):
            raise TokenUnreachable("the token still holds a key that it was told to destroy")

    def maker(self) -> str:
        """Who made the token, and its model, as it says itself."""
        token = self._do(lambda: self._session().token)
        words = (token.manufacturer_id, token.model)
        return " ".join(
            (word.decode() if isinstance(word, bytes) else word).strip("\0 ") for word in words
        ).strip()

    def _found(self, owner: str | None, name: bytes | None = None) -> list[Any]:
        template: dict[Attribute, Any] = {Attribute.CLASS: ObjectClass.SECRET_KEY}
        if owner is not None:
            template[Attribute.LABEL] = owner
        if name is not None:
            template[Attribute.ID] = name
        for _ in range(LOOKS):
            # Objects that others destroy while they are being listed spoil the list, not the session.
            with suppress(ObjectHandleInvalid):
                return list(
                    self._do(lambda: list(self._session().get_objects(template)), (ObjectHandleInvalid,))
                )
        raise TokenUnreachable("the token's keys change too fast to be listed")

    def _said(self, items: list[Any], attribute: Attribute) -> list[Any]:
        said = []
        for item in items:
            with suppress(ObjectHandleInvalid):
                said.append(self._do(partial(item.__getitem__, attribute), (ObjectHandleInvalid,)))
        return said

    def _kept_inside(self, key: Any) -> bool:
        for wait in WAITS:
            said = self._do(
                lambda: {attribute: key[attribute] for attribute in INSIDE}, (ObjectHandleInvalid,)
            )
            if said == INSIDE:
                return True
            time.sleep(wait)  # SoftHSM says False of everything while another process writes beside it
        return False

    def _do(self, work: Callable[[], Any], refusals: tuple[type[PKCS11Error], ...] = ()) -> Any:
        """Do one thing in the token: one at a time, as sessions are not for threads to share."""
        with _lock:
            try:
                return work()
            except refusals:
                raise
            except PKCS11Error as error:
                # The session may have ended with the token's connection: the next call opens another.
                if (gone := _sessions.pop(self._place(), None)) is not None:
                    _left.append(gone)
                raise TokenUnreachable(f"the token does not answer: {type(error).__name__}") from error

    def _place(self) -> tuple[int, str, str]:
        return os.getpid(), self._module, self._label

    def _session(self) -> Any:
        session = _sessions.get(self._place())
        if session is None:
            session = _sessions[self._place()] = self._opened()
        return session

    def _opened(self) -> Any:
        try:
            library = pkcs11.lib(self._module)
        except (RuntimeError, OSError) as error:
            raise TokenUnreachable(f"no PKCS#11 library can be loaded from {self._module}") from error
        if _libraries.setdefault(self._module, os.getpid()) != os.getpid():
            library.reinitialize()  # a child must, before anything else (PKCS#11 6.6.1)
            _libraries[self._module] = os.getpid()
        for wait in WAITS:
            try:
                return self._logged_in(library)
            except PKCS11Error:
                if any(pid == os.getpid() for pid, *_ in _sessions):
                    raise  # to begin again would end those sessions
                # The token may have been away; SoftHSM also fails on one that another process is logging in
                # to at this moment, because that is written into a file.
                time.sleep(wait)
                library.reinitialize()
        return self._logged_in(library)

    def _logged_in(self, library: Any) -> Any:
        token = library.get_token(token_label=self._label)
        try:
            return token.open(rw=True, user_pin=self._pin)
        except UserAlreadyLoggedIn:  # a session that was lost left its login
            return token.open(rw=True)
        except (PinIncorrect, PinLocked) as error:  # tried once: a token locks itself after a few
            raise TokenUnreachable(f"the token refuses the PIN: {type(error).__name__}") from error


def forget_tokens() -> None:
    """End every session of this process, so that a token is looked at afresh; for tests."""
    with _lock:
        _left.extend(_sessions.values())
        _sessions.clear()
        for module, pid in _libraries.items():
            if pid == os.getpid():
                pkcs11.lib(module).reinitialize()
