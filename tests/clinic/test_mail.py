"""A mail server that is away: what was done stands, and whoever did it is told."""

import os
import subprocess
import sys

import pytest
from django.test import Client
from pytest_django import Settings

from clinic.accounts.models import Invitation, Role
from patients.requests.models import AppointmentRequest
from tests.factories import make_user
from tests.mailers import SMTP, send_mail_through
from tests.patients.requests.test_decisions import answer, asked

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_mail_server(settings: Settings) -> None:
    """An address at which nobody listens."""
    send_mail_through(settings, SMTP, host="127.0.0.1", port=1)


def test_an_invitation_stands_and_the_page_says_that_its_mail_did_not_go(client: Client) -> None:
    client.force_login(make_user(Role.ADMINISTRATOR))
    form = {"do": "invite", "email": "stan@lacuna.example", "name": "Stan Fink", "role": "technician"}
    page = client.post("/people/", form)
    assert page.status_code == 200
    said = page.content.decode()
    assert "the mail to stan@lacuna.example could not be sent" in said
    assert "Take the invitation back, and invite again later." in said
    assert Invitation.objects.filter(email="stan@lacuna.example").count() == 1


@pytest.mark.parametrize(("decision", "state"), [("accept", "accepted"), ("decline", "declined")])
def test_a_decision_stands_and_the_desk_hears_of_it(client: Client, decision: str, state: str) -> None:
    client.force_login(make_user(Role.RECEPTIONIST))
    row = asked()
    page = answer(client, row, decision, follow=True)
    assert page.status_code == 200
    assert "the mail to joel@lacuna.example could not be sent" in page.content.decode()
    assert AppointmentRequest.objects.get(pk=row.pk).state == state


def test_who_wants_a_new_passphrase_learns_that_no_mail_comes(client: Client) -> None:
    make_user(Role.PATIENT, email="joel@lacuna.example")
    page = client.post("/account/password/reset/", {"email": "joel@lacuna.example"})
    assert page.status_code == 503
    assert "Something does not answer." in page.content.decode()


MAILER = """
import django
django.setup()
from django.core import mail
mailer = mail.mailers.default if django.VERSION >= (6, 1) else mail.get_connection()
print(mailer.host, mailer.port, mailer.timeout)
"""


def test_the_mail_server_is_read_from_the_environment_and_given_up_after_five_seconds() -> None:
    server = {
        "LACUNA_MAIL_BACKEND": SMTP,
        "LACUNA_MAIL_HOST": "mail.lacuna.example",
        "LACUNA_MAIL_PORT": "2525",
    }
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "clinic.settings", **server}
    done = subprocess.run([sys.executable, "-c", MAILER], env=env, check=True, capture_output=True, text=True)  # noqa: S603
    assert done.stdout == "mail.lacuna.example 2525 5\n"
