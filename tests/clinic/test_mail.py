"""The settings of the mail server, and mails that are sent without the queue."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from clinic.accounts.models import Role
from tests.factories import make_user
from tests.mail_server import PASSWORD, USER, Mailbox, mail_server, self_signed
from tests.mailers import SMTP, send_mail_through

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_mail_server(settings: Settings) -> None:
    """Set a mail server address at which nothing listens."""
    send_mail_through(settings, SMTP, host="127.0.0.1", port=1)


def test_a_passphrase_reset_answers_that_the_mail_server_is_unavailable(client: Client) -> None:
    make_user(Role.PATIENT, email="joel@lacuna.example")
    page = client.post("/account/password/reset/", {"email": "joel@lacuna.example"})
    assert page.status_code == 503
    assert "Something does not answer." in page.content.decode()


SEND = """
import django
django.setup()
from django.core.mail import send_mail
try:
    send_mail("Lac[ ]na", "Nothing is lost.", None, ["stan@lacuna.example"])
    print("sent")
except OSError as why:
    print("not sent:", type(why).__name__)
"""


def send_by(mailbox: Mailbox, **settings: str) -> str:
    """Send a mail in a process with these environment variables. Return what the process prints."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LACUNA_MAIL")},
        "DJANGO_SETTINGS_MODULE": "clinic.settings",
        "LACUNA_MAIL_HOST": "127.0.0.1",
        "LACUNA_MAIL_PORT": str(mailbox.port),
        # Where OpenSSL looks for the certificates that it trusts.
        **({"SSL_CERT_FILE": str(mailbox.certificate)} if mailbox.certificate else {}),
        **settings,
    }
    done = subprocess.run([sys.executable, "-c", SEND], env=env, check=True, capture_output=True, text=True)  # noqa: S603
    return done.stdout.strip()


# aiosmtpd warns also if the connection uses TLS from its first byte.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.processes
@pytest.mark.parametrize("security", ["", "starttls", "tls"])
def test_a_mail_reaches_a_server_that_asks_for_a_login(security: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    login = {"LACUNA_MAIL_USER": USER, "LACUNA_MAIL_PASSWORD_FILE": str(tmp_path / "password")}
    with mail_server(tmp_path, security=security, login=True) as mailbox:
        assert send_by(mailbox, LACUNA_MAIL_SECURITY=security, **login) == "sent"
        assert mailbox.to("stan@lacuna.example").strip() == "Nothing is lost."
        wrong = login | {"LACUNA_MAIL_PASSWORD_FILE": "", "LACUNA_MAIL_PASSWORD": "guessed"}
        assert send_by(mailbox, LACUNA_MAIL_SECURITY=security, **wrong) == "not sent: SMTPAuthenticationError"
        assert len(mailbox.messages) == 1


@pytest.mark.processes
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_no_mail_goes_to_a_server_whose_certificate_is_not_trusted(security: str, tmp_path: Path) -> None:
    with mail_server(tmp_path, security=security) as mailbox:
        other = tmp_path / "other"
        other.mkdir()
        result = send_by(mailbox, LACUNA_MAIL_SECURITY=security, SSL_CERT_FILE=str(self_signed(other)))
        assert result == "not sent: SSLCertVerificationError"
        assert mailbox.messages == []


MAILER = """
import django
django.setup()
from django.core import mail
mailer = mail.mailers.default if django.VERSION >= (6, 1) else mail.get_connection()
print(mailer.host, mailer.port, mailer.timeout, mailer.use_tls, mailer.use_ssl)
"""


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LACUNA_MAIL_PORT": "2525"}, "mail.lacuna.example 2525 5 False False"),
        ({}, "mail.lacuna.example 25 5 False False"),
        ({"LACUNA_MAIL_SECURITY": "starttls"}, "mail.lacuna.example 587 5 True False"),
        ({"LACUNA_MAIL_SECURITY": "TLS"}, "mail.lacuna.example 465 5 False True"),
    ],
)
def test_the_mail_server_is_configured_by_environment_with_a_timeout_of_five_seconds(
    variables: dict[str, str], expected: str
) -> None:
    server = {"LACUNA_MAIL_HOST": "mail.lacuna.example", **variables}
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "clinic.settings", **server}
    done = subprocess.run([sys.executable, "-c", MAILER], env=env, check=True, capture_output=True, text=True)  # noqa: S603
    assert done.stdout == f"{expected}\n"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LACUNA_MAIL_SECURITY": "ssl3"}, "LACUNA_MAIL_SECURITY must be starttls, tls, or empty"),
        ({"LACUNA_MAIL_PASSWORD_FILE": "/nowhere/at/all"}, "LACUNA_MAIL_PASSWORD_FILE cannot be read"),
    ],
)
def test_invalid_settings_of_the_mail_server_are_refused_at_start(
    variables: dict[str, str], expected: str
) -> None:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "clinic.settings", **variables}
    command = [sys.executable, "-c", MAILER]
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)  # noqa: S603
    assert done.returncode != 0
    assert expected in done.stderr
