"""B13: administrators cannot remove each other at the same time: at least one active one remains."""

import random
from collections.abc import Callable
from functools import partial

import pytest
from django.conf import settings
from django.test import Client

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.people.changes import NotYours, change_roles, set_active
from tests.factories import make_user
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 8
NOT_ADMINISTRATOR = "You are not an administrator any more, so nothing was changed."


def demote(person: User, by: User) -> None:
    change_roles(person, {Role.DOCTOR}, by=by)


def remove_roles(person: User, by: User) -> None:
    change_roles(person, set(), by=by)


def close_account(person: User, by: User) -> None:
    set_active(person, False, by=by)


Change = Callable[[User, User], None]
CHANGES: list[Change] = [demote, remove_roles, close_account]


def refusals_of(*changes: Callable[[], None]) -> list[str]:
    """Call all at the same moment. Return the messages of refused changes."""
    _returned, refused = at_once(*changes, refusal=NotYours, pauses=[0, 0, 0.001, 0.003])
    return [str(refusal) for refusal in refused]


def count_administrators() -> int:
    return User.objects.filter(is_active=True, grants__role=Role.ADMINISTRATOR).count()


def count_recorded_changes() -> int:
    return Entry.objects.filter(action__in=["person.roles-changed", "person.deactivated"]).count()


@pytest.mark.parametrize("first", CHANGES)
@pytest.mark.parametrize("second", CHANGES)
def test_b13_of_two_administrators_who_remove_each_other_one_remains(first: Change, second: Change) -> None:
    for turn in range(ROUNDS):
        User.objects.filter(grants__role=Role.ADMINISTRATOR).update(is_active=False)
        ines, hal = make_user(Role.ADMINISTRATOR), make_user(Role.ADMINISTRATOR)
        # Each has loaded both accounts before, as a page does.
        assert ines.roles == hal.roles == {Role.ADMINISTRATOR}
        refused = refusals_of(partial(first, hal, ines), partial(second, ines, hal))
        assert (count_administrators(), refused) == (1, [NOT_ADMINISTRATOR])
        assert count_recorded_changes() == turn + 1


def test_b13_of_three_administrators_who_remove_each_other_at_least_one_remains() -> None:
    for _round in range(ROUNDS):
        User.objects.filter(grants__role=Role.ADMINISTRATOR).update(is_active=False)
        ring = [make_user(Role.ADMINISTRATOR) for _number in range(3)]
        changes = [partial(random.choice(CHANGES), ring[n], ring[n - 1]) for n in range(3)]  # noqa: S311
        refused = refusals_of(*changes)
        assert count_administrators() == len(refused) >= 1


@pytest.mark.parametrize("end_role", [demote, close_account])
def test_b13_a_former_administrator_cannot_change_accounts(end_role: Change) -> None:
    boss, former, mary = make_user(Role.ADMINISTRATOR), make_user(Role.ADMINISTRATOR), make_user(Role.DOCTOR)
    end_role(User.objects.get(pk=former.pk), boss)
    with pytest.raises(NotYours, match=NOT_ADMINISTRATOR):
        change_roles(mary, {Role.ADMINISTRATOR}, by=former)
    with pytest.raises(NotYours, match=NOT_ADMINISTRATOR):
        set_active(mary, False, by=former)
    row = User.objects.get(pk=mary.pk)
    assert (row.roles, row.is_active) == ({Role.DOCTOR}, True)
    assert count_recorded_changes() == 1


def test_b13_an_administrator_may_close_another_ones_account() -> None:
    boss, other = make_user(Role.ADMINISTRATOR), make_user(Role.ADMINISTRATOR)
    client = Client()
    client.force_login(boss, backend=settings.AUTHENTICATION_BACKENDS[0])
    answer = client.post(f"/people/{other.pk}/", {"do": "close", "sure": "yes"})
    assert answer.status_code == 302
    assert count_administrators() == 1
