"""Reading settings: no query on hot paths, and every process sees a change within seconds."""

import os
import subprocess
import sys

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from clinic.accounts.models import Role
from clinic.configuration import values
from clinic.configuration.changes import change_settings
from clinic.configuration.configuration import NAME
from clinic.configuration.models import SettingChange, SettingsVersion
from clinic.configuration.registry import Section
from clinic.configuration.values import CHECK_SECONDS, Cache
from patients.maps.configuration import PACE_SECONDS
from tests.configuration import configure
from tests.factories import make_user
from tests.processes import ROOT, environment
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def rename(name: str) -> None:
    by = make_user(Role.ADMINISTRATOR)
    change_settings(Section.CLINIC, {NAME.key: name}, reason="a new name", by=by)


def test_the_default_applies_until_somebody_decides(clock: Clock) -> None:
    assert Cache(clock=clock).value(PACE_SECONDS) == 90
    assert Cache(clock=clock).value(NAME) == "Lacuna Inc."


def test_readings_cost_one_query_every_two_seconds(clock: Clock) -> None:
    rename("Lacuna North")
    cache = Cache(clock=clock)
    assert cache.value(NAME) == "Lacuna North"
    with CaptureQueriesContext(connection) as queries:
        for _reading in range(1000):
            assert (cache.value(NAME), cache.value(PACE_SECONDS)) == ("Lacuna North", 90)
    assert len(queries) == 0
    clock.now += CHECK_SECONDS
    with CaptureQueriesContext(connection) as queries:
        for _reading in range(1000):
            assert cache.value(NAME) == "Lacuna North"
    assert len(queries) == 1


def test_another_process_sees_a_change_within_two_seconds(clock: Clock) -> None:
    caches = [Cache(clock=clock), Cache(clock=clock)]
    assert {cache.value(NAME) for cache in caches} == {"Lacuna Inc."}
    rename("Lacuna North")
    clock.now += CHECK_SECONDS - 0.1
    assert {cache.value(NAME) for cache in caches} == {"Lacuna Inc."}
    clock.now += 0.1
    assert {cache.value(NAME) for cache in caches} == {"Lacuna North"}
    rename("Lacuna South")
    clock.now += CHECK_SECONDS
    assert {cache.value(NAME) for cache in caches} == {"Lacuna South"}


def test_the_process_that_changes_a_setting_sees_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "cache", Cache(clock=Clock()))
    assert values.value_of(NAME) == "Lacuna Inc."
    with transaction.atomic():
        rename("Lacuna North")
        assert values.value_of(NAME) == "Lacuna Inc.", "it may be rolled back still"
    assert values.value_of(NAME) == "Lacuna North"


def test_a_change_that_is_rolled_back_was_never_seen(clock: Clock) -> None:
    cache = Cache(clock=clock)
    with transaction.atomic():
        rename("Lacuna North")
        transaction.set_rollback(True)
    assert cache.value(NAME) == "Lacuna Inc."
    assert not SettingChange.objects.exists()
    assert not SettingsVersion.objects.filter(number__gt=0).exists()


def test_changes_at_the_same_moment_get_different_version_numbers(clock: Clock) -> None:
    """A process would not notice a change with the version number that it has already seen."""
    people = [make_user(Role.ADMINISTRATOR) for _number in range(4)]
    at_once(
        *(
            lambda n=n, by=by: change_settings(  # type: ignore[misc]
                Section.CLINIC, {NAME.key: f"Lacuna {n}"}, reason="each wants another", by=by
            )
            for n, by in enumerate(people)
        )
    )
    numbers = list(SettingChange.objects.filter(key=NAME.key).values_list("number", flat=True))
    assert numbers == [4, 3, 2, 1]
    assert SettingsVersion.objects.get().number == 4
    assert Cache(clock=clock).value(NAME) == SettingChange.objects.get(key=NAME.key, number=4).value


PROCESS = """
import sys, time
import django
django.setup()
from clinic.configuration.configuration import NAME
from clinic.configuration.values import value_of
print(value_of(NAME), flush=True)
end = time.monotonic() + 60
while value_of(NAME) == "Lacuna Inc." and time.monotonic() < end:
    time.sleep(0.05)
print(value_of(NAME), flush=True)
"""


@pytest.mark.processes
def test_a_process_that_runs_already_sees_a_change() -> None:
    with subprocess.Popen(  # noqa: S603 - our own command line
        [sys.executable, "-c", PROCESS],
        env=environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "Lacuna Inc.\n"
        configure(clinic_name="Lacuna North")
        assert process.stdout.readline() == "Lacuna North\n"
    assert process.returncode == os.EX_OK
