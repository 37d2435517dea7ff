"""The outbox page of a demonstration: people see the mails sent to them or by them."""

import re

import pytest
from django.conf import settings as django_settings
from django.core.mail import send_mail
from django.test import Client

from clinic.accounts.models import Role
from clinic.outbox.models import Mail
from clinic.people.invitations import invite
from tests.factories import make_user
from tests.mailers import send_mail_through
from tests.outgoing import deliver

pytestmark = pytest.mark.django_db


@pytest.fixture
def demonstration(settings: django_settings) -> None:
    settings.LACUNA_DEMO = True
    send_mail_through(settings, "clinic.outbox.backend.OutboxBackend")


@pytest.mark.usefixtures("demonstration")
def test_it_shows_mails_to_the_reader_newest_first(client: Client) -> None:
    desk = make_user(Role.RECEPTIONIST, email="Mary@lacuna.example")
    for number in (1, 2):
        send_mail(f"Letter {number}", "Come to https://lacuna.example/", None, ["mary@lacuna.example"])
    client.force_login(desk)
    page = client.get("/outbox/").content.decode()
    assert page.index("Letter 2") < page.index("Letter 1")
    assert page.count('href="https://lacuna.example/"') == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("demonstration")
def test_nobody_sees_links_that_open_another_persons_account(client: Client) -> None:
    desk, boss = make_user(Role.RECEPTIONIST), make_user(Role.ADMINISTRATOR)
    joel = make_user(Role.PATIENT, email="joel@lacuna.example")
    client.post("/account/password/reset/", {"email": joel.email})
    invite("joel@lacuna.example", "Joel", Role.PATIENT, by=desk, base="https://lacuna.example/")
    invite("joel@lacuna.example", "Joel", Role.DOCTOR, by=boss, base="https://lacuna.example/")
    assert deliver() == 2
    reset, by_desk, by_boss = (mail.body for mail in Mail.objects.order_by("at", "pk"))
    assert "/account/password/reset/key/" in reset
    for reader, sent in ((desk, by_desk), (boss, by_boss)):
        client.force_login(reader)
        page = client.get("/outbox/").content.decode()
        links = set(re.findall(r'href="(https?://[^"]+)"', page))
        assert links == set(re.findall(r"https?://\S+", sent))


def test_without_demonstration_mode_there_is_no_outbox(client: Client, settings: django_settings) -> None:
    settings.LACUNA_DEMO = False
    client.force_login(make_user(Role.RECEPTIONIST))
    assert client.get("/outbox/").status_code == 404
