"""Changing the description and the kind of a keepsake."""

import pytest

from clinic.accounts.models import Role
from patients.cases.editing import CaseLocked
from patients.custody import transfers
from patients.keepsakes.editing import change_keepsake
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import remove_keepsake
from tests.factories import make_case, make_memory, make_other, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def thing() -> Keepsake:
    return make_other(make_memory(make_case()), "object")


def test_a_removed_keepsake_cannot_be_changed(thing: Keepsake) -> None:
    by = thing.case.patient
    remove_keepsake(thing, by=by)
    with pytest.raises(CaseLocked, match="taken this one back"):
        change_keepsake(thing, {"caption": "Her scarf"}, memory=thing.memory, by=by)


def test_an_object_in_custody_can_still_be_described(thing: Keepsake) -> None:
    transfers.receive(thing, "B-14", by=make_user(Role.RECEPTIONIST))
    words = {"caption": "Her scarf"}
    row = change_keepsake(thing, words, memory=thing.memory, kind="object", by=thing.case.patient)
    assert (row.read().caption, row.kind) == ("Her scarf", "object")


def test_an_object_not_in_custody_can_become_a_photo(thing: Keepsake) -> None:
    change_keepsake(thing, {}, memory=thing.memory, kind="photo", by=thing.case.patient)
    thing.refresh_from_db()
    assert thing.kind == "photo"
