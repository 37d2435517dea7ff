"""Physical things on a certificate: "witnessed" only if two people have signed, otherwise "open"."""

import json

import pytest

from clinic.accounts.models import Role
from erasure.certificates.models import Certificate
from erasure.jobs.worker import advance
from erasure.runs.custody_items import custody_items
from erasure.runs.models import Run
from patients.cases.models import Case
from patients.custody.transfers import end, hand_over, receive, witness
from patients.keepsakes.models import Keepsake
from tests.factories import make_case, make_keepsake, make_memory, make_other, make_run, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def make_run_with_things(*shelves: str | None) -> tuple[Run, list[Keepsake]]:
    """A run of two memories.

    The older has one thing for each of `shelves`; None: it stayed with the patient.
    """
    case = make_case()
    memory = make_memory(case, "Old", "2002-01-01")
    make_keepsake(make_memory(case, "New", "2003-01-01"))
    things = [make_other(memory, "object") for _ in shelves]
    for thing, shelf in zip(things, shelves, strict=True):
        if shelf:
            receive(thing, shelf, by=make_user(Role.RECEPTIONIST))
    run = make_run(memories=0, case=case)
    for thing, shelf in zip(things, shelves, strict=True):
        if shelf:
            hand_over(thing, by=make_user(Role.DOCTOR))
    return run, things


def things_on_certificate(run: Run) -> list[dict[str, object]]:
    while advance(run.pk):
        continue
    body: list[dict[str, object]] = json.loads(Certificate.objects.get(run=run).body)["things"]
    return body


def test_a_thing_that_is_not_closed_is_open_on_the_certificate() -> None:
    run, (kept, home) = make_run_with_things("B-14", None)
    items = things_on_certificate(run)
    assert [(item["thing"], item["state"], item["proof"]) for item in items] == [
        (kept.tag, "open", "none"),
        (home.tag, "with-the-patient", "none"),
    ]
    assert {item["memory"] for item in items} == {1}
    assert "witnesses" not in items[0]


def test_an_end_confirmed_by_one_person_is_still_open() -> None:
    run, (thing,) = make_run_with_things("B-14")
    things_on_certificate(run)
    doctor = make_user(Role.DOCTOR)
    end(thing, "destroyed", by=doctor)
    assert [item["state"] for item in custody_items(run)] == ["open"]
    second = make_user(Role.TECHNICIAN)
    witness(thing, by=second)
    [item] = custody_items(run)
    assert (item["state"], item["proof"]) == ("destroyed", "witnessed")
    assert item["witnesses"] == [doctor.name, second.name]
    # The certificate states what was true when it was signed. It is never changed.
    [item_on_certificate] = json.loads(Certificate.objects.get(run=run).body)["things"]
    assert item_on_certificate["state"] == "open"


def test_a_thing_returned_during_the_run_is_witnessed_on_the_certificate() -> None:
    run, (thing,) = make_run_with_things("C-2")
    end(thing, "returned", by=make_user(Role.DOCTOR))
    witness(thing, by=make_user(Role.RECEPTIONIST))
    [item] = things_on_certificate(run)
    assert (item["state"], item["proof"]) == ("returned", "witnessed")


def test_a_run_without_things_lists_none() -> None:
    run = make_run(memories=1)
    assert things_on_certificate(run) == []


def test_as_many_queries_for_three_things_as_for_one(django_assert_num_queries: object) -> None:
    for shelves in (["A"], ["A", "B", None]):
        run, _things = make_run_with_things(*shelves)
        with django_assert_num_queries(1):  # type: ignore[operator]
            custody_items(run)
    assert Case.objects.count() == 2
