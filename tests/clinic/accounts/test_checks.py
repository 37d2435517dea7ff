"""B7. A system check reports accounts whose addresses are equal in the normalized form."""

import pytest

from clinic.accounts.checks import addresses_are_in_one_form
from clinic.accounts.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_b7_two_accounts_of_one_address_are_reported_by_their_ids() -> None:
    one, other = make_user(email="jo@bücher.example"), make_user(email="jo@elsewhere.example")
    make_user(email="jo@third.example")
    assert addresses_are_in_one_form(databases=["default"]) == []
    User.objects.filter(pk=other.pk).update(email="jo@bücher.example")
    (warning,) = addresses_are_in_one_form(databases=["default"])
    assert warning.id == "clinic.W001"
    assert {str(one.pk), str(other.pk)} <= set(str(warning.msg).rstrip(".").replace(",", "").split())
    assert "bücher" not in str(warning.msg)
    assert addresses_are_in_one_form() == []
