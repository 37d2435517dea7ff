"""What makes a test run on both databases, and that the check sees a place that asks SQLite alone."""

import re

import pytest
from django.db import connection

from clinic.accounts.models import Role, User
from tests import both_databases
from tests.both_databases import ROOT, SQLITE_IS_ENOUGH, missed, note
from tests.factories import make_user

# What depends on the database, as far as a test's source shows it.
DEPENDS = re.compile(r"IntegrityError|\bthreading\b|ThreadPool|\.vendor\b|select_for_update|OperationalError")


@pytest.mark.parametrize("name", SQLITE_IS_ENOUGH)
def test_what_runs_on_sqlite_alone_does_not_depend_on_the_database(name: str) -> None:
    assert set(DEPENDS.findall((ROOT / name).read_text())) == set()


@pytest.mark.django_db
def test_what_uses_the_database_has_the_mark_by_itself(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("both_databases")


def test_what_uses_no_database_has_it_not(request: pytest.FixtureRequest) -> None:
    assert not request.node.get_closest_marker("both_databases")


@pytest.mark.django_db
def test_a_place_that_only_tests_without_the_mark_reach_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(both_databases, "REACHED", {True: {}, False: {}})
    user = make_user(Role.DOCTOR)

    def ask(marked: bool, test: str) -> None:
        monkeypatch.setattr(both_databases, "_running", [(test, marked)])
        with connection.execute_wrapper(note):
            assert User.objects.get(pk=user.pk).roles == {Role.DOCTOR}

    ask(False, "alone")
    (place,) = missed()
    assert re.fullmatch(r"clinic/accounts/models\.py:\d+", place)
    assert missed()[place] == "alone"
    ask(True, "both")
    assert missed() == {}
