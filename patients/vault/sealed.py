"""Encrypted fields of a row. What a row holds in plain text can't be destroyed, so private fields are sealed.

A sealed model has these fields in one column, encrypted under a key of the key store. When the key is
destroyed, they are lost in this row and in every copy of it.
"""

import dataclasses
import functools
import hmac
import json
import os
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.utils import Buffer
from django.db import models

from clinic.names import compose
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.stream import Tampered

VERSION = b"\x01"
NONCE = 12
PADDING_UNIT = 128  # bytes; sizes are padded to multiples of this, so that they reveal little


def seal(key: Buffer, aad: bytes, data: bytes) -> bytes:
    """Encrypt a short text under a 32-byte key: version, nonce, and AES-256-GCM of the padded data.

    `aad` binds it to the place where it is stored. Many texts may be sealed under one key.
    """
    length = len(data).to_bytes(4, "big")
    padding = bytes(-(len(length) + len(data)) % PADDING_UNIT)
    nonce = os.urandom(NONCE)
    return VERSION + nonce + AESGCM(key).encrypt(nonce, length + data + padding, VERSION + aad)


def unseal(key: Buffer, aad: bytes, sealed: Buffer) -> bytes:
    """Return what `seal` was given. Errors: Tampered for another key, place or version, or a changed byte."""
    sealed = bytes(sealed)
    if sealed[:1] != VERSION:
        raise Tampered("the sealed data has an unknown version")
    nonce = sealed[1 : 1 + NONCE]
    try:
        padded = AESGCM(key).decrypt(nonce, sealed[1 + NONCE :], VERSION + aad)
    except (InvalidTag, ValueError):
        raise Tampered("not sealed under this key, or not for this place") from None
    return padded[4 : 4 + int.from_bytes(padded[:4], "big")]


class SealedModel(models.Model):
    """A row with sealed fields.

    `sealed_fields` is a frozen dataclass. JSON can represent its fields, and each has a default. The key must
    exist before the first `write`; this class neither creates nor destroys one.
    """

    sealed = models.BinaryField(default=b"", editable=False)

    sealed_fields: ClassVar[type[Any]]

    class Meta:
        abstract = True

    @property
    def seal_key_id(self) -> UUID:
        """The id of the key for the fields: the row's own id, unless a model overrides this."""
        return typing.cast(UUID, self.pk)

    @property
    def seal_key_ids(self) -> tuple[UUID, ...]:
        """The ids of the keys that open the fields together. With any one of them destroyed, nobody can.

        It is `seal_key_id` alone, unless a model overrides this.
        """
        return (self.seal_key_id,)

    def read(self) -> Any:
        """Return the fields as `sealed_fields`, with its defaults if nothing was written.

        Errors: KeyGone if the key is destroyed, Tampered if the data was not sealed for this row.
        """
        if not self.sealed:
            return self.sealed_fields()
        return self._unseal(self._key_from(self._stored_keys()))

    def write(self, fields: Any) -> None:
        """Seal `fields` into the column, their text composed. The caller saves the row. Errors: KeyGone."""
        self._seal(self._key_from(self._stored_keys()), fields)

    def _stored_keys(self) -> Mapping[UUID, bytes]:
        return key_store().get_many(self.seal_key_ids)

    def _key_from(self, keys: Mapping[UUID, bytes]) -> bytes:
        """Return the key of the fields, made of all `seal_key_ids`. keys: by their ids. Errors: KeyGone."""
        for wanted in self.seal_key_ids:
            if wanted not in keys:
                raise KeyGone(wanted)
        first, *others = (keys[wanted] for wanted in self.seal_key_ids)
        return functools.reduce(_joined, others, first)

    def _associated_data(self) -> bytes:
        return f"{self._meta.label_lower}:{self.pk}".encode()

    def _seal(self, key: bytes, fields: Any) -> None:
        data = compose(json.dumps(dataclasses.asdict(fields), ensure_ascii=False)).encode()
        self.sealed = seal(key, self._associated_data(), data)

    def _unseal(self, key: bytes) -> Any:
        return _fields_from(self.sealed_fields, json.loads(unseal(key, self._associated_data(), self.sealed)))


def _joined(key: bytes, other: bytes) -> bytes:
    """Return the key made of two keys, in this order. Only whoever has both can compute it."""
    return hmac.digest(key, b"lacuna joined" + other, "sha256")


Row = typing.TypeVar("Row", bound=SealedModel)


def read_many(instances: Iterable[SealedModel], *, skip_damaged: bool = False) -> dict[Any, Any]:
    """Return the fields of many rows by primary key. Rows of which a key is gone are left out.

    skip_damaged: leave out rows that were altered, too, for a page that must be shown all the same. The key
    store is asked once, however many rows there are. Errors: Tampered.
    """
    rows = list(instances)
    keys = key_store().get_many({key_id for row in rows if row.sealed for key_id in row.seal_key_ids})
    found = {}
    for row in rows:
        if not row.sealed:
            found[row.pk] = row.sealed_fields()
        else:
            try:
                found[row.pk] = row._unseal(row._key_from(keys))
            except KeyGone:
                continue
            except Tampered:
                if not skip_damaged:
                    raise
    return found


def with_fields(instances: Iterable[Row]) -> Iterator[tuple[Row, Any]]:
    """Yield each row with its fields, or with their defaults if its key is gone or it was altered.

    The key store is asked once, however many rows there are.
    """
    rows = list(instances)
    fields = read_many(rows, skip_damaged=True)
    for row in rows:
        yield row, fields.get(row.pk, row.sealed_fields())


def _fields_from(kind: Any, stored: dict[str, Any]) -> Any:
    """Return `stored` as `kind`. Unknown fields are ignored, missing ones get their defaults."""
    known = {}
    for name, is_tuple in _field_names(kind):
        if name in stored:
            value = stored[name]
            known[name] = tuple(value) if is_tuple and isinstance(value, list) else value
    return kind(**known)


@functools.cache
def _field_names(kind: Any) -> tuple[tuple[str, bool], ...]:
    """Return the names of the fields of `kind`, and whether each is a tuple: JSON has none.

    Finding out took a third of the time of `read_many`.
    """
    hints = typing.get_type_hints(kind)
    return tuple(
        (field.name, typing.get_origin(hints[field.name]) is tuple) for field in dataclasses.fields(kind)
    )
