"""The front desk's inbox: requests are accepted, held or declined, with a mail and an audit entry."""

import re
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clinic.accounts.models import Invitation, Role, User
from clinic.audit.models import Entry
from clinic.outgoing.models import OutgoingMessage
from patients.cases.models import Case
from patients.requests.decisions import CannotDecide, decide, request_mark
from patients.requests.models import AppointmentRequest
from patients.requests.numbers import request_number
from patients.vault.configured import key_store
from tests.factories import PASSPHRASE, make_request, make_user
from tests.mailers import MEMORY
from tests.outgoing import deliver, queued

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> User:
    user = make_user(Role.RECEPTIONIST)
    client.force_login(user)
    return user


def post_decision(
    client: Client, row: AppointmentRequest, decision: str, reason: str = "", **more: Any
) -> Any:
    """Post a decision from a page that shows the request as it is now."""
    mark = request_mark(AppointmentRequest.objects.get(pk=row.pk))
    data = {"seen": mark, "decision": decision, "reason": reason}
    return client.post(f"/requests/{row.pk}/decide/", data, **more)


def recorded_actions() -> list[str]:
    entries = Entry.objects.exclude(action__in=["request.made", "access.denied"])
    return list(entries.order_by("index").values_list("action", flat=True))


def invitation_link() -> str:
    found = re.search(r"http://testserver(/invitation/[\w-]+/)", str(mail.outbox[-1].body))
    assert found
    return found.group(1)


def test_accepting_sends_an_invitation_and_using_it_opens_a_case(desk: User, client: Client) -> None:
    row = make_request()
    assert post_decision(client, row, "accept", "Come in the morning.")["Location"] == "/requests/"
    assert deliver() == 2
    row.refresh_from_db()
    assert (row.state, row.decided_by) == ("accepted", desk)
    assert row.invitation is not None
    assert (row.invitation.email, row.invitation.role) == ("joel@lacuna.example", "patient")
    assert [message.to for message in mail.outbox] == [["joel@lacuna.example"]] * 2
    assert "Come in the morning." in str(mail.outbox[-1].body)
    visitor = Client()
    visitor.post(invitation_link(), {"name": "Joel Barish", "passphrase": PASSPHRASE})
    case = Case.objects.get()
    assert (case.patient.email, case.stage) == ("joel@lacuna.example", "intake")
    assert recorded_actions() == [
        "person.invited",
        "request.accepted",
        "case.opened",
        "person.joined",
        "person.signed-in",
    ]
    assert "has come in" in client.get("/requests/").content.decode()


@pytest.mark.parametrize(("decision", "state"), [("hold", "held"), ("decline", "declined")])
def test_holding_or_declining_sends_a_mail_with_the_reason(
    decision: str,
    state: str,
    desk: User,
    client: Client,
) -> None:
    row = make_request()
    deliver()
    post_decision(client, row, decision, "We would like you to sleep on it.")
    assert deliver() == 1
    row.refresh_from_db()
    fields = row.read()
    assert (row.state, fields.message, fields.decision) == (
        state,
        "Soon, please.",
        "We would like you to sleep on it.",
    )
    assert "We would like you to sleep on it." in str(mail.outbox[-1].body)
    assert request_number(row.pk) in str(mail.outbox[-1].body)
    assert recorded_actions() == [f"request.{state}"]
    assert not Invitation.objects.exists()


def test_a_held_request_can_be_accepted_but_a_decided_one_cannot_be_changed(
    desk: User, client: Client
) -> None:
    row = make_request()
    post_decision(client, row, "hold")
    post_decision(client, row, "accept")
    late = post_decision(client, row, "decline", "We are full.")
    page = late.content.decode()
    assert late.status_code == 409
    assert "We are full." in page, "what was typed is not lost"
    assert "This request has been decided already." in page
    row.refresh_from_db()
    assert row.state == "accepted"
    assert recorded_actions() == ["request.held", "person.invited", "request.accepted"]


def test_of_two_decisions_on_the_same_page_the_first_counts(desk: User) -> None:
    row = make_request()
    decide(AppointmentRequest.objects.get(), "accept", reason="", by=desk, base="http://testserver/")
    with pytest.raises(CannotDecide):
        decide(row, "decline", reason="", by=desk, base="http://testserver/")
    assert Invitation.objects.count() == 1


def test_if_the_entry_cannot_be_written_nothing_is_mailed_or_changed(
    desk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = make_request()

    def refuse(*_acts: object) -> None:
        raise OSError("the log cannot be written")

    monkeypatch.setattr("patients.requests.decisions.record", refuse)
    with pytest.raises(OSError, match="the log"), transaction.atomic():
        decide(row, "accept", reason="", by=desk, base="http://testserver/")
    row.refresh_from_db()
    assert (row.state, Invitation.objects.count(), queued()) == ("new", 0, ["request-received"])


def test_htmx_requests_get_only_the_row(desk: User, client: Client) -> None:
    row, other = (
        make_request("Joel Barish"),
        make_request("Another Visitor", email="a@lacuna.example", phone=""),
    )
    part = post_decision(client, row, "hold", headers={"HX-Request": "true"})
    page = part.content.decode()
    assert part.status_code == 200
    assert page.lstrip().startswith(f'<li id="request-{row.pk}"')
    assert "held" in page
    assert other.name not in page
    part = post_decision(client, row, "maybe", headers={"HX-Request": "true"})
    assert (part.status_code, "Please choose accept, hold or decline." in part.content.decode()) == (
        409,
        True,
    )
    post_decision(client, row, "accept", headers={"HX-Request": "true"})
    part = post_decision(client, row, "decline", headers={"HX-Request": "true"})
    assert (part.status_code, "decided already" in part.content.decode()) == (409, True)


def test_inviting_again_sends_a_new_link_and_ends_the_old_one(desk: User, client: Client) -> None:
    row = make_request()
    post_decision(client, row, "accept")
    deliver()
    first = invitation_link()
    post_decision(client, row, "again")
    deliver()
    assert invitation_link() != first
    assert Client().get(first).status_code == 410
    assert Client().post(invitation_link(), {"name": "Joel", "passphrase": PASSPHRASE}).status_code == 302
    page = post_decision(client, row, "again").content.decode()
    assert "This invitation has been accepted already." in page
    assert deliver() == 0


def test_only_accepted_visitors_can_be_invited_again(desk: User, client: Client) -> None:
    row = make_request()
    post_decision(client, row, "again")
    assert not Invitation.objects.exists()


def test_mails_are_in_the_visitors_language(desk: User, client: Client) -> None:
    row = make_request(language="vi")
    post_decision(client, row, "decline")
    assert deliver() == 2
    for message in mail.outbox:
        assert str(message.body).startswith("Kính gửi Joel Barish,")
        assert "Thank you" not in str(message.body)


def test_a_queued_mail_is_replaced_by_that_of_the_next_decision(desk: User, client: Client) -> None:
    row = make_request()
    deliver()
    post_decision(client, row, "hold", "We are full.")
    post_decision(client, row, "hold", "We are still full.")
    assert queued() == ["request-held"]
    post_decision(client, row, "accept")
    assert queued() == ["request-accepted"]
    assert deliver() == 1
    assert "full" not in str(mail.outbox[-1].body)


def test_inviting_again_replaces_an_invitation_that_is_still_queued(desk: User, client: Client) -> None:
    row = make_request()
    post_decision(client, row, "accept")
    post_decision(client, row, "again")
    assert queued() == ["request-received", "request-accepted"]
    deliver()
    assert Client().get(invitation_link()).status_code == 200


@pytest.mark.parametrize("decision", ["accept", "hold", "decline"])
def test_the_page_says_that_the_mail_is_queued_and_not_more(
    decision: str, desk: User, client: Client, settings: LazySettings
) -> None:
    page = post_decision(client, make_request(), decision, follow=True).content.decode()
    assert "The mail about it is queued. It leaves in a moment." in page
    settings.MAIL_BACKEND = settings.OUTBOX
    page = post_decision(client, make_request(), decision, follow=True).content.decode()
    assert "The mail about it is queued. No mail server is set, so it waits here." in page
    settings.MAIL_BACKEND = MEMORY
    OutgoingMessage.objects.update(attempts=2)
    page = post_decision(client, make_request(), decision, follow=True).content.decode()
    assert "Mail is held up at the moment. It is tried again by itself." in page


def test_a_visitor_gets_a_number_to_quote_on_the_page_and_by_mail(client: Client) -> None:
    form = client.get("/appointment/")
    fields = {
        "ticket": form.context["form"].initial["ticket"],
        "name": "Joel",
        "email": "joel@lacuna.example",
    }
    page = client.post("/appointment/", {**fields, "message": "Soon."}, follow=True).content.decode()
    number = request_number(AppointmentRequest.objects.get().pk)
    assert f"The number of your request is {number}." in page
    assert deliver() == 1
    assert number in str(mail.outbox[0].body)
    assert "Soon." not in str(mail.outbox[0].body)
    client.force_login(make_user(Role.RECEPTIONIST))
    assert f"number {number}" in client.get("/requests/").content.decode()


def test_a_doctor_can_neither_read_the_inbox_nor_decide(client: Client) -> None:
    row = make_request()
    client.force_login(make_user(Role.DOCTOR))
    page = client.get("/requests/")
    assert page.status_code == 403
    assert "Soon, please." not in page.content.decode()
    assert "wait for an answer" not in client.get("/today/").content.decode()
    assert post_decision(client, row, "accept").status_code == 403
    assert AppointmentRequest.objects.get().state == "new"


def test_the_number_of_queries_does_not_depend_on_the_number_of_requests(desk: User, client: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/requests/").status_code == 200
        return len(queries)

    def more(decision: str) -> None:
        make_request()
        row = make_request()
        post_decision(client, row, decision)

    more("accept")
    client.get("/requests/")
    one = cost()
    more("accept")
    more("decline")
    assert cost() == one


def test_a_request_whose_key_is_destroyed_can_be_decided(desk: User, client: Client) -> None:
    row = make_request()
    key_store().destroy(row.pk)
    post_decision(client, row, "decline", "Sorry.")
    row.refresh_from_db()
    assert row.state == "declined"
