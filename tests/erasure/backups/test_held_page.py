"""The Backups page: an administrator decides about held keys, which a restored database does not know."""

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from patients.vault.configured import key_store
from patients.vault.models import HeldKey
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)


def make_held_keys(count: int) -> None:
    for _number in range(count):
        key = uuid4()
        key_store().create(key)
        HeldKey.objects.create(pk=key)


def page_text(client: Client) -> str:
    return " ".join(client.get(reverse("erasure:backups")).content.decode().split())


def test_without_held_keys_nothing_is_asked(client: Client) -> None:
    client.force_login(make_user(Role.ADMINISTRATOR))
    assert "are held since" not in page_text(client)


def test_an_administrator_destroys_held_keys_after_confirming(client: Client) -> None:
    person = make_user(Role.ADMINISTRATOR)
    client.force_login(person)
    make_held_keys(2)
    page = page_text(client)
    assert "A backup was restored, and 2 keys are held since" in page
    assert 'name="seen" value="2"' in page
    address = reverse("erasure:backups-end-held")
    answer = client.post(address, {"seen": "2"}, follow=True)
    assert "Say first that it was the right backup." in answer.content.decode()
    answer = client.post(address, {"seen": "1", "sure": "on"}, follow=True)
    assert "2 keys are held now, and not 1. Look again." in answer.content.decode()
    assert len(list(key_store().ids())) == 2
    answer = client.post(address, {"seen": "2", "sure": "on"}, follow=True)
    assert "Destroyed: 2 keys." in answer.content.decode()
    assert list(key_store().ids()) == []
    (entry,) = Entry.objects.filter(action="keys.let-go")
    assert entry.actor == f"user:{person.pk}"


def test_an_auditor_sees_held_keys_and_cannot_destroy_them(client: Client) -> None:
    client.force_login(make_user(Role.AUDITOR))
    make_held_keys(1)
    page = page_text(client)
    assert "A backup was restored, and 1 key is held since" in page
    assert "An administrator decides this." in page
    assert "Destroy these keys" not in page
    assert client.post(reverse("erasure:backups-end-held"), {"seen": "1", "sure": "on"}).status_code == 403
    assert len(list(key_store().ids())) == 1
