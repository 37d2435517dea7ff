"""A8: an invitation works once, for one address, until it expires. Opening its page does not use it up."""

import logging
import re
from datetime import timedelta
from functools import partial

import pytest
from django.conf import LazySettings, settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import Invitation, Role, User
from clinic.audit.models import Entry
from clinic.outbox.models import Mail
from clinic.outgoing.models import OutgoingMessage
from clinic.people.invitations import (
    Closed,
    accept,
    digest,
    invite,
    open_invitation,
    take_back,
    token_of,
    waiting,
)
from clinic.people.redaction import WithoutTokens
from patients.cases.models import Case
from tests.factories import PASSPHRASE, make_user
from tests.outgoing import deliver, due_now
from tests.threads import at_once

pytestmark = pytest.mark.django_db
ADDRESS = "stan@lacuna.example"


@pytest.fixture
def admin() -> User:
    return make_user(Role.ADMINISTRATOR)


def invite_and_read_token(admin: User, role: str = Role.TECHNICIAN, email: str = ADDRESS) -> str:
    """Invite somebody and return the token. It is only in the mail."""
    start = len(mail.outbox)
    invite(email, "Stan Fink", role, by=admin, base="https://lacuna.example/")
    assert deliver() == 1
    (message,) = mail.outbox[start:]
    assert message.to == [email]
    found = re.search(r"https://lacuna\.example/invitation/([\w-]+)/", str(message.body))
    assert found
    return found.group(1)


def accept_invitation(client: Client, token: str, passphrase: str = PASSPHRASE) -> int:
    return client.post(f"/invitation/{token}/", {"name": "Stan F.", "passphrase": passphrase}).status_code


def test_an_invited_person_gets_an_account_with_the_chosen_passphrase(admin: User, client: Client) -> None:
    token = invite_and_read_token(admin)
    for _look in range(2):
        page = client.get(f"/invitation/{token}/")
        assert page.status_code == 200
        assert ADDRESS in page.content.decode()
    assert Invitation.objects.get().used_at is None
    assert accept_invitation(client, token) == 302
    user = User.objects.get(email=ADDRESS)
    assert (user.name, user.roles) == ("Stan F.", frozenset({Role.TECHNICIAN}))
    assert client.get("/account/password/change/").status_code == 200
    made = Invitation.objects.get()
    assert (made.used_by, made.used_at is not None) == (user, True)
    who = f"user:{user.pk}"
    actions = [(entry.action, entry.actor) for entry in Entry.objects.order_by("index")]
    assert actions == [
        ("person.invited", f"user:{admin.pk}"),
        ("person.joined", who),
        ("person.signed-in", who),
    ]


def test_an_invited_patient_gets_a_case(admin: User, client: Client) -> None:
    assert accept_invitation(client, invite_and_read_token(admin, Role.PATIENT)) == 302
    assert Case.objects.get().patient.email == ADDRESS


def test_an_invitation_works_once(admin: User) -> None:
    token = invite_and_read_token(admin)
    assert accept_invitation(Client(), token) == 302
    assert accept_invitation(Client(), token) == 410
    assert Client().get(f"/invitation/{token}/").status_code == 410
    assert User.objects.filter(email=ADDRESS).count() == 1


def test_an_invitation_expires(admin: User, client: Client) -> None:
    token = invite_and_read_token(admin)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(f"/invitation/{token}/").status_code == 410
    assert accept_invitation(client, token) == 410
    assert not User.objects.filter(email=ADDRESS).exists()


def test_an_invitation_can_be_taken_back(admin: User, client: Client) -> None:
    token = invite_and_read_token(admin)
    (row,) = waiting()
    assert take_back(row.pk, by=admin)
    assert not take_back(row.pk, by=admin)
    assert accept_invitation(client, token) == 410
    assert Entry.objects.filter(action="person.invitation-withdrawn").count() == 1


def test_the_database_has_no_token_while_the_mail_waits(admin: User) -> None:
    made = invite(ADDRESS, "Stan Fink", Role.TECHNICIAN, by=admin, base="https://lacuna.example/")
    rows = [*OutgoingMessage.objects.all(), *Invitation.objects.all(), *Entry.objects.all()]
    assert len(rows) == 3
    assert token_of(made) not in " ".join(str(row.__dict__) for row in rows)


def test_after_a_change_of_the_secret_key_no_dead_link_is_mailed(admin: User, settings: LazySettings) -> None:
    invite(ADDRESS, "Stan Fink", Role.TECHNICIAN, by=admin, base="https://lacuna.example/")
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another"
    assert deliver() == 0
    assert OutgoingMessage.objects.get().reason == "fault"
    settings.SECRET_KEY_FALLBACKS = [former]
    due_now()
    assert deliver() == 1


@pytest.mark.parametrize("end", ["take back", "accept"])
def test_no_mail_follows_when_the_invitation_is_over(end: str, admin: User, client: Client) -> None:
    made = invite(ADDRESS, "Stan Fink", Role.TECHNICIAN, by=admin, base="https://lacuna.example/")
    if end == "accept":
        accept(token_of(made), passphrase=PASSPHRASE)
    else:
        take_back(made.pk, by=admin)
    assert OutgoingMessage.objects.get().status == "cancelled"
    assert deliver() == 0


def test_an_expired_invitation_is_not_mailed(admin: User) -> None:
    invite(ADDRESS, "Stan Fink", Role.TECHNICIAN, by=admin, base="https://lacuna.example/")
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert deliver() == 0
    assert OutgoingMessage.objects.get().status == "cancelled"


def test_a_made_up_token_opens_nothing(client: Client) -> None:
    assert client.get("/invitation/made-up/").status_code == 410


def test_a_weak_passphrase_does_not_use_up_the_invitation(admin: User, client: Client) -> None:
    token = invite_and_read_token(admin)
    for weak in ("short", "password123", "Lacuna2004!", "Lac[ ]na 2004", "Stan F. 12"):
        assert accept_invitation(client, token, weak) == 200
    assert not User.objects.filter(email=ADDRESS).exists()
    assert accept_invitation(client, token) == 302


def test_extra_form_fields_are_ignored(admin: User, client: Client) -> None:
    token = invite_and_read_token(admin)
    fields = {"name": "Stan", "passphrase": PASSPHRASE, "role": "administrator", "email": "x@lacuna.example"}
    client.post(f"/invitation/{token}/", fields)
    assert User.objects.get(email=ADDRESS).roles == frozenset({Role.TECHNICIAN})


def test_a_person_with_an_account_signs_in_and_gains_the_role(admin: User) -> None:
    user = make_user(Role.TECHNICIAN, email=ADDRESS)
    token = invite_and_read_token(admin, Role.PATIENT, "Stan@lacuna.example")
    client, elsewhere = Client(), Client()
    page = client.get(f"/invitation/{token}/").content.decode()
    assert f"/account/login/?next=%2Finvitation%2F{token}%2F" in page
    assert accept_invitation(client, token) == 200, "a passphrase for an account that exists is not taken"
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


def test_another_persons_invitation_is_refused(admin: User, client: Client) -> None:
    token = invite_and_read_token(admin)
    client.force_login(make_user(Role.DOCTOR))
    assert client.get(f"/invitation/{token}/").status_code == 410
    assert client.post(f"/invitation/{token}/").status_code == 410
    assert Invitation.objects.get().used_at is None


def test_the_database_and_the_audit_log_contain_no_token(admin: User, client: Client) -> None:
    token = invite_and_read_token(admin)
    accept_invitation(client, token)
    assert Invitation.objects.get().token_digest == digest(token)
    rows = [
        *OutgoingMessage.objects.all(),
        *Invitation.objects.all(),
        *Entry.objects.all(),
        *Mail.objects.all(),
        *Session.objects.all(),
    ]
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
def test_server_log_lines_show_no_token(line: str) -> None:
    token = "Zm9yZ2V0LW1lLW5vdA_cq-x1"
    for message, args in ((line.format(token), ()), (line.replace("%", "%%").replace("{}", "%s"), (token,))):
        record = logging.LogRecord("django.request", logging.WARNING, "", 0, message, args, None)
        assert WithoutTokens().filter(record)
        assert token not in record.getMessage()
        assert "[ ]" in record.getMessage()


def test_every_log_handler_hides_tokens() -> None:
    assert settings.LOGGING["handlers"]
    assert all("without_tokens" in handler["filters"] for handler in settings.LOGGING["handlers"].values())
    (ours,) = (one for one in logging.getLogger("lacuna").handlers if type(one) is logging.StreamHandler)
    assert any(isinstance(one, WithoutTokens) for one in ours.filters)


def test_the_filter_passes_log_records_that_cannot_be_formatted() -> None:
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, "%d", ("word",), None)
    assert WithoutTokens().filter(record)


@pytest.mark.django_db(transaction=True)
def test_of_two_concurrent_acceptances_one_succeeds() -> None:
    token = invite_and_read_token(make_user(Role.ADMINISTRATOR), Role.PATIENT)
    attempts = [partial(accept, token, name=f"Number {number}", passphrase=PASSPHRASE) for number in range(2)]
    accepted, closed = at_once(*attempts, refusal=Closed)
    assert (len(accepted), len(closed)) == (1, 1)
    assert (User.objects.filter(email=ADDRESS).count(), Case.objects.count()) == (1, 1)


def test_the_second_use_is_refused_by_the_update_itself(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    token = invite_and_read_token(admin)
    stale = open_invitation(token)
    accept(token, name="First", passphrase=PASSPHRASE)
    monkeypatch.setattr("clinic.people.invitations.open_invitation", lambda *_args, **_kwargs: stale)
    with pytest.raises(Closed):
        accept(token, name="Second", passphrase=PASSPHRASE, existing=User.objects.get(email=ADDRESS))
