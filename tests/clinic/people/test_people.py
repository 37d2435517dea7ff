"""The administrator's pages: who has an account, with which roles, and its end."""

import re

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks

from clinic.accounts.models import Invitation, Role, User
from clinic.audit.models import Entry
from clinic.people.invitations import invite
from clinic.people.validators import ClinicNameValidator
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> User:
    user = make_user(Role.ADMINISTRATOR, name="Anna Clerk")
    client.force_login(user)
    return user


def actions() -> list[str]:
    return list(Entry.objects.order_by("index").values_list("action", flat=True))


def roles_of(user: User) -> set[str]:
    return set(User.objects.get(pk=user.pk).roles)


def test_staff_are_invited_by_mail(
    admin: User, client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    fields = {
        "do": "invite",
        "name": "Patrick Wertz",
        "email": "patrick@lacuna.example",
        "role": "technician",
    }
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post("/people/", fields).status_code == 302
    made = Invitation.objects.get()
    assert (made.email, made.role, made.invited_by) == ("patrick@lacuna.example", "technician", admin)
    (message,) = mail.outbox
    assert message.to == ["patrick@lacuna.example"]
    assert re.search(r"http://testserver/invitation/[\w-]{43}/", str(message.body))
    assert actions() == ["person.invited"]
    page = client.get("/people/").content.decode()
    assert "Patrick Wertz" in page
    assert client.post("/people/", {"do": "take-back", "invitation": str(made.pk)}).status_code == 302
    assert "Patrick Wertz" not in client.get("/people/").content.decode()
    assert actions() == ["person.invited", "person.invitation-withdrawn"]


@pytest.mark.parametrize(
    "change", [{"email": "no address"}, {"role": "patient"}, {"role": "root"}, {"name": ""}, {"do": "other"}]
)
def test_a_faulty_invitation_sends_nothing(change: dict[str, str], admin: User, client: Client) -> None:
    fields = {"do": "invite", "name": "Patrick", "email": "patrick@lacuna.example", "role": "technician"}
    assert client.post("/people/", fields | change).status_code == 200
    assert not Invitation.objects.exists()


def test_an_address_with_an_account_is_not_invited_again(admin: User, client: Client) -> None:
    make_user(Role.DOCTOR, email="howard@lacuna.example")
    fields = {"do": "invite", "name": "Howard", "email": "HOWARD@lacuna.example", "role": "technician"}
    answer = client.post("/people/", fields)
    assert "There is an account for this address already." in answer.content.decode()


def test_an_invitation_of_a_patient_is_not_the_administrators(admin: User, client: Client) -> None:
    made = invite("joel@lacuna.example", "Joel", Role.PATIENT, by=admin, base="http://testserver/")
    client.post("/people/", {"do": "take-back", "invitation": str(made.pk)})
    assert "Joel" not in client.get("/people/").content.decode()
    assert Invitation.objects.get().is_open(made.created_at)


def test_roles_are_given_and_taken(admin: User, client: Client) -> None:
    user = make_user(Role.TECHNICIAN)
    client.post(f"/people/{user.pk}/", {"do": "roles", "roles": ["doctor", "receptionist"]})
    assert roles_of(user) == {Role.DOCTOR, Role.RECEPTIONIST}
    (entry,) = Entry.objects.all()
    assert (entry.action, entry.actor, entry.subject) == (
        "person.roles-changed",
        f"user:{admin.pk}",
        f"user:{user.pk}",
    )
    assert entry.details == {
        "receptionist": True,
        "technician": False,
        "doctor": True,
        "administrator": False,
        "auditor": False,
    }


def test_changing_nothing_writes_nothing(admin: User, client: Client) -> None:
    user = make_user(Role.TECHNICIAN)
    client.post(f"/people/{user.pk}/", {"do": "roles", "roles": ["technician"]})
    assert actions() == []
    assert User.objects.get(pk=user.pk).stamp == 0


def test_a_role_that_is_not_the_administrators_to_give(admin: User, client: Client) -> None:
    user = make_user(Role.TECHNICIAN)
    assert client.post(f"/people/{user.pk}/", {"do": "roles", "roles": ["patient"]}).status_code == 200
    assert roles_of(user) == {Role.TECHNICIAN}


def test_that_a_colleague_is_a_patient_is_not_shown_and_not_taken(admin: User, client: Client) -> None:
    user = make_user(Role.TECHNICIAN, Role.PATIENT)
    for page in ("/people/", f"/people/{user.pk}/"):
        assert "patient" not in client.get(page).content.decode().lower()
    client.post(f"/people/{user.pk}/", {"do": "roles", "roles": ["doctor"]})
    assert roles_of(user) == {Role.DOCTOR, Role.PATIENT}


def test_closing_an_account_is_asked_twice(admin: User, client: Client) -> None:
    user = make_user(Role.TECHNICIAN)
    answer = client.post(f"/people/{user.pk}/", {"do": "close"})
    assert answer.status_code == 200
    assert "Close the account of" in answer.content.decode()
    assert User.objects.get(pk=user.pk).is_active
    client.post(f"/people/{user.pk}/", {"do": "close", "sure": "yes"})
    assert not User.objects.get(pk=user.pk).is_active
    client.post(f"/people/{user.pk}/", {"do": "open"})
    assert User.objects.get(pk=user.pk).is_active
    assert actions() == ["person.deactivated", "person.reactivated"]


@pytest.mark.parametrize(
    "fields", [{"do": "close", "sure": "yes"}, {"do": "roles", "roles": ["doctor", "administrator"]}]
)
def test_nobody_changes_their_own_account(fields: dict[str, str], admin: User, client: Client) -> None:
    client.post(f"/people/{admin.pk}/", fields)
    admin = User.objects.get(pk=admin.pk)
    assert (admin.is_active, set(admin.roles), admin.stamp) == (True, {Role.ADMINISTRATOR}, 0)
    assert actions() == []
    assert "This is your own account." in client.get(f"/people/{admin.pk}/").content.decode()


def test_the_list_costs_the_same_for_one_and_for_many(admin: User, client: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get("/people/").status_code == 200
        return len(queries)

    client.get("/people/")
    one = cost()
    for _number in range(3):
        make_user(Role.DOCTOR, Role.TECHNICIAN)
    assert cost() == one


def refusals(passphrase: str) -> list[str]:
    """What the validator says against a passphrase."""
    try:
        ClinicNameValidator().validate(passphrase)
    except ValidationError as refusal:
        return refusal.messages
    return []


@pytest.mark.parametrize(
    "refused",
    [
        "lacuna",
        "LACUNA2004!",
        "l-a-c-u-n-a x",
        "Lac[ ]na",
        "\uff4c\uff41\uff43\uff55\uff4e\uff41 12345",
        "lacunalacunalacuna",
    ],
)
def test_the_clinics_name_is_no_passphrase(refused: str) -> None:
    assert len(refusals(refused)) == 1


@pytest.mark.parametrize(
    "taken", ["lacuna and the sea", "a quiet winter beach", "écluse, lagune, marée", "🌊" * 20]
)
def test_a_passphrase_may_hold_the_clinics_name(taken: str) -> None:
    assert refusals(taken) == []
