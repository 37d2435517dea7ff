"""What was typed into a form, sealed, so that the form's owner can send it after signing in again.

The sealed text lies in a hidden field of the page that asks to sign in, and nowhere else. Only the server can
open it, and it does so only for the person whose page the form was on.
"""

import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.http import QueryDict

from clinic.access.page_owner import FIELD
from clinic.keyed_digests import keyed_digests

SALT = "clinic.access.sealed_forms"
MAX_AGE = 12 * 3600  # seconds: as long as a sign-in lasts (SESSION_COOKIE_AGE)
# Characters of the sealed text. The page's form may have 2 MiB (DATA_UPLOAD_MAX_MEMORY_SIZE).
MAX_LENGTH = 1_900_000
NONCE_BYTES = 12
PASSPHRASES = frozenset(
    {"password", "password1", "password2", "oldpassword", "passphrase", "seal", "seal_again"}
)
# Fields that belong to one sending of the form and not to what was typed.
TOKENS = frozenset({"csrfmiddlewaretoken", FIELD})


class TooLong(ValueError):
    """The form has more text than the page can carry."""


class Unreadable(ValueError):
    """The sealed text is another person's, or is damaged."""


class TooOld(ValueError):
    """The form was sealed more than MAX_AGE ago."""


@dataclass(frozen=True)
class SealedForm:
    """A form that was not sent. path: where it goes, with its query. age: seconds since it was sealed."""

    path: str
    fields: list[tuple[str, str]]
    age: float


def typed_fields(data: QueryDict) -> list[tuple[str, str]]:
    """Return names and values of a posted form, without tokens and passphrases: those are asked for again."""
    return [
        (name, value) for name, values in data.lists() for value in values if name not in TOKENS | PASSPHRASES
    ]


def seal(mark: str, path: str, data: QueryDict) -> str:
    """Return a posted form as text that only `unseal` with the same mark reads. Errors: TooLong."""
    content = {"path": path, "fields": typed_fields(data), "at": time.time()}
    plaintext = json.dumps(content, ensure_ascii=False).encode()
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + AESGCM(next(_keys())).encrypt(nonce, plaintext, _binding(mark))
    text = urlsafe_b64encode(sealed).rstrip(b"=").decode()
    if len(text) > MAX_LENGTH:
        raise TooLong
    return text


def unseal(text: str, marks: Iterable[str]) -> SealedForm:
    """Return the form in a sealed text, if its mark is one of `marks`. Errors: Unreadable, TooOld."""
    try:
        sealed = urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
    except ValueError as error:
        raise Unreadable from error
    nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    marks = list(marks)
    for key in _keys():
        for mark in marks:
            try:
                content = json.loads(AESGCM(key).decrypt(nonce, ciphertext, _binding(mark)))
            except (InvalidTag, ValueError):  # ValueError: the nonce is too short
                continue
            age = time.time() - content["at"]
            if age > MAX_AGE:
                raise TooOld
            return SealedForm(content["path"], [(name, value) for name, value in content["fields"]], age)
    raise Unreadable


def _keys() -> Iterator[bytes]:
    """Yield a key for each secret key, the present one first."""
    return map(bytes.fromhex, keyed_digests(SALT, ""))


def _binding(mark: str) -> bytes:
    """Return the associated data: a text sealed for one mark does not open for another."""
    return f"{SALT}:{mark}".encode()
