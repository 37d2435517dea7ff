"""Which tests run on both databases, and that the check finds a query that only SQLite has run."""

import re

import pytest
from django.db import connection

from clinic.accounts.models import Role, User
from tests import both_databases
from tests.both_databases import ROOT, SQLITE_IS_ENOUGH, missed_lines, record_query
from tests.factories import make_user

# Words in a test's source which show that it depends on the database.
DEPENDS = re.compile(r"IntegrityError|\bthreading\b|ThreadPool|\.vendor\b|select_for_update|OperationalError")


@pytest.mark.parametrize("name", SQLITE_IS_ENOUGH)
def test_files_that_run_only_on_sqlite_do_not_depend_on_the_database(name: str) -> None:
    assert set(DEPENDS.findall((ROOT / name).read_text())) == set()


@pytest.mark.django_db
def test_a_test_that_uses_the_database_gets_the_mark(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("both_databases")


def test_a_test_that_uses_the_database_by_a_fixture_gets_the_mark(
    db: None, request: pytest.FixtureRequest
) -> None:
    assert request.node.get_closest_marker("both_databases")


def test_a_test_without_a_database_gets_no_mark(request: pytest.FixtureRequest) -> None:
    assert not request.node.get_closest_marker("both_databases")


@pytest.mark.django_db
def test_a_query_that_only_unmarked_tests_reach_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(both_databases, "REACHED", {True: {}, False: {}})
    user = make_user(Role.DOCTOR)

    def ask(marked: bool, test: str) -> None:
        monkeypatch.setattr(both_databases, "_running", [(test, marked)])
        with connection.execute_wrapper(record_query):
            assert User.objects.get(pk=user.pk).roles == {Role.DOCTOR}

    ask(False, "alone")
    (place,) = missed_lines()
    assert re.fullmatch(r"clinic/accounts/models\.py:\d+", place)
    assert missed_lines()[place] == "alone"
    ask(True, "both")
    assert missed_lines() == {}
