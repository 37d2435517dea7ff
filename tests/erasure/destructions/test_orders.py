"""Orders of destruction: their items, who may give and stop them, when they are refused, and reopening."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.outgoing.models import OutgoingMessage
from erasure.destructions.keeping import NOTICE, cases_to_end, end_keeping
from erasure.destructions.models import Destruction, DestructionItem
from erasure.destructions.orders import NotNow, belongings_of, order, stop
from erasure.destructions.reopening import may_reopen, reopen
from erasure.jobs.destroying import due_destructions
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.consent.signing import withdraw
from patients.memories.models import LockedMap
from tests.erasure.destructions.orders import carry_out, make_withdrawn
from tests.factories import (
    make_case,
    make_keepsake,
    make_memory,
    make_procedure,
    make_run,
    make_signed,
    make_user,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def kinds_of(destruction: Destruction) -> list[str]:
    return list(destruction.items.values_list("kind", flat=True))


def test_an_order_of_everything_has_each_memory_each_unplaced_keepsake_and_last_the_words() -> None:
    case = make_withdrawn()
    memory = make_memory(case, "Without a keepsake")
    unplaced = make_keepsake(None, case=case)
    destruction = order(case, by=case.patient, everything=True)
    assert kinds_of(destruction) == ["memory"] * 4 + ["keepsake", "case"]
    assert destruction.items.get(kind="keepsake").keepsake == unplaced
    assert memory in {item.memory for item in destruction.items.filter(kind="memory")}
    (entry,) = Entry.objects.filter(run=destruction.pk)
    assert (entry.action, entry.case) == ("destruction.ordered", case.pk)
    assert entry.details == {"items": 6, "whole_case": True, "wait_minutes": 0}
    message = OutgoingMessage.objects.get(event="destruction-ordered")
    assert message.about == f"destruction:{destruction.pk}"


def test_a_keepsake_in_a_chosen_memory_is_no_item_of_its_own() -> None:
    case = make_withdrawn()
    first, second = belongings_of(case).memories[:2]
    destruction = order(
        case,
        by=case.patient,
        memories={first.memory.pk},
        keepsakes={first.keepsakes[0].pk, second.keepsakes[0].pk},
    )
    assert kinds_of(destruction) == ["memory", "keepsake"]
    assert destruction.items.get(kind="keepsake").keepsake == second.keepsakes[0]


def test_an_order_that_waits_is_not_due_and_can_be_stopped_once() -> None:
    case = make_withdrawn()
    destruction = order(case, by=case.patient, everything=True, wait=timedelta(hours=1))
    assert not due_destructions().exists()
    assert stop(destruction.pk, by=case.patient)
    assert not stop(destruction.pk, by=case.patient)
    assert set(destruction.items.values_list("state", flat=True)) == {DestructionItem.State.SPARED}
    assert OutgoingMessage.objects.get(event="destruction-ordered").status == "cancelled"
    # A stopped order is due at once, so that it is finished.
    assert due_destructions().get() == destruction
    entry = Entry.objects.get(run=destruction.pk, action="destruction.stopped")
    assert entry.details == {"spared": 4}


def test_an_order_that_is_stopped_before_it_begins_ends_without_a_certificate() -> None:
    case = make_withdrawn()
    destruction = order(case, by=case.patient, everything=True, wait=timedelta(hours=1))
    stop(destruction.pk, by=case.patient)
    ended = carry_out(destruction)
    assert (ended.state, ended.outcome) == ("finished", "stopped")
    assert not hasattr(ended, "certificate")
    assert not due_destructions().exists()
    assert len(belongings_of(case).memories) == 3


def test_only_the_patient_orders_and_stops() -> None:
    case = make_withdrawn()
    doctor = make_user(Role.DOCTOR)
    with pytest.raises(NotNow, match="Only the patient can order"):
        order(case, by=doctor, everything=True)
    destruction = order(case, by=case.patient, everything=True)
    with pytest.raises(NotNow, match="Only the patient can stop"):
        stop(destruction.pk, by=doctor)
    assert destruction.items.filter(state="spared").count() == 0


def test_a_refused_order_says_why_and_changes_nothing() -> None:
    open_case = make_case()
    memory = make_memory(open_case)
    keepsake = make_keepsake(memory)
    other = make_keepsake(make_memory(make_case()))
    with pytest.raises(NotNow, match="Take back your consent first"):
        order(open_case, by=open_case.patient, everything=True)
    with pytest.raises(NotNow, match="Choose what"):
        order(open_case, by=open_case.patient)
    for wrong in ({"keepsakes": {other.pk}}, {"memories": {uuid4()}}):
        with pytest.raises(NotNow, match="not here any more"):
            order(open_case, by=open_case.patient, **wrong)
    assert not Destruction.objects.exists()
    order(open_case, by=open_case.patient, keepsakes={keepsake.pk})
    with pytest.raises(NotNow, match="being destroyed already"):
        order(open_case, by=open_case.patient, memories={memory.pk})
    assert Destruction.objects.count() == 1


def test_nothing_is_ordered_while_a_night_is_booked_or_under_way() -> None:
    booked = make_case()
    make_keepsake(make_memory(booked))
    make_procedure(booked)
    run = make_run(1)
    for case in (booked, run.procedure.case):
        memory = case.memories.first()
        assert memory
        with pytest.raises(NotNow, match="A night is booked"):
            order(case, by=case.patient, memories={memory.pk})
    assert not Destruction.objects.exists()


def test_reopening_a_withdrawn_case_stops_its_destruction_and_leaves_no_consent_or_locked_map() -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    make_signed(case)
    withdraw(case, by=case.patient)
    case.refresh_from_db()
    destruction = order(case, by=case.patient, everything=True, wait=timedelta(hours=1))
    assert may_reopen(case)
    reopen(case, by=case.patient)
    case.refresh_from_db()
    assert (case.stage, case.closed_at) == (Case.Stage.BRINGING, None)
    assert set(destruction.items.values_list("state", flat=True)) == {"spared"}
    assert not LockedMap.objects.filter(case=case, unlocked_at__isnull=True).exists()
    assert not Signature.objects.in_force().filter(case=case).exists()
    assert Entry.objects.filter(action="case.reopened", case=case.pk).count() == 1
    with pytest.raises(NotNow, match="cannot be opened again"):
        reopen(case, by=case.patient)


def test_a_case_is_not_reopened_once_it_is_destroyed_or_succeeded_or_by_a_doctor() -> None:
    destroyed, succeeded, untouched = make_withdrawn(1), make_withdrawn(1), make_withdrawn(1)
    carry_out(order(destroyed, by=destroyed.patient, everything=True))
    make_case(succeeded.patient)
    for case in (destroyed, succeeded):
        assert not may_reopen(case)
        with pytest.raises(NotNow, match="cannot be opened again"):
            reopen(case, by=case.patient)
    with pytest.raises(NotNow, match="Only the patient"):
        reopen(untouched, by=make_user(Role.DOCTOR))
    assert set(
        Case.objects.filter(pk__in=[destroyed.pk, succeeded.pk, untouched.pk]).values_list("stage")
    ) == {("withdrawn",)}


def set_closed_days_ago(case: Case, days: int) -> None:
    """Set when a case was closed. days: how long ago."""
    Case.objects.filter(pk=case.pk).update(closed_at=timezone.now() - timedelta(days=days))


def test_the_end_of_keeping_orders_a_destruction_with_notice_and_a_stop_begins_keeping_anew() -> None:
    case, closed_later = make_withdrawn(1), make_withdrawn(1)
    # Belongings are kept for 180 days. The notice of 14 days begins before their end.
    set_closed_days_ago(case, 180 - 14 + 1)
    set_closed_days_ago(closed_later, 180 - 14 - 1)
    assert end_keeping() == 1
    assert end_keeping() == 0  # its destruction is ordered already
    destruction = Destruction.objects.get()
    assert (destruction.case, destruction.asked_by, destruction.whole_case) == (case, None, True)
    assert destruction.begins_at - destruction.asked_at == NOTICE
    assert OutgoingMessage.objects.get(event="keeping-ends").case == case.pk
    entry = Entry.objects.get(action="destruction.due")
    assert (entry.actor, entry.case) == ("system:supervisor", case.pk)
    stop(destruction.pk, by=case.patient)
    Destruction.objects.update(state="finished", outcome="stopped", finished_at=timezone.now())
    assert not cases_to_end().exists()
    Destruction.objects.update(finished_at=timezone.now() - timedelta(days=180 - 14 + 1))
    assert list(cases_to_end()) == [case]


def test_the_keeping_of_an_open_or_destroyed_case_does_not_end() -> None:
    destroyed = make_withdrawn(1)
    carry_out(order(destroyed, by=destroyed.patient, everything=True))
    set_closed_days_ago(destroyed, 400)
    open_case = make_case()
    Case.objects.filter(pk=open_case.pk).update(opened_at=timezone.now() - timedelta(days=400))
    assert end_keeping() == 0
