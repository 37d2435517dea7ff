"""Sealed fields: seal and unseal, and the abstract model SealedModel."""

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize

import pytest
from django.db import models
from django.test.utils import isolate_apps
from hypothesis import given
from hypothesis import strategies as st

from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.sealed import SealedModel, read_many, seal, unseal
from patients.vault.stream import Tampered

KEY = bytes(range(32))


@given(data=st.binary(max_size=600), aad=st.binary(max_size=40))
def test_unseal_returns_what_was_sealed(data: bytes, aad: bytes) -> None:
    assert unseal(KEY, aad, seal(KEY, aad, data)) == data


def test_sizes_are_padded() -> None:
    sizes = [len(seal(KEY, b"", bytes(size))) for size in range(400)]
    # Version 1, nonce 12 and tag 16 make 29 bytes. The padded rest is a length of four bytes and the data.
    assert sorted(set(sizes)) == [29 + 128 * step for step in (1, 2, 3, 4)]
    assert sizes.count(29 + 128) == 125  # data of 0 to 124 bytes


def test_sealing_twice_gives_different_bytes() -> None:
    assert seal(KEY, b"", b"same") != seal(KEY, b"", b"same")


def test_changed_bytes_another_key_or_other_associated_data_fail() -> None:
    sealed = seal(KEY, b"memory:1", b"the last train")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(Tampered):
            unseal(KEY, b"memory:1", changed)
    for key, aad in ((KEY[::-1], b"memory:1"), (KEY, b"memory:2")):
        with pytest.raises(Tampered):
            unseal(key, aad, sealed)
    for size in range(len(sealed)):
        with pytest.raises(Tampered):
            unseal(KEY, b"memory:1", sealed[:size])


@dataclass(frozen=True)
class Words:
    title: str = ""
    people: list[str] = field(default_factory=list)
    spot: tuple[float, float] = (0.5, 0.5)


@pytest.fixture
def Letter() -> Iterator[Any]:
    """A model with its own key, and the model Letter.Reply, which uses the key of its letter."""
    with isolate_apps("patients"):

        class Letter(SealedModel):
            id = models.UUIDField(primary_key=True, default=uuid.uuid4)
            sealed_fields = Words

            class Meta:
                app_label = "patients"

        class Reply(SealedModel):
            id = models.UUIDField(primary_key=True, default=uuid.uuid4)
            letter_id = models.UUIDField()
            sealed_fields = Words

            class Meta:
                app_label = "patients"

            @property
            def seal_key_id(self) -> uuid.UUID:
                return self.letter_id

        Letter.Reply = Reply
        yield Letter


def make_row(model: Any, words: Words, **fields: object) -> Any:
    row = model(**fields)
    if row.seal_key_id == row.pk:
        key_store().create(row.pk)
    row.write(words)
    return row


def test_written_fields_can_be_read(Letter: Any) -> None:
    words = Words("Montauk", ["Clementine", "Joel"], (0.25, 0.75))
    row = make_row(Letter, words)
    assert row.read() == words
    assert b"Montauk" not in row.sealed
    assert Letter(id=row.pk, sealed=memoryview(row.sealed)).read() == words  # as PostgreSQL gives it


def test_b7_words_are_composed_when_they_are_sealed(Letter: Any) -> None:
    words = Words("Bãi biển Đà Nẵng", ["Ánh", "Đỗ"])
    typed = Words(normalize("NFD", words.title), [normalize("NFD", name) for name in words.people])
    assert typed != words
    assert make_row(Letter, typed).read() == words


def test_a_row_without_sealed_fields_has_defaults_and_needs_no_key(Letter: Any) -> None:
    assert Letter().read() == Words()


def test_fields_cannot_be_read_after_their_key_is_destroyed(Letter: Any) -> None:
    row = make_row(Letter, Words("Montauk"))
    key_store().destroy(row.pk)
    with pytest.raises(KeyGone):
        row.read()
    with pytest.raises(KeyGone):
        row.write(Words("again"))


def test_writing_creates_no_key(Letter: Any) -> None:
    with pytest.raises(KeyGone):
        Letter().write(Words())
    assert list(key_store().ids()) == []


def test_fields_copied_to_another_row_or_model_cannot_be_read(Letter: Any) -> None:
    row = make_row(Letter, Words("Montauk"))
    reply = make_row(Letter.Reply, Words("Yes"), letter_id=row.pk)
    stolen = Letter.Reply(letter_id=row.pk, sealed=reply.sealed)
    with pytest.raises(Tampered):
        stolen.read()
    with pytest.raises(Tampered):
        Letter.Reply(id=row.pk, letter_id=row.pk, sealed=row.sealed).read()


def test_a_row_can_use_the_key_of_another_and_ends_with_it(Letter: Any) -> None:
    letter = make_row(Letter, Words("Montauk"))
    reply = make_row(Letter.Reply, Words("Yes"), letter_id=letter.pk)
    assert reply.read() == Words("Yes")
    key_store().destroy(letter.pk)
    with pytest.raises(KeyGone):
        reply.read()


def test_read_many_gets_keys_at_once_and_leaves_out_rows_without_a_key(
    Letter: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [make_row(Letter, Words(f"number {number}")) for number in range(3)]
    empty = Letter()
    key_store().destroy(rows[1].pk)
    asked: list[int] = []
    real = type(key_store()).get_many

    def get_many(store: Any, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, bytes]:
        asked.append(1)
        return real(store, ids)

    monkeypatch.setattr(type(key_store()), "get_many", get_many)
    assert read_many([*rows, empty]) == {
        rows[0].pk: Words("number 0"),
        rows[2].pk: Words("number 2"),
        empty.pk: Words(),
    }
    assert asked == [1]


def test_fields_stored_by_another_version_can_be_read(Letter: Any) -> None:
    row = Letter()
    key = key_store().create(row.pk)
    old = json.dumps({"title": "Montauk", "dropped": 7}).encode()
    row.sealed = seal(key, f"patients.letter:{row.pk}".encode(), old)
    assert row.read() == Words("Montauk")


def test_each_write_uses_a_new_nonce(Letter: Any) -> None:
    row = make_row(Letter, Words("Montauk"))
    first = row.sealed
    row.write(Words("Montauk"))
    assert row.sealed != first
    assert row.sealed[:1] == b"\x01"
    assert row.sealed[1:13] != first[1:13]
