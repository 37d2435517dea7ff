"""Handing over the responsibility for a run, and what others may not do after a doctor has taken over."""

from datetime import timedelta

import pytest
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.calendar.models import Reservation, Resource, quarters
from erasure.runs import calls, control, handover
from erasure.runs.control import NotNow
from erasure.runs.models import Handover, Run
from patients.cases.relations import standing_to
from tests.erasure.runs.nights import actors_of, book_elsewhere, doctor_of, event_kinds, technician_of
from tests.factories import make_doctor, make_run, make_technician, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def responsible(run: Run) -> User | None:
    return Run.objects.select_related("responsible").get(pk=run.pk).responsible


def test_the_booked_technician_is_responsible_at_the_start() -> None:
    run = make_run(1)
    assert responsible(run) == technician_of(run)


def test_a_handover_is_offered_and_accepted_and_both_are_recorded() -> None:
    run, other = make_run(1), make_technician()
    first = technician_of(run)
    assert handover.offer(run.pk, other.pk, by=first).changed
    assert not handover.offer(run.pk, other.pk, by=first).changed
    assert responsible(run) == first, "an offer changes nothing"
    assert handover.accept(run.pk, by=other).changed
    assert not handover.accept(run.pk, by=other).changed
    assert responsible(run) == other
    assert actors_of(run, "run.handover-offered") == [f"user:{first.pk}"]
    assert actors_of(run, "run.handover-accepted") == [f"user:{other.pk}"]
    assert event_kinds(run)[-2:] == ["handover-offered", "handover-accepted"]


def test_accepting_joins_the_team_and_reserves_the_calendar_until_the_end() -> None:
    run, other = make_run(1), make_technician()
    assert "assigned" not in standing_to(other, run.procedure.case)
    handover.offer(run.pk, other.pk, by=technician_of(run))
    handover.accept(run.pk, by=other)
    assert "assigned" in standing_to(other, run.procedure.case)
    booking = run.procedure.booking
    held = Reservation.objects.filter(resource__user=other, booking=booking).values_list("quarter", flat=True)
    assert sorted(held) == list(quarters(timezone.now(), booking.ends_at))


def test_an_offer_can_be_made_only_to_free_technicians() -> None:
    run, free = make_run(1), make_technician()
    busy, desk, closed = make_technician(), make_user(Role.RECEPTIONIST), make_technician()
    book_elsewhere(busy, run, by=doctor_of(run))
    User.objects.filter(pk=closed.pk).update(is_active=False)
    subject = make_technician()
    User.objects.filter(pk=subject.pk).update(name="Clementine Kruczynski")
    case = run.procedure.case
    case.write(type(case.read())(subject_name="Clementine Kruczynski"))
    case.save(update_fields=["sealed"])
    assert handover.candidates(Run.objects.get(pk=run.pk)) == [free]
    for person in (busy, desk, closed, subject, case.patient):
        with pytest.raises(NotNow, match="cannot take over"):
            handover.offer(run.pk, person.pk, by=technician_of(run))


def test_an_offer_cannot_be_accepted_by_a_technician_booked_meanwhile() -> None:
    run, other = make_run(1), make_technician()
    handover.offer(run.pk, other.pk, by=technician_of(run))
    book_elsewhere(other, run, by=doctor_of(run))
    with pytest.raises(NotNow, match="booked elsewhere"):
        handover.accept(run.pk, by=other)
    assert responsible(run) == technician_of(run)
    assert not Resource.objects.filter(user=other, bookings=run.procedure.booking).exists()


def test_only_the_responsible_person_or_a_doctor_can_make_an_offer() -> None:
    run, other, third = make_run(1), make_technician(), make_technician()
    booking = run.procedure.booking
    booking.resources.add(Resource.objects.get(user=other))
    with pytest.raises(NotNow, match="is responsible now"):
        handover.offer(run.pk, third.pk, by=other)
    assert handover.offer(run.pk, third.pk, by=doctor_of(run)).changed
    with pytest.raises(NotNow, match="not offered"):
        handover.accept(run.pk, by=other)


def test_any_technician_can_offer_a_run_without_a_responsible_person() -> None:
    run, other = make_run(1), make_technician()
    Run.objects.update(responsible=None)
    assert handover.offer(run.pk, other.pk, by=technician_of(run)).changed
    assert handover.accept(run.pk, by=other).changed
    assert responsible(run) == other


def test_there_is_one_offer_at_a_time_and_it_can_be_declined_or_withdrawn() -> None:
    run, other, third = make_run(1), make_technician(), make_technician()
    first = technician_of(run)
    handover.offer(run.pk, other.pk, by=first)
    handover.offer(run.pk, third.pk, by=first)
    with pytest.raises(NotNow):
        handover.accept(run.pk, by=other)
    with pytest.raises(NotNow):
        handover.decline(run.pk, by=other)
    assert handover.decline(run.pk, by=third).changed
    assert not handover.decline(run.pk, by=third).changed
    handover.offer(run.pk, other.pk, by=first)
    handover.decline(run.pk, by=first)
    states = Handover.objects.order_by("offered_at").values_list("state", flat=True)
    assert list(states) == ["withdrawn", "declined", "withdrawn"]


def test_a_closed_account_cannot_accept_an_offer() -> None:
    run, other = make_run(1), make_technician()
    handover.offer(run.pk, other.pk, by=technician_of(run))
    User.objects.filter(pk=other.pk).update(is_active=False)
    with pytest.raises(NotNow, match="Only a technician"):
        handover.accept(run.pk, by=other)


def test_after_a_takeover_only_that_doctor_acts_and_everybody_may_pause() -> None:
    run, other = make_run(2), make_technician()
    doctor, technician, patient = doctor_of(run), technician_of(run), run.procedure.case.patient
    memory, second = run.steps.values_list("memory_id", flat=True)
    assert handover.take_over(run.pk, by=doctor).changed
    assert not handover.take_over(run.pk, by=doctor).changed
    assert control.pause(run.pk, by=technician).changed
    for forbidden_action in (
        lambda: control.resume(run.pk, by=technician),
        lambda: control.protect(run.pk, memory, by=technician),
        lambda: control.abort(run.pk, by=technician, reason="doubt"),
        lambda: handover.offer(run.pk, other.pk, by=technician),
        lambda: handover.hand_back(run.pk, by=make_doctor()),
        lambda: control.resume(run.pk, by=make_doctor()),
    ):
        with pytest.raises(NotNow, match="has taken over"):
            forbidden_action()
    assert control.protect(run.pk, memory, by=patient).changed, "the patient may always protect a memory"
    assert control.resume(run.pk, by=doctor).changed
    assert control.safe_word(run.pk, by=patient).changed
    assert calls.acknowledge(run.pk, by=make_doctor()).changed
    assert control.protect(run.pk, second, by=doctor).changed
    assert handover.hand_back(run.pk, by=doctor).changed
    assert not handover.hand_back(run.pk, by=doctor).changed
    with pytest.raises(NotNow, match="safe word"):
        control.resume(run.pk, by=technician)
    assert actors_of(run, "run.taken-over") == actors_of(run, "run.handed-back") == [f"user:{doctor.pk}"]


def test_another_doctor_may_take_over_from_one_who_has() -> None:
    run, other = make_run(1), make_doctor()
    handover.take_over(run.pk, by=doctor_of(run))
    handover.take_over(run.pk, by=other)
    with pytest.raises(NotNow):
        control.abort(run.pk, by=doctor_of(run), reason="doubt")
    with pytest.raises(NotNow, match="Only a doctor"):
        handover.take_over(run.pk, by=technician_of(run))


def test_accepting_after_the_booking_ended_reserves_nothing() -> None:
    run, other = make_run(1), make_technician()
    now = timezone.now()
    booking = run.procedure.booking
    booking.starts_at, booking.ends_at = now - timedelta(hours=9), now - timedelta(hours=1)
    booking.save()
    handover.offer(run.pk, other.pk, by=technician_of(run))
    assert handover.accept(run.pk, by=other).changed
    assert not Reservation.objects.filter(resource__user=other).exists()
