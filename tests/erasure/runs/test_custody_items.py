"""What a certificate says of things: witnessed where two signed, open where they did not, never more."""

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


def night(*shelves: str | None) -> tuple[Run, list[Keepsake]]:
    """A run over two memories, with a thing in the older for each of `shelves`; None was never brought."""
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


def finished(run: Run) -> list[dict[str, object]]:
    while advance(run.pk):
        continue
    body: list[dict[str, object]] = json.loads(Certificate.objects.get(run=run).body)["things"]
    return body


def test_what_is_not_closed_is_open_on_the_certificate_whatever_became_of_its_photograph() -> None:
    run, (kept, home) = night("B-14", None)
    said = finished(run)
    assert [(item["thing"], item["state"], item["proof"]) for item in said] == [
        (kept.tag, "open", "none"),
        (home.tag, "with-the-patient", "none"),
    ]
    assert {item["memory"] for item in said} == {1}
    assert "witnesses" not in said[0]


def test_an_end_that_one_person_said_is_still_open() -> None:
    run, (thing,) = night("B-14")
    finished(run)
    doctor = make_user(Role.DOCTOR)
    end(thing, "destroyed", by=doctor)
    assert [item["state"] for item in custody_items(run)] == ["open"]
    second = make_user(Role.TECHNICIAN)
    witness(thing, by=second)
    [item] = custody_items(run)
    assert (item["state"], item["proof"]) == ("destroyed", "witnessed")
    assert item["witnesses"] == [doctor.name, second.name]
    # The certificate is what was true when it was signed; it is never written again.
    [then] = json.loads(Certificate.objects.get(run=run).body)["things"]
    assert then["state"] == "open"


def test_what_was_given_back_in_the_night_is_witnessed_on_the_certificate() -> None:
    run, (thing,) = night("C-2")
    end(thing, "returned", by=make_user(Role.DOCTOR))
    witness(thing, by=make_user(Role.RECEPTIONIST))
    [item] = finished(run)
    assert (item["state"], item["proof"]) == ("returned", "witnessed")


def test_a_run_without_things_says_none() -> None:
    run = make_run(memories=1)
    assert finished(run) == []


def test_as_many_queries_for_three_things_as_for_one(django_assert_num_queries: object) -> None:
    for shelves in (["A"], ["A", "B", None]):
        run, _things = night(*shelves)
        with django_assert_num_queries(1):  # type: ignore[operator]
            custody_items(run)
    assert Case.objects.count() == 2
