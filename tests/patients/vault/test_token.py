"""Keys in a PKCS#11 token: they encrypt, cannot be exported, and can be destroyed."""

import os
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from pkcs11 import Attribute, KeyType
from pkcs11.exceptions import AttributeSensitive, ObjectHandleInvalid

from patients.vault import token as token_module
from patients.vault.keys import KeyStoreDamaged, NotInToken, TokenUnreachable
from patients.vault.token import Token
from tests.patients.vault.tokens import MODULE, PIN, token

__all__ = ["token"]

DEK, NONCE = bytes(range(32)), bytes(12)


def decrypt(key: object, wrapped: bytes, aad: bytes = b"here") -> bytes:
    buffer = bytearray(32)
    key.decrypt_into(NONCE, wrapped, aad, buffer)
    return bytes(buffer)


def test_a_key_decrypts_only_with_the_same_associated_data(token: Token) -> None:
    key = token.make("owner", b"one")
    wrapped = key.encrypt(NONCE, DEK, b"here")
    assert len(wrapped) == 48
    assert decrypt(key, wrapped) == DEK
    assert decrypt(token.key("owner", b"one"), wrapped) == DEK
    for tampered, aad in [(wrapped, b"there"), (bytes(48), b"here"), (wrapped[:20], b"here")]:
        with pytest.raises(InvalidTag):
            decrypt(key, tampered, aad)
    with pytest.raises(InvalidTag):
        decrypt(token.make("owner", b"two"), wrapped)
    assert decrypt(key, wrapped) == DEK  # an error does not break the session


def test_a_key_cannot_be_read_or_exported(token: Token) -> None:
    token.make("owner", b"one")
    (found,) = token._find("owner", b"one")
    with pytest.raises(AttributeSensitive):
        found[Attribute.VALUE]
    assert found[Attribute.EXTRACTABLE] is False
    assert found[Attribute.NEVER_EXTRACTABLE] is True
    assert found[Attribute.WRAP] is False


def test_an_exportable_key_is_refused(token: Token) -> None:
    token._session().generate_key(
        KeyType.AES,
        256,
        label="owner",
        id=b"loose",
        store=True,
        template={Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False},
    )
    with pytest.raises(KeyStoreDamaged, match="is not unique, or could leave"):
        token.key("owner", b"loose")


def test_exportable_keys_that_a_token_creates_are_destroyed(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    loose = {**token_module.KEY_TEMPLATE, Attribute.EXTRACTABLE: True}
    monkeypatch.setattr(token_module, "KEY_TEMPLATE", loose)
    monkeypatch.setattr(token_module, "RETRY_DELAYS", (0.0,))
    with pytest.raises(KeyStoreDamaged, match="made a key that could leave it"):
        token.make("owner", b"one")
    assert token.names("owner") == set()


def test_a_key_that_still_exists_after_destroy_is_an_error(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    token.make("owner", b"one")
    real = Token._find

    class Stubborn:
        def destroy(self) -> None:
            raise ObjectHandleInvalid

    with monkeypatch.context() as patched:
        patched.setattr(Token, "_find", lambda *asked: [Stubborn() for _key in real(*asked)])
        with pytest.raises(TokenUnreachable, match="still holds a key"):
            token.destroy("owner", b"one")
    assert token.names("owner") == {b"one"}
    token.destroy("owner", b"one")
    assert token.names("owner") == set()


def test_two_keys_with_one_name_are_an_error(token: Token) -> None:
    token.make("owner", b"one")
    token.make("owner", b"one")
    with pytest.raises(KeyStoreDamaged):
        token.key("owner", b"one")
    token.destroy("owner", b"one")
    assert token.names("owner") == set()


def test_a_destroyed_key_cannot_be_used_through_an_old_handle(token: Token) -> None:
    key = token.make("owner", b"one")
    wrapped = key.encrypt(NONCE, DEK, b"here")
    pid = os.fork()
    if pid == 0:
        same = decrypt(token.key("owner", b"one"), wrapped) == DEK
        token.destroy("owner", b"one")
        os._exit(0 if same and token.names("owner") == set() else 1)
    assert os.waitpid(pid, 0)[1] == 0
    with pytest.raises(NotInToken):
        decrypt(key, wrapped)
    with pytest.raises(NotInToken):
        token.key("owner", b"one")
    token.destroy("owner", b"one")


def test_keys_of_different_owners_are_separate(token: Token) -> None:
    token.make("house a", b"one")
    token.make("house a", b"two")
    token.make("house b", b"one")
    assert token.names("house a") == {b"one", b"two"}
    assert token.owners("house ") == {"house a", "house b"}
    assert token.owners("other") == set()
    token.destroy("house a", b"one")
    assert token.names("house b") == {b"one"}


def test_an_unreachable_token_is_an_error_and_not_erasure(token: Token, tmp_path: Path) -> None:
    with pytest.raises(TokenUnreachable, match="PinIncorrect"):
        Token(MODULE, "lacuna", "wrong").names("owner")
    with pytest.raises(TokenUnreachable, match="NoSuchToken"):
        Token(MODULE, "another", PIN).names("owner")
    with pytest.raises(TokenUnreachable, match="no PKCS#11 library"):
        Token(tmp_path / "nowhere.so", "lacuna", PIN).names("owner")
    assert token.names("owner") == set()


def test_a_failed_login_does_not_end_other_sessions_of_the_process(token: Token) -> None:
    key = token.make("owner", b"one")
    wrapped = key.encrypt(NONCE, DEK, b"here")
    with pytest.raises(TokenUnreachable, match="NoSuchToken"):
        Token(MODULE, "another", PIN).names("owner")
    assert decrypt(key, wrapped) == DEK


def test_maker_names_the_manufacturer(token: Token) -> None:
    assert "SoftHSM" in token.maker()
