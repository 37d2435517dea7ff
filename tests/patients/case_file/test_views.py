"""The list of cases (/files/) and the page of one case."""

import dataclasses
import re
from unicodedata import normalize
from urllib.parse import quote

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.consent.signing import withdraw
from tests.factories import make_case, make_keepsake, make_memory, make_procedure, make_run, make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def get(client: Client, url: str, *roles: str, **headers: str) -> str:
    client.force_login(make_user(*(roles or (Role.DOCTOR,))))
    answer = client.get(url, headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def main(page: str) -> str:
    return page[page.index("<main") :]


def test_cases_are_found_by_patient_and_number_but_not_by_subject(client: Client) -> None:
    joel = make_case(make_user(Role.PATIENT, name="Joel Barish"), subject_name="Clementine")
    make_case(make_user(Role.PATIENT, name="Dora Park"))
    for query, found in {"barish": True, joel.reference: True, "Clementine": False, "": True}.items():
        shown = main(get(client, f"/files/?name={query}"))
        assert ("Joel Barish" in shown) is found
        assert ("Dora Park" in shown) is (query == "")


def test_b7_files_are_found_whatever_the_capitals_and_accents(client: Client) -> None:
    make_case(make_user(Role.PATIENT, name=normalize("NFD", "Nguyễn Thị Ánh")), subject_name="Đỗ Bình")
    make_case(make_user(Role.PATIENT, name="Đỗ Văn Đạt"))
    queries = {"anh": "Ánh", "ÁNH": "Ánh", normalize("NFD", "nguyễn"): "Ánh", "thi nguyen": "Ánh"}
    queries |= {"do": "Đạt", "đỗ": "Đạt", "binh": "", "%": ""}
    pages = {query: main(get(client, f"/files/?name={quote(query)}")) for query in queries}
    assert {query: "Nguyễn Thị Ánh" in page for query, page in pages.items()} == {
        query: found == "Ánh" for query, found in queries.items()
    }
    assert {query: "Đỗ Văn Đạt" in page for query, page in pages.items()} == {
        query: found == "Đạt" for query, found in queries.items()
    }


def test_after_a_withdrawal_the_file_does_not_say_what_it_is_about(client: Client) -> None:
    case = make_case(chapters=[{"name": "Montauk", "color": "blue", "from": "", "to": ""}])
    make_memory(case, "Frozen Charles", number=1, intensity=9)
    client.force_login(make_user(Role.DOCTOR))
    secrets = ("Clementine", "Montauk", "Frozen Charles", reverse("patients:review", args=[case.pk]))
    page = client.get(f"/files/{case.pk}/").content.decode()
    assert all(secret in page for secret in secrets[:3])
    withdraw(case, by=case.patient)
    page = client.get(f"/files/{case.pk}/").content.decode()
    assert [secret for secret in secrets if secret in page] == []
    assert case.patient.name in page
    assert "Nobody at the clinic may look at what they brought any more." in page
    assert "not reviewed by a doctor" not in page  # the status knows reviews of open cases only


def test_htmx_requests_get_only_the_rows(client: Client) -> None:
    shown = get(client, "/files/?name=nobody", **HTMX)
    assert shown.lstrip().startswith('<div id="files">')
    assert "No file of that name or number." in shown


@pytest.mark.parametrize("query", ["?page=x", "?page=-1", "?name=%00", "?name=" + "x" * 5000])
def test_invalid_queries_show_the_list(client: Client, query: str) -> None:
    get(client, f"/files/{query}")


def test_a_technician_sees_only_cases_in_mapping_or_assigned(client: Client) -> None:
    review = make_case(make_user(Role.PATIENT, name="Ada Near"))
    Case.objects.filter(pk=review.pk).update(stage=Case.Stage.REVIEW)
    far = make_case(make_user(Role.PATIENT, name="Bo Far"))
    Case.objects.filter(pk=far.pk).update(stage=Case.Stage.BOOKED)
    shown = get(client, "/files/", Role.TECHNICIAN)
    assert "Ada Near" in shown
    assert "Bo Far" not in shown


@pytest.mark.parametrize("url", ["/files/", "case"])
def test_the_number_of_queries_does_not_depend_on_the_number_of_cases(client: Client, url: str) -> None:
    case = make_case()
    address = reverse("patients:case", args=[case.pk]) if url == "case" else url
    get(client, address)
    counts = []
    for more in (1, 2):
        for _time in range(more):
            make_case()
            make_keepsake(make_memory(case))
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_only_doctors_and_technicians_see_subject_chapters_notes_and_titles(client: Client) -> None:
    chapters = [{"name": "Montauk winter", "color": "blue", "from": "2003-01-01", "to": "2003-12-31"}]
    notes = [{"text": "He weeps at the shell.", "by": "H. Mierzwiak", "at": ""}]
    case = make_case(subject_name="Clementine Kruczynski", chapters=chapters, notes=notes)
    make_memory(case, "Night on the ice", number=1, intensity=9)
    url = reverse("patients:case", args=[case.pk])
    secrets = ("Clementine Kruczynski", "Montauk winter", "He weeps", "Night on the ice")
    for role in (Role.DOCTOR, Role.TECHNICIAN):
        shown = get(client, url, role)
        assert [word for word in secrets if word not in shown] == []
    for role in (Role.RECEPTIONIST, Role.AUDITOR):
        shown = get(client, url, role)
        assert [word for word in secrets if word in shown] == []


def test_viewing_a_case_is_recorded_and_shown(client: Client) -> None:
    case = make_case()
    url = reverse("patients:case", args=[case.pk])
    client.force_login(make_user(Role.RECEPTIONIST, name="Mary Svevo"))
    client.get(url)
    entry = Entry.objects.get(action="file.viewed")
    assert (entry.case, entry.details) == (case.pk, {"page": "case"})
    shown = " ".join(get(client, url).split())
    assert '<dt> Mary Svevo <br> <span class="quiet">File viewed</span> </dt>' in shown
    for name in ("review", "mapping"):
        get(client, reverse(f"patients:{name}", args=[case.pk]))
        get(client, reverse(f"patients:{name}", args=[case.pk]), **HTMX)
    pages = [entry.details["page"] for entry in Entry.objects.filter(action="file.viewed")]
    assert pages == ["case", "case", "review", "mapping"]


def test_the_page_has_only_links_that_the_person_may_open(client: Client) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    make_procedure(case)
    url = reverse("patients:case", args=[case.pk])
    reception, auditor = get(client, url, Role.RECEPTIONIST), get(client, url, Role.AUDITOR)
    procedure = case.procedures.get()
    move = reverse("erasure:procedure-move", args=[procedure.pk])
    assert move in reception
    assert reverse("patients:review", args=[case.pk]) not in reception
    assert move not in auditor
    doctor = get(client, url)
    for name in ("review", "mapping"):
        assert reverse(f"patients:{name}", args=[case.pk]) in doctor
    assert reverse("erasure:start", args=[procedure.pk]) in doctor


def test_the_page_counts_memories_and_shows_notes(client: Client) -> None:
    run = make_run(memories=2)
    case = run.procedure.case
    make_memory(case, zone="childhood")
    with transaction.atomic():
        note = {"text": "Asked twice whether it hurts.", "by": "Dr. M."}
        case.write(dataclasses.replace(case.read(), notes=[note]))
        case.save(update_fields=["sealed"])
    shown = get(client, reverse("patients:case", args=[case.pk]))
    shown = re.sub(r"\s*([<>])\s*", r"\1", " ".join(shown.split()))
    for words in (
        '<dt>Memories</dt><dd class="figure">2</dd>',
        '<dt>Destroyed</dt><dd class="figure">0</dd>',
        '<dt>Childhood, not on the map</dt><dd class="figure">1</dd>',
        "Asked twice whether it hurts.",
        "[1] Photo 0",
        "Open the session",
        "Being erased now.",
    ):
        assert words in shown
