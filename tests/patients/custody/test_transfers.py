"""Custody of objects: each transfer has a named person, the end has two, and the order is enforced."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from erasure.jobs.worker import advance
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.custody.models import Custody
from patients.custody.transfers import CannotTransfer, contradict, end, hand_over, receive, witness
from patients.keepsakes.editing import change_keepsake
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import remove_keepsake
from tests.factories import make_case, make_keepsake, make_memory, make_other, make_run, make_user

pytestmark = pytest.mark.django_db(transaction=True)
State = Custody.State


@pytest.fixture
def thing() -> Keepsake:
    return make_other(make_memory(make_case()), "object")


@pytest.fixture
def mary() -> User:
    return make_user(Role.RECEPTIONIST)


@pytest.fixture
def stan() -> User:
    return make_user(Role.TECHNICIAN)


def erase(thing: Keepsake) -> None:
    """Hand the object over and erase its memory in a run."""
    run = make_run(memories=0, case=thing.case)
    hand_over(thing, by=make_user(Role.DOCTOR))
    while advance(run.pk):
        continue


def state(thing: Keepsake) -> str:
    return str(Custody.objects.get(keepsake=thing).state)


def test_every_transfer_of_an_object_is_recorded(thing: Keepsake, mary: User, stan: User) -> None:
    receive(thing, " b-14 ", by=mary)
    erase(thing)
    end(thing, "destroyed", by=stan)
    assert state(thing) == State.ENDING
    witness(thing, by=mary)
    custody = Custody.objects.get(keepsake=thing)
    assert (custody.state, custody.shelf, custody.closed) == (State.DESTROYED, "B-14", True)
    assert (custody.received_by, custody.ended_by, custody.witnessed_by) == (mary, stan, mary)
    entries = Entry.objects.filter(action__startswith="custody.").order_by("index")
    assert [(entry.action, entry.case) for entry in entries] == [
        (f"custody.{word}", thing.case_id) for word in ("received", "handed", "ended", "witnessed")
    ]
    assert {entry.subject for entry in entries} == {f"custody:{custody.pk}"}
    assert [entry.actor for entry in entries][2:] == [f"user:{stan.pk}", f"user:{mary.pk}"]


@pytest.mark.parametrize("shelf", ["", " ", "B 14", "-B", "B-", "B-1234567890123", "Kệ 3", "<b>", "B\n1"])
def test_a_shelf_is_a_code_without_free_text(thing: Keepsake, mary: User, shelf: str) -> None:
    with pytest.raises(CannotTransfer, match="letters, digits and hyphens"):
        receive(thing, shelf, by=mary)
    assert not Custody.objects.exists()
    assert not Entry.objects.filter(action__startswith="custody.").exists()


def test_only_objects_can_be_received_and_only_once(thing: Keepsake, mary: User) -> None:
    photo = make_keepsake(thing.memory)
    with pytest.raises(CannotTransfer, match="no such thing"):
        receive(photo, "B-14", by=mary)
    receive(thing, "B-14", by=mary)
    with pytest.raises(CannotTransfer, match="received before"):
        receive(thing, "B-15", by=mary)
    assert Custody.objects.get().shelf == "B-14"


def test_a_removed_object_cannot_be_received(thing: Keepsake, mary: User) -> None:
    remove_keepsake(thing, by=thing.case.patient)
    with pytest.raises(CannotTransfer, match="no such thing"):
        receive(thing, "B-14", by=mary)
    assert not Custody.objects.exists()


def test_an_object_that_was_not_received_cannot_be_transferred(thing: Keepsake, mary: User) -> None:
    for act in (
        lambda: hand_over(thing, by=mary),
        lambda: end(thing, "returned", by=mary),
        lambda: witness(thing, by=mary),
        lambda: contradict(thing, by=mary),
    ):
        with pytest.raises(CannotTransfer, match="not received"):
            act()


def test_an_object_is_handed_over_once_and_only_if_a_procedure_is_booked(thing: Keepsake, mary: User) -> None:
    receive(thing, "B-14", by=mary)
    with pytest.raises(CannotTransfer, match="No night is booked"):
        hand_over(thing, by=mary)
    Case.objects.filter(pk=thing.case_id).update(stage=Case.Stage.BOOKED)
    hand_over(thing, by=mary)
    assert state(thing) == State.HANDED
    with pytest.raises(CannotTransfer, match="not on the shelf"):
        hand_over(thing, by=mary)


def test_an_object_cannot_be_destroyed_before_its_memory(thing: Keepsake, mary: User, stan: User) -> None:
    receive(thing, "B-14", by=mary)
    with pytest.raises(CannotTransfer, match="not erased yet"):
        end(thing, "destroyed", by=stan)
    Case.objects.filter(pk=thing.case_id).update(stage=Case.Stage.BOOKED)
    hand_over(thing, by=mary)
    with pytest.raises(CannotTransfer, match="not erased yet"):
        end(thing, "destroyed", by=stan)
    Keepsake.objects.filter(pk=thing.pk).update(level=1)  # the first pass of several
    with pytest.raises(CannotTransfer, match="not erased yet"):
        end(thing, "destroyed", by=stan)
    assert state(thing) == State.HANDED


def test_an_object_on_the_shelf_cannot_be_reported_destroyed(thing: Keepsake, mary: User, stan: User) -> None:
    receive(thing, "B-14", by=mary)
    run = make_run(memories=0, case=thing.case)
    while advance(run.pk):
        continue
    with pytest.raises(CannotTransfer):
        end(thing, "destroyed", by=stan)
    assert state(thing) == State.RECEIVED


def test_an_object_that_the_patient_removed_is_returned_and_not_destroyed(
    thing: Keepsake, mary: User, stan: User
) -> None:
    receive(thing, "B-14", by=mary)
    remove_keepsake(thing, by=thing.case.patient)
    Custody.objects.update(state=State.HANDED, handed_by=mary, handed_at=timezone.now())
    with pytest.raises(CannotTransfer, match="not erased yet"):
        end(thing, "destroyed", by=stan)
    end(thing, "returned", by=stan)
    witness(thing, by=mary)
    assert state(thing) == State.RETURNED


def test_the_outcome_can_be_reported_once(thing: Keepsake, mary: User, stan: User) -> None:
    receive(thing, "B-14", by=mary)
    end(thing, "returned", by=mary)
    with pytest.raises(CannotTransfer, match="said already"):
        end(thing, "returned", by=stan)
    assert Custody.objects.get().ended_by == mary


def test_nobody_can_witness_their_own_report(thing: Keepsake, mary: User) -> None:
    receive(thing, "B-14", by=mary)
    end(thing, "returned", by=mary)
    for act in (witness, contradict):
        with pytest.raises(CannotTransfer, match="Somebody else"):
            act(thing, by=mary)
    assert state(thing) == State.ENDING


def test_a_contradicted_report_is_undone(thing: Keepsake, mary: User, stan: User) -> None:
    receive(thing, "B-14", by=mary)
    end(thing, "returned", by=mary)
    contradict(thing, by=stan)
    custody = Custody.objects.get()
    assert (custody.state, custody.outcome, custody.ended_by) == (State.RECEIVED, "", None)
    assert Entry.objects.get(action="custody.contradicted").details["outcome"] == "returned"
    with pytest.raises(CannotTransfer, match="Nobody has said"):
        witness(thing, by=stan)


def test_a_closed_record_cannot_be_changed(thing: Keepsake, mary: User, stan: User) -> None:
    receive(thing, "B-14", by=mary)
    end(thing, "returned", by=mary)
    witness(thing, by=stan)
    for act in (
        lambda: end(thing, "destroyed", by=mary),
        lambda: hand_over(thing, by=mary),
        lambda: contradict(thing, by=stan),
        lambda: witness(thing, by=stan),
    ):
        with pytest.raises(CannotTransfer):
            act()
    assert state(thing) == State.RETURNED


def test_an_object_can_only_be_destroyed_or_returned(thing: Keepsake, mary: User) -> None:
    receive(thing, "B-14", by=mary)
    for word in ("", "lost", "received"):
        with pytest.raises(CannotTransfer, match="destroyed or given back"):
            end(thing, word, by=mary)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"state": "destroyed", "outcome": "destroyed"}, "custody_closed_by_two"),
        ({"state": "returned", "outcome": "destroyed"}, "custody_closed_by_two"),
        ({"state": "handed"}, "custody_handed_by_somebody"),
        ({"state": "ending"}, "custody_ending_says_how"),
    ],
)
def test_the_database_refuses_a_closed_record_without_two_people(
    thing: Keepsake, mary: User, fields: dict[str, str], name: str
) -> None:
    receive(thing, "B-14", by=mary)
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Custody.objects.update(**fields)
    now = timezone.now()
    alone = {"ended_by": mary, "ended_at": now, "witnessed_by": mary, "witnessed_at": now}
    with pytest.raises(IntegrityError, match="custody_closed_by_two"), transaction.atomic():
        Custody.objects.update(state="returned", outcome="returned", **alone)


def test_the_kind_of_an_object_in_custody_cannot_be_changed(thing: Keepsake, mary: User) -> None:
    receive(thing, "B-14", by=mary)
    with pytest.raises(CaseLocked, match="is with us"):
        change_keepsake(thing, {}, memory=thing.memory, kind="photo", by=thing.case.patient)
    assert Keepsake.objects.get(pk=thing.pk).kind == "object"
