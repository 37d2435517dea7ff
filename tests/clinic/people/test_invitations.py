"""A8: an invitation opens one account, once, for one address, for a while; looking at it uses nothing."""

import logging
import re
import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import Invitation, Role, User
from clinic.audit.models import Entry
from clinic.outbox.models import Mail
from clinic.people.invitations import Closed, accept, digest, invite, open_invitation, take_back, waiting
from clinic.people.redaction import WithoutTokens
from patients.cases.models import Case
from tests.factories import PASSPHRASE, make_user

pytestmark = pytest.mark.django_db
ADDRESS = "stan@lacuna.example"


@pytest.fixture
def admin() -> User:
    return make_user(Role.ADMINISTRATOR)


def invited(admin: User, role: str = Role.TECHNICIAN, email: str = ADDRESS) -> str:
    """Invite somebody and return the token from the mail: there is no other place to have it from."""
    start = len(mail.outbox)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction, "on_commit", lambda told: told())
        with transaction.atomic():
            invite(email, "Stan Fink", role, by=admin, base="https://lacuna.example/")
    (message,) = mail.outbox[start:]
    assert message.to == [email]
    found = re.search(r"https://lacuna\.example/invitation/([\w-]+)/", str(message.body))
    assert found
    return found.group(1)


def come_in(client: Client, token: str, passphrase: str = PASSPHRASE) -> int:
    return client.post(f"/invitation/{token}/", {"name": "Stan F.", "passphrase": passphrase}).status_code


def test_whoever_is_invited_comes_in_with_a_passphrase_of_their_own(admin: User, client: Client) -> None:
    token = invited(admin)
    for _look in range(2):
        page = client.get(f"/invitation/{token}/")
        assert page.status_code == 200
        assert ADDRESS in page.content.decode()
    assert Invitation.objects.get().used_at is None
    assert come_in(client, token) == 302
    user = User.objects.get(email=ADDRESS)
    assert (user.name, user.roles) == ("Stan F.", frozenset({Role.TECHNICIAN}))
    assert client.get("/account/password/change/").status_code == 200
    made = Invitation.objects.get()
    assert (made.used_by, made.used_at is not None) == (user, True)
    who = f"user:{user.pk}"
    acts = [(entry.action, entry.actor) for entry in Entry.objects.order_by("index")]
    assert acts == [("person.invited", f"user:{admin.pk}"), ("person.joined", who), ("person.signed-in", who)]


def test_a_patient_who_comes_in_has_a_file(admin: User, client: Client) -> None:
    assert come_in(client, invited(admin, Role.PATIENT)) == 302
    assert Case.objects.get().patient.email == ADDRESS


def test_it_is_used_once(admin: User) -> None:
    token = invited(admin)
    assert come_in(Client(), token) == 302
    assert come_in(Client(), token) == 410
    assert Client().get(f"/invitation/{token}/").status_code == 410
    assert User.objects.filter(email=ADDRESS).count() == 1


def test_it_expires(admin: User, client: Client) -> None:
    token = invited(admin)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(f"/invitation/{token}/").status_code == 410
    assert come_in(client, token) == 410
    assert not User.objects.filter(email=ADDRESS).exists()


def test_it_can_be_taken_back(admin: User, client: Client) -> None:
    token = invited(admin)
    (row,) = waiting()
    assert take_back(row.pk, by=admin)
    assert not take_back(row.pk, by=admin)
    assert come_in(client, token) == 410
    assert Entry.objects.filter(action="person.invitation-withdrawn").count() == 1


def test_a_made_up_token_opens_nothing(client: Client) -> None:
    assert client.get("/invitation/made-up/").status_code == 410


def test_a_weak_passphrase_uses_nothing_up(admin: User, client: Client) -> None:
    token = invited(admin)
    for weak in ("short", "password123", "Lacuna2004!", "Lac[ ]na 2004", "Stan F. 12"):
        assert come_in(client, token, weak) == 200
    assert not User.objects.filter(email=ADDRESS).exists()
    assert come_in(client, token) == 302


def test_more_fields_than_asked_for_change_nothing(admin: User, client: Client) -> None:
    token = invited(admin)
    fields = {"name": "Stan", "passphrase": PASSPHRASE, "role": "administrator", "email": "x@lacuna.example"}
    client.post(f"/invitation/{token}/", fields)
    assert User.objects.get(email=ADDRESS).roles == frozenset({Role.TECHNICIAN})


def test_who_has_an_account_signs_in_and_gains_the_role(admin: User) -> None:
    user = make_user(Role.TECHNICIAN, email=ADDRESS)
    token = invited(admin, Role.PATIENT, "Stan@Lacuna.example")
    client, elsewhere = Client(), Client()
    page = client.get(f"/invitation/{token}/").content.decode()
    assert f"/account/login/?next=%2Finvitation%2F{token}%2F" in page
    assert come_in(client, token) == 200, "a passphrase for an account that exists is not taken"
    assert Invitation.objects.get().used_at is None
    client.force_login(user)
    elsewhere.force_login(user)
    assert client.post(f"/invitation/{token}/").status_code == 302
    user.forget_roles()
    assert user.roles == frozenset({Role.TECHNICIAN, Role.PATIENT})
    assert client.get("/account/password/change/").status_code == 200
    assert elsewhere.get("/account/password/change/").status_code == 302
    user.refresh_from_db()
    assert user.check_password(PASSPHRASE)


def test_somebody_elses_invitation_is_closed(admin: User, client: Client) -> None:
    token = invited(admin)
    client.force_login(make_user(Role.DOCTOR))
    assert client.get(f"/invitation/{token}/").status_code == 410
    assert client.post(f"/invitation/{token}/").status_code == 410
    assert Invitation.objects.get().used_at is None


def test_the_database_and_the_log_know_no_token(admin: User, client: Client) -> None:
    token = invited(admin)
    come_in(client, token)
    assert Invitation.objects.get().token_digest == digest(token)
    rows = [*Invitation.objects.all(), *Entry.objects.all(), *Mail.objects.all(), *Session.objects.all()]
    assert token not in " ".join(str(row.__dict__) for row in rows)
    sessions = [str(row.get_decoded()) for row in Session.objects.all()]
    assert len(sessions) == 1
    assert token not in sessions[0]


@pytest.mark.parametrize(
    "line",
    [
        "Gone: /invitation/{}/",
        "Forbidden (CSRF cookie not set.): /invitation/{}/",
        "GET /account/login/?next=%2Finvitation%2F{}%2F 200",
        "Not Found: /account/password/reset/key/1z-{}/",
    ],
)
def test_no_line_of_the_servers_log_shows_a_token(line: str) -> None:
    token = "Zm9yZ2V0LW1lLW5vdA_cq-x1"
    for message, args in ((line.format(token), ()), (line.replace("%", "%%").replace("{}", "%s"), (token,))):
        record = logging.LogRecord("django.request", logging.WARNING, "", 0, message, args, None)
        assert WithoutTokens().filter(record)
        assert token not in record.getMessage()
        assert "[ ]" in record.getMessage()


def test_every_handler_of_the_house_hides_tokens() -> None:
    assert settings.LOGGING["handlers"]
    assert all("without_tokens" in handler["filters"] for handler in settings.LOGGING["handlers"].values())
    (ours,) = (one for one in logging.getLogger("lacuna").handlers if type(one) is logging.StreamHandler)
    assert any(isinstance(one, WithoutTokens) for one in ours.filters)


def test_a_line_that_cannot_be_formatted_is_not_the_filters_business() -> None:
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, "%d", ("word",), None)
    assert WithoutTokens().filter(record)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_come_in_at_once_one_does() -> None:
    token = invited(make_user(Role.ADMINISTRATOR), Role.PATIENT)
    together, outcomes = threading.Barrier(2), []

    def attempt(number: int) -> None:
        together.wait(10)
        try:
            accept(token, name=f"Number {number}", passphrase=PASSPHRASE)
            outcomes.append("in")
        except Closed:
            outcomes.append("closed")
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["closed", "in"]
    assert (User.objects.filter(email=ADDRESS).count(), Case.objects.count()) == (1, 1)


def test_the_second_use_is_refused_by_the_update_itself(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    token = invited(admin)
    stale = open_invitation(token)
    accept(token, name="First", passphrase=PASSPHRASE)
    monkeypatch.setattr("clinic.people.invitations.open_invitation", lambda *_args, **_kwargs: stale)
    with pytest.raises(Closed):
        accept(token, name="Second", passphrase=PASSPHRASE, existing=User.objects.get(email=ADDRESS))
