"""A PKCS#11 token: AES keys are made, used and destroyed inside it, and never leave it.

Data keys pass through it one at a time: the token encrypts and decrypts them under its own key (AES-256-GCM),
and this process has only a handle of that key. PKCS#11 v2.40; OASIS "Cryptographic Token Interface Base
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
LIST_ATTEMPTS = 50
RETRY_DELAYS = (0.01, 0.05, 0.1, 0.2, 0.4)  # seconds between attempts, as the answer may change
# What the token must report about each of our keys: it cannot leave the token. Other keys are refused.
REQUIRED_ATTRIBUTES = {
    Attribute.SENSITIVE: True,
    Attribute.ALWAYS_SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.NEVER_EXTRACTABLE: True,
    Attribute.LOCAL: True,
}
KEY_TEMPLATE = {
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
# For a wrong authentication tag, tokens raise one of the first two; SoftHSM raises the third.
DECRYPTION_ERRORS = (EncryptedDataInvalid, EncryptedDataLenRange, GeneralError, FunctionFailed)
ALREADY_GONE_ERRORS = (ObjectHandleInvalid, FunctionFailed, GeneralError)

# One session for each process and token: logging out of one would log out of all. They are kept until the
# process ends. A child keeps its parent's too: collecting them would close a session of the same number.
_sessions: dict[tuple[int, str, str], Any] = {}
_lost_sessions: list[Any] = []
_libraries: dict[str, int] = {}
_lock = threading.RLock()


def _replace_lock_in_child() -> None:
    global _lock  # noqa: PLW0603 - a thread that exists only in the parent may hold it
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_replace_lock_in_child)


class TokenKey:
    """One key in a token, with those methods of `AESGCM` that the vault uses. Errors: TokenUnreachable."""

    def __init__(self, token: "Token", name: bytes, handle: Any) -> None:
        self._token = token
        self._name = name
        self._handle = handle

    def encrypt(self, nonce: bytes, data: bytes | bytearray, aad: bytes) -> bytes:
        """Return ciphertext and tag of `data`, encrypted with a 12-byte `nonce`. Errors: NotInToken."""
        params = GCMParams(nonce, aad, TAG_BITS)
        return bytes(
            self._call(
                lambda: self._handle.encrypt(bytes(data), mechanism=Mechanism.AES_GCM, mechanism_param=params)
            )
        )

    def decrypt_into(self, nonce: bytes, data: bytes, aad: bytes, buffer: bytearray) -> int:
        """Write the plaintext into `buffer`; return its length. Errors: InvalidTag, NotInToken."""
        params = GCMParams(nonce, aad, TAG_BITS)
        try:
            plain = self._call(
                lambda: self._handle.decrypt(
                    bytes(data), mechanism=Mechanism.AES_GCM, mechanism_param=params
                ),
                expected=DECRYPTION_ERRORS,
            )
        except DECRYPTION_ERRORS as error:
            raise InvalidTag from error
        buffer[:] = plain
        return len(plain)

    def _call(self, work: Callable[[], Any], expected: tuple[type[PKCS11Error], ...] = ()) -> Any:
        try:
            return self._token._call(work, (*expected, KeyHandleInvalid, ObjectHandleInvalid))
        except (KeyHandleInvalid, ObjectHandleInvalid):
            raise NotInToken(self._name) from None


class Token:
    """The token labelled `label`, through the PKCS#11 library `module`, as the user whose PIN is `pin`.

    A key has an `owner`, a short text that all keys of one store or case share, and a `name` of its own. Safe
    for threads and after a fork. The session is opened when it is first needed.
    Errors of all methods: TokenUnreachable.
    """

    def __init__(self, module: Path, label: str, pin: str) -> None:
        self._module = str(module)
        self._label = label
        self._pin = pin

    def make(self, owner: str, name: bytes) -> TokenKey:
        """Make a random AES-256 key that cannot leave the token. The token has stored it on return.

        Errors: KeyStoreDamaged if the token made a key that could leave it.
        """
        made = self._call(
            lambda: self._session().generate_key(
                KeyType.AES, 256, label=owner, id=name, store=True, template=KEY_TEMPLATE
            )
        )
        if not self._is_unextractable(made):
            self.destroy(owner, name)
            raise KeyStoreDamaged("the token made a key that could leave it")
        return TokenKey(self, name, made)

    def key(self, owner: str, name: bytes) -> TokenKey:
        """Return the key with this owner and name.

        Errors: NotInToken; KeyStoreDamaged if two keys have the name, or the key could leave the token.
        """
        found = self._find(owner, name)
        if not found:
            raise NotInToken(name)
        try:
            sound = len(found) == 1 and self._is_unextractable(found[0])
        except ObjectHandleInvalid:
            raise NotInToken(name) from None
        if not sound:
            raise KeyStoreDamaged("a key in the token is not unique, or could leave the token")
        return TokenKey(self, name, found[0])

    def names(self, owner: str) -> set[bytes]:
        """Return the names of an owner's keys."""
        return {bytes(name) for name in self._attribute_values(self._find(owner), Attribute.ID)}

    def owners(self, prefix: str) -> set[str]:
        """Return the owners of keys that begin with `prefix`."""
        labels = self._attribute_values(self._find(None), Attribute.LABEL)
        return {label for label in labels if label.startswith(prefix)}

    def destroy(self, owner: str, name: bytes) -> None:
        """Destroy a key and check that it is gone. May be repeated. Errors: TokenUnreachable if it stays."""
        for item in self._find(owner, name):
            # Another process may have destroyed it first, so errors are ignored: the search below decides.
            with suppress(*ALREADY_GONE_ERRORS):
                self._call(item.destroy, ALREADY_GONE_ERRORS)
        if self._find(owner, name):
            raise TokenUnreachable("the token still holds a key that it was asked to destroy")

    def maker(self) -> str:
        """Return the token's manufacturer and model as the token reports them."""
        token = self._call(lambda: self._session().token)
        words = (token.manufacturer_id, token.model)
        return " ".join(
            (word.decode() if isinstance(word, bytes) else word).strip("\0 ") for word in words
        ).strip()

    def _find(self, owner: str | None, name: bytes | None = None) -> list[Any]:
        template: dict[Attribute, Any] = {Attribute.CLASS: ObjectClass.SECRET_KEY}
        if owner is not None:
            template[Attribute.LABEL] = owner
        if name is not None:
            template[Attribute.ID] = name
        for _ in range(LIST_ATTEMPTS):
            # A key that another process destroys meanwhile makes the listing fail, not the session.
            with suppress(ObjectHandleInvalid):
                return list(
                    self._call(lambda: list(self._session().get_objects(template)), (ObjectHandleInvalid,))
                )
        raise TokenUnreachable("the token's keys change too fast to be listed")

    def _attribute_values(self, items: list[Any], attribute: Attribute) -> list[Any]:
        values = []
        for item in items:
            with suppress(ObjectHandleInvalid):
                values.append(self._call(partial(item.__getitem__, attribute), (ObjectHandleInvalid,)))
        return values

    def _is_unextractable(self, key: Any) -> bool:
        for wait in RETRY_DELAYS:
            reported = self._call(
                lambda: {attribute: key[attribute] for attribute in REQUIRED_ATTRIBUTES},
                (ObjectHandleInvalid,),
            )
            if reported == REQUIRED_ATTRIBUTES:
                return True
            time.sleep(wait)  # SoftHSM reports False for everything while another process writes
        return False

    def _call(self, work: Callable[[], Any], expected: tuple[type[PKCS11Error], ...] = ()) -> Any:
        """Do `work` in the token, one call at a time: threads must not share a session.

        Errors: the `expected` ones are passed on; any other token error becomes TokenUnreachable.
        """
        with _lock:
            try:
                return work()
            except expected:
                raise
            except PKCS11Error as error:
                # The session may have ended with the token's connection; the next call opens a new one.
                if (gone := _sessions.pop(self._session_id(), None)) is not None:
                    _lost_sessions.append(gone)
                raise TokenUnreachable(f"the token does not answer: {type(error).__name__}") from error

    def _session_id(self) -> tuple[int, str, str]:
        return os.getpid(), self._module, self._label

    def _session(self) -> Any:
        session = _sessions.get(self._session_id())
        if session is None:
            session = _sessions[self._session_id()] = self._open_session()
        return session

    def _open_session(self) -> Any:
        try:
            library = pkcs11.lib(self._module)
        except (RuntimeError, OSError) as error:
            raise TokenUnreachable(f"no PKCS#11 library can be loaded from {self._module}") from error
        if _libraries.setdefault(self._module, os.getpid()) != os.getpid():
            library.reinitialize()  # a child process must do this first (PKCS#11 6.6.1)
            _libraries[self._module] = os.getpid()
        for wait in RETRY_DELAYS:
            try:
                return self._log_in(library)
            except PKCS11Error:
                if any(pid == os.getpid() for pid, *_ in _sessions):
                    raise  # reinitialize() would end those sessions
                # The token may have been unreachable for a moment. SoftHSM also fails while another process
                # is logging in, because it writes the login to a file.
                time.sleep(wait)
                library.reinitialize()
        return self._log_in(library)

    def _log_in(self, library: Any) -> Any:
        token = library.get_token(token_label=self._label)
        try:
            return token.open(rw=True, user_pin=self._pin)
        except UserAlreadyLoggedIn:  # a lost session is still logged in
            return token.open(rw=True)
        except (PinIncorrect, PinLocked) as error:  # not retried: a token locks itself after a few wrong PINs
            raise TokenUnreachable(f"the token refuses the PIN: {type(error).__name__}") from error


def end_sessions() -> None:
    """End every session of this process, so that the next call opens a new one; for tests."""
    with _lock:
        _lost_sessions.extend(_sessions.values())
        _sessions.clear()
        for module, pid in _libraries.items():
            if pid == os.getpid():
                pkcs11.lib(module).reinitialize()
