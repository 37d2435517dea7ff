"""The list of files: search, filters, pages, counts, and that no query reads a whole table."""

import re
from urllib.parse import quote

import pytest
from django.test import Client

from clinic.accounts import search_words
from clinic.accounts.models import Role
from patients.cases.models import Case
from patients.contacts.changes import write_contact
from tests.factories import make_case, make_user
from tests.patients.crowd import crowd_of_cases
from tests.plans import analyze, queries, whole_reads

pytestmark = pytest.mark.django_db
TABLES = {"patients_case", "clinic_user", "clinic_personword"}
NAME = re.compile(r'<a href="/files/[0-9a-f-]{36}/">([^<]+)</a>')
OLDER = re.compile(r'href="([^"]+)" rel="next"')
NEWER = re.compile(r'href="([^"]+)" rel="prev"')


def signed_in(*roles: str, name: str = "") -> Client:
    client = Client()
    client.force_login(make_user(*roles, name=name))
    return client


def shown(client: Client, query: str = "") -> list[str]:
    answer = client.get(f"/files/{query}")
    assert answer.status_code == 200
    return NAME.findall(answer.content.decode())


def test_a_file_is_found_by_address_and_telephone_by_those_who_read_names() -> None:
    joel = make_case(make_user(Role.PATIENT, name="Joel Barish", email="joel.b@Lacuna.example")).patient
    make_case(make_user(Role.PATIENT, name="Dora Park"))
    write_contact(joel, phone="+84 90 123 45 67", address="", way="mail")
    desk, auditor = signed_in(Role.RECEPTIONIST), signed_in(Role.AUDITOR)
    for typed in ("joel.b@lac", "JOEL.B", "joel bar", "+84 90 123", "090 123-45", "4567", "barish 4567"):
        assert shown(desk, f"?name={quote(typed)}") == ["Joel Barish"], typed
        assert shown(auditor, f"?name={quote(typed)}") == [], typed
    for typed in ("joel.c@lac", "90 124", "barish 4568", "arish", "Clementine"):
        assert shown(desk, f"?name={quote(typed)}") == [], typed
    write_contact(joel, phone="555 0100", address="", way="mail")
    assert shown(desk, "?name=4567") == []
    assert shown(desk, "?name=5550100") == ["Joel Barish"]


def test_pages_show_every_file_once_and_lead_back() -> None:
    cases = crowd_of_cases(60)
    Case.objects.update(opened_at=cases[0].opened_at)  # all at the same moment: the id decides
    client, seen, url = signed_in(Role.DOCTOR), [], ""
    pages = []
    while len(pages) < 9:
        page = client.get(f"/files/{url}").content.decode()
        pages.append(page)
        seen += NAME.findall(page)
        if (older := OLDER.search(page)) is None:
            break
        url = older[1].replace("&amp;", "&")
    assert len(pages) == 3
    assert sorted(seen) == sorted(case.patient.name for case in cases)
    assert NEWER.search(pages[0]) is None
    back = NEWER.search(pages[2])
    assert back
    assert NAME.findall(client.get(f"/files/{back[1]}").content.decode()) == seen[25:50]
    first = NEWER.search(pages[1])
    assert first
    assert shown(client, first[1]) == seen[:25]
    for odd in ("?after=x", "?before=", f"?after={make_user().pk}", "?page=3", "?stage=nowhere"):
        assert shown(client, odd) == seen[:25], odd


def test_a_filter_shows_one_part_and_the_pages_keep_it() -> None:
    crowd_of_cases(600)
    client = signed_in(Role.DOCTOR)
    page = client.get("/files/?stage=closed").content.decode()
    assert len(NAME.findall(page)) == 25
    assert "more than 200 files" in page
    older = OLDER.search(page)
    assert older
    assert "stage=closed" in older[1]
    assert len(shown(client, "?stage=review")) == 25
    page = client.get("/files/?stage=review").content.decode()
    assert "30 files" in page
    assert page.count(f'data-label="Where it stands">{Case.Stage.REVIEW.label}<') == 25
    assert shown(client, "?stage=withdrawn") == []
    assert "No file found." in client.get("/files/?stage=withdrawn").content.decode()
    technician = signed_in(Role.TECHNICIAN)
    assert shown(technician, "?stage=closed") == []
    assert len(shown(technician, "?stage=review&name=joel")) == 0
    assert "60 files" in technician.get("/files/").content.decode()


def test_a_subject_neither_finds_nor_counts_the_cases_about_them() -> None:
    for number in range(30):
        make_case(
            make_user(Role.PATIENT, name=f"Joel Number{number}"),
            agreed=False,
            reviewed=False,
            subject_name="Clementine Kruczynski" if number % 2 else "Somebody Else",
        )
    subject = signed_in(Role.DOCTOR, name="Kruczynski Clémentine")
    names = shown(subject, "?name=joel")
    assert len(names) == 15
    assert all(int(name.rpartition("Number")[2]) % 2 == 0 for name in names)
    page = subject.get("/files/?name=joel").content.decode()
    assert "15 files" in page
    assert OLDER.search(page) is None
    assert shown(subject, "?name=number1") == [f"Joel Number{n}" for n in (18, 16, 14, 12, 10)]
    assert "30 files" in signed_in(Role.DOCTOR).get("/files/?name=joel").content.decode()
    own = make_user(Role.PATIENT, Role.DOCTOR, name="Joel Own")
    make_case(own, agreed=False, reviewed=False)
    client = Client()
    client.force_login(own)
    assert "Joel Own" not in shown(client, "?name=joel+own")
    assert "30 files" in client.get("/files/?name=joel").content.decode()


def test_no_query_of_the_list_reads_a_whole_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words "joel" and "anh" count as common here, as they would be among 100,000 people."""
    monkeypatch.setattr(search_words, "MOST_OWNERS", 150)
    monkeypatch.setattr(search_words, "WORDS_EACH", 1)
    cases = crowd_of_cases(3000)
    analyze()
    for role in (Role.DOCTOR, Role.TECHNICIAN):
        client = signed_in(role)
        costs = check_queries(client, cases)
    Case.objects.filter(pk__in=[case.pk for case in cases[600:]]).delete()
    assert shown(client) != []
    with queries() as asked:
        shown(client)
    assert len(asked) == costs[""], "the number of queries does not depend on the number of files"


def check_queries(client: Client, cases: list[Case]) -> dict[str, int]:
    """Check how the database answers lists and searches; return the number of queries of each."""
    shown(client)  # fills the caches of settings and roles
    costs = {}
    for query in (
        "",
        f"?after={cases[1500].pk}",
        f"?before={cases[1500].pk}",
        "?stage=review",
        "?stage=locked",
        "?name=joel",
        "?name=anh",
        "?name=family777",
        "?name=joel+family1002",
        "?name=person42@lacuna.example",
        "?name=nobody",
        "?name=2026-4837-1591",
        "?name=crowd-77",
    ):
        with queries() as asked:
            shown(client, query)
        costs[query] = len(asked)
        whole = [one for each in asked for one in whole_reads(each, TABLES, ordered_by={"case_opened"})]
        assert whole == [], query
    assert max(costs.values()) < 45, costs
    return costs
