"""What is said of a keepsake is changed."""

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


def test_what_was_taken_back_meanwhile_is_not_described(thing: Keepsake) -> None:
    by = thing.case.patient
    remove_keepsake(thing, by=by)
    with pytest.raises(CaseLocked, match="taken this one back"):
        change_keepsake(thing, {"caption": "Her scarf"}, memory=thing.memory, by=by)


def test_a_thing_that_is_with_us_may_still_be_described(thing: Keepsake) -> None:
    transfers.receive(thing, "B-14", by=make_user(Role.RECEPTIONIST))
    words = {"caption": "Her scarf"}
    row = change_keepsake(thing, words, memory=thing.memory, kind="object", by=thing.case.patient)
    assert (row.read().caption, row.kind) == ("Her scarf", "object")


def test_a_thing_that_was_never_brought_in_may_be_a_photograph(thing: Keepsake) -> None:
    change_keepsake(thing, {}, memory=thing.memory, kind="photo", by=thing.case.patient)
    thing.refresh_from_db()
    assert thing.kind == "photo"
