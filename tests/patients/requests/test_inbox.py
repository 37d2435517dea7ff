"""The front desk's lists of requests: found, filtered, in pages, answered together, duplicates named."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clinic.accounts import search_words
from clinic.accounts.models import Invitation, Role, User
from clinic.audit.models import Entry
from clinic.people.invitations import accept, token_of
from patients.contacts.changes import contact_of, write_contact
from patients.requests import decisions
from patients.requests.decisions import decide, request_mark
from patients.requests.models import AppointmentRequest, RequestWord
from patients.requests.numbers import request_number
from tests.factories import PASSPHRASE, make_case, make_request, make_user
from tests.outgoing import deliver, queued
from tests.patients.crowd import crowd_of_requests
from tests.plans import analyze, queries, whole_reads

pytestmark = pytest.mark.django_db
TABLES = {"patients_appointmentrequest", "patients_requestword"}
NAME = re.compile(r'data-focus>\s*<a href="/requests/[0-9a-f-]{36}/">([^<]+)</a>')
NEXT = re.compile(r'href="([^"]+)" rel="next"')


@pytest.fixture
def desk(client: Client) -> User:
    user = make_user(Role.RECEPTIONIST, name="Mary Svevo")
    client.force_login(user)
    return user


def shown(client: Client, query: str = "") -> list[str]:
    answer = client.get(f"/requests/{query}")
    assert answer.status_code == 200
    return NAME.findall(answer.content.decode())


def make_distinct_request(name: str, **more: Any) -> AppointmentRequest:
    """A request that shares no address and no telephone with another, unless `more` gives them."""
    word = f"{AppointmentRequest.objects.count():07d}"
    return make_request(name, **{"email": f"v{word}@{word}.example", "phone": f"777 {word}", **more})


def answer_all(client: Client, decision: str, *rows: AppointmentRequest, reason: str = "") -> Any:
    picked = [f"{row.pk}:{request_mark(AppointmentRequest.objects.get(pk=row.pk))}" for row in rows]
    return client.post("/requests/answer/", {"pick": picked, "decision": decision, "reason": reason})


def test_a_request_is_found_by_name_address_telephone_and_number(desk: User, client: Client) -> None:
    anh = make_distinct_request("Nguyễn Thị Ánh", email="anh.n@Lacuna.example", phone="+84 90 123 45 67")
    make_distinct_request("Dora Park")
    number = request_number(anh.pk)
    for typed in (
        "ánh",
        "NGUYEN",
        "anh nguyen",
        "anh.n@lac",
        "090 123",
        "4567",
        number,
        number.replace("-", ""),
    ):
        assert shown(client, f"?find={quote(typed)}") == ["Nguyễn Thị Ánh"], typed
    for typed in ("guyen", "Soon", "%", "anh park"):
        assert shown(client, f"?find={quote(typed)}") == [], typed
    decide(anh, "decline", reason="", by=desk, base="http://testserver/")
    assert shown(client) == ["Dora Park"]
    assert shown(client, "?find=anh") == ["Nguyễn Thị Ánh"], "a search looks through all"
    assert shown(client, "?find=anh&state=waiting") == []
    words = RequestWord.objects.filter(request=anh).count()
    assert words > 5
    anh.delete()
    assert not RequestWord.objects.filter(request_id=anh.pk).exists()


def test_each_state_is_reached_and_the_answer_is_shown_afterwards(desk: User, client: Client) -> None:
    rows = {
        name: make_distinct_request(name) for name in ("Held One", "Accepted One", "Declined One", "New One")
    }
    for name, decision in {"Held One": "hold", "Accepted One": "accept", "Declined One": "decline"}.items():
        decide(rows[name], decision, reason=f"Word to {name}.", by=desk, base="http://testserver/")
    deliver()
    assert "Word to Accepted One." in "".join(str(message.body) for message in mail.outbox)
    expected = {
        "": ["Held One", "New One"],
        "?state=new": ["New One"],
        "?state=held": ["Held One"],
        "?state=accepted": ["Accepted One"],
        "?state=declined": ["Declined One"],
        "?state=all": ["New One", "Declined One", "Accepted One", "Held One"],
        "?state=nonsense": ["Held One", "New One"],
    }
    assert {query: shown(client, query) for query in expected} == expected
    for name in ("Held One", "Accepted One", "Declined One"):
        page = client.get(f"/requests/{rows[name].pk}/").content.decode()
        assert f"Word to {name}." in page
        assert "Mary Svevo" in page, "who decided it"
    assert client.get(f"/requests/{desk.pk}/").status_code == 404
    doctor = Client()
    doctor.force_login(make_user(Role.DOCTOR))
    assert doctor.get(f"/requests/{rows['New One'].pk}/").status_code == 403
    assert answer_all(doctor, "accept", rows["New One"]).status_code == 403
    assert AppointmentRequest.objects.get(name="New One").state == "new"


def test_long_lists_have_pages_and_counts_and_no_query_reads_a_whole_table(
    desk: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_words, "MOST_OWNERS", 150)
    monkeypatch.setattr(search_words, "WORDS_EACH", 1)
    rows = crowd_of_requests(2000)
    analyze()
    waiting = [row.name for row in reversed(rows) if row.state == "new"]
    declined = [row.name for row in rows if row.state == "declined"]
    page = client.get("/requests/").content.decode()
    assert NAME.findall(page) == waiting[:25]
    assert "100 requests" in page
    following = NEXT.search(page)
    assert following
    assert shown(client, following[1]) == waiting[25:50]
    page = client.get("/requests/?state=declined").content.decode()
    assert "more than 1,000 requests" in page
    following = NEXT.search(page)
    assert following
    assert shown(client, following[1].replace("&amp;", "&")) == declined[25:50]
    for query in (
        "",
        f"?after={rows[500].pk}",
        "?state=declined",
        f"?state=declined&before={rows[501].pk}",
        "?state=all",
        "?find=joel",
        "?find=joel&state=waiting",
        "?find=visitor1041",
        "?find=joel+visitor102",
        "?find=0000777",
        "?find=nobody",
    ):
        with queries() as asked:
            shown(client, query)
        walked = {"request_created", "request_decided"}
        assert [one for each in asked for one in whole_reads(each, TABLES, ordered_by=walked)] == [], query


def test_several_requests_are_answered_together_and_refused_ones_are_named(
    desk: User, client: Client
) -> None:
    first, second, stale, late = (
        make_distinct_request(name) for name in ("First", "Second", "Stale", "Late")
    )
    own = make_distinct_request("Mary Svevo", email=desk.email.upper())
    deliver()
    picked = [f"{row.pk}:{request_mark(row)}" for row in (first, second, stale, late, own)]
    decide(stale, "hold", reason="", by=desk, base="http://testserver/")
    decide(late, "decline", reason="", by=desk, base="http://testserver/")
    deliver()
    sent = len(mail.outbox)
    data = {"pick": [*picked, "x", f"{desk.pk}:y"], "decision": "accept", "reason": "Come on Tuesday."}
    answer = client.post("/requests/answer/", data)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "2 requests are answered. The mail about it is queued." in page
    refused = page[page.index("These were not answered:") : page.index('role="search"')]
    assert not any(name in refused for name in ("First", "Second"))
    assert all(name in refused for name in ("Stale", "Late", "Mary Svevo"))
    assert "while your page was open" in refused
    assert "has been decided already" in refused
    assert "a request of your own" in refused
    assert page.count("Come on Tuesday.") == 1, "the word stays in its field"
    states = dict(AppointmentRequest.objects.values_list("name", "state"))
    assert states == {
        "First": "accepted",
        "Second": "accepted",
        "Stale": "held",
        "Late": "declined",
        "Mary Svevo": "new",
    }
    assert deliver() == 2
    for message in mail.outbox[sent:]:
        assert "Come on Tuesday." in str(message.body)
        assert "/invitation/" in str(message.body)
    entries = Entry.objects.filter(action="request.accepted", actor=f"user:{desk.pk}")
    assert {entry.subject for entry in entries} == {f"request:{first.pk}", f"request:{second.pk}"}
    assert Invitation.objects.count() == 2
    assert client.post("/requests/answer/", data).status_code == 409, "sent twice, nothing happens again"
    assert (Invitation.objects.count(), queued()) == (2, [])


def test_answering_several_requests_needs_ticks_and_a_decision(desk: User, client: Client) -> None:
    row = make_distinct_request("First")
    for data, words in (
        ({"decision": "accept", "reason": "My word."}, "Please tick a request first."),
        ({"pick": f"{row.pk}:x", "reason": "My word."}, "Please choose accept or decline."),
        ({"pick": f"{row.pk}:x", "decision": "hold", "reason": "My word."}, "is not one of the available"),
        ({"pick": f"{desk.pk}:x", "decision": "accept", "reason": "My word."}, "not here any more"),
        ({"pick": f"{row.pk}:x", "decision": "accept", "reason": "w" * 1001}, "at most 1000"),
    ):
        answer = client.post("/requests/answer/", data)
        assert (answer.status_code, words in answer.content.decode()) == (409, True), words
        assert data["reason"][:1000] in answer.content.decode()
    assert AppointmentRequest.objects.get().state == "new"
    assert answer_all(client, "decline", row)["Location"] == "/requests/"
    assert AppointmentRequest.objects.get().state == "declined"


def possible_duplicates(page: str) -> list[str]:
    """The requests and files that a page lists as perhaps of the same person: "kind title: reason"."""
    found = re.findall(r'<li>\s*<a href="(/[^"]+)">([^<]+)</a>:\s*([^<]+?)\s*</li>', page)
    return [f"{where.split('/')[1]} {re.sub(r' of [^,]+', '', what)}: {why}" for where, what, why in found]


def test_requests_and_files_of_the_same_person_are_pointed_out(desk: User, client: Client) -> None:
    joel = make_distinct_request("Joel Barish", email="joel@lacuna.example", phone="+1 555 010 0100")
    make_distinct_request("Barish Joël")
    make_distinct_request("J.", email="JOEL@lacuna.example")
    make_distinct_request("Somebody", phone="(555) 0100100")
    make_distinct_request("Joel")
    page = client.get(f"/requests/{joel.pk}/").content.decode()
    assert sorted(possible_duplicates(page)) == [
        "requests Request, Barish Joël (new): same name",
        "requests Request, J. (new): same e-mail address",
        "requests Request, Somebody (new): same telephone",
    ]
    patient = make_user(Role.PATIENT, name="Joel Barish", email="joel@lacuna.example")
    case = make_case(patient, subject_name="Mary Svevo")
    write_contact(patient, phone="001 555 0100100", address="", way="mail")
    found = possible_duplicates(client.get(f"/requests/{joel.pk}/").content.decode())
    assert "files" not in "".join(found), "the signed-in person is the subject"
    colleague = Client()
    colleague.force_login(make_user(Role.RECEPTIONIST))
    found = possible_duplicates(colleague.get(f"/requests/{joel.pk}/").content.decode())
    reasons = "same e-mail address, same telephone, same name"
    assert found[0] == f"files File {case.reference}, Joel Barish: {reasons}"
    inbox = colleague.get("/requests/").content.decode()
    assert possible_duplicates(inbox).count(found[0]) == 1

    def cost() -> int:
        with CaptureQueriesContext(connection) as asked:
            colleague.get("/requests/")
        return len(asked)

    before = cost()
    for _again in range(5):
        make_distinct_request("Joel Barish")
    assert cost() == before


def test_an_address_gets_few_mails_a_day_however_many_requests_name_it(client: Client) -> None:
    most = decisions.MAILS_EACH_DAY
    rows = [make_request(f"Visitor {n}", email="Stranger@lacuna.example") for n in range(most + 2)]
    assert AppointmentRequest.objects.count() == most + 2, "no request is lost"
    assert queued() == ["request-received"] * most
    make_request("Another", email="another@lacuna.example")
    assert len(queued()) == most + 1
    AppointmentRequest.objects.filter(pk__in=[row.pk for row in rows]).update(
        created_at=timezone.now() - timedelta(days=1, minutes=1)
    )
    make_request("Visitor again", email="stranger@lacuna.example")
    assert len(queued()) == most + 2


def test_the_telephone_of_a_request_comes_to_the_file(desk: User) -> None:
    row = decide(
        make_distinct_request("Joel Barish", phone="555 0177"), "accept", reason="", by=desk, base="http://x/"
    )
    assert row.invitation
    user = accept(token_of(row.invitation), name="Joel", passphrase=PASSPHRASE)
    assert contact_of(user)["phone"] == "555 0177"
