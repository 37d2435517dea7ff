"""The conditions for booking, moving and canceling a procedure, and the effect of a withdrawal."""

from datetime import timedelta

import pytest
from django.utils import timezone

from clinic.audit.models import Entry
from clinic.calendar.models import Booking, Reservation, Resource
from erasure.procedures.booking import (
    CannotBook,
    book_procedure,
    cancel_procedure,
    move_procedure,
    team_problems,
)
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.consent.signing import withdraw
from patients.memories.models import LockedMap
from tests.configuration import configure
from tests.factories import (
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_procedure,
    make_room,
    make_run,
    make_signed,
    make_technician,
)

pytestmark = pytest.mark.django_db

NOT_AGREED = "The patient has not agreed to a locked map yet."
COOLING_OFF = "The night falls into the time the patient has to think it over."
STARTED = "This procedure was started or canceled before."


def make_bookable() -> Case:
    case = make_case()
    make_keepsake(make_memory(case))
    return case


def make_agreed() -> Case:
    case = make_bookable()
    make_signed(case)
    return case


def make_team() -> list[Resource]:
    return [make_doctor().resources.get(), make_technician().resources.get(), make_room()]


def book(case: Case, hours: float = 1) -> Procedure:
    starts_at = timezone.now() + timedelta(hours=hours)
    return book_procedure(
        case,
        place=Procedure.Place.CLINIC,
        resources=make_team(),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=8),
        by=make_doctor(),
    )


def refused_sentences(case: Case, hours: float = 1) -> list[str]:
    with pytest.raises(CannotBook) as refusal:
        book(case, hours)
    assert not Booking.objects.exists()
    return refusal.value.sentences


def stage_of(case: Case) -> str:
    return Case.objects.values_list("stage", flat=True).get(pk=case.pk)


def test_a_procedure_needs_a_consent() -> None:
    make_agreed()  # another case, which has consented
    assert refused_sentences(make_bookable()) == [NOT_AGREED]


def test_a_consent_to_storage_is_not_enough() -> None:
    case = make_agreed()
    Signature.objects.filter(case=case, map__isnull=False).update(superseded_at=timezone.now())
    assert Signature.objects.in_force().filter(case=case).count() == 1
    assert refused_sentences(case) == [NOT_AGREED]


@pytest.mark.parametrize("ended", ["withdrawn_at", "superseded_at"])
def test_a_procedure_needs_a_consent_in_force(ended: str) -> None:
    case = make_agreed()
    Signature.objects.filter(case=case).update(**{ended: timezone.now()})
    assert refused_sentences(case) == [NOT_AGREED]


def test_a_procedure_needs_a_locked_map() -> None:
    case = make_agreed()
    LockedMap.objects.update(unlocked_at=timezone.now())
    assert refused_sentences(case) == [NOT_AGREED]


@pytest.mark.parametrize("stage", [stage for stage in Case.Stage if stage != Case.Stage.CONSENTED])
def test_a_procedure_is_booked_only_for_a_consented_case(stage: str) -> None:
    case = make_agreed()
    Case.objects.filter(pk=case.pk).update(stage=stage)
    assert refused_sentences(case) == [NOT_AGREED]


def test_a_procedure_is_booked_only_after_cooling_off() -> None:
    configure(cooling_off_hours=72)
    case = make_agreed()
    assert refused_sentences(case, hours=71) == [COOLING_OFF]
    assert book(case, hours=73).state == Procedure.State.BOOKED


def test_booking_a_procedure_does_not_change_other_cases() -> None:
    case, other = make_agreed(), make_agreed()
    procedure = book(case)
    assert (procedure.case, procedure.consent.case, procedure.map.case) == (case, case, case)
    assert (stage_of(case), stage_of(other)) == (Case.Stage.BOOKED, Case.Stage.CONSENTED)
    assert book(other).consent.case == other


def test_a_team_for_a_home_has_a_kit_and_no_room() -> None:
    case = make_case()
    doctor, technician, room = make_team()
    kit = Resource.objects.create(kind=Resource.Kind.HOME_KIT, label="Kit")
    home, clinic = Procedure.Place.HOME, Procedure.Place.CLINIC
    people = [doctor, technician]
    assert team_problems(case, home, [*people, kit]) == []
    assert team_problems(case, clinic, [*people, room]) == []
    assert team_problems(case, home, [*people, room]) == ["Choose one home kit."]
    assert team_problems(case, home, [*people, kit, room]) == ["Choose one home kit."]
    assert team_problems(case, home, people) == ["Choose one home kit."]
    assert team_problems(case, clinic, [*people, kit]) == ["Choose one room."]
    assert team_problems(case, clinic, [*people, room, kit]) == ["Choose one room."]
    assert team_problems(case, clinic, [*people, room, make_room()]) == ["Choose one room."]
    assert team_problems(case, clinic, [doctor, room]) == ["Choose at least one technician."]
    assert team_problems(case, clinic, [technician, room]) == ["Choose one doctor."]
    second = make_doctor().resources.get()
    assert team_problems(case, clinic, [*people, second, room]) == ["Choose one doctor."]


def test_a_wrong_team_is_refused() -> None:
    case = make_agreed()
    doctor, technician, _room = make_team()
    starts_at = timezone.now()
    with pytest.raises(CannotBook) as refusal:
        book_procedure(
            case,
            place=Procedure.Place.CLINIC,
            resources=[doctor, technician],
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=8),
            by=make_doctor(),
        )
    assert refusal.value.sentences == ["Choose one room."]
    assert not Booking.objects.exists()


@pytest.mark.parametrize("state", [state for state in Procedure.State if state != Procedure.State.BOOKED])
def test_only_a_booked_procedure_is_moved_or_canceled(state: str) -> None:
    case = make_agreed()
    procedure = book(case)
    Procedure.objects.update(state=state)
    begins = procedure.booking.starts_at
    with pytest.raises(CannotBook, match=STARTED):
        cancel_procedure(procedure, by=make_doctor())
    with pytest.raises(CannotBook, match=STARTED):
        move_procedure(
            procedure,
            starts_at=begins + timedelta(hours=1),
            ends_at=begins + timedelta(hours=2),
            expected_start=begins,
            by=make_doctor(),
        )
    booking = Booking.objects.get()
    assert (booking.starts_at, booking.canceled_at) == (begins, None)
    assert (Procedure.objects.get().state, stage_of(case)) == (state, Case.Stage.BOOKED)


def test_a_procedure_is_not_moved_into_cooling_off() -> None:
    configure(cooling_off_hours=72)
    procedure = book(make_agreed(), hours=73)
    begins = procedure.booking.starts_at
    with pytest.raises(CannotBook) as refusal:
        move_procedure(
            procedure,
            starts_at=begins - timedelta(hours=2),
            ends_at=begins,
            expected_start=begins,
            by=make_doctor(),
        )
    assert (refusal.value.sentences, refusal.value.stale) == ([COOLING_OFF], False)
    assert Booking.objects.get().starts_at == begins


def test_canceling_releases_only_this_procedure() -> None:
    case, other = make_agreed(), make_agreed()
    procedure, stays = book(case), book(other)
    cancel_procedure(procedure, by=make_doctor())
    assert Procedure.objects.get(pk=procedure.pk).state == Procedure.State.CANCELED
    assert Procedure.objects.get(pk=stays.pk).state == Procedure.State.BOOKED
    assert (stage_of(case), stage_of(other)) == (Case.Stage.CONSENTED, Case.Stage.BOOKED)
    assert set(Reservation.objects.values_list("booking", flat=True)) == {stays.booking_id}
    assert Booking.objects.get(canceled_at__isnull=False) == procedure.booking
    assert Signature.objects.get(pk=procedure.consent_id).in_force


def test_canceling_leaves_a_case_that_is_no_longer_booked_as_it_is() -> None:
    case = make_agreed()
    procedure = book(case)
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.WITHDRAWN)
    cancel_procedure(procedure, by=make_doctor())
    assert stage_of(case) == Case.Stage.WITHDRAWN


def test_a_withdrawal_cancels_only_the_procedure_of_this_case() -> None:
    case, other = make_bookable(), make_bookable()
    mine, theirs = make_procedure(case), make_procedure(other)
    withdraw(case, by=case.patient)
    assert Procedure.objects.get(pk=mine.pk).state == Procedure.State.CANCELED
    assert Procedure.objects.get(pk=theirs.pk).state == Procedure.State.BOOKED
    assert Booking.objects.get(canceled_at__isnull=False) == mine.booking
    assert Entry.objects.filter(action="procedure.canceled").count() == 1
    assert stage_of(case) == Case.Stage.WITHDRAWN


@pytest.mark.django_db(transaction=True)
def test_a_withdrawal_stops_only_the_run_of_this_case() -> None:
    run, other = make_run(1), make_run(1)
    case = run.procedure.case
    withdraw(case, by=case.patient)
    assert Run.objects.get(pk=run.pk).state == Run.State.STOPPING
    assert Run.objects.get(pk=other.pk).state == Run.State.RUNNING
