"""The front desk's inbox: accept, hold or decline, once, told kindly, on record; with htmx and without."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from pytest_django import DjangoCaptureOnCommitCallbacks

from clinic.accounts.models import Invitation, Role, User
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.requests.decisions import CannotDecide, create_request, decide
from patients.requests.models import AppointmentRequest
from patients.vault.configured import key_store
from tests.factories import PASSPHRASE, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> User:
    user = make_user(Role.RECEPTIONIST)
    client.force_login(user)
    return user


def asked(
    name: str = "Joel Barish", language: str = "en", message: str = "Soon, please."
) -> AppointmentRequest:
    return create_request(
        ticket=uuid4(),
        name=name,
        email="joel@lacuna.example",
        phone="555 0100",
        message=message,
        language=language,
    )


def answer(client: Client, row: AppointmentRequest, decision: str, reason: str = "", **more: Any) -> Any:
    return client.post(f"/requests/{row.pk}/decide/", {"decision": decision, "reason": reason}, **more)


def deeds() -> list[str]:
    entries = Entry.objects.exclude(action__in=["request.made", "access.denied"])
    return list(entries.order_by("index").values_list("action", flat=True))


def link() -> str:
    found = re.search(r"http://testserver(/invitation/[\w-]+/)", str(mail.outbox[-1].body))
    assert found
    return found.group(1)


def test_accepting_invites_and_coming_in_opens_a_file(
    desk: User, client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    row = asked()
    with django_capture_on_commit_callbacks(execute=True):
        assert answer(client, row, "accept")["Location"] == "/requests/"
    row.refresh_from_db()
    assert (row.state, row.decided_by) == ("accepted", desk)
    assert row.invitation is not None
    assert (row.invitation.email, row.invitation.role) == ("joel@lacuna.example", "patient")
    assert mail.outbox[0].to == ["joel@lacuna.example"]
    visitor = Client()
    visitor.post(link(), {"name": "Joel Barish", "passphrase": PASSPHRASE})
    case = Case.objects.get()
    assert (case.patient.email, case.stage) == ("joel@lacuna.example", "intake")
    assert deeds() == [
        "person.invited",
        "request.accepted",
        "case.opened",
        "person.joined",
        "person.signed-in",
    ]
    assert "has come in" in client.get("/requests/").content.decode()


@pytest.mark.parametrize(("decision", "state"), [("hold", "held"), ("decline", "declined")])
def test_holding_and_declining_are_told_with_the_reason(
    decision: str,
    state: str,
    desk: User,
    client: Client,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    row = asked()
    with django_capture_on_commit_callbacks(execute=True):
        answer(client, row, decision, "We would like you to sleep on it.")
    row.refresh_from_db()
    paper = row.read()
    assert (row.state, paper.message, paper.decision) == (
        state,
        "Soon, please.",
        "We would like you to sleep on it.",
    )
    (message,) = mail.outbox
    assert str(message.body).endswith("We would like you to sleep on it.")
    assert deeds() == [f"request.{state}"]
    assert not Invitation.objects.exists()


def test_a_held_request_can_still_be_accepted_and_a_decided_one_not(desk: User, client: Client) -> None:
    row = asked()
    answer(client, row, "hold")
    answer(client, row, "accept")
    answer(client, row, "decline")
    page = client.get("/requests/").content.decode()
    assert "This request has been decided already." in page
    row.refresh_from_db()
    assert row.state == "accepted"
    assert deeds() == ["request.held", "person.invited", "request.accepted"]


def test_of_two_decisions_from_the_same_sight_one_counts(desk: User) -> None:
    row = asked()
    decide(AppointmentRequest.objects.get(), "accept", reason="", by=desk, base="http://testserver/")
    with pytest.raises(CannotDecide):
        decide(row, "decline", reason="", by=desk, base="http://testserver/")
    assert Invitation.objects.count() == 1


def test_nothing_is_mailed_and_nobody_invited_if_the_log_refuses(
    desk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = asked()

    def refuse(*_acts: object) -> None:
        raise OSError("the log cannot be written")

    monkeypatch.setattr("patients.requests.decisions.record", refuse)
    with pytest.raises(OSError, match="the log"), transaction.atomic():
        decide(row, "accept", reason="", by=desk, base="http://testserver/")
    row.refresh_from_db()
    assert (row.state, Invitation.objects.count(), mail.outbox) == ("new", 0, [])


def test_through_htmx_its_row_alone_is_drawn(desk: User, client: Client) -> None:
    row, other = asked("Joel Barish"), asked("Another Visitor")
    part = answer(client, row, "hold", headers={"HX-Request": "true"})
    page = part.content.decode()
    assert part.status_code == 200
    assert page.lstrip().startswith(f'<li id="request-{row.pk}"')
    assert "held" in page
    assert other.name not in page
    part = answer(client, row, "maybe", headers={"HX-Request": "true"})
    assert (part.status_code, "Please choose accept, hold or decline." in part.content.decode()) == (
        409,
        True,
    )
    answer(client, row, "accept", headers={"HX-Request": "true"})
    part = answer(client, row, "decline", headers={"HX-Request": "true"})
    assert (part.status_code, "decided already" in part.content.decode()) == (409, True)


def test_whoever_lost_the_mail_is_invited_again_and_the_old_link_ends(
    desk: User, client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    row = asked()
    with django_capture_on_commit_callbacks(execute=True):
        answer(client, row, "accept")
    first = link()
    with django_capture_on_commit_callbacks(execute=True):
        answer(client, row, "again")
    assert link() != first
    assert Client().get(first).status_code == 410
    assert Client().post(link(), {"name": "Joel", "passphrase": PASSPHRASE}).status_code == 302
    before = len(mail.outbox)
    answer(client, row, "again")
    assert "This invitation has been accepted already." in client.get("/requests/").content.decode()
    assert len(mail.outbox) == before


def test_nobody_is_invited_again_who_was_not_accepted(desk: User, client: Client) -> None:
    row = asked()
    answer(client, row, "again")
    assert not Invitation.objects.exists()


def test_the_visitor_is_written_to_in_their_language(
    desk: User, client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    row = asked(language="vi")
    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch, django_capture_on_commit_callbacks(execute=True):
        patch.setattr(
            "patients.requests.decisions.send", lambda *_mail: seen.append(translation.get_language())
        )
        answer(client, row, "decline")
    assert seen == ["vi"]


def test_a_doctor_neither_reads_the_inbox_nor_decides(client: Client) -> None:
    row = asked()
    client.force_login(make_user(Role.DOCTOR))
    page = client.get("/requests/")
    assert page.status_code == 403
    assert "Soon, please." not in page.content.decode()
    assert "wait for an answer" not in client.get("/today/").content.decode()
    assert answer(client, row, "accept").status_code == 403
    assert AppointmentRequest.objects.get().state == "new"


def test_one_open_request_costs_as_much_as_three(desk: User, client: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/requests/").status_code == 200
        return len(queries)

    def more(decision: str) -> None:
        asked()
        row = asked()
        answer(client, row, decision)

    more("accept")
    client.get("/requests/")
    one = cost()
    more("accept")
    more("decline")
    assert cost() == one


def test_a_request_whose_words_are_gone_can_be_answered(desk: User, client: Client) -> None:
    row = asked()
    key_store().destroy(row.pk)
    answer(client, row, "decline", "Sorry.")
    row.refresh_from_db()
    assert row.state == "declined"
