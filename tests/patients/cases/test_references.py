"""B14: file numbers do not run out, have no order, and have check digits against typing errors."""

import time
from functools import partial
from itertools import pairwise

import pytest
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import Role, User
from patients.cases.models import Case
from patients.cases.opening import open_case
from patients.cases.references import (
    MOST_RANDOM_DIGITS,
    is_mistyped,
    new_reference,
    read_reference,
)
from tests.factories import make_case, make_user
from tests.threads import at_once

YEAR = 2026


def with_digit(reference: str, position: int, digit: str) -> str:
    return f"{reference[:position]}{digit}{reference[position + 1 :]}"


@pytest.mark.parametrize("random_digits", [6, 8, MOST_RANDOM_DIGITS])
def test_b14_every_wrong_digit_and_every_swap_of_adjacent_digits_is_noticed(random_digits: int) -> None:
    for _number in range(200):
        reference = new_reference(YEAR, random_digits)
        assert (read_reference(reference), is_mistyped(reference)) == (reference, False)
        places = [place for place, char in enumerate(reference) if char != "-"]
        wrong = [
            with_digit(reference, place, digit)
            for place in places
            for digit in "0123456789"
            if digit != reference[place]
        ]
        # Nine wrong digits for each digit of the year, the random part and the check.
        assert len(wrong) == 9 * (4 + random_digits + 2)
        for one, other in pairwise(places):
            swapped = with_digit(reference, one, reference[other])
            swapped = with_digit(swapped, other, reference[one])
            wrong += [swapped] if swapped != reference else []
        assert [text for text in wrong if read_reference(text)] == []
        # With a wrong century the text does not look like a file number at all.
        assert [text for text in wrong if not is_mistyped(text) and text[:2] == "20"] == []


def test_b14_numbers_have_a_fixed_form_and_are_random() -> None:
    drawn = [new_reference(YEAR) for _number in range(1000)]
    assert {len(reference) for reference in drawn} == {len("2026-4837-1591")}
    assert all(reference.startswith("2026-") for reference in drawn)
    assert len(set(drawn)) > 990
    middles = [int(reference[5:9]) for reference in drawn]
    assert sum(one < other for one, other in pairwise(middles)) in range(400, 600)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("2026-4837-1591", "2026-4837-1591"),
        (" 202648371591 ", "2026-4837-1591"),
        ("2026 4837 1591", "2026-4837-1591"),
        ("2026\u20134837\u20131591", "2026-4837-1591"),
        ("2026/4837.15-91", "2026-4837-1591"),
        ("２０２６-4837-1591", "2026-4837-1591"),
        ("2004-0219", "2004-0219"),
        ("2004 0219", "2004-0219"),
        ("20040219", "2004-0219"),
        ("2026-4837-1592", ""),
        ("2026-4837-154", ""),
        ("Barish", ""),
        ("", ""),
        ("2026-4837-15x2", ""),
    ],
)
def test_b14_a_number_is_read_with_any_separators(typed: str, read: str) -> None:
    assert read_reference(typed) == read


@pytest.mark.parametrize(
    ("typed", "mistyped"),
    [
        ("2026-4837-1591", False),
        ("2026-4837-1592", True),
        ("202648371592", True),
        ("2026-4837-154", True),
        ("2026-4837-15911", True),
        ("2004-0219", False),
        ("2125550142", False),
        ("212-555-0142", False),
        ("202-555-0142", False),
        ("20264837154", False),
        ("17", False),
        ("Joel", False),
    ],
)
def test_b14_a_mistyped_number_is_distinguished_from_other_text(typed: str, mistyped: bool) -> None:
    assert is_mistyped(typed) is mistyped


def create_cases(references: list[str], patient: User) -> None:
    rows = (Case(patient=patient, reference=reference, stage=Case.Stage.CLOSED) for reference in references)
    Case.objects.bulk_create(rows, batch_size=2000)


@pytest.mark.django_db
def test_b14_new_numbers_are_found_quickly_among_a_hundred_thousand_cases() -> None:
    year = timezone.localdate().year
    create_cases(list({new_reference(year) for _number in range(100_000)}), make_user(Role.PATIENT))
    assert Case.objects.count() > 94_000
    began = time.monotonic()
    opened = [
        open_case(patient, by=patient) for patient in (make_user(Role.PATIENT) for _number in range(10))
    ]
    assert time.monotonic() - began < 30
    assert all(read_reference(case.reference) == case.reference for case in opened)


@pytest.mark.django_db
def test_b14_if_every_number_is_taken_longer_ones_are_given() -> None:
    year = timezone.localdate().year
    taken: set[str] = set()
    while len(taken) < 100:
        taken.add(new_reference(year, 2))
    create_cases(sorted(taken), make_user(Role.PATIENT))
    reference = Case.objects.free_reference(2)
    assert (len(reference), reference[:5]) == (len("2026-4837-15"), f"{year}-")


@pytest.mark.django_db
def test_b14_numbers_of_the_old_form_are_still_found(client: Client) -> None:
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"))
    Case.objects.filter(pk=case.pk).update(reference="2004-0219")
    new = make_case(make_user(Role.PATIENT, name="Mary Svevo"))
    Case.objects.filter(pk=new.pk).update(reference="2026-4837-1591")
    client.force_login(make_user(Role.DOCTOR))

    def shown(typed: str) -> str:
        page = client.get("/files/", {"name": typed}).content.decode()
        return page[page.index("<main") :]

    for typed in ("2004-0219", "2004 0219", "20040219"):
        assert "Joel Barish" in shown(typed)
    for typed in ("2026-4837-1591", "202648371591", "2026 4837 1591"):
        assert "Mary Svevo" in shown(typed)
        assert "Joel Barish" not in shown(typed)
    assert "This is no file number." in shown("2026-4837-1519")
    unknown = shown(new_reference(2025))
    assert "No file of that name or number." in unknown
    assert "This is no file number." not in unknown


@pytest.mark.django_db
def test_b14_the_audit_log_is_searched_by_a_number_with_any_separators(client: Client) -> None:
    patient = make_user(Role.PATIENT, name="Mary Svevo")
    case = open_case(patient, by=patient)
    client.force_login(make_user(Role.AUDITOR))
    for typed in (case.reference, case.reference.replace("-", " "), case.reference.replace("-", "")):
        assert case.reference in client.get("/audit/", {"find": typed}).content.decode()
    last = str((int(case.reference[-1]) + 1) % 10)
    answer = client.get("/audit/", {"find": f"{case.reference[:-1]}{last}"})
    assert "This is no file number" in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_b14_cases_opened_concurrently_have_different_numbers() -> None:
    # Each patient opens a case twice at once and gets one. The pool has twelve connections for these eight.
    patients = [make_user(Role.PATIENT) for _number in range(4)]
    at_once(*[partial(open_case, patient, by=patient) for patient in patients * 2], pauses=[0, 0.002])
    references = list(Case.objects.values_list("reference", flat=True))
    assert (len(references), len(set(references))) == (4, 4)
