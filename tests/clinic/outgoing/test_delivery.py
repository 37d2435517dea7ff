"""Queued messages reach the mail server: tried again while it does not answer, and never sent twice."""

import re
import signal
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from smtplib import (
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from uuid import uuid4

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.db import transaction
from pytest_django import Settings

from clinic.accounts.models import Role, User
from clinic.outgoing import delivery
from clinic.outgoing.delivery import RETRIES, deliver_due, due, refusal
from clinic.outgoing.events import EVENTS, Letter, MailEvent, MessageOutdated
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.recipients import Recipient, to_patient
from clinic.people.invitations import invite
from erasure.operations.supervisor_loop import MailLoop
from tests.clinic.outgoing.notes import ABOUT, note_events, stop, trigger, write_note
from tests.configuration import configure
from tests.factories import make_user
from tests.mail_server import PASSWORD, USER, mail_server
from tests.mailers import SMTP, send_mail_through
from tests.outgoing import deliver, pass_time
from tests.processes import started_processes, until
from tests.servers import held_port
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "joel@lacuna.example"


@pytest.fixture(autouse=True)
def note() -> Iterator[None]:
    with note_events("note", "other"):
        yield


@pytest.fixture
def patient() -> User:
    return make_user(Role.PATIENT, name="Joel Barish", email=ADDRESS)


@pytest.fixture
def joel(patient: User) -> Recipient:
    return to_patient(patient)


def the_message() -> OutgoingMessage:
    return OutgoingMessage.objects.get()


def outcome() -> tuple[str, int, str]:
    found = the_message()
    return found.status, found.attempts, found.reason


def test_a_message_is_written_for_its_recipient_with_one_link(joel: Recipient, settings: Settings) -> None:
    settings.LACUNA_ADDRESS = "https://lacuna.example/"
    configure(clinic_telephone="212-555-0142")
    trigger(joel)
    assert deliver() == 1
    (message,) = mail.outbox
    assert message.to == [ADDRESS]
    assert str(message.body).startswith("Dear Joel Barish,\n\nSomething happened.\n\n")
    assert re.findall(r"https?://\S+", str(message.body)) == ["https://lacuna.example/me/"]
    assert "212-555-0142" in str(message.body)
    assert message.extra_headers["Message-ID"] == f"<{the_message().pk}@lacuna.example>"
    assert outcome() == ("sent", 1, "")


def test_a_dead_server_is_tried_again_and_the_message_arrives_when_it_is_back(
    joel: Recipient, settings: Settings, tmp_path: Path
) -> None:
    with held_port() as held:
        port = held.getsockname()[1]
    send_mail_through(settings, SMTP, host="127.0.0.1", port=port)
    trigger(joel)
    assert deliver() == 0
    assert outcome() == ("queued", 1, "unreachable")
    assert deliver() == 0, "it is not due before a minute"
    assert the_message().attempts == 1
    with mail_server(tmp_path, port=port) as mailbox:
        pass_time(RETRIES[0])
        assert deliver() == 1
        assert "Something happened." in mailbox.to(ADDRESS)
        assert str(mailbox.messages[0]["Message-ID"]) == f"<{the_message().pk}@lacuna.example>"
    assert outcome() == ("sent", 2, "")


def test_a_server_that_stays_dead_is_tried_for_a_day_and_a_half(joel: Recipient, settings: Settings) -> None:
    send_mail_through(settings, SMTP, host="127.0.0.1", port=1)
    trigger(joel)
    deliver()
    waits = []
    for attempt, wait in enumerate(RETRIES, start=2):
        pass_time(wait - timedelta(seconds=20))
        assert deliver() == 0
        assert the_message().attempts == attempt - 1, "not before its time"
        pass_time(timedelta(seconds=30))
        deliver()
        waits.append(wait)
        assert the_message().attempts == attempt
    assert [wait.total_seconds() / 60 for wait in waits] == [1, 5, 30, 120, 360, 1440]
    assert outcome() == ("failed", 7, "unreachable")
    assert the_message().ended_at is not None
    pass_time(timedelta(days=9))
    assert not due().exists()


def test_an_address_that_the_server_refuses_for_good_fails_at_once(
    joel: Recipient, settings: Settings, tmp_path: Path
) -> None:
    with mail_server(tmp_path) as mailbox:
        send_mail_through(settings, SMTP, host="127.0.0.1", port=mailbox.port)
        mailbox.refused[ADDRESS] = "550 nobody here"
        trigger(joel)
        trigger(to_patient(make_user(Role.PATIENT, email="nadia@lacuna.example")), about="thing:2")
        assert deliver() == 1, "the other one is sent"
        assert mailbox.to("nadia@lacuna.example")
    found = OutgoingMessage.objects.get(about=ABOUT)
    assert (found.status, found.attempts, found.reason, found.reply_code) == ("failed", 1, "address", 550)


def test_an_address_that_the_server_does_not_take_yet_is_tried_again(
    joel: Recipient, settings: Settings, tmp_path: Path
) -> None:
    with mail_server(tmp_path) as mailbox:
        send_mail_through(settings, SMTP, host="127.0.0.1", port=mailbox.port)
        mailbox.refused[ADDRESS] = "451 grey"
        trigger(joel)
        assert deliver() == 0
        assert (*outcome(), the_message().reply_code) == ("queued", 1, "later", 451)


REFUSALS: dict[str, tuple[Exception, tuple[str, int | None, bool]]] = {
    "login": (SMTPAuthenticationError(535, b"no"), ("login", 535, False)),
    "sender": (SMTPSenderRefused(550, b"no", "x"), ("sender", 550, False)),
    "data": (SMTPDataError(554, b"spam"), ("content", 554, True)),
    "data later": (SMTPDataError(452, b"full"), ("later", 452, False)),
    "recipient": (SMTPRecipientsRefused({"x": (550, b"no")}), ("address", 550, True)),
    "no starttls": (SMTPNotSupportedError("no"), ("security", None, False)),
    "certificate": (ssl.SSLCertVerificationError("no"), ("certificate", None, False)),
    "gone": (SMTPServerDisconnected(), ("unreachable", None, False)),
    "slow": (TimeoutError(), ("unreachable", None, False)),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_each_refusal_has_its_reason(name: str) -> None:
    error, expected = REFUSALS[name]
    assert refusal(error) == expected


def test_a_server_that_is_away_costs_one_attempt_in_a_round(joel: Recipient, settings: Settings) -> None:
    send_mail_through(settings, SMTP, host="127.0.0.1", port=1)
    for number in range(3):
        trigger(joel, about=f"thing:{number}")
    deliver()
    assert sorted(OutgoingMessage.objects.values_list("attempts", flat=True)) == [0, 0, 1]


def test_a_message_that_cannot_be_written_does_not_hold_up_the_others(
    joel: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(_message: OutgoingMessage) -> Letter:
        raise LookupError

    monkeypatch.setitem(EVENTS, "other", MailEvent("Other", break_down))
    trigger(joel, "other")
    trigger(joel)
    assert deliver() == 1
    found = OutgoingMessage.objects.get(event="other")
    assert (found.status, found.reason, found.attempts) == ("queued", "fault", 1)


def test_a_message_that_is_no_longer_true_is_not_sent(
    joel: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def untrue(_message: OutgoingMessage) -> Letter:
        raise MessageOutdated

    monkeypatch.setitem(EVENTS, "note", MailEvent("Note", untrue))
    trigger(joel)
    assert deliver() == 0
    assert outcome() == ("cancelled", 1, "untrue")
    assert mail.outbox == []


def test_nothing_is_sent_to_a_closed_account(joel: Recipient, patient: User) -> None:
    trigger(joel)
    User.objects.filter(pk=patient.pk).update(is_active=False)
    assert deliver() == 0
    assert outcome() == ("cancelled", 1, "untrue")


def test_without_a_mail_server_messages_wait(joel: Recipient, settings: Settings) -> None:
    settings.MAIL_BACKEND = settings.OUTBOX
    trigger(joel)
    assert deliver() == 0
    assert outcome() == ("queued", 0, "")
    settings.LACUNA_DEMO = True
    assert deliver() == 1, "in the demonstration the outbox is the mail server"


def test_urgent_messages_go_first(joel: Recipient, monkeypatch: pytest.MonkeyPatch) -> None:
    trigger(joel)
    monkeypatch.setitem(EVENTS, "other", MailEvent("Other", write_note, urgent=True))
    trigger(joel, "other")
    deliver()
    assert [message.subject.split()[0] for message in mail.outbox] == ["other", "note"]


def test_of_several_senders_one_sends(joel: Recipient) -> None:
    for number in range(6):
        trigger(joel, about=f"thing:{number}")
    sent, _refused = at_once(*[deliver_due] * 3)
    assert sum(sent) == 6
    assert len(mail.outbox) == 6
    assert {message.subject for message in mail.outbox} == {f"note thing:{n} 1" for n in range(6)}


def test_a_claimed_message_is_not_due_until_its_time_is_over(joel: Recipient) -> None:
    trigger(joel)
    claimed = OutgoingMessage.objects.filter(pk=the_message().pk)
    claimed.update(
        status="sending", claim=uuid4(), attempts=1, taken_until=delivery._now_plus(timedelta(minutes=1))
    )
    assert deliver() == 0
    assert delivery.deliver(the_message().pk) == "", "nor for a sender that has listed it before"
    pass_time(timedelta(minutes=2))
    assert deliver() == 1
    assert outcome() == ("sent", 2, "")


def act_while_sending(monkeypatch: pytest.MonkeyPatch, act: object, *, fails: bool = False) -> None:
    """Call `act` during each sending. Afterwards the mail server accepts the message, or it `fails`."""
    real = EmailMessage.send

    def send(self: EmailMessage) -> int:
        act()  # type: ignore[operator]
        if fails:
            raise SMTPException("away")
        return real(self)

    monkeypatch.setattr(EmailMessage, "send", send)


@pytest.mark.parametrize(("fails", "ends"), [(False, "sent"), (True, "cancelled")])
def test_a_cancellation_while_it_is_sent_prevents_further_attempts(
    joel: Recipient, monkeypatch: pytest.MonkeyPatch, fails: bool, ends: str
) -> None:
    trigger(joel)
    act_while_sending(monkeypatch, stop, fails=fails)
    deliver()
    assert the_message().status == ends
    pass_time(timedelta(days=9))
    monkeypatch.undo()
    assert deliver() == 0


def test_a_cancellation_while_it_is_written_prevents_the_sending(
    joel: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(message: OutgoingMessage) -> Letter:
        stop()
        return write_note(message)

    monkeypatch.setitem(EVENTS, "note", MailEvent("Note", write))
    trigger(joel)
    assert deliver() == 0
    assert the_message().status == "cancelled"
    assert mail.outbox == []


def test_a_message_cancelled_under_a_sender_that_crashed_is_ended(joel: Recipient) -> None:
    trigger(joel)
    OutgoingMessage.objects.update(
        status="sending", claim=uuid4(), taken_until=delivery._now_plus(timedelta(minutes=1))
    )
    stop()
    assert the_message().status == "sending"
    pass_time(timedelta(minutes=2))
    assert deliver() == 0
    assert the_message().status == "cancelled"


def test_a_message_cancelled_under_a_sender_is_claimed_by_no_other(joel: Recipient) -> None:
    """Not even by a sender that listed it before the cancellation."""
    trigger(joel)
    OutgoingMessage.objects.update(
        status="sending", claim=uuid4(), taken_until=delivery._now_plus(timedelta(minutes=-1))
    )
    assert due().exists()
    stop()
    assert delivery.deliver(the_message().pk) == ""
    assert mail.outbox == []


def test_a_sender_whose_time_ran_out_changes_nothing(
    joel: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another sender has claimed the message meanwhile: only that one says how it went."""
    other = uuid4()
    trigger(joel)
    act_while_sending(monkeypatch, lambda: OutgoingMessage.objects.update(claim=other), fails=True)
    deliver()
    assert (the_message().status, the_message().claim) == ("sending", other)


def test_a_sender_that_is_late_does_not_begin_to_send(
    joel: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "LATEST_START_SECONDS", -1.0)
    trigger(joel)
    assert deliver() == 0
    assert mail.outbox == []
    assert the_message().status == "sending", "another sender claims it when the time is over"


def test_the_supervisors_mail_loop_delivers(joel: Recipient) -> None:
    trigger(joel)
    MailLoop().once()
    assert len(mail.outbox) == 1


def make_invitation() -> None:
    with transaction.atomic():
        invite("stan@lacuna.example", "Stan Fink", Role.DOCTOR, by=make_user(), base="http://house/")


# aiosmtpd warns also if the connection uses TLS from its first byte.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.processes
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_supervisor_delivers_to_a_server_with_tls_and_login(security: str, tmp_path: Path) -> None:
    with mail_server(tmp_path, security=security, login=True) as mailbox, started_processes() as processes:
        make_invitation()
        processes.supervisor(
            LACUNA_MAIL_HOST="127.0.0.1",
            LACUNA_MAIL_PORT=str(mailbox.port),
            LACUNA_MAIL_SECURITY=security,
            LACUNA_MAIL_USER=USER,
            LACUNA_MAIL_PASSWORD=PASSWORD,
            SSL_CERT_FILE=str(mailbox.certificate),
        )
        until(lambda: the_message().status == "sent", "the message is sent")
        assert "http://house/invitation/" in mailbox.to("stan@lacuna.example")
        assert len(mailbox.messages) == 1


@pytest.mark.processes
@pytest.mark.parametrize(("point", "arrived"), [("mail-claimed", 1), ("mail-sent", 2)])
def test_a_killed_sender_loses_nothing(point: str, arrived: int, tmp_path: Path) -> None:
    """Killed after the server's answer and before the commit, it is sent again, with the same Message-ID."""
    with mail_server(tmp_path) as mailbox, started_processes() as processes:
        make_invitation()
        server = {"LACUNA_MAIL_HOST": "127.0.0.1", "LACUNA_MAIL_PORT": str(mailbox.port)}
        first = processes.supervisor(**server, LACUNA_POINT=point)
        assert first.wait(60) == -signal.SIGKILL
        assert the_message().status == "sending"
        pass_time(timedelta(minutes=3))
        processes.supervisor(**server)
        until(lambda: the_message().status == "sent", "the next supervisor sends it")
        assert len(mailbox.messages) == arrived
        assert len({str(message["Message-ID"]) for message in mailbox.messages}) == 1
