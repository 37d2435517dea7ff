"""The outbox: read by the front desk in a demonstration, and nowhere else."""

import pytest
from django.conf import settings as django_settings
from django.core.mail import send_mail
from django.test import Client

from clinic.accounts.models import Role
from tests.factories import make_user
from tests.mailers import send_mail_through

pytestmark = pytest.mark.django_db


def test_it_shows_what_was_sent_newest_first(client: Client, settings: django_settings) -> None:
    settings.LACUNA_DEMO = True
    send_mail_through(settings, "clinic.outbox.backend.OutboxBackend")
    for number in (1, 2):
        send_mail(f"Letter {number}", "Come to https://lacuna.example/", None, ["joel@lacuna.example"])
    client.force_login(make_user(Role.RECEPTIONIST))
    page = client.get("/outbox/").content.decode()
    assert page.index("Letter 2") < page.index("Letter 1")
    assert page.count('href="https://lacuna.example/"') == 2


def test_a_house_that_is_no_demonstration_has_none(client: Client, settings: django_settings) -> None:
    settings.LACUNA_DEMO = False
    client.force_login(make_user(Role.RECEPTIONIST))
    assert client.get("/outbox/").status_code == 404
