"""The page of mail that was not delivered: who sees which messages, and what they may decide."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.outgoing.delivery import due
from clinic.outgoing.lists import failed, late, waiting
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.recipients import to_patient, to_staff
from clinic.people.invitations import invite
from patients.cases.models import Case
from patients.requests.numbers import request_number
from tests.clinic.outgoing.notes import note_events, trigger
from tests.factories import make_case, make_request, make_user
from tests.outgoing import deliver, queued

pytestmark = pytest.mark.django_db


@pytest.fixture
def case() -> Case:
    return make_case(make_user(Role.PATIENT, name="Joel Barish", email="joel@lacuna.example"))


def fail(**which: Any) -> None:
    """Mark messages as failed for good because the mail server knows no such address. which: filters."""
    OutgoingMessage.objects.filter(**which).update(
        status="failed", reason="address", reply_code=550, attempts=1, ended_at=timezone.now()
    )


def message_to(user: User, case: Case | None = None, *, about: str = "thing:1") -> OutgoingMessage:
    """A failed message to a patient with a case, or to a member of staff."""
    with note_events("note"):
        trigger(to_patient(user) if case else to_staff(user), about=about)
    OutgoingMessage.objects.filter(about=about).update(case=case and case.pk)
    fail(about=about)
    return OutgoingMessage.objects.get(about=about)


def page_of(client: Client, *roles: str, user: User | None = None) -> str:
    client.force_login(user or make_user(*roles))
    return client.get("/mail/").content.decode()


def press(client: Client, message: OutgoingMessage, do: str, seen: str = "") -> Any:
    """Press a button on the page that `client` has open now."""
    if not seen:
        lines = client.get("/mail/").context
        shown = {line.id: line.seen for line in [*lines["failed"], *lines["waiting"]]}
        seen = shown[message.pk]
    return client.post(f"/mail/{message.pk}/", {"do": do, "seen": seen}, follow=True)


def test_a_failed_message_is_listed_with_its_event_recipient_reason_and_attempts(client: Client) -> None:
    request = make_request()
    fail()
    page = page_of(client, Role.RECEPTIONIST)
    for words in (
        "Request received",
        "Joel Barish, joel@lacuna.example",
        "The mail server knows no such address. It answered 550.",
    ):
        assert words in page
    assert request.read().message not in page


def test_the_administrator_reads_no_name_of_a_patient(client: Client, case: Case) -> None:
    message_to(case.patient, case)
    request = make_request("Nadia Quill", email="nadia@lacuna.example")
    fail()
    page = page_of(client, Role.ADMINISTRATOR)
    assert f"the patient of file {case.reference}" in page
    assert f"the visitor with the number {request_number(request.pk)}" in page
    for name in ("Joel", "Nadia"):
        assert name.lower() not in page.lower()


def test_the_front_desk_sees_no_mail_to_staff(client: Client) -> None:
    admin = make_user(Role.ADMINISTRATOR)
    invite("stan@lacuna.example", "Stan Fink", Role.TECHNICIAN, by=admin, base="http://house/")
    fail()
    assert "Stan Fink, stan@lacuna.example" in page_of(client, user=admin)
    assert "Stan" not in page_of(client, Role.RECEPTIONIST)
    message = OutgoingMessage.objects.get()
    assert client.post(f"/mail/{message.pk}/", {"do": "again", "seen": "x"}).status_code == 404


@pytest.mark.parametrize("role", [Role.RECEPTIONIST, Role.ADMINISTRATOR])
def test_nobody_sees_the_mail_of_their_own_case(role: str, client: Client, case: Case) -> None:
    case.patient.grants.create(role=role)
    message = message_to(case.patient, case)
    assert "Every message was delivered." in page_of(client, user=case.patient)
    assert client.post(f"/mail/{message.pk}/", {"do": "again", "seen": "x"}).status_code == 404


def test_a_failed_message_is_tried_again_with_all_its_attempts(client: Client) -> None:
    make_request()
    fail()
    message = OutgoingMessage.objects.get()
    client.force_login(desk := make_user(Role.RECEPTIONIST))
    page = press(client, message, "again").content.decode()
    assert "Request received: it is tried again now." in page
    assert "No message has failed." in page, "and one waits"
    assert "Every message was delivered." not in page
    entry = Entry.objects.get(action="mail.tried-again")
    assert (entry.subject, entry.actor, entry.details) == (
        f"message:{message.pk}",
        f"user:{desk.pk}",
        {"event": "request-received"},
    )
    message.refresh_from_db()
    assert (message.status, message.attempts) == ("queued", 0)
    assert deliver() == 1


def test_a_message_that_is_given_up_is_not_sent(client: Client, case: Case) -> None:
    message = message_to(case.patient, case)
    client.force_login(make_user(Role.RECEPTIONIST))
    page = press(client, message, "give-up").content.decode()
    assert "given up. It is not sent." in page
    message.refresh_from_db()
    assert (message.status, message.reason) == ("cancelled", "given-up")
    assert Entry.objects.get(action="mail.given-up").case == case.pk
    assert deliver() == 0


def test_a_message_that_waits_can_be_given_up_and_is_not_tried_again(client: Client) -> None:
    make_request()
    client.force_login(make_user(Role.RECEPTIONIST))
    message = OutgoingMessage.objects.get()
    answer = press(client, message, "again")
    assert (answer.status_code, "did not fail" in answer.content.decode()) == (409, True)
    press(client, message, "give-up")
    assert queued() == []


def test_an_old_page_decides_nothing(client: Client) -> None:
    make_request()
    fail()
    message = OutgoingMessage.objects.get()
    client.force_login(make_user(Role.RECEPTIONIST))
    (line,) = client.get("/mail/").context["failed"]
    OutgoingMessage.objects.update(attempts=2)
    answer = press(client, message, "again", seen=line.seen)
    assert answer.status_code == 409
    assert "This message was tried or decided while your page was open." in answer.content.decode()
    assert not Entry.objects.filter(action="mail.tried-again").exists()
    assert press(client, message, "nothing").status_code == 409


def test_a_message_that_is_being_sent_cannot_be_given_up(client: Client) -> None:
    make_request()
    OutgoingMessage.objects.update(status="sending", attempts=1)
    client.force_login(make_user(Role.RECEPTIONIST))
    answer = press(client, OutgoingMessage.objects.get(), "give-up")
    assert (answer.status_code, "so it cannot be given up" in answer.content.decode()) == (409, True)
    assert OutgoingMessage.objects.get().status == "sending"


def test_the_page_says_when_no_mail_server_is_set(client: Client, settings: Any) -> None:
    settings.MAIL_BACKEND = settings.OUTBOX
    page = page_of(client, Role.ADMINISTRATOR)
    assert "No mail server is set, so everything waits here." in page
    assert "Every message was delivered." not in page


def test_the_number_of_queries_does_not_depend_on_the_number_of_messages(client: Client) -> None:
    client.force_login(make_user(Role.RECEPTIONIST))

    def count_queries(cases: int) -> int:
        for _case in range(cases):
            row = make_case()
            message_to(row.patient, row, about=f"thing:{row.pk}")
            make_request()
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/mail/").status_code == 200
        return len(queries)

    count_queries(1)
    assert count_queries(0) == count_queries(3)


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("name", ["due", "failed", "waiting", "late", "file", "about"])
def test_no_list_reads_the_whole_table(name: str, case: Case) -> None:
    rows = OutgoingMessage.objects.all()
    queries = {
        "due": due(),
        "failed": failed(rows),
        "waiting": waiting(rows),
        "late": late(),
        "file": rows.filter(case=case.pk),
        "about": rows.filter(about="thing:1", status__in=["queued", "failed"]),
    }
    plan = queries[name].explain()
    assert "INDEX message_" in plan
    assert "SCAN" not in plan
