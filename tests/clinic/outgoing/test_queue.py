"""A message is queued once for each event, and cancelled when it is true no longer."""

from collections.abc import Iterator
from functools import partial
from uuid import uuid4

import pytest
from django.core import mail
from django.db import IntegrityError, transaction

from clinic.accounts.models import Role, User
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.queue import queue
from clinic.outgoing.recipients import Recipient, to_patient
from tests.clinic.outgoing.notes import ABOUT, note_events, stop, trigger
from tests.factories import make_user
from tests.outgoing import deliver
from tests.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def note() -> Iterator[None]:
    with note_events("note", "other"):
        yield


@pytest.fixture
def patient() -> User:
    return make_user(Role.PATIENT, email="joel@lacuna.example", language="vi")


@pytest.fixture
def joel(patient: User) -> Recipient:
    return to_patient(patient)


def statuses() -> list[tuple[int, str]]:
    return list(OutgoingMessage.objects.order_by("version").values_list("version", "status"))


def test_the_same_event_queues_one_message(joel: Recipient) -> None:
    assert [trigger(joel) for _again in range(3)] == [1, 0, 0]
    assert deliver() == 1
    assert trigger(joel) == 0
    assert deliver() == 0
    assert len(mail.outbox) == 1


def test_the_database_refuses_a_second_message_on_the_same_event(joel: Recipient) -> None:
    trigger(joel)
    row = OutgoingMessage.objects.get()
    row.pk = uuid4()
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
def test_of_two_triggers_at_once_one_queues(joel: Recipient) -> None:
    at_once(*[partial(trigger, joel)] * 2)
    assert OutgoingMessage.objects.count() == 1


def test_a_newer_version_cancels_the_older_one_that_waits(joel: Recipient) -> None:
    trigger(joel, version=1)
    trigger(joel, version=None)
    assert statuses() == [(1, "cancelled"), (2, "queued")]
    deliver()
    assert [message.subject for message in mail.outbox] == ["note thing:1 2"]


def test_an_older_version_that_comes_late_is_not_queued(joel: Recipient) -> None:
    trigger(joel, version=3)
    assert trigger(joel, version=2) == 0
    assert statuses() == [(3, "queued")]


def test_a_newer_version_to_another_recipient_cancels_nothing(joel: Recipient) -> None:
    trigger(joel, version=1)
    trigger(to_patient(make_user(Role.PATIENT)), version=2)
    assert statuses() == [(1, "queued"), (2, "queued")]


def test_a_cancellation_ends_what_waits_and_not_what_was_sent(joel: Recipient) -> None:
    trigger(joel)
    deliver()
    trigger(joel, "other")
    trigger(joel, about="thing:2")
    stop(ABOUT)
    rows = OutgoingMessage.objects.order_by("event", "about").values_list("event", "about", "status")
    assert list(rows) == [
        ("note", "thing:1", "sent"),
        ("note", "thing:2", "queued"),
        ("other", "thing:1", "cancelled"),
    ]


def test_only_the_named_events_are_cancelled(joel: Recipient) -> None:
    trigger(joel)
    trigger(joel, "other")
    stop(ABOUT, "other")
    assert dict(OutgoingMessage.objects.values_list("event", "status")) == {
        "note": "queued",
        "other": "cancelled",
    }


def test_a_message_is_queued_only_in_the_transaction_of_its_event(
    joel: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as outside:
        outside.setattr(transaction.get_connection(), "in_atomic_block", False)
        with pytest.raises(transaction.TransactionManagementError):
            queue("note", ABOUT, to=[joel])
    assert not OutgoingMessage.objects.exists()


def test_if_the_transaction_is_rolled_back_nothing_is_queued_or_cancelled(joel: Recipient) -> None:
    trigger(joel)
    with transaction.atomic():
        stop()
        trigger(joel, version=2)
        transaction.set_rollback(True)
    assert statuses() == [(1, "queued")]


def test_the_row_has_neither_name_nor_address(joel: Recipient, patient: User) -> None:
    trigger(joel)
    row = str(OutgoingMessage.objects.values_list().get())
    assert patient.email not in row
    assert patient.name not in row
    assert OutgoingMessage.objects.get().language == "vi"
