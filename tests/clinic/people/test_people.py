"""The administrator's pages: accounts, their roles, invitations, closing an account."""

import re
from unicodedata import normalize

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clinic.accounts.models import Invitation, Role, User
from clinic.audit.models import Entry
from clinic.people.invitations import digest, invite
from clinic.people.validators import ClinicNameValidator
from tests.edits import edit
from tests.factories import make_user
from tests.outgoing import deliver

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


def test_staff_are_invited_by_mail(admin: User, client: Client) -> None:
    fields = {
        "do": "invite",
        "name": "Patrick Wertz",
        "email": "patrick@lacuna.example",
        "role": "technician",
    }
    page = client.post("/people/", fields, follow=True).content.decode()
    assert "The invitation is queued. It leaves in a moment." in page
    assert deliver() == 1
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
def test_an_invalid_invitation_is_not_created(change: dict[str, str], admin: User, client: Client) -> None:
    fields = {"do": "invite", "name": "Patrick", "email": "patrick@lacuna.example", "role": "technician"}
    assert client.post("/people/", fields | change).status_code == 200
    assert not Invitation.objects.exists()


def test_an_address_with_an_account_is_not_invited_again(admin: User, client: Client) -> None:
    make_user(Role.DOCTOR, email="howard@lacuna.example")
    fields = {"do": "invite", "name": "Howard", "email": "HOWARD@lacuna.example", "role": "technician"}
    answer = client.post("/people/", fields)
    assert "There is an account for this address already." in answer.content.decode()


def test_administrators_cannot_see_or_withdraw_invitations_of_patients(admin: User, client: Client) -> None:
    made = invite("joel@lacuna.example", "Joel", Role.PATIENT, by=admin, base="http://testserver/")
    client.post("/people/", {"do": "take-back", "invitation": str(made.pk)})
    assert "Joel" not in client.get("/people/").content.decode()
    assert Invitation.objects.get().is_open(made.created_at)


def test_roles_are_given_and_taken(admin: User, client: Client) -> None:
    user = make_user(Role.TECHNICIAN)
    edit(client, f"/people/{user.pk}/", {"do": "roles", "roles": ["doctor", "receptionist"]})
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


def test_saving_without_a_change_writes_no_entry(admin: User, client: Client) -> None:
    user = make_user(Role.TECHNICIAN)
    edit(client, f"/people/{user.pk}/", {"do": "roles", "roles": ["technician"]})
    assert actions() == []
    assert User.objects.get(pk=user.pk).stamp == 0


def test_an_administrator_cannot_grant_the_patient_role(admin: User, client: Client) -> None:
    user = make_user(Role.TECHNICIAN)
    assert edit(client, f"/people/{user.pk}/", {"do": "roles", "roles": ["patient"]}).status_code == 200
    assert roles_of(user) == {Role.TECHNICIAN}


def test_a_colleagues_patient_role_is_not_shown_and_not_removed(admin: User, client: Client) -> None:
    user = make_user(Role.TECHNICIAN, Role.PATIENT)
    for page in ("/people/", f"/people/{user.pk}/"):
        assert "patient" not in client.get(page).content.decode().lower()
    edit(client, f"/people/{user.pk}/", {"do": "roles", "roles": ["doctor"]})
    assert roles_of(user) == {Role.DOCTOR, Role.PATIENT}


def test_closing_an_account_needs_a_confirmation(admin: User, client: Client) -> None:
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


def test_the_number_of_queries_does_not_depend_on_the_number_of_people(admin: User, client: Client) -> None:
    def count_queries() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/people/").status_code == 200
        return len(queries)

    client.get("/people/")
    one = count_queries()
    for _number in range(3):
        make_user(Role.DOCTOR, Role.TECHNICIAN)
    assert count_queries() == one


def refusals(passphrase: str) -> list[str]:
    """The messages with which the validator refuses a passphrase; none if it accepts it."""
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
def test_the_clinics_name_alone_is_refused_as_a_passphrase(refused: str) -> None:
    assert len(refusals(refused)) == 1


@pytest.mark.parametrize(
    "accepted", ["lacuna and the sea", "a quiet winter beach", "écluse, lagune, marée", "🌊" * 20]
)
def test_a_passphrase_may_contain_the_clinics_name(accepted: str) -> None:
    assert refusals(accepted) == []


def test_b7_an_invited_person_says_which_part_of_their_name_comes_first(admin: User, client: Client) -> None:
    for language, family_name_first in {"en": False, "vi": True}.items():
        made = invite(f"anh@{language}.example", "Nguyễn Ánh", Role.DOCTOR, by=admin, base="http://x/")
        Invitation.objects.filter(pk=made.pk).update(token_digest=digest(language))
        visitor = Client(headers={"accept-language": language})
        page = visitor.get(f"/invitation/{language}/")
        assert page.context["form"]["family_name_first"].value() is family_name_first
        fields = {"name": normalize("NFD", "Nguyễn Thị Ánh"), "passphrase": "a quiet winter beach"}
        ticked = {"family_name_first": "on"} if family_name_first else {}
        assert visitor.post(f"/invitation/{language}/", fields | ticked).status_code == 302
        user = User.objects.get(email=f"anh@{language}.example")
        assert (user.name, user.family_name_first) == ("Nguyễn Thị Ánh", family_name_first)
        assert user.short_name == ("N. Ánh" if family_name_first else "Nguyễn T.")


def test_b7_an_administrator_says_which_part_of_a_name_comes_first(admin: User, client: Client) -> None:
    user = make_user(Role.DOCTOR, name="Nguyễn Thị Ánh")
    page = client.get(f"/people/{user.pk}/").content.decode()
    assert "The given name comes first. On boards the name is “Nguyễn T.”." in page
    for _again in range(2):
        assert client.post(f"/people/{user.pk}/", {"do": "family-name-first"}).status_code == 302
    page = client.get(f"/people/{user.pk}/").content.decode()
    assert "The family name comes first. On boards the name is “N. Ánh”." in page
    assert actions() == ["person.name-order-changed"]
    assert Entry.objects.get().details == {"family_name_first": True}
    client.post(f"/people/{user.pk}/", {"do": "given-name-first"})
    user.refresh_from_db()
    assert user.short_name == "Nguyễn T."
    client.post(f"/people/{admin.pk}/", {"do": "family-name-first"})
    assert User.objects.get(pk=admin.pk).family_name_first is False


def test_b7_the_people_page_sorts_as_the_readers_language_does(admin: User, client: Client) -> None:
    for name in ("Lê Dũng", "Trần Đạt", "Đỗ Anh"):
        make_user(Role.DOCTOR, name=name, family_name_first=True)

    def shown(language: str) -> list[str]:
        page = client.get("/people/", headers={"accept-language": language})
        return [user.name for user in page.context["page"].object_list]

    assert shown("en") == ["Anna Clerk", "Đỗ Anh", "Lê Dũng", "Trần Đạt"]
    assert shown("vi") == ["Đỗ Anh", "Anna Clerk", "Lê Dũng", "Trần Đạt"]
