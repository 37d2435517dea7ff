"""Counts on pages: both numbers of a sentence count the same things, for none, one and several."""

import re

import pytest
from django.test import Client

from clinic.accounts.models import Role
from erasure.jobs.worker import advance
from erasure.runs import control
from patients.cases.models import Case
from patients.maps.mapping_page import bench_of
from patients.memories.links import link
from tests.erasure.runs.nights import doctor_of, technician_of
from tests.factories import make_case, make_doctor, make_keepsake, make_memory, make_run, make_user

pytestmark = pytest.mark.django_db(transaction=True)

COMPLETE = "Every month holds a memory"


def text_of(client: Client, url: str) -> str:
    page = client.get(url).content.decode()
    return " ".join(re.sub(r"<script.*?</script>|<[^>]+>", " ", page, flags=re.DOTALL).split())


@pytest.mark.parametrize(("keepsakes", "words"), [(0, "0 things"), (1, "1 thing"), (3, "3 things")])
def test_a_file_counts_the_keepsakes(client: Client, keepsakes: int, words: str) -> None:
    case = make_case()
    for _number in range(keepsakes):
        make_keepsake(make_memory(case))
    client.force_login(make_doctor())
    text = text_of(client, f"/files/{case.pk}/")
    assert f"Keepsakes {words}" in text
    assert "of them left" not in text


@pytest.mark.parametrize(("memories", "brought"), [(1, "1 keepsake"), (3, "3 keepsakes")])
def test_the_number_of_keepsakes_does_not_shrink_during_a_run(
    client: Client, memories: int, brought: str
) -> None:
    run = make_run(memories)
    technician = technician_of(run)
    control.protect(run.pk, run.steps.get(position=memories - 1).memory_id, by=technician)
    run.steps.filter(position=memories - 1).update(state="held")
    advance(run.pk)
    assert run.steps.filter(state="destroyed").count() == memories - 1
    client.force_login(run.procedure.case.patient)
    assert f"{brought} brought" in text_of(client, "/me/")
    client.force_login(doctor_of(run))
    file = text_of(client, f"/files/{run.procedure.case_id}/")
    assert f"Keepsakes {memories} thing{'s' * (memories > 1)}" in file
    assert ("1 of them left" in file) == (memories > 1)
    for url in (f"/sessions/{run.pk}/", "/today/"):
        assert f"{memories - 1} of {memories}" in text_of(client, url)


def bench_text(client: Client, case: Case) -> str:
    client.force_login(make_user(Role.DOCTOR))
    return text_of(client, f"/files/{case.pk}/map/")


def test_an_empty_map_is_not_shown_as_complete(client: Client) -> None:
    case = make_case()
    assert not bench_of(case).complete
    text = bench_text(client, case)
    assert COMPLETE not in text
    assert "There is no memory on the map yet." in text


def test_a_map_of_one_memory_is_not_shown_as_complete(client: Client) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    text = bench_text(client, case)
    assert COMPLETE not in text
    assert "Pointed out Nothing." in text


def test_a_map_with_linked_memories_in_each_month_is_complete(client: Client) -> None:
    case = make_case()
    one, other = make_memory(case, "One", "2003-02-01"), make_memory(case, "Other", "2003-03-01")
    assert COMPLETE not in bench_text(client, case)
    link(case, one.pk, other.pk, by=case.patient)
    assert COMPLETE in bench_text(client, case)
