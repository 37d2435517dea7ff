"""Doctors and technicians can be booked as long as they have the role."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import transaction
from django.utils import timezone

from clinic.accounts.models import Invitation, Role, User
from clinic.calendar.bookable_people import update_resources_of
from clinic.calendar.models import Resource
from clinic.people.changes import change_roles, set_active
from clinic.people.invitations import accept, digest
from tests.factories import make_user
from tests.threads import at_once


def kinds_in_use(user: User) -> set[str]:
    return set(Resource.objects.filter(user=user, in_use=True).values_list("kind", flat=True))


@pytest.mark.django_db
def test_whoever_accepts_an_invitation_as_doctor_or_technician_can_be_booked() -> None:
    for role, kinds in ((Role.DOCTOR, {"doctor"}), (Role.TECHNICIAN, {"technician"}), (Role.AUDITOR, set())):
        Invitation.objects.create(
            email=f"{role}@lacuna.example", name="Stan Fink", role=role, token_digest=digest(role),
            expires_at=timezone.now() + timedelta(days=1),
        )  # fmt: skip
        joined = accept(role, name="Stan Fink", passphrase="a quiet winter beach")
        assert kinds_in_use(joined) == kinds
    assert set(Resource.objects.values_list("label", flat=True)) == {"Stan Fink"}


@pytest.mark.django_db
def test_resources_follow_the_roles_and_the_closing_of_an_account() -> None:
    administrator, person = make_user(Role.ADMINISTRATOR), make_user(Role.TECHNICIAN)
    update_resources_of(person)
    assert kinds_in_use(person) == {"technician"}
    change_roles(person, {Role.DOCTOR, Role.TECHNICIAN}, by=administrator)
    assert kinds_in_use(person) == {"doctor", "technician"}
    change_roles(person, {Role.DOCTOR}, by=administrator)
    assert kinds_in_use(person) == {"doctor"}
    set_active(person, False, by=administrator)
    assert kinds_in_use(person) == set()
    set_active(person, True, by=administrator)
    assert kinds_in_use(person) == {"doctor"}
    assert Resource.objects.filter(user=person).count() == 2


@pytest.mark.django_db
def test_of_two_namesakes_the_second_has_a_number() -> None:
    long = "Clementine " * 11
    people = [
        make_user(Role.DOCTOR, name=name)
        for name in ("Stan Fink", "Stan Fink", "Stan Fink", long[:120], long[:120])
    ]
    for person in people:
        update_resources_of(person)
    labels = [person.resources.get().label for person in people]
    assert labels[:3] == ["Stan Fink", "Stan Fink (2)", "Stan Fink (3)"]
    assert labels[3] == long[:80]
    assert labels[4] == long[:76] + " (2)"


@pytest.mark.django_db(transaction=True)
def test_two_namesakes_who_join_at_once_are_both_bookable() -> None:
    people = [make_user(Role.DOCTOR, name="Stan Fink") for _number in range(4)]
    at_once(*[partial(transaction.atomic(update_resources_of), person) for person in people])
    assert [kinds_in_use(person) for person in people] == [{"doctor"}] * 4
