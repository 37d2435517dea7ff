"""verify_log compares custody records with the audit log."""

import pytest

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from patients.custody.models import Custody
from patients.custody.transfers import contradict, end, receive, witness
from tests.factories import make_case, make_memory, make_other, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def custody() -> Custody:
    """An object that was reported as returned, which was contradicted, reported again and witnessed."""
    thing = make_other(make_memory(make_case()), "object")
    mary, stan = make_user(Role.RECEPTIONIST), make_user(Role.TECHNICIAN)
    receive(thing, "b-14", by=mary)
    end(thing, "returned", by=mary)
    contradict(thing, by=stan)
    assert verify_log().problems == []
    end(thing, "returned", by=stan)
    assert verify_log().problems == []
    found = witness(thing, by=mary)
    assert verify_log().problems == []
    return found


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("outcome, state", {"state": "destroyed", "outcome": "destroyed"}),
        ("shelf", {"shelf": "B-15"}),
        ("state", {"state": "received"}),
    ],
)
def test_a_changed_record_is_reported(custody: Custody, field: str, change: dict[str, str]) -> None:
    Custody.objects.filter(pk=custody.pk).update(**change)
    last = Entry.objects.filter(action__startswith="custody.").order_by("index").last()
    assert last
    assert verify_log().problems == [
        f"Custody {custody.pk} is not as the log says (entry {last.index}): {field}."
    ]


@pytest.mark.parametrize("name", ["received_by", "ended_by", "witnessed_by"])
def test_a_changed_person_is_reported(custody: Custody, name: str) -> None:
    Custody.objects.filter(pk=custody.pk).update(**{name: make_user(Role.DOCTOR)})
    (problem,) = verify_log().problems
    assert problem.endswith(f": {name.replace('_', ' ')}.")


def test_an_added_or_removed_record_is_reported(custody: Custody) -> None:
    last = Entry.objects.filter(action__startswith="custody.").order_by("index").last()
    assert last
    pk = custody.pk
    Custody.objects.filter(pk=pk).delete()
    assert verify_log().problems == [
        f"Custody {pk}: entry {last.index} speaks of it, and it is no longer there."
    ]
    forged = Custody.objects.create(keepsake=custody.keepsake, shelf="B-14", received_by=custody.received_by)
    assert f"Custody {forged.pk}: the log says nothing of it." in verify_log().problems
