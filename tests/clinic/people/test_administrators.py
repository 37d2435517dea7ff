"""B13: whatever administrators do to each other at the same moment, one who can act remains."""

import random
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection
from django.test import Client

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.people.changes import NotYours, change_roles, set_active
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 8
GONE = "You are not an administrator any more, so nothing was changed."


def demote(person: User, by: User) -> None:
    change_roles(person, {Role.DOCTOR}, by=by)


def strip(person: User, by: User) -> None:
    change_roles(person, set(), by=by)


def close(person: User, by: User) -> None:
    set_active(person, False, by=by)


Change = Callable[[User, User], None]
CHANGES: list[Change] = [demote, strip, close]


def at_once(*works: Callable[[], None]) -> list[str]:
    """Do all in the same moment, each on its own connection. Return the sentences of those refused."""
    barrier = threading.Barrier(len(works))
    refused: list[str] = []
    broken: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait()
            time.sleep(random.choice([0, 0, 0.001, 0.003]))  # noqa: S311 - chance, not secrecy
            work()
        except NotYours as refusal:
            refused.append(str(refusal))
        except BaseException as error:
            broken.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert broken == []
    return refused


def administrators() -> int:
    return User.objects.filter(is_active=True, grants__role=Role.ADMINISTRATOR).count()


def changes_recorded() -> int:
    return Entry.objects.filter(action__in=["person.roles-changed", "person.deactivated"]).count()


@pytest.mark.parametrize("first", CHANGES)
@pytest.mark.parametrize("second", CHANGES)
def test_b13_two_administrators_who_unmake_each_other_leave_one(first: Change, second: Change) -> None:
    for turn in range(ROUNDS):
        User.objects.filter(grants__role=Role.ADMINISTRATOR).update(is_active=False)
        ines, hal = make_user(Role.ADMINISTRATOR), make_user(Role.ADMINISTRATOR)
        # Each has read the other's and the own account before, as a page does.
        assert ines.roles == hal.roles == {Role.ADMINISTRATOR}
        refused = at_once(partial(first, hal, ines), partial(second, ines, hal))
        assert (administrators(), refused) == (1, [GONE])
        assert changes_recorded() == turn + 1


def test_b13_a_ring_of_three_leaves_one_or_more() -> None:
    for _round in range(ROUNDS):
        User.objects.filter(grants__role=Role.ADMINISTRATOR).update(is_active=False)
        ring = [make_user(Role.ADMINISTRATOR) for _number in range(3)]
        works = [partial(random.choice(CHANGES), ring[n], ring[n - 1]) for n in range(3)]  # noqa: S311
        refused = at_once(*works)
        assert administrators() == len(refused) >= 1


@pytest.mark.parametrize("gone", [demote, close])
def test_b13_whoever_was_unmade_changes_nobody(gone: Change) -> None:
    boss, former, mary = make_user(Role.ADMINISTRATOR), make_user(Role.ADMINISTRATOR), make_user(Role.DOCTOR)
    gone(User.objects.get(pk=former.pk), boss)
    with pytest.raises(NotYours, match=GONE):
        change_roles(mary, {Role.ADMINISTRATOR}, by=former)
    with pytest.raises(NotYours, match=GONE):
        set_active(mary, False, by=former)
    row = User.objects.get(pk=mary.pk)
    assert (row.roles, row.is_active) == ({Role.DOCTOR}, True)
    assert changes_recorded() == 1


def test_b13_an_administrator_may_still_unmake_another() -> None:
    boss, other = make_user(Role.ADMINISTRATOR), make_user(Role.ADMINISTRATOR)
    client = Client()
    client.force_login(boss, backend="allauth.account.auth_backends.AuthenticationBackend")
    answer = client.post(f"/people/{other.pk}/", {"do": "close", "sure": "yes"})
    assert answer.status_code == 302
    assert administrators() == 1
