"""The supervisor's rounds go on, whatever fails."""

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from erasure.serve import rounds
from erasure.serve.rounds import SLOW, Supervision, other_owners
from patients.keepsakes.models import Upload
from patients.requests.models import AppointmentRequest
from patients.vault.models import StoredObject
from patients.vault.objects import doom
from tests.factories import make_case, make_keepsake, make_memory

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_failed_round_is_tried_again_later_and_later_and_then_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    supervision, failing = Supervision(interval=0.2), [True]

    def tick() -> int:
        if failing[0]:
            raise OperationalError("the database is away")
        return 0

    monkeypatch.setattr(rounds, "tick", tick)
    assert [supervision.once() for _ in range(5)] == [0.4, 0.8, 1.6, 2.0, 2.0]
    failing[0] = False
    assert supervision.once() == 0.2
    failing[0] = True
    assert supervision.once() == 0.4


def test_an_error_in_the_code_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def tick() -> int:
        raise LookupError

    monkeypatch.setattr(rounds, "tick", tick)
    with pytest.raises(LookupError):
        Supervision().once()


def test_the_slow_round_sweeps_the_vault_once_in_a_while() -> None:
    first, second = (make_keepsake(make_memory(make_case())) for _ in range(2))
    supervision = Supervision()
    doom(StoredObject.objects.filter(keepsake=first), "test")
    supervision.once()
    assert not StoredObject.objects.filter(keepsake=first).remaining().exists()
    doom(StoredObject.objects.filter(keepsake=second), "test")
    supervision.once()
    assert StoredObject.objects.filter(keepsake=second).doomed().exists()
    supervision.slow_due -= SLOW
    supervision.once()
    assert not StoredObject.objects.filter(keepsake=second).remaining().exists()


def test_keys_of_uploads_and_requests_belong_to_somebody() -> None:
    case = make_case()
    upload = Upload.objects.create(
        case=case, by=case.patient, length=10, expires_at=timezone.now() + timedelta(hours=1)
    )
    request = AppointmentRequest.objects.create(name="A visitor", email="visitor@lacuna.example")
    assert other_owners() == {upload.pk, request.pk}


def test_it_ends_when_told() -> None:
    stopping = threading.Event()
    stopping.set()
    Supervision().run(stopping)
