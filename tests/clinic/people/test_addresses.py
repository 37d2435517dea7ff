"""B7. An e-mail address is the same in every form in which its domain can be written."""

from unicodedata import normalize

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from clinic.accounts.models import Invitation, Role, User
from clinic.people.fields import AddressField, NameField
from clinic.people.invitations import Closed, digest, invite, open_invitation
from patients.requests.models import AppointmentRequest
from patients.requests.tickets import new_ticket
from tests.factories import PASSPHRASE, make_user

pytestmark = pytest.mark.django_db
STORED_FORM = "jo@xn--bcher-kva.example"
FORMS = ["jo@bücher.example", "Jo@BÜCHER.example", normalize("NFD", "jo@bücher.example"), STORED_FORM]


@pytest.mark.parametrize("typed", FORMS)
def test_b7_an_account_is_found_by_every_form_of_its_address(typed: str, client: Client) -> None:
    user = make_user(Role.DOCTOR, email="jo@bücher.example")
    assert user.email == STORED_FORM
    assert User.objects.get_by_natural_key(typed) == user
    client.post("/account/login/", {"login": typed, "password": PASSPHRASE})
    assert client.get("/account/password/change/").status_code == 200
    with pytest.raises(IntegrityError), transaction.atomic():
        make_user(Role.DOCTOR, email=typed)


@pytest.mark.parametrize("typed", FORMS)
def test_b7_a_reset_is_mailed_to_the_stored_form(typed: str, client: Client) -> None:
    make_user(Role.DOCTOR, email=STORED_FORM)
    client.post("/account/password/reset/", {"email": typed})
    (message,) = mail.outbox
    assert [address.lower() for address in message.to] == [STORED_FORM]
    assert "/password/reset/key/" in str(message.body)


def test_b7_a_reset_never_goes_to_the_domain_of_the_older_idna(client: Client) -> None:
    """Python's own codec converts straße.example to strasse.example, which may belong to somebody else."""
    make_user(Role.DOCTOR, email="jo@straße.example")
    client.post("/account/password/reset/", {"email": "jo@straße.example"})
    client.post("/account/password/reset/", {"email": "jo@strasse.example"})
    (message, other) = mail.outbox
    assert (message.to, other.to) == (["jo@xn--strae-oqa.example"], ["jo@strasse.example"])
    assert "/password/reset/key/" not in str(other.body)


def test_b7_failed_sign_ins_are_counted_together_for_all_forms(client: Client) -> None:
    user = make_user(Role.DOCTOR, email=STORED_FORM)
    for number in range(10):
        client.post("/account/login/", {"login": FORMS[number % 4], "password": "wrong"})
    client.post("/account/login/", {"login": user.email, "password": PASSPHRASE})
    assert client.get("/account/password/change/").status_code != 200


@pytest.mark.parametrize("typed", FORMS)
def test_b7_an_address_with_an_account_is_not_invited_in_any_form(typed: str, client: Client) -> None:
    make_user(Role.DOCTOR, email=STORED_FORM)
    client.force_login(make_user(Role.ADMINISTRATOR))
    fields = {"do": "invite", "name": "Jo Book", "email": typed, "role": Role.DOCTOR}
    answer = client.post("/people/", fields)
    assert "There is an account for this address already." in answer.content.decode()
    assert not Invitation.objects.exists()


def test_b7_an_invitation_is_for_the_account_with_either_form() -> None:
    made = invite("Jo@Bücher.example", "Jo", Role.DOCTOR, by=make_user(Role.ADMINISTRATOR), base="http://x/")
    assert made.email == "Jo@xn--bcher-kva.example"
    found = Invitation.objects.filter(pk=made.pk)
    found.update(token_digest=digest("token"))
    assert open_invitation("token", existing=make_user(email="jo@bücher.example")) == made
    with pytest.raises(Closed):
        open_invitation("token", existing=make_user(email="jo@bucher.example"))


def test_b7_a_request_is_stored_normalized(client: Client) -> None:
    fields = {
        "name": normalize("NFD", " Nguyễn  Ánh"),
        "email": "Anh@Bücher.example",
        "phone": "",
        "message": normalize("NFD", "Tôi muốn quên."),
        "website": "",
        "ticket": new_ticket(),
    }
    assert client.post(reverse("patients:request"), fields).status_code == 302
    row = AppointmentRequest.objects.get()
    assert (row.name, row.email) == ("Nguyễn Ánh", "Anh@xn--bcher-kva.example")
    assert row.read().message == "Tôi muốn quên."


INVALID = [
    "jo@-bücher.example",
    "jo@xn--zz.example",
    "jo@bücher..example",
    f"jo@{'ü' * 70}.example",
    "@ü",
    "ü@",
    "jo@☃.example",
]


@pytest.mark.parametrize("typed", INVALID)
def test_b7_an_invalid_address_is_refused(typed: str, client: Client) -> None:
    client.force_login(make_user(Role.ADMINISTRATOR))
    fields = {"do": "invite", "name": "Jo Book", "email": typed, "role": Role.DOCTOR}
    answer = client.post("/people/", fields)
    assert answer.status_code == 200
    assert "Enter a valid email address." in answer.content.decode()
    assert client.post("/account/login/", {"login": typed, "password": PASSPHRASE}).status_code < 500


def test_b7_lengths_are_checked_after_normalization() -> None:
    with pytest.raises(ValidationError, match="at most 120 characters"):
        NameField(max_length=120).clean("\u0958" * 61)
    assert NameField(max_length=120).clean("\u0958" * 60) == normalize("NFC", "\u0958" * 60)
    longest = ".".join(["ü" * 40] * 5) + ".example"
    with pytest.raises(ValidationError, match="at most 254 characters"):
        AddressField(max_length=254).clean(f"somebody.of.the.longest@{longest}")
