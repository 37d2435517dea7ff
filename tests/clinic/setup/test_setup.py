"""The set-up page: what an installation lacks, and the trial of its mail server."""

from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.availability.changes import change_week
from clinic.calendar.models import Resource
from clinic.configuration import registry
from clinic.configuration.registry import Section, register, settings_in
from clinic.outgoing.models import OutgoingMessage
from clinic.people.configuration import INVITATION_DAYS
from clinic.people.invitations import invite
from clinic.setup.checklist import lacks_something, lines
from clinic.setup.models import MailTrial
from erasure.backups.models import Backup, Drill
from tests.configuration import configure
from tests.edits import edit
from tests.factories import make_doctor, make_room, make_technician, make_user
from tests.mailers import SMTP, send_mail_through

pytestmark = pytest.mark.django_db

CLINIC = {
    "clinic-name": "Lacuna Inc.",
    "clinic-address": "Pier 4, Montauk",
    "clinic-telephone": "212 555 0142",
    "clinic-hours": "Monday to Friday",
    "reason": "first set-up",
}
POLICIES = {one.key: str(one.default) for one in settings_in(Section.POLICIES)}


def open_lines() -> set[str]:
    return {line.key for line in lines() if not line.done}


@pytest.fixture
def administrator(client: Client) -> Client:
    client.force_login(make_user(Role.ADMINISTRATOR, email="howard@lacuna.example"))
    return client


@pytest.fixture
def with_mail(settings: Settings) -> Settings:
    """An installation with a mail server; its messages stay in the memory of the test."""
    settings.MAIL_BACKEND = SMTP
    return settings


def test_a_new_installation_has_all_lines_open(administrator: Client) -> None:
    assert open_lines() == {
        "front-desk", "doctor", "technician", "second-administrator", "place", "mail", "key-mirror", "backup",
        "drill", "clinic", "policies", "hours",
    }  # fmt: skip
    page = administrator.get("/setup/").content.decode()
    assert "5 things are missing until the first night can be booked." in page
    assert 'href="/people/"' in page
    assert 'href="/places/"' in page


def test_each_line_is_done_by_one_step(
    administrator: Client, with_mail: Settings, django_capture_on_commit_callbacks: Any
) -> None:
    steps = {
        "front-desk": lambda: make_user(Role.RECEPTIONIST),
        "doctor": make_doctor,
        "technician": make_technician,
        "place": make_room,
        "mail": lambda: administrator.post("/setup/mail/"),
        "second-administrator": lambda: make_user(Role.ADMINISTRATOR),
        "key-mirror": lambda: setattr(with_mail, "LACUNA_KEY_MIRRORS", ["/mirror"]),
        "backup": make_backup,
        "drill": make_drill,
        "clinic": lambda: edit(administrator, "/settings/", CLINIC),
        "policies": lambda: edit(administrator, "/settings/policies/", POLICIES),
        "hours": give_everybody_hours,
    }
    for key, fulfil in steps.items():
        before = open_lines()
        assert key in before
        with django_capture_on_commit_callbacks(execute=True):
            fulfil()
        assert before - open_lines() == {key}
    assert open_lines() == set()
    assert "Nothing is missing." in administrator.get("/setup/").content.decode()


def give_everybody_hours() -> None:
    week = {weekday: [(time(9), time(17))] for weekday in range(7)}
    for one in Resource.objects.filter(user__isnull=False):
        change_week(one, week, valid_from=timezone.localdate(), reason="contract", by=make_user())


def make_backup() -> Backup:
    return Backup.objects.create(
        directory="/backups/1", made_at=timezone.now(), digest="0" * 64, log_size=1, objects_count=1, size=1
    )


def make_drill() -> Drill:
    return Drill.objects.create(
        backup=Backup.objects.get(),
        result="holds",
        kept_opened=1,
        kept_closed=0,
        erased_opened=0,
        erased_closed=1,
    )


def test_a_line_is_open_again_when_its_room_or_drill_no_longer_counts(with_mail: Settings) -> None:
    place = make_room()
    make_backup()
    old = make_drill()
    assert not {"place", "drill"} & open_lines()
    Resource.objects.filter(pk=place.pk).update(in_use=False)
    Drill.objects.filter(pk=old.pk).update(held_at=timezone.now() - timedelta(days=40))
    assert {"place", "drill"} <= open_lines()


def test_an_old_backup_and_a_drill_that_did_not_hold_are_open_lines() -> None:
    make_backup()
    make_drill()
    assert not {"backup", "drill"} & open_lines()
    Backup.objects.update(made_at=timezone.now() - timedelta(days=8))
    Drill.objects.create(
        backup=Backup.objects.get(), result="broken", kept_opened=0, kept_closed=0, erased_opened=1,
        erased_closed=0,
    )  # fmt: skip
    assert {"backup", "drill"} <= open_lines()


@pytest.mark.parametrize("emptied", ["clinic_address", "clinic_telephone", "clinic_hours"])
def test_an_emptied_field_of_the_clinic_opens_its_line_again(emptied: str) -> None:
    words = {name.replace("-", "_"): value for name, value in CLINIC.items() if name != "reason"}
    configure(**words, front_words="")
    assert "clinic" not in open_lines()
    configure(**{emptied: ""})
    assert "clinic" in open_lines()


def test_a_clinic_name_that_nobody_confirmed_leaves_the_line_open() -> None:
    configure(clinic_address="Pier 4", clinic_telephone="212", clinic_hours="by day", front_words="")
    assert "clinic" in open_lines()


def test_a_new_policy_that_nobody_confirmed_opens_the_line_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(**{name.replace("-", "_"): float(value) for name, value in POLICIES.items()})
    assert "policies" not in open_lines()
    monkeypatch.setattr(registry, "_settings", dict(registry._settings))
    register(replace(INVITATION_DAYS, key="a-new-policy"))
    assert "policies" in open_lines()


def test_an_administrator_starts_at_the_set_up_until_a_night_can_be_booked(
    administrator: Client, with_mail: Settings
) -> None:
    assert administrator.get("/").headers["Location"] == "/setup/"
    make_user(Role.RECEPTIONIST)
    make_doctor()
    make_technician()
    make_room()
    administrator.post("/setup/mail/")
    assert not lacks_something()
    assert administrator.get("/").headers["Location"] == "/audit/"


def test_the_message_goes_to_the_administrator_themselves_and_the_log_has_it(
    administrator: Client, with_mail: Settings
) -> None:
    page = administrator.post("/setup/mail/", follow=True).content.decode()
    assert [message.to for message in mail.outbox] == [["howard@lacuna.example"]]
    assert "The mail server took a message to howard@lacuna.example." in page
    assert Entry.objects.get(action="mail.tried").details == {"sent": True}


def test_the_error_of_a_server_that_does_not_answer_is_shown(
    administrator: Client, with_mail: Settings
) -> None:
    send_mail_through(with_mail, SMTP, host="127.0.0.1", port=1)
    page = administrator.post("/setup/mail/", follow=True).content.decode()
    assert "It was not sent. The server says:" in page
    assert "Connection refused" in page
    assert MailTrial.objects.get().sent is False
    assert "mail" in open_lines()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "failed", "ended_at": timezone.now()}, "1 message could not be delivered."),
        ({"attempts": 2}, "1 message waits too long."),
        ({"next_attempt_at": timezone.now() - timezone.timedelta(minutes=20)}, "1 message waits too long."),
    ],
)
def test_the_mail_line_is_open_again_when_messages_fail_or_wait_too_long(
    administrator: Client, with_mail: Settings, change: dict[str, Any], message: str
) -> None:
    administrator.post("/setup/mail/")
    admin, base = User.objects.get(email="howard@lacuna.example"), "http://house/"
    invite("stan@lacuna.example", "Stan Fink", Role.TECHNICIAN, by=admin, base=base)
    assert "mail" not in open_lines(), "a message that waits for its turn is no trouble"
    OutgoingMessage.objects.update(**change)
    (line,) = (line for line in lines() if line.key == "mail")
    assert (line.done, line.needed, line.text, line.url) == (False, False, message, "/mail/")
    assert "mail" in open_lines()
    OutgoingMessage.objects.update(status="sent")
    assert "mail" not in open_lines()


def test_the_trial_of_another_server_does_not_count(administrator: Client, with_mail: Settings) -> None:
    administrator.post("/setup/mail/")
    assert "mail" not in open_lines()
    with_mail.MAIL_SERVER = {**with_mail.MAIL_SERVER, "host": "another.lacuna.example"}
    assert "mail" in open_lines()


def test_without_a_mail_server_nothing_is_sent(administrator: Client, settings: Settings) -> None:
    settings.MAIL_BACKEND = settings.OUTBOX
    page = administrator.post("/setup/mail/", follow=True).content.decode()
    assert "No mail server is set, so nothing can be sent." in page
    assert mail.outbox == []
    assert not MailTrial.objects.exists()
