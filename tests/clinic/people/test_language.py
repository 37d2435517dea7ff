"""Mail to somebody is in the language that they chose."""

import pytest
from django.test import Client
from django.utils.translation import deactivate

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.people.invitations import accept, invite, token_of
from tests.factories import PASSPHRASE, make_user

pytestmark = pytest.mark.django_db


def mail_language_of(user: User) -> str:
    return User.objects.get(pk=user.pk).mail_language


def test_choosing_a_language_changes_that_of_the_mail(client: Client) -> None:
    user, other = make_user(Role.PATIENT), make_user(Role.PATIENT)
    client.force_login(user)
    assert mail_language_of(user) == "en"
    for _again in range(2):
        assert client.post("/language/", {"language": "vi", "next": "/"}).status_code == 302
    assert (mail_language_of(user), mail_language_of(other)) == ("vi", "en")
    (entry,) = Entry.objects.filter(action="person.language-chosen")
    assert (entry.subject, entry.details) == (f"user:{user.pk}", {"language": "vi"})


@pytest.mark.parametrize("language", ["xx", "", "../vi", "v" * 300])
def test_an_unknown_language_changes_nothing(language: str, client: Client) -> None:
    user = make_user(Role.PATIENT)
    client.force_login(user)
    client.post("/language/", {"language": language})
    client.get("/language/", {"language": "vi"})
    assert User.objects.get(pk=user.pk).language == ""


def test_a_stranger_chooses_only_for_their_browser(client: Client) -> None:
    assert client.post("/language/", {"language": "vi", "next": "/"}).status_code == 302
    assert not Entry.objects.exists()


def test_the_first_sign_in_decides_the_language_and_later_ones_do_not() -> None:
    user = make_user(Role.PATIENT)
    for language in ("vi", "en"):
        client = Client(headers={"accept-language": language})
        client.post("/account/login/", {"login": user.email, "password": PASSPHRASE})
        assert User.objects.get(pk=user.pk).language == "vi"


def test_a_person_who_joins_has_the_language_of_the_page() -> None:
    made = invite("a@lacuna.example", "Ánh", Role.DOCTOR, by=make_user(), base="http://x/")
    client = Client(headers={"accept-language": "vi"})
    client.post(f"/invitation/{token_of(made)}/", {"name": "Ánh", "passphrase": PASSPHRASE})
    assert User.objects.get(email="a@lacuna.example").language == "vi"
    deactivate()  # until the next request, the thread keeps the language of the last one
    other = invite("b@lacuna.example", "Stan", Role.DOCTOR, by=make_user(), base="http://x/")
    assert accept(token_of(other), passphrase=PASSPHRASE).language == "en"
