"""A1 to A3, A9 to A11: signing in, passphrases, throttling, and what ends a session."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.test import Client

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.people.changes import change_roles, set_active
from tests.factories import PASSPHRASE, make_user

pytestmark = pytest.mark.django_db
LOGIN = "/account/login/"


def sign_in(client: Client, email: str, passphrase: str = PASSPHRASE, **more: Any) -> Any:
    return client.post(LOGIN, {"login": email, "password": passphrase, **more})


def signed_in(client: Client) -> bool:
    return client.get("/account/password/change/").status_code == 200


def recorded_actions(*actions: str) -> list[tuple[str, str, str]]:
    entries = Entry.objects.filter(action__in=actions).order_by("index")
    return [(entry.action, entry.actor, entry.subject) for entry in entries]


def test_signing_in_and_out_is_recorded(client: Client) -> None:
    user = make_user(Role.DOCTOR)
    assert sign_in(client, user.email)["Location"] == "/"
    assert signed_in(client)
    client.post("/account/logout/")
    assert not signed_in(client)
    who = f"user:{user.pk}"
    assert recorded_actions("person.signed-in", "person.signed-out", "person.sign-in-failed") == [
        ("person.signed-in", who, who),
        ("person.signed-out", who, who),
    ]


def test_an_email_address_is_matched_in_any_case(client: Client) -> None:
    make_user(Role.DOCTOR, email="Howard.M@Lacuna.Example")
    assert sign_in(client, "HOWARD.m@lacuna.example").status_code == 302
    assert signed_in(client)


@pytest.mark.parametrize(
    "passphrase",
    [
        "x" * 63 + "y1",
        "mùa đông, bãi biển, và tiếng sóng",
        "  spaces before and after  ",
        "🌊" * 70,
        "q9" * 500,
    ],
)
def test_a1_every_character_of_a_passphrase_counts(passphrase: str, client: Client) -> None:
    user = User.objects.create_user("long@lacuna.example", passphrase, name="Somebody")
    assert sign_in(client, user.email, passphrase[:-1]).status_code == 200
    assert not signed_in(client)
    assert sign_in(client, user.email, passphrase).status_code == 302
    assert signed_in(client)


def test_a2_failed_sign_ins_look_the_same_for_known_and_unknown_accounts(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashes.append(password)
        return encode(self, password, salt)

    make_user(Role.DOCTOR, email="known@lacuna.example")
    make_user(Role.DOCTOR, email="closed@lacuna.example", is_active=False)
    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    answers = []
    for word in ("known", "closed", "nobody"):
        hashes.clear()
        answer = sign_in(client, f"{word}@lacuna.example", "not the passphrase")
        page = answer.content.decode().replace(f"{word}@", "@").replace(str(answer.context["csrf_token"]), "")
        answers.append((answer.status_code, page, len(hashes)))
    assert answers[0][2] == 1
    assert answers[0] == answers[1] == answers[2]


def test_a2_passphrase_resets_look_the_same_for_known_and_unknown_accounts(client: Client) -> None:
    make_user(Role.DOCTOR, email="known@lacuna.example")
    answers = [
        client.post("/account/password/reset/", {"email": f"{word}@lacuna.example"})
        for word in ("known", "nobody")
    ]
    assert [(answer.status_code, answer["Location"]) for answer in answers] == [
        (302, "/account/password/reset/done/")
    ] * 2
    assert [message.to for message in mail.outbox] == [["known@lacuna.example"], ["nobody@lacuna.example"]]
    assert "/password/reset/key/" in str(mail.outbox[0].body)
    assert "/password/reset/key/" not in str(mail.outbox[1].body)


def test_failed_sign_ins_are_recorded_without_what_was_typed(client: Client) -> None:
    user = make_user(Role.DOCTOR)
    closed = make_user(Role.DOCTOR, is_active=False)
    sign_in(client, user.email, "hunter2 hunter2")
    sign_in(client, "nobody@lacuna.example", "hunter2 hunter2")
    answer = sign_in(client, closed.email)
    assert answer["Location"] == "/account/inactive/"
    assert not signed_in(client)
    assert recorded_actions("person.sign-in-failed", "person.signed-in") == [
        ("person.sign-in-failed", "visitor", f"user:{user.pk}"),
        ("person.sign-in-failed", "visitor", "user:unknown"),
        ("person.sign-in-failed", "visitor", f"user:{closed.pk}"),
    ]
    recorded = " ".join(str(entry.__dict__) for entry in Entry.objects.all())
    assert "hunter2" not in recorded
    assert "nobody@" not in recorded


def test_a3_throttling_is_per_account_and_does_not_affect_others(client: Client) -> None:
    attacked = make_user(Role.DOCTOR)
    neighbour = make_user(Role.DOCTOR)
    for number in range(10):
        forged = {"HTTP_X_FORWARDED_FOR": f"198.51.100.{number}"}
        answer = client.post(LOGIN, {"login": attacked.email, "password": "wrong"}, **forged)
        assert answer.status_code == 200
    sign_in(client, attacked.email)
    assert not signed_in(client), "even the right passphrase waits"
    sign_in(client, neighbour.email)
    assert signed_in(client)


def test_a9_changing_roles_or_closing_the_account_ends_its_sessions(client: Client) -> None:
    admin, user = make_user(Role.ADMINISTRATOR), make_user(Role.DOCTOR)
    sign_in(client, user.email)
    change_roles(user, {Role.TECHNICIAN}, by=admin)
    assert not signed_in(client)
    sign_in(client, user.email)
    assert signed_in(client)
    set_active(user, False, by=admin)
    assert not signed_in(client)


def test_a9_a_new_passphrase_ends_the_other_sessions_and_is_recorded() -> None:
    user, here, there = make_user(Role.DOCTOR), Client(), Client()
    sign_in(here, user.email)
    sign_in(there, user.email)
    new = "another, longer winter"
    answer = here.post(
        "/account/password/change/", {"oldpassword": PASSPHRASE, "password1": new, "password2": new}
    )
    assert answer.status_code == 302
    assert signed_in(here)
    assert not signed_in(there)
    assert len(recorded_actions("person.passphrase-changed")) == 1


def test_a11_reauthentication_needs_this_persons_passphrase(client: Client) -> None:
    user = make_user(Role.DOCTOR)
    client.force_login(user)
    page = "/account/reauthenticate/"
    assert client.post(page, {"password": "wrong"}).status_code == 200
    answer = client.post(f"{page}?next=/today/", {"password": PASSPHRASE, "next": "/today/"})
    assert (answer.status_code, answer["Location"]) == (302, "/today/")


def test_a11_another_persons_passphrase_is_refused(client: Client) -> None:
    """Even if allauth's EmailAddress table assigns the address to the other person."""
    user = make_user(Role.DOCTOR)
    other = User.objects.create_user("other@lacuna.example", "another, longer winter", name="Somebody")
    EmailAddress.objects.create(user=other, email=user.email, verified=True)
    client.force_login(user)
    answer = client.post("/account/reauthenticate/", {"password": "another, longer winter"})
    assert answer.status_code == 200
    assert "password" in answer.context["form"].errors


@pytest.mark.parametrize(
    "hostile", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_a11_a_hostile_next_is_refused(hostile: str, client: Client) -> None:
    user = make_user(Role.DOCTOR)
    assert sign_in(client, user.email, next=hostile)["Location"] == "/"


@pytest.mark.parametrize("method", ["get", "post"])
def test_there_is_no_open_sign_up(method: str, client: Client) -> None:
    answer = getattr(client, method)(
        "/account/signup/", {"email": "me@lacuna.example", "password1": PASSPHRASE, "password2": PASSPHRASE}
    )
    assert answer.status_code == (200 if method == "get" else 405)
    assert not User.objects.exists()


def test_nobody_changes_their_own_address(client: Client) -> None:
    user = make_user(Role.DOCTOR)
    client.force_login(user)
    answer = client.post("/account/email/", {"email": "else@lacuna.example", "action_add": ""})
    assert answer.status_code == 403


@pytest.mark.parametrize("next_url", ["http://[", "//[x", "http://\u2100.example/"])
def test_an_invalid_next_address_is_ignored(client: Client, next_url: str) -> None:
    assert client.get(LOGIN, {"next": next_url}).status_code == 200
    assert sign_in(client, make_user().email, next=next_url)["Location"] == "/"
