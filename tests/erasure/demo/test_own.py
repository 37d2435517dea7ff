"""The demonstration empties its own house and no other."""

from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import transaction

from clinic.audit.record import Act, record
from clinic.people.models import User
from erasure.demo.own import MARK, NotOurs, check_ours, clear, mark
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def say(action: str) -> None:
    with transaction.atomic():
        record(Act(action, "house:demonstration", actor="system:demo"))


def test_it_refuses_a_house_with_people_in_it(settings: django_settings) -> None:
    settings.LACUNA_DEMO = True
    make_user()
    say("person.invited")
    with pytest.raises(NotOurs, match="not the demonstration's own"):
        check_ours()
    with pytest.raises(CommandError, match="not the demonstration's own"):
        call_command("demo", no_serve=True)
    assert User.objects.count() == 1


def test_it_refuses_an_empty_house_that_it_did_not_make(settings: django_settings) -> None:
    settings.LACUNA_DEMO = True
    with pytest.raises(NotOurs):
        check_ours()


def test_it_refuses_without_its_policies(settings: django_settings) -> None:
    settings.LACUNA_DEMO = False
    say("demo.loaded")
    with pytest.raises(NotOurs, match="LACUNA_DEMO"):
        check_ours()


def test_it_knows_its_own(settings: django_settings) -> None:
    settings.LACUNA_DEMO = True
    say("demo.loaded")
    say("person.invited")
    assert check_ours() is True


def test_an_unfinished_one_of_its_own_is_known_by_its_mark(settings: django_settings) -> None:
    settings.LACUNA_DEMO = True
    mark()
    assert check_ours() is True


def test_clearing_leaves_the_secret_and_nothing_else(
    settings: django_settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(django_settings.LACUNA_DATA_DIR)
    for name in ("secret-key", MARK, "signing-key"):
        (home / name).write_text("x")
    (home / "vault" / "blobs").mkdir(parents=True)
    # The test's own database stays: only the files are looked at here.
    monkeypatch.setattr("erasure.demo.own.connection", type("NoDatabase", (), {"vendor": "sqlite"}))
    monkeypatch.setattr(
        "erasure.demo.own.connections", type("None_", (), {"close_all": staticmethod(lambda: None)})
    )
    clear()
    assert [path.name for path in home.iterdir()] == ["secret-key"]
