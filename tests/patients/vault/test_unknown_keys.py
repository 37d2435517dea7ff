"""Held keys: keys unknown to a restored database are kept until a person decides to destroy them."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from clinic.audit.models import Entry
from patients.vault.configured import key_store
from patients.vault.models import HeldKey, StoredObject
from patients.vault.objects import put, storage
from patients.vault.sweep import GRACE_PERIOD, Sweeper
from patients.vault.unknown_keys import NotAsShown, destroy_held_keys, hold_keys
from tests.factories import make_case

pytestmark = pytest.mark.django_db(transaction=True)


def hold_unknown_keys(extra: set[object] | None = None) -> int:
    with transaction.atomic():
        return hold_keys(extra or set())  # type: ignore[arg-type]


def sweep() -> None:
    """Sweep three times, each time after the grace period."""
    sweeper, now = Sweeper(), timezone.now()
    for _turn in range(3):
        sweeper.sweep(set(), now)
        now += 2 * GRACE_PERIOD


def test_held_keys_survive_the_sweep_and_other_unknown_keys_do_not() -> None:
    row = put(b"known", case_id=make_case().pk, role=StoredObject.Role.ORIGINAL)
    StoredObject.objects.filter(pk=row.pk).update(state=StoredObject.State.LIVE)
    unknown, requested, later = uuid4(), uuid4(), uuid4()
    key_store().create(unknown)
    key_store().create(requested)
    assert hold_unknown_keys({requested}) == 1
    assert hold_unknown_keys({requested}) == 0
    assert list(HeldKey.objects.values_list("pk", flat=True)) == [unknown]
    key_store().create(later)
    sweep()
    assert unknown in set(key_store().ids())
    assert row.pk in set(key_store().ids())
    assert later not in set(key_store().ids())


def test_destroying_held_keys_deletes_files_and_is_recorded() -> None:
    unknown = [uuid4(), uuid4()]
    for key in unknown:
        key_store().create(key)
        storage().save(key.hex, ContentFile(b"ciphertext"))
    hold_unknown_keys()
    with pytest.raises(NotAsShown, match="2 keys are held now, and not 1"):
        destroy_held_keys(1, by="system:operator")
    assert HeldKey.objects.count() == 2
    assert destroy_held_keys(2, by="system:operator") == 2
    assert set(key_store().ids()) == set()
    assert storage().listdir("")[1] == []
    (entry,) = Entry.objects.filter(action="keys.let-go")
    assert (entry.actor, entry.details) == ("system:operator", {"keys": 2})


def test_a_held_key_whose_row_exists_is_released_and_not_destroyed() -> None:
    row = put(b"words", case_id=make_case().pk, role=StoredObject.Role.ORIGINAL)
    HeldKey.objects.create(pk=row.pk)
    stray = uuid4()
    key_store().create(stray)
    HeldKey.objects.create(pk=stray)
    before = HeldKey.objects.get(pk=stray).since
    assert hold_unknown_keys() == 0
    assert list(HeldKey.objects.values_list("pk", "since")) == [(stray, before)]
    HeldKey.objects.create(pk=row.pk)
    assert destroy_held_keys(2, by="system:operator") == 1
    assert set(key_store().ids()) >= {row.pk}
    assert stray not in set(key_store().ids())


def test_held_keys_left_over_by_a_crash_are_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    stray = uuid4()
    key_store().create(stray)
    hold_unknown_keys()
    with monkeypatch.context() as patched:
        patched.setattr("patients.vault.unknown_keys.storage", lambda: 1 / 0)
        patched.setattr(type(key_store()), "destroy", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            destroy_held_keys(1, by="system:operator")
    assert stray in set(key_store().ids())
    sweep()
    assert set(key_store().ids()) == set()


def test_the_command_shows_and_destroys_held_keys(capsys: pytest.CaptureFixture[str]) -> None:
    key_store().create(uuid4())
    HeldKey.objects.create(pk=next(key_store().ids()), since=timezone.now() - timedelta(days=2))
    call_command("keys", "held")
    assert "Held since a restore: 1 keys." in capsys.readouterr().out
    with pytest.raises(CommandError, match="1 keys are held now, and not 3"):
        call_command("keys", "held", "--destroy", "3")
    with pytest.raises(CommandError, match="belongs to held"):
        call_command("keys", "roll", "--destroy", "1")
    call_command("keys", "held", "--destroy", "1")
    assert "Destroyed: 1 keys." in capsys.readouterr().out
    assert list(key_store().ids()) == []
