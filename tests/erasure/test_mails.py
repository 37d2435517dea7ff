"""Each event of a case sends one mail, in the language of its recipient, without the subject."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from django.utils import timezone, translation

from clinic.accounts.models import Role, User
from clinic.calendar.models import Resource
from clinic.outgoing.events import EVENTS
from clinic.outgoing.models import OutgoingMessage
from clinic.people.invitations import accept, token_of
from erasure.jobs.worker import advance
from erasure.procedures.booking import book_procedure, cancel_procedure, move_procedure
from erasure.procedures.models import Procedure
from erasure.runs.planning import start_run
from patients.cases.models import Case
from patients.consent.models import ConsentText
from patients.consent.signing import sign, withdraw
from patients.keepsakes.review import accept as accept_keepsake
from patients.keepsakes.review import return_keepsake
from patients.maps.locking import lock_map, unlock_map
from patients.requests.decisions import decide
from tests.factories import (
    PASSPHRASE,
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_request,
    make_room,
    make_signed,
    make_technician,
    make_text,
    make_user,
)
from tests.outgoing import deliver, due_now, queued

pytestmark = pytest.mark.django_db
SUBJECT = "Clementine"


@pytest.fixture
def case() -> Case:
    return make_case(make_user(Role.PATIENT, name="Joel Barish", email="joel@lacuna.example"))


@pytest.fixture
def doctor() -> User:
    return make_doctor()


def book(case: Case, doctor: User, *, days: float = 10) -> Procedure:
    """Book a night `days` from now, with the doctor, a technician and a room."""
    make_keepsake(make_memory(case))
    make_signed(case, by=doctor)
    people = Resource.objects.filter(user__in=[doctor, make_technician()])
    start = timezone.now() + timedelta(days=days)
    return book_procedure(
        case,
        place=Procedure.Place.CLINIC,
        resources=[*people, make_room()],
        starts_at=start,
        ends_at=start + timedelta(hours=8),
        pace_seconds=0,
        by=doctor,
    )


def move(night: Procedure, by: User, *, days: float) -> None:
    night.refresh_from_db()
    start = timezone.now() + timedelta(days=days)
    move_procedure(
        night,
        starts_at=start,
        ends_at=start + timedelta(hours=8),
        expected_start=night.booking.starts_at,
        by=by,
    )


def deliver_and_list(*, later: bool = False) -> list[tuple[str, str]]:
    """Deliver the mails that are due, or with `later` all that wait. Return (event, address) of each."""
    start = len(mail.outbox)
    if later:
        due_now()
    deliver()
    ids = [str(message.extra_headers["Message-ID"])[1:37] for message in mail.outbox[start:]]
    events = {str(row.pk): row.event for row in OutgoingMessage.objects.filter(pk__in=ids)}
    return [(events[pk], message.to[0]) for pk, message in zip(ids, mail.outbox[start:], strict=True)]


def events_to_joel(arrived: list[tuple[str, str]]) -> list[str]:
    return [event for event, address in arrived if address == "joel@lacuna.example"]


def last_body() -> str:
    return str(mail.outbox[-1].body)


def check_link(user: User) -> None:
    """The newest mail has one link. It asks a stranger to sign in, and opens for its recipient."""
    (link,) = re.findall(r"http\S+", last_body())
    path = urlsplit(link).path
    stranger, client = Client(), Client()
    assert stranger.get(path)["Location"].startswith("/account/login/")
    client.force_login(user)
    assert client.get(path).status_code == 200


def test_a_visitor_becomes_a_patient_and_the_file_has_what_was_sent_to_them(client: Client) -> None:
    desk = make_user(Role.RECEPTIONIST)
    request = make_request()
    assert events_to_joel(deliver_and_list()) == ["request-received"]
    assert "http" not in last_body()
    row = decide(request, "accept", reason="", by=desk, base="http://house/")
    assert row.invitation
    assert events_to_joel(deliver_and_list()) == ["request-accepted"]
    patient = accept(token_of(row.invitation), name="Joel Barish", passphrase=PASSPHRASE)
    case = Case.objects.get(patient=patient)
    assert OutgoingMessage.objects.filter(case=case.pk).count() == 2
    client.force_login(make_user(Role.DOCTOR))
    page = client.get(f"/files/{case.pk}/").content.decode()
    assert "Mail to the patient" in page
    assert page.index("Request accepted, with the invitation") < page.index("Request received")


def test_several_returned_keepsakes_are_announced_in_one_mail(case: Case, doctor: User) -> None:
    first, second = (make_keepsake(make_memory(case), caption="Our house") for _one in range(2))
    return_keepsake(first, "Too dark.", by=doctor)
    return_keepsake(second, "Too dark.", by=doctor)
    assert deliver_and_list() == [], "more may come back"
    assert events_to_joel(deliver_and_list(later=True)) == ["keepsake-returned"]
    assert "2 of the things you brought" in last_body()
    assert "Our house" not in last_body()
    assert "Too dark" not in last_body()
    check_link(case.patient)


def test_a_returned_keepsake_that_was_accepted_meanwhile_is_not_announced(case: Case, doctor: User) -> None:
    keepsake = make_keepsake(make_memory(case))
    return_keepsake(keepsake, "Too dark.", by=doctor)
    accept_keepsake(keepsake, by=doctor)
    assert deliver_and_list(later=True) == []


def sign_map(case: Case, digest: str) -> None:
    case.refresh_from_db()
    kind = ConsentText.Kind.PROCEDURE
    sign(case, by=case.patient, kind=kind, text_seen=make_text().digest, map_seen=digest)


def test_mails_announce_a_locked_map_its_signature_and_its_withdrawal(case: Case, doctor: User) -> None:
    make_keepsake(make_memory(case))
    mapped = lock_map(case, by=doctor)
    assert events_to_joel(deliver_and_list()) == ["map-ready"]
    check_link(case.patient)
    sign_map(case, mapped.digest)
    assert events_to_joel(deliver_and_list()) == ["consent-signed"]
    check_link(case.patient)
    withdraw(case, by=case.patient)
    assert events_to_joel(deliver_and_list()) == ["consent-withdrawn"]
    check_link(case.patient)


def test_a_map_that_was_signed_or_opened_again_is_not_announced(case: Case, doctor: User) -> None:
    make_keepsake(make_memory(case))
    lock_map(case, by=doctor)
    unlock_map(case, by=doctor)
    assert queued() == []
    sign_map(case, lock_map(case, by=doctor).digest)
    assert queued() == ["consent-signed"]
    unlock_map(case, by=doctor)
    assert deliver_and_list() == []


def test_after_a_withdrawal_nothing_older_is_sent(case: Case, doctor: User) -> None:
    book(case, doctor)
    withdraw(case, by=case.patient)
    assert set(queued()) == {"consent-withdrawn", "night-cancelled"}
    assert sorted(events_to_joel(deliver_and_list(later=True))) == ["consent-withdrawn", "night-cancelled"]


def test_a_booked_night_is_announced_and_has_reminders(case: Case, doctor: User) -> None:
    night = book(case, doctor)
    (technician,) = User.objects.filter(grants__role=Role.TECHNICIAN)
    arrived = deliver_and_list()
    assert events_to_joel(arrived) == ["consent-signed", "night-booked"]
    assert ("night-booked", technician.email) in arrived
    assert doctor.email not in [address for _event, address in arrived], "who booked it knows"
    waiting = OutgoingMessage.objects.filter(status="queued").order_by("next_attempt_at")
    starts = night.booking.starts_at
    assert [(row.event, starts - row.next_attempt_at) for row in waiting] == [
        ("night-in-three-days", timedelta(days=3)),
        ("night-tomorrow", timedelta(days=1)),
    ]
    assert sorted(events_to_joel(deliver_and_list(later=True))) == ["night-in-three-days", "night-tomorrow"]
    check_link(case.patient)
    assert deliver_and_list(later=True) == []


def test_a_night_at_home_is_at_your_home_to_the_patient_and_at_the_patients_to_the_team(
    case: Case, doctor: User
) -> None:
    night = book(case, doctor)
    Procedure.objects.filter(pk=night.pk).update(place=Procedure.Place.HOME)
    deliver_and_list()
    bodies = {
        message.to[0]: message.body for message in mail.outbox if message.subject == "A night is booked"
    }
    assert "at your home" in bodies.pop("joel@lacuna.example")
    assert bodies
    assert all("at the patient's home" in body for body in bodies.values())
    client = Client()
    client.force_login(case.patient, backend=settings.AUTHENTICATION_BACKENDS[0])
    page = client.get("/me/").content.decode()
    assert "at your home" in page
    assert "at the patient" not in page


def test_a_moved_night_is_announced_once_and_has_reminders_for_its_new_time(case: Case, doctor: User) -> None:
    night = book(case, doctor)
    move(night, doctor, days=20)
    move(night, doctor, days=30)
    assert sorted(queued()) == [
        "consent-signed", "night-in-three-days", "night-moved", "night-moved", "night-tomorrow",
    ]  # fmt: skip
    assert events_to_joel(deliver_and_list()) == ["consent-signed", "night-moved"]
    due = OutgoingMessage.objects.filter(status="queued").values_list("next_attempt_at", flat=True)
    assert {round((at - timezone.now()) / timedelta(days=1)) for at in due} == {27, 29}


def test_a_night_that_is_near_has_only_the_reminders_that_are_still_to_come(case: Case, doctor: User) -> None:
    night = book(case, doctor, days=2)
    assert "night-in-three-days" not in queued()
    assert "night-tomorrow" in queued()
    move(night, doctor, days=0.5)
    assert "night-tomorrow" not in queued()


def test_a_reminder_that_comes_too_late_is_not_sent(case: Case, doctor: User) -> None:
    night = book(case, doctor)
    deliver_and_list()
    OutgoingMessage.objects.filter(status="queued").update(next_attempt_at=timezone.now())
    night.booking.starts_at = timezone.now() + timedelta(hours=20)
    night.booking.save(update_fields=["starts_at"])
    assert events_to_joel(deliver_and_list()) == ["night-tomorrow"]


def test_a_cancelled_night_is_announced_and_has_no_reminders(case: Case, doctor: User) -> None:
    night = book(case, doctor)
    deliver_and_list()
    cancel_procedure(night, by=doctor)
    arrived = deliver_and_list(later=True)
    assert events_to_joel(arrived) == ["night-cancelled"]
    assert len(arrived) == 2, "the technician is told too"


def test_a_night_that_has_begun_has_no_reminders(case: Case, doctor: User) -> None:
    night = book(case, doctor, days=2)
    deliver_and_list()
    night.booking.starts_at = timezone.now()
    night.booking.save(update_fields=["starts_at"])
    start_run(night.pk, by=None)
    assert queued() == []


def test_the_end_of_a_night_and_the_certificate_are_announced(case: Case, doctor: User) -> None:
    run = start_run(book(case, doctor, days=0).pk, by=None)
    deliver_and_list()
    advance(run.pk)
    assert events_to_joel(deliver_and_list()) == ["night-over", "certificate-ready"]
    check_link(case.patient)
    assert f"/certificates/{run.pk}/" in last_body()


@pytest.mark.parametrize("language", ["en", "vi"])
def test_every_mail_is_in_the_language_of_its_recipient_and_names_no_subject(
    language: str, case: Case, doctor: User
) -> None:
    User.objects.filter(pk=case.patient_id).update(language=language)
    case.refresh_from_db()
    keepsake = make_keepsake(make_memory(case))
    return_keepsake(keepsake, "Too dark.", by=doctor)
    deliver_and_list(later=True)
    accept_keepsake(keepsake, by=doctor)
    lock_map(case, by=doctor)
    deliver_and_list()
    unlock_map(case, by=doctor)
    night = book(case, doctor)
    deliver_and_list(later=True)
    move(night, doctor, days=20)
    deliver_and_list()
    cancel_procedure(night, by=doctor)
    deliver_and_list()
    withdraw(case, by=case.patient)
    deliver_and_list()
    rows = OutgoingMessage.objects.filter(audience="patient", status="sent")
    events = set(rows.values_list("event", flat=True))
    assert len(events) == 9, events
    assert set(rows.values_list("language", flat=True)) == {language}
    with translation.override(language):
        greeting = translation.gettext("Dear %(name)s,") % {"name": "Joel Barish"}
    assert greeting.startswith("Dear") == (language == "en")
    mails = [message for message in mail.outbox if message.to == [case.patient.email]]
    for message in mails:
        assert str(message.body).startswith(greeting)
        assert SUBJECT.lower() not in f"{message.subject}{message.body}".lower()


def test_all_events_have_a_title() -> None:
    assert len(EVENTS) >= 17
    assert all(str(event.title) for event in EVENTS.values())
    assert settings.LANGUAGE_CODE == "en"


def test_the_file_shows_the_mail_to_its_patient_with_its_outcome_and_no_other(
    case: Case, doctor: User, client: Client
) -> None:
    book(case, doctor)
    other = make_case()
    make_keepsake(make_memory(other))
    lock_map(other, by=doctor)
    deliver_and_list()
    OutgoingMessage.objects.filter(event="night-booked").update(status="failed")
    client.force_login(doctor)
    shown = client.get(f"/files/{case.pk}/").context["mails"]
    assert sorted((row.event, row.status) for row, _title in shown) == [
        ("consent-signed", "sent"),
        ("map-ready", "cancelled"),
        ("night-booked", "failed"),
    ], "neither the team's mail nor what is for a later day"
    page = client.get(f"/files/{case.pk}/").content.decode()
    assert "not delivered" in page
