"""No page with a list grows with the clinic: not its queries, and not what the database reads for them.

Every page is opened in a clinic of some years, and again in one that is four times as old. Both have so many
rows that the database plans with its statistics (ANALYZE), and that lists which count up to a limit reach it.
In the older clinic a page may cost as much more as a deeper index costs. So a page that reads a table as a
whole fails, whatever the plan calls it; the plans are looked at too.

PostgreSQL rightly reads a table of a few thousand rows as a whole. So there the test only looks whether the
plan of a query can do without; what pages cost among 100,000 files is measured (tests/bench_pages.py).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client

from clinic.accounts.models import User
from patients.appointments.models import Appointment
from patients.cases.models import Case
from tests import old_clinic
from tests.pages_of_staff import pages
from tests.plans import Query, analyze, cost_of, plan_of, queries

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]
YOUNG, OLDER = 500, 1500
# Tables that grow with the years.
LARGE = {
    *("patients_case", "patients_appointment", "patients_desktask", "patients_appointmentrequest"),
    *("patients_memory", "patients_signature", "patients_lockedmap", "patients_requestword"),
    *("clinic_user", "clinic_rolegrant", "clinic_booking", "clinic_booking_resources", "clinic_entry"),
    *("patients_messagethread", "patients_message", "clinic_outgoingmessage"),
    *("erasure_procedure", "erasure_run", "erasure_step", "erasure_doctorcall"),
}
# Indexes of only those rows that meet a condition, such as the entries that wait.
PARTIAL = {
    one.name
    for model in apps.get_models()
    for one in [*model._meta.indexes, *model._meta.constraints]
    if getattr(one, "condition", None) is not None
}
SCAN = re.compile(r"^(?:SCAN|.*Seq Scan on) (\w+)(.*)", re.MULTILINE)
# In the older clinic a page may cost FACTOR times as many instructions of SQLite, and EXTRA more: each index
# has one level more there.
FACTOR, EXTRA = 1.15, 1500

# Two queries that do read a table as a whole. They show that the test finds such queries.
FULL_READS = {
    "a filter without an index": Appointment.objects.filter(patient_moves__gt=3),
    "a sum over an index": Case.objects.exclude(reference="").values_list("reference"),
}


class Opened(NamedTuple):
    """The queries of a page, and how many instructions of the database they took."""

    asked: list[Query]
    cost: int


@pytest.fixture
def people() -> dict[str, list[User]]:
    found = old_clinic.staff()
    first = old_clinic.fill(old_clinic.PRESENT, found, first=True, words=False)
    old_clinic.fill(YOUNG, found)
    return found | {"patient": [first[1].patient]}


def open_all(people: dict[str, list[User]]) -> Iterator[tuple[str, Opened]]:
    """Open every page twice, and look at the second time: the first fills caches of settings and roles."""
    analyze()
    clients: dict[str, Client] = {}
    for name, role, url in pages(people["patient"][0], people["doctor"][0]):
        if role not in clients:
            clients[role] = Client()
            clients[role].force_login(people[role][0])
        assert clients[role].get(url).status_code == 200, name
        with queries() as asked:
            clients[role].get(url)
        yield name, Opened(asked, sum(cost_of(query) for query in asked))
    for name, rows in FULL_READS.items():
        with queries() as asked:
            list(rows.all())
        yield name, Opened(asked, sum(cost_of(query) for query in asked))


def scans_in(query: Query) -> list[str]:
    """The large tables that the plan of a query reads as a whole.

    Not those of which it reads an index until a LIMIT is reached, or an index of only some rows.
    """
    sql = query[0]
    names = {alias: table for table, alias in re.findall(r'"(\w+)" ([TUV]\d+)\b', sql)}
    plan = plan_of(query)
    return [
        f"{names.get(table, table)} in {sql}"
        for table, how in SCAN.findall(plan)
        if names.get(table, table) in LARGE
        and not (PARTIAL & set(how.split()))
        and not ("USING" in how and "LIMIT" in sql and "USE TEMP B-TREE FOR ORDER BY" not in plan)
    ]


def test_no_page_costs_more_in_an_older_clinic(people: dict[str, list[User]]) -> None:
    young = dict(open_all(people))
    old_clinic.fill(OLDER, people, words=False)
    older = dict(open_all(people))
    assert (Case.objects.count(), Appointment.objects.count()) == (2060, 4120)
    changed = {
        name: (len(young[name].asked), len(page.asked))
        for name, page in older.items()
        if len(page.asked) != len(young[name].asked)
    }
    assert changed == {}, "another number of queries"
    if connection.vendor == "sqlite":
        costlier = {
            name: (young[name].cost, page.cost)
            for name, page in older.items()
            if page.cost > FACTOR * young[name].cost + EXTRA
        }
        assert costlier.keys() >= FULL_READS.keys()
        assert {name: costs for name, costs in costlier.items() if name not in FULL_READS} == {}
    scans = {name: [one for query in page.asked for one in scans_in(query)] for name, page in older.items()}
    assert scans["a filter without an index"] != []
    assert {name: found for name, found in scans.items() if found and name not in FULL_READS} == {}
