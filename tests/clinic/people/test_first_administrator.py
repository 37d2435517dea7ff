"""The command that makes the first administrator of a new installation."""

import io
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.people.first_administrator import NotCreated, create_first_administrator
from tests.factories import PASSPHRASE, make_user
from tests.threads import at_once

EMAIL, NAME = "howard@lacuna.example", "Howard Mierzwiak"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set the variables with which the command asks no questions."""
    monkeypatch.setenv("LACUNA_ADMINISTRATOR_EMAIL", EMAIL)
    monkeypatch.setenv("LACUNA_ADMINISTRATOR_NAME", NAME)
    monkeypatch.setenv("LACUNA_ADMINISTRATOR_PASSPHRASE", PASSPHRASE)
    return monkeypatch


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("first_administrator", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_first_administrator_signs_in_and_the_log_says_that_an_operator_made_them(
    client: Client, environment: pytest.MonkeyPatch
) -> None:
    output = run()
    user = User.objects.get()
    assert (user.email, user.name, user.roles) == (EMAIL, NAME, {Role.ADMINISTRATOR})
    assert "manage.py serve" in output
    assert "/setup/" in output
    entry = Entry.objects.get(action="person.first-administrator")
    assert (entry.actor, entry.subject) == ("system:operator", f"user:{user.pk}")
    client.post("/account/login/", {"login": EMAIL, "password": PASSPHRASE})
    assert client.get("/", follow=True).redirect_chain == [("/setup/", 302)]


@pytest.mark.django_db
def test_the_passphrase_may_be_in_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("spotless minds forget\n")
    environment.delenv("LACUNA_ADMINISTRATOR_PASSPHRASE")
    environment.setenv("LACUNA_ADMINISTRATOR_PASSPHRASE_FILE", str(file))
    run()
    assert User.objects.get().check_password("spotless minds forget")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("EMAIL", "nobody", "E-mail address: Enter a valid email address."),
        ("EMAIL", "", "LACUNA_ADMINISTRATOR_EMAIL is not set, and there is nobody to ask."),
        ("NAME", "", "LACUNA_ADMINISTRATOR_NAME is not set"),
        ("NAME", "n" * 121, "Your name: Ensure this value has at most 120 characters"),
        ("PASSPHRASE", "short", "A passphrase: This password is too short."),
        ("PASSPHRASE", "Lacuna2004!", "The clinic's name is the first thing anyone would try."),
        ("PASSPHRASE", "", "Neither LACUNA_ADMINISTRATOR_PASSPHRASE_FILE nor"),
        ("PASSPHRASE_FILE", "/nowhere/at/all", "LACUNA_ADMINISTRATOR_PASSPHRASE_FILE cannot be read"),
    ],
)
def test_bad_values_create_nobody(
    environment: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    environment.setenv(f"LACUNA_ADMINISTRATOR_{variable}", value)
    with pytest.raises(CommandError) as refusal:
        run()
    assert message in str(refusal.value)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_a_second_administrator_is_not_made_by_the_command(environment: pytest.MonkeyPatch) -> None:
    make_user(Role.ADMINISTRATOR)
    with pytest.raises(CommandError, match="There is an administrator already"):
        run()
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_an_account_with_the_address_stays_as_it_is(environment: pytest.MonkeyPatch) -> None:
    patient = make_user(Role.PATIENT, email=EMAIL)
    with pytest.raises(CommandError, match="There is an account for this address already"):
        run()
    assert User.objects.get().roles == patient.roles == {Role.PATIENT}


@pytest.mark.django_db
def test_where_the_last_administrator_is_closed_the_command_makes_a_new_one(
    environment: pytest.MonkeyPatch,
) -> None:
    make_user(Role.ADMINISTRATOR, is_active=False)
    run()
    assert User.objects.get(email=EMAIL).is_active


@pytest.mark.django_db(transaction=True)
def test_of_two_commands_at_the_same_time_one_makes_an_administrator() -> None:
    creations = [
        partial(create_first_administrator, f"a{number}@lacuna.example", NAME, PASSPHRASE)
        for number in range(2)
    ]
    _returned, refused = at_once(*creations, refusal=NotCreated)
    assert User.objects.count() == 1
    assert [str(refusal)[:32] for refusal in refused] == ["There is an administrator alread"]


@pytest.mark.django_db
@pytest.mark.parametrize("arguments", [(), ("--noinput",), ("--email", "a@lacuna.example")])
def test_createsuperuser_names_the_command_to_use(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"manage\.py first_administrator"):
        call_command("createsuperuser", *arguments)
    assert not User.objects.exists()


@pytest.mark.processes
def test_without_migrations_the_command_says_what_to_run_first(tmp_path: Path) -> None:
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LACUNA_DATABASE")},
        "LACUNA_DATA_DIR": str(tmp_path),
        "LACUNA_ADMINISTRATOR_EMAIL": EMAIL,
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "first_administrator"],
        env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr
