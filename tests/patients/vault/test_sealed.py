"""Words under a key: sealing, and the model that carries it."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

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
def test_what_is_sealed_comes_back(data: bytes, aad: bytes) -> None:
    assert unseal(KEY, aad, seal(KEY, aad, data)) == data


def test_sizes_say_little() -> None:
    sizes = [len(seal(KEY, b"", bytes(size))) for size in range(400)]
    assert sorted(set(sizes)) == [29 + 128 * step for step in (1, 2, 3, 4)]
    assert sizes.count(29 + 128) == 125  # 0 to 124 bytes beside the length's four


def test_sealing_twice_gives_nothing_to_compare() -> None:
    assert seal(KEY, b"", b"same") != seal(KEY, b"", b"same")


def test_any_changed_byte_another_key_or_place_fails() -> None:
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
    """A model with a key of its own, and `Reply`, whose words lie under its letter's key."""
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


def written(model: Any, words: Words, **fields: object) -> Any:
    row = model(**fields)
    if row.seal_key_id == row.pk:
        key_store().create(row.pk)
    row.write(words)
    return row


def test_words_go_in_and_come_out(Letter: Any) -> None:
    words = Words("Montauk", ["Clementine", "Joel"], (0.25, 0.75))
    row = written(Letter, words)
    assert row.read() == words
    assert b"Montauk" not in row.sealed
    assert Letter(id=row.pk, sealed=memoryview(row.sealed)).read() == words  # as PostgreSQL gives it


def test_a_row_without_words_has_the_defaults_and_needs_no_key(Letter: Any) -> None:
    assert Letter().read() == Words()


def test_words_go_with_their_key(Letter: Any) -> None:
    row = written(Letter, Words("Montauk"))
    key_store().destroy(row.pk)
    with pytest.raises(KeyGone):
        row.read()
    with pytest.raises(KeyGone):
        row.write(Words("again"))


def test_no_key_is_made_by_writing(Letter: Any) -> None:
    with pytest.raises(KeyGone):
        Letter().write(Words())
    assert list(key_store().ids()) == []


def test_words_copied_into_another_row_or_model_do_not_open(Letter: Any) -> None:
    row = written(Letter, Words("Montauk"))
    reply = written(Letter.Reply, Words("Yes"), letter_id=row.pk)
    stolen = Letter.Reply(letter_id=row.pk, sealed=reply.sealed)
    with pytest.raises(Tampered):
        stolen.read()
    with pytest.raises(Tampered):
        Letter.Reply(id=row.pk, letter_id=row.pk, sealed=row.sealed).read()


def test_rows_may_lie_under_anothers_key_and_go_with_it(Letter: Any) -> None:
    letter = written(Letter, Words("Montauk"))
    reply = written(Letter.Reply, Words("Yes"), letter_id=letter.pk)
    assert reply.read() == Words("Yes")
    key_store().destroy(letter.pk)
    with pytest.raises(KeyGone):
        reply.read()


def test_many_rows_are_read_in_one_look_and_the_gone_are_left_out(
    Letter: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [written(Letter, Words(f"number {number}")) for number in range(3)]
    empty = Letter()
    key_store().destroy(rows[1].pk)
    looks: list[int] = []
    real = type(key_store()).get_many
    monkeypatch.setattr(
        type(key_store()), "get_many", lambda store, ids: (looks.append(1), real(store, ids))[1]
    )
    assert read_many([*rows, empty]) == {
        rows[0].pk: Words("number 0"),
        rows[2].pk: Words("number 2"),
        empty.pk: Words(),
    }
    assert looks == [1]


def test_rows_of_other_ages_are_read(Letter: Any) -> None:
    row = Letter()
    key = key_store().create(row.pk)
    old = json.dumps({"title": "Montauk", "dropped": 7}).encode()
    row.sealed = seal(key, f"patients.letter:{row.pk}".encode(), old)
    assert row.read() == Words("Montauk")


def test_the_seal_is_random_per_write(Letter: Any) -> None:
    row = written(Letter, Words("Montauk"))
    first = row.sealed
    row.write(Words("Montauk"))
    assert row.sealed != first
    assert row.sealed[:1] == b"\x01"
    assert row.sealed[1:13] != first[1:13]
