"""The demonstration deletes only its own database and data directory."""

from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import transaction

from clinic.accounts.models import User
from clinic.audit.record import Act, record
from erasure.demo.ownership import (
    MARK,
    NotDemonstration,
    check_ownership,
    clear_demonstration,
    mark_as_demonstration,
)
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def record_action(action: str) -> None:
    with transaction.atomic():
        record(Act(action, "house:demonstration", actor="system:demo"))


def test_a_database_with_people_is_refused(settings: django_settings) -> None:
    settings.LACUNA_DEMO = True
    make_user()
    record_action("person.invited")
    with pytest.raises(NotDemonstration, match="not the demonstration's own"):
        check_ownership()
    with pytest.raises(CommandError, match="not the demonstration's own"):
        call_command("demo", no_serve=True)
    assert User.objects.count() == 1


def test_an_empty_log_without_the_demonstrations_entry_is_refused(settings: django_settings) -> None:
    settings.LACUNA_DEMO = True
    with pytest.raises(NotDemonstration):
        check_ownership()


def test_the_demonstration_is_refused_without_its_setting(settings: django_settings) -> None:
    settings.LACUNA_DEMO = False
    record_action("demo.loaded")
    with pytest.raises(NotDemonstration, match="LACUNA_DEMO"):
        check_ownership()


def test_the_demonstration_recognizes_its_own_log(settings: django_settings) -> None:
    settings.LACUNA_DEMO = True
    record_action("demo.loaded")
    record_action("person.invited")
    assert check_ownership() is True


def test_an_unfinished_demonstration_is_recognized_by_its_mark_file(settings: django_settings) -> None:
    settings.LACUNA_DEMO = True
    mark_as_demonstration()
    assert check_ownership() is True


def test_clearing_deletes_everything_except_the_secret_key(
    settings: django_settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = Path(django_settings.LACUNA_DATA_DIR)
    for name in ("secret-key", MARK, "signing-key"):
        (directory / name).write_text("x")
    (directory / "vault" / "blobs").mkdir(parents=True)
    # Only the files are tested here, so the test's own database is left alone.
    monkeypatch.setattr("erasure.demo.ownership.connection", type("NoDatabase", (), {"vendor": "sqlite"}))
    monkeypatch.setattr(
        "erasure.demo.ownership.connections",
        type("NoConnections", (), {"close_all": staticmethod(lambda: None)}),
    )
    clear_demonstration()
    assert [path.name for path in directory.iterdir()] == ["secret-key"]
