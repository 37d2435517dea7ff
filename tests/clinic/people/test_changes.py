"""Changes of accounts and invitations affect only the account or invitation that is meant."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import Invitation, Role, User
from clinic.audit.models import Entry
from clinic.people.changes import NotYours, change_roles, set_active
from clinic.people.invitations import Closed, accept, digest, has_account, open_invitation, take_back, waiting
from tests.factories import PASSPHRASE, make_user

pytestmark = pytest.mark.django_db

OWN = "Nobody changes their own account here. Please ask another administrator."


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def stamp_of(user: User) -> int:
    return User.objects.values_list("stamp", flat=True).get(pk=user.pk)


def make_invitation(token: str, email: str = "mary@lacuna.example", **fields: object) -> Invitation:
    ends = {"expires_at": timezone.now() + timedelta(days=1)}
    return Invitation.objects.create(
        **{
            "email": email,
            "name": "Mary",
            "role": Role.DOCTOR,
            "token_digest": digest(token),
            **ends,
            **fields,
        }
    )


def test_nobody_changes_their_own_roles_or_closes_their_own_account() -> None:
    boss = make_user(Role.ADMINISTRATOR)
    with pytest.raises(NotYours, match=OWN):
        change_roles(boss, {Role.ADMINISTRATOR, Role.DOCTOR}, by=boss)
    with pytest.raises(NotYours, match=OWN):
        set_active(boss, False, by=boss)
    row = User.objects.get(pk=boss.pk)
    assert (row.roles, row.is_active) == ({Role.ADMINISTRATOR}, True)


def test_a_change_ends_the_sessions_of_this_person_only() -> None:
    boss, mary, stan = make_user(Role.ADMINISTRATOR), make_user(Role.DOCTOR), make_user(Role.DOCTOR)
    change_roles(mary, {Role.TECHNICIAN}, by=boss)
    assert (stamp_of(mary), stamp_of(stan), stamp_of(boss)) == (1, 0, 0)
    assert User.objects.get(pk=mary.pk).roles == {Role.TECHNICIAN}
    assert User.objects.get(pk=stan.pk).roles == {Role.DOCTOR}
    set_active(mary, False, by=boss)
    assert (stamp_of(mary), stamp_of(stan)) == (2, 0)
    assert list(User.objects.filter(is_active=False)) == [mary]
    (grant,) = mary.grants.all()
    assert grant.granted_by == boss


def test_a_change_without_effect_ends_no_session_and_writes_no_entry() -> None:
    boss, mary = make_user(Role.ADMINISTRATOR), make_user(Role.DOCTOR, Role.PATIENT)
    change_roles(mary, {Role.DOCTOR}, by=boss)
    set_active(mary, True, by=boss)
    assert stamp_of(mary) == 0
    assert not Entry.objects.exists()
    assert User.objects.get(pk=mary.pk).roles == {Role.DOCTOR, Role.PATIENT}


@pytest.mark.parametrize(
    "fields",
    [{"used_at": timezone.now()}, {"expires_at": timezone.now()}, {"role": Role.PATIENT}],
    ids=["used", "expired", "a patient's"],
)
def test_only_open_invitations_of_staff_can_be_taken_back(fields: dict[str, object]) -> None:
    boss, stays = make_user(Role.ADMINISTRATOR), make_invitation("another")
    found = make_invitation("this one", **fields)
    assert list(waiting()) == [stays]
    assert not take_back(found.pk, by=boss)
    assert not Entry.objects.exists()
    assert take_back(stays.pk, by=boss)
    assert not take_back(stays.pk, by=boss)
    assert list(waiting()) == []
    assert Entry.objects.filter(action="person.invitation-withdrawn").count() == 1


def test_accepting_uses_up_this_invitation_only() -> None:
    mine, other = make_invitation("mine"), make_invitation("other", "stan@lacuna.example")
    user = accept("mine", passphrase=PASSPHRASE)
    mine.refresh_from_db()
    other.refresh_from_db()
    assert (mine.used_by, mine.used_at is None) == (user, False)
    assert (other.used_by, other.used_at) == (None, None)
    assert (user.email, user.name, user.roles) == ("mary@lacuna.example", "Mary", {Role.DOCTOR})
    assert has_account(mine)
    assert not has_account(other)
    with pytest.raises(Closed):
        accept("mine", passphrase=PASSPHRASE)


def test_an_address_that_has_an_account_gets_no_second_one() -> None:
    make_user(email="Mary@Lacuna.example")
    found = make_invitation("mine")
    with pytest.raises(Closed, match=r"^There is an account for this address\."):
        accept("mine", passphrase=PASSPHRASE)
    found.refresh_from_db()
    assert (found.used_at, User.objects.filter(email__iexact=found.email).count()) == (None, 1)


def test_an_invitation_matches_its_address_in_any_case() -> None:
    found = make_invitation("mine", "Mary@Lacuna.Example")
    mary, stan = make_user(email="mary@lacuna.example"), make_user()
    assert open_invitation("mine", existing=mary) == found
    assert open_invitation("mine") == found
    with pytest.raises(Closed, match=r"^This invitation is for another address\."):
        open_invitation("mine", existing=stan)


def test_a_person_who_gains_a_role_has_to_sign_in_again() -> None:
    mary, stan = make_user(email="mary@lacuna.example"), make_user()
    client = client_of(mary)
    make_invitation("mine")
    assert accept("mine", existing=mary).roles == {Role.DOCTOR}
    assert (stamp_of(mary), stamp_of(stan)) == (1, 0)
    assert client.get("/today/").status_code == 302
