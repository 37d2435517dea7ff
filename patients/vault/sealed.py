"""Words under a key: what a row says in clear can never be destroyed, so what matters is sealed in it.

A sealed model keeps its words in one column, encrypted under a key of the key store. When the key goes, the
words go, in this row and in every copy of it.
"""

import dataclasses
import json
import os
import typing
from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.utils import Buffer
from django.db import models

from patients.vault.configured import key_store
from patients.vault.stream import Tampered

VERSION = b"\x01"
NONCE = 12
STEP = 128  # sizes are multiples of this, so that they say little about the words


def seal(key: Buffer, aad: bytes, data: bytes) -> bytes:
    """Encrypt a short text under a 32-byte key: version, nonce, and AES-256-GCM of the padded data.

    `aad` binds the place it belongs to; many texts may be sealed under one key.
    """
    length = len(data).to_bytes(4, "big")
    padding = bytes(-(len(length) + len(data)) % STEP)
    nonce = os.urandom(NONCE)
    return VERSION + nonce + AESGCM(key).encrypt(nonce, length + data + padding, VERSION + aad)


def unseal(key: Buffer, aad: bytes, sealed: Buffer) -> bytes:
    """Return what `seal` was given. Errors: Tampered for another key, place, version or a changed byte."""
    sealed = bytes(sealed)
    if sealed[:1] != VERSION:
        raise Tampered("sealed by a version that is not known here")
    nonce = sealed[1 : 1 + NONCE]
    try:
        padded = AESGCM(key).decrypt(nonce, sealed[1 + NONCE :], VERSION + aad)
    except (InvalidTag, ValueError):
        raise Tampered("not sealed so, or not for this place") from None
    return padded[4 : 4 + int.from_bytes(padded[:4], "big")]


class SealedModel(models.Model):
    """A row whose words are sealed.

    `sealed_fields` is a frozen dataclass; JSON can hold its fields, and each has a default. The key
    must exist before the first `write`; this class neither makes nor destroys one.
    """

    sealed = models.BinaryField(default=b"", editable=False)

    sealed_fields: ClassVar[type[Any]]

    class Meta:
        abstract = True

    @property
    def seal_key_id(self) -> UUID:
        """The key the words lie under: the row's own id, unless a model says otherwise."""
        return typing.cast(UUID, self.pk)

    def read(self) -> Any:
        """Return the words as `sealed_fields`; its defaults when nothing was written.

        Errors: KeyGone when the key is destroyed, Tampered when this was not sealed for this row.
        """
        if not self.sealed:
            return self.sealed_fields()
        return self._unsealed(key_store().get(self.seal_key_id))

    def write(self, fields: Any) -> None:
        """Seal the words into `sealed`; saving is the caller's. Errors: KeyGone."""
        data = json.dumps(dataclasses.asdict(fields), ensure_ascii=False).encode()
        self.sealed = seal(key_store().get(self.seal_key_id), self._place(), data)

    def _place(self) -> bytes:
        return f"{self._meta.label_lower}:{self.pk}".encode()

    def _unsealed(self, key: bytes) -> Any:
        return _fields_from(self.sealed_fields, json.loads(unseal(key, self._place(), self.sealed)))


def read_many(instances: Iterable[SealedModel]) -> dict[Any, Any]:
    """The words of many rows by primary key; those whose key is gone are left out.

    One look into the key store, however many rows. Errors: Tampered.
    """
    rows = list(instances)
    keys = key_store().get_many({row.seal_key_id for row in rows if row.sealed})
    found = {}
    for row in rows:
        if not row.sealed:
            found[row.pk] = row.sealed_fields()
        elif key := keys.get(row.seal_key_id):
            found[row.pk] = row._unsealed(key)
    return found


def _fields_from(kind: type[Any], words: dict[str, Any]) -> Any:
    """Return the fields of a row of any age. Unknown ones are ignored, missing ones take their defaults."""
    hints = typing.get_type_hints(kind)
    known = {field.name: words[field.name] for field in dataclasses.fields(kind) if field.name in words}
    for name, value in known.items():
        if isinstance(value, list) and typing.get_origin(hints[name]) is tuple:
            known[name] = tuple(value)  # JSON has no tuples
    return kind(**known)
