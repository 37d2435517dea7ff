"""A checkpoint is signed every day, and the newest one is mailed to the witnesses."""

from datetime import timedelta
from pathlib import Path
from smtplib import SMTPServerDisconnected

import pytest
from django.core import mail
from django.utils import timezone
from pytest_django import Settings

from clinic.audit.checkpoint_mail import DAILY, send_newest, sign_daily
from clinic.audit.checkpoints import public_key, verifier_key, verify_note
from clinic.audit.models import Checkpoint, Delivery
from tests.clinic.audit.factories import a_log, an_act, write

pytestmark = pytest.mark.django_db(transaction=True)

OUTSIDE = "witness@elsewhere.example"


def move_clock(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    now = timezone.now() + by
    monkeypatch.setattr("clinic.audit.checkpoint_mail.timezone.now", lambda: now)


def test_a_checkpoint_is_signed_once_a_day_if_there_are_new_entries(
    key_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sign_daily() is None  # there is nothing to sign yet
    a_log(2)
    first = sign_daily()
    assert first is not None
    assert (first.size, first.reason) == (2, "daily")
    assert len(list((key_directory / "witness").glob("*.note"))) == 1
    write(an_act(2))
    assert sign_daily() is None  # not before a day has passed
    move_clock(monkeypatch, DAILY + timedelta(seconds=1))
    second = sign_daily()
    assert second is not None
    assert second.size == 3
    move_clock(monkeypatch, 3 * DAILY)
    assert sign_daily() is None  # no new entry


def test_the_newest_checkpoint_is_mailed_once_to_each_address(settings: Settings) -> None:
    a_log(1)
    sign_daily()
    assert send_newest() == 0
    settings.LACUNA_WITNESS_MAIL = [OUTSIDE, "second@elsewhere.example"]
    assert (send_newest(), send_newest()) == (2, 0)
    assert [message.to for message in mail.outbox] == [[OUTSIDE], ["second@elsewhere.example"]]
    row = Checkpoint.objects.get()
    (attached,) = mail.outbox[0].attachments
    assert verify_note(str(attached[1]), public_key()).size == 1
    assert mail.outbox[0].body.endswith(f"{verifier_key()}\n\n{row.note}")


def test_a_mail_that_failed_is_sent_at_the_next_attempt(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_log(1)
    sign_daily()
    settings.LACUNA_WITNESS_MAIL = [OUTSIDE]

    def disconnect(*args: object) -> int:
        raise SMTPServerDisconnected

    with monkeypatch.context() as broken:
        broken.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", disconnect)
        assert send_newest() == 0
    assert not Delivery.objects.exists()
    assert send_newest() == 1
    assert len(mail.outbox) == 1
