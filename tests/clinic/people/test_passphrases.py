"""B7. A passphrase is accepted, however the keyboard encodes its letters (RFC 8265)."""

from typing import Any
from unicodedata import normalize

import pytest
from allauth.core import context
from django.contrib.auth.hashers import MD5PasswordHasher, make_password
from django.core import mail
from django.test import Client, RequestFactory

from clinic.accounts.models import Role, User
from clinic.people.adapter import AccountAdapter
from clinic.people.changes import set_active
from tests.factories import PASSPHRASE, make_user

pytestmark = pytest.mark.django_db
LOGIN = "/account/login/"
COMPOSED = "bãi biển mùa đông"
DECOMPOSED = normalize("NFD", COMPOSED)
FORMS = {"composed": COMPOSED, "decomposed": DECOMPOSED, "spaces": COMPOSED.replace(" ", "\u00a0")}


def can_sign_in(user: User, passphrase: str) -> bool:
    client = Client()
    client.post(LOGIN, {"login": user.email, "password": passphrase})
    return client.get("/account/password/change/").status_code == 200


def store_unnormalized(user: User, passphrase: str) -> str:
    """Store a passphrase as earlier releases did: the hash of what the keyboard sent."""
    user.password = make_password(passphrase)
    User.objects.filter(pk=user.pk).update(password=user.password)
    return user.password


def stored_hash(user: User) -> str:
    return User.objects.get(pk=user.pk).password


@pytest.mark.parametrize("chosen", FORMS)
@pytest.mark.parametrize("typed", FORMS)
def test_b7_every_form_of_a_passphrase_is_accepted(chosen: str, typed: str) -> None:
    user = make_user(Role.DOCTOR)
    user.set_password(FORMS[chosen])
    user.save()
    assert can_sign_in(user, FORMS[typed])
    assert not can_sign_in(user, normalize("NFKD", "bai bien mua dong"))
    assert not can_sign_in(user, FORMS[typed].upper())


@pytest.mark.parametrize("chosen", ["composed", "decomposed"])
@pytest.mark.parametrize("typed", ["composed", "decomposed"])
def test_b7_a_passphrase_of_an_earlier_release_is_accepted_and_hashed_anew(chosen: str, typed: str) -> None:
    user = make_user(Role.DOCTOR)
    before = store_unnormalized(user, FORMS[chosen])
    assert can_sign_in(user, FORMS[typed])
    assert (stored_hash(user) == before) is (chosen == "composed")
    assert can_sign_in(user, COMPOSED)
    again = stored_hash(user)
    assert can_sign_in(user, DECOMPOSED)
    assert stored_hash(user) == again


def test_b7_a_passphrase_stored_with_no_break_spaces_is_hashed_anew_when_it_is_typed_so() -> None:
    user = make_user(Role.DOCTOR)
    store_unnormalized(user, FORMS["spaces"])
    assert not can_sign_in(user, COMPOSED)
    assert can_sign_in(user, FORMS["spaces"])
    assert can_sign_in(user, COMPOSED)


def test_b7_reauthentication_does_not_rehash_and_does_not_end_the_session(client: Client) -> None:
    user = make_user(Role.DOCTOR)
    before = store_unnormalized(user, DECOMPOSED)
    client.force_login(user)
    answer = client.post("/account/reauthenticate/", {"password": COMPOSED})
    assert answer.status_code == 302
    assert stored_hash(user) == before
    assert client.get("/account/password/change/").status_code == 200


def test_b7_a_passphrase_that_was_changed_meanwhile_is_not_hashed_anew() -> None:
    user = make_user(Role.DOCTOR)
    store_unnormalized(user, DECOMPOSED)
    checked = User.objects.get(pk=user.pk)
    now = store_unnormalized(user, PASSPHRASE)
    checked.rehash_passphrase(COMPOSED)
    assert stored_hash(user) == now


@pytest.mark.parametrize("typed", [PASSPHRASE, COMPOSED, DECOMPOSED, FORMS["spaces"], "tab\tand \ud7ff"])
def test_b7_as_many_hashes_for_known_and_unknown_accounts(
    typed: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashes.append(password)
        return encode(self, password, salt)

    make_user(Role.DOCTOR, email="known@lacuna.example").set_password("another quiet beach")
    older = make_user(Role.DOCTOR, email="older@lacuna.example")
    store_unnormalized(older, normalize("NFD", "một bãi biển khác"))
    closed = make_user(Role.DOCTOR, email="closed@lacuna.example")
    set_active(closed, False, by=make_user(Role.ADMINISTRATOR))
    unusable = make_user(Role.DOCTOR, email="unusable@lacuna.example")
    unusable.set_password(None)
    unusable.save()
    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    counts = []
    for word in ("known", "older", "closed", "unusable", "nobody"):
        hashes.clear()
        assert (
            client.post(LOGIN, {"login": f"{word}@lacuna.example", "password": f"{typed} not"}).status_code
            == 200
        )
        counts.append(len(hashes))
    # One hash for each form that is tried: as typed, normalized, and decomposed, if these differ.
    expected = {PASSPHRASE: 1, FORMS["spaces"]: 3, "tab\tand \ud7ff": 1}.get(typed, 2)
    assert counts == [expected] * 5


INVISIBLE = ["a quiet\u200bwinter beach", "a quiet winter\u0007 beach", "a quiet winter beach \u0378"]


@pytest.mark.parametrize("passphrase", INVISIBLE)
def test_b7_a_new_passphrase_with_invisible_characters_is_refused(passphrase: str, client: Client) -> None:
    user = make_user(Role.DOCTOR)
    client.force_login(user)
    client.post("/account/reauthenticate/", {"password": PASSPHRASE})
    fields = {"oldpassword": PASSPHRASE, "password1": passphrase, "password2": passphrase}
    answer = client.post("/account/password/change/", fields)
    assert answer.status_code == 200
    assert "sign that another keyboard could not type again" in answer.content.decode()
    assert User.objects.get(pk=user.pk).check_password(PASSPHRASE)
    assert client.post(LOGIN, {"login": user.email, "password": passphrase}).status_code < 500


def test_b7_a_new_passphrase_may_be_typed_decomposed(client: Client) -> None:
    user = make_user(Role.DOCTOR)
    client.force_login(user)
    client.post("/account/reauthenticate/", {"password": PASSPHRASE})
    fields = {"oldpassword": PASSPHRASE, "password1": DECOMPOSED, "password2": DECOMPOSED}
    assert client.post("/account/password/change/", fields).status_code == 302
    assert can_sign_in(user, COMPOSED)


def test_b7_a_reset_passphrase_is_normalized(client: Client) -> None:
    user = make_user(Role.DOCTOR)
    client.post("/account/password/reset/", {"email": user.email})
    body = str(mail.outbox[0].body)
    link = next(word for word in body.split() if "/password/reset/key/" in word)
    page: Any = client.get(link, follow=True)
    path = page.redirect_chain[-1][0]
    assert client.post(path, {"password1": DECOMPOSED, "password2": DECOMPOSED}).status_code == 302
    assert can_sign_in(user, COMPOSED)


def test_b7_reauthentication_accepts_every_form() -> None:
    user = make_user(Role.DOCTOR)
    user.set_password(COMPOSED)
    user.save()
    assert user.check_password(DECOMPOSED)
    request = RequestFactory().get("/")
    request.user = user
    with context.request_context(request):
        assert AccountAdapter(request).reauthenticate(user, DECOMPOSED)
        assert not AccountAdapter(request).reauthenticate(user, "something else")
