"""Book, move and cancel a procedure: its team and a room or home kit, bound to a consent and its map."""

from collections.abc import Sequence
from datetime import datetime

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.availability.offers import objections_to
from clinic.calendar import bookings
from clinic.calendar.models import Booking, Resource
from clinic.configuration.values import value_of
from clinic.edits.seen import is_seen, seen_mark
from erasure.procedures.limits import limits_against
from erasure.procedures.mails import tell_of_night
from erasure.procedures.models import Procedure
from erasure.procedures.readiness import FAULTS, fault_of, is_missed
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import may_start_from
from patients.intake_review.reviewing import FAULTS_FOR_STAFF, fault_of_review
from patients.maps.configuration import PACE_SECONDS
from patients.memories.map_content import map_body, map_digest
from patients.repeats import exceptions
from patients.waitlist.automatic_ends import end_night_entries


class CannotBook(Exception):
    """The procedure cannot be booked or changed like this. sentences: why.

    stale: the procedure has changed since the page showed it. confirm_token: if only hours, absences or
    limits are in the way, a page posts it to book all the same; else "".
    """

    def __init__(self, *sentences: str, stale: bool = False, confirm_token: str = "") -> None:
        super().__init__(" ".join(sentences))
        self.sentences = list(sentences)
        self.stale = stale
        self.confirm_token = confirm_token


class CancelReason(models.TextChoices):
    """Why a night is cancelled. The audit log stores the values."""

    PATIENT_ASKED = "patient-asked", gettext_lazy("The patient asked for it")
    PATIENT_AWAY = "patient-away", gettext_lazy("The patient was not there")
    TEAM = "team", gettext_lazy("Somebody of the team was missing")
    EQUIPMENT = "equipment", gettext_lazy("The room or the equipment was not ready")
    MEDICAL = "medical", gettext_lazy("A medical reason")
    OTHER = "other", gettext_lazy("Another reason")


def consent_in_force(case: Case) -> Signature | None:
    """Return the consent in force to the erasure of the locked map; None if there is none."""
    return (
        Signature.objects.in_force()
        .filter(case=case, text__kind=ConsentText.Kind.PROCEDURE, map__unlocked_at__isnull=True)
        .select_related("map")
        .first()
    )


def _check_hours(booking: Booking, confirm_token: str) -> int:
    """Check hours, absences and limits of the resources booked. Return the number of objections.

    confirm_token: of the objections that a person has confirmed. Raises CannotBook if there are objections,
    and not exactly these were confirmed.
    """
    resources = list(booking.resources.by_name("kind"))
    objections = objections_to(resources, booking.starts_at, booking.ends_at, night=True, exclude=booking)
    if objections and not is_seen(confirm_token, "objections", *objections):
        raise CannotBook(*objections, confirm_token=seen_mark("objections", *objections))
    return len(objections)


def _check_limits(case: Case, starts_at: datetime, procedure: Procedure | None = None) -> bool:
    """Return whether a night at this time needs the patient's exception from the repeat limit.

    procedure: the one that is to be moved. Locks the patient. Raises CannotBook if a limit does not allow the
    night, and no exception does.
    """
    exceptions.lock_patient(case.patient_id)
    exclude = procedure.pk if procedure else None
    sentences, needs_exception = limits_against(case, starts_at, exclude=exclude)
    if sentences:
        raise CannotBook(*sentences)
    return needs_exception


def team_problems(case: Case, place: str, resources: Sequence[Resource]) -> list[str]:
    """Return what is wrong with the chosen resources, one sentence each; [] if nothing is.

    There must be one doctor, at least one technician, and one room or home kit. Nobody may be there twice.
    The patient and the subject may not be there; the sentence does not tell which of the two a person is.
    """
    kinds = [resource.kind for resource in resources]
    problems = []
    if kinds.count(Resource.Kind.DOCTOR) != 1:
        problems.append(_("Choose one doctor."))
    if Resource.Kind.TECHNICIAN not in kinds:
        problems.append(_("Choose at least one technician."))
    wanted = Resource.Kind.HOME_KIT if place == Procedure.Place.HOME else Resource.Kind.ROOM
    other = Resource.Kind.ROOM if place == Procedure.Place.HOME else Resource.Kind.HOME_KIT
    if kinds.count(wanted) != 1 or other in kinds:
        problems.append(_("Choose one home kit.") if place == Procedure.Place.HOME else _("Choose one room."))
    people = [resource.user_id for resource in resources if resource.user_id]
    if len(set(people)) < len(people):
        problems.append(_("Nobody can be doctor and technician of one night."))
    if case.people_in_conflict() & set(people):
        problems.append(_("One of these people is not available for this case."))
    return problems


@transaction.atomic
def book_procedure(
    case: Case,
    *,
    place: str,
    resources: Sequence[Resource],
    starts_at: datetime,
    ends_at: datetime,
    pace_seconds: float | None = None,
    confirm_token: str = "",
    by: User,
) -> Procedure:
    """Book the erasure of a map to which the patient has consented: all resources, or none.

    pace_seconds: seconds per memory; None: as the clinic's setting says. confirm_token: of objections (hours,
    absences, limits) that a person who may do so has confirmed. Raises CannotBook with a sentence for each
    clash and objection, or if consent, map, review, team or limits do not allow it; nothing is booked then.
    """
    locked = Case.objects.select_for_update().get(pk=case.pk)
    consent = consent_in_force(locked)
    if locked.stage != Case.Stage.CONSENTED or consent is None or consent.map is None:
        raise CannotBook(_("The patient has not agreed to a locked map yet."))
    if map_digest(map_body(locked)) != consent.map.digest:
        raise CannotBook(_("The memories are no longer those on the signed map."))
    if fault := fault_of_review(locked, needed=consent.map.needs_review):
        raise CannotBook(str(FAULTS_FOR_STAFF[fault]))
    if starts_at < may_start_from(consent):
        raise CannotBook(_("The night falls into the time the patient has to think it over."))
    if problems := team_problems(locked, place, resources):
        raise CannotBook(*problems)
    needs_exception = _check_limits(locked, starts_at)
    try:
        booking = bookings.book(
            kind=Booking.Kind.ERASURE, resources=resources, starts_at=starts_at, ends_at=ends_at, by=by
        )
    except bookings.Clash as clash:
        objections = objections_to(resources, starts_at, ends_at, night=True)
        raise CannotBook(*clash.sentences(), *objections) from clash
    except ValueError as error:
        raise CannotBook(str(error)) from error
    objection_count = _check_hours(booking, confirm_token)
    procedure = Procedure.objects.create(
        case=locked,
        map=consent.map,
        consent=consent,
        booking=booking,
        place=place,
        pace_seconds=value_of(PACE_SECONDS) if pace_seconds is None else pace_seconds,
        booked_by=by,
    )
    if needs_exception:
        exceptions.use_exception(locked, procedure.pk, by=by)
    Case.objects.filter(pk=locked.pk).update(stage=Case.Stage.BOOKED)
    tell_of_night("night-booked", procedure, by=by)
    end_night_entries(locked, booked=True, by=by)
    record(
        Act(
            "procedure.booked",
            f"procedure:{procedure.pk}",
            actor=actor_of(by),
            case=locked.pk,
            details={
                "place": str(place),
                "resources": len(resources),
                "from": booking.starts_at,
                "outside_hours": objection_count,
            },
        )
    )
    return procedure


@transaction.atomic
def cancel_procedure(procedure: Procedure, *, seen: str | None = None, reason: str = "", by: User) -> None:
    """Cancel a procedure and its booking. Consent stays in force.

    seen: the `booking_mark` on the page; None where no page was shown. reason: one of CancelReason; it may be
    "" unless a page cancels a missed night. Raises CannotBook once the procedure has started, or if a needed
    reason is missing; with `stale` if it is at another time than the page showed.
    """
    # The booking is read after the lock is held. On PostgreSQL a join would return it as it was before.
    locked = Procedure.objects.select_for_update().get(pk=procedure.pk)
    if locked.state != Procedure.State.BOOKED:
        raise CannotBook(_("This procedure was started or canceled before."))
    if seen is not None and not bookings.is_span_seen(seen, locked.booking):
        raise CannotBook(str(bookings.Stale(locked.booking)), stale=True)
    needs_reason = seen is not None and is_missed(locked)
    if (reason or needs_reason) and reason not in CancelReason.values:
        raise CannotBook(_("Please choose why the night is canceled."))
    bookings.cancel(locked.booking)
    Procedure.objects.filter(pk=locked.pk).update(state=Procedure.State.CANCELED)
    Case.objects.filter(pk=locked.case_id, stage=Case.Stage.BOOKED).update(stage=Case.Stage.CONSENTED)
    tell_of_night("night-cancelled", locked, by=by)
    end_night_entries(locked.case, booked=False, by=by)
    record(
        Act(
            "procedure.canceled",
            f"procedure:{locked.pk}",
            actor=actor_of(by),
            case=locked.case_id,
            details={"reason": reason} if reason else {},
        )
    )


@transaction.atomic
def move_procedure(
    procedure: Procedure,
    *,
    starts_at: datetime,
    ends_at: datetime,
    expected_start: datetime,
    expected_end: datetime | None = None,
    confirm_token: str = "",
    by: User,
) -> Procedure:
    """Move a booked procedure to another time, with the same resources.

    A missed night can be moved only if the consent, the map and the review of the intake still allow it.
    expected_start, expected_end: the span that the user saw; an end of None is not checked. confirm_token: as
    for `book_procedure`. Raises CannotBook if it cannot be moved; with `stale` if the user saw another span.
    """
    # The booking is read after the lock is held. On PostgreSQL a join would return it as it was before.
    locked = Procedure.objects.select_for_update().get(pk=procedure.pk)
    if locked.state != Procedure.State.BOOKED:
        raise CannotBook(_("This procedure was started or canceled before."))
    if ends_at <= timezone.now():
        raise CannotBook(_("This night is over already."))
    # A review of the intake takes the same lock, so none is recorded between the check and the move.
    locked.case = Case.objects.select_for_update().get(pk=locked.case_id)
    if is_missed(locked) and (fault := fault_of(locked)):
        raise CannotBook(str(FAULTS[fault][1]))
    if starts_at < may_start_from(locked.consent):
        raise CannotBook(_("The night falls into the time the patient has to think it over."))
    needs_exception = _check_limits(locked.case, starts_at, locked)
    previous_start = locked.booking.starts_at
    try:
        locked.booking = bookings.move(
            locked.booking,
            starts_at=starts_at,
            ends_at=ends_at,
            expected_start=expected_start,
            expected_end=expected_end,
        )
    except bookings.Stale as stale:
        raise CannotBook(str(stale), stale=True) from stale
    except bookings.Clash as clash:
        raise CannotBook(*clash.sentences()) from clash
    except ValueError as error:
        raise CannotBook(str(error)) from error
    objection_count = _check_hours(locked.booking, confirm_token)
    if needs_exception:
        exceptions.use_exception(locked.case, locked.pk, by=by)
    tell_of_night("night-moved", locked, by=by)
    end_night_entries(locked.case, booked=True, by=by)
    record(
        Act(
            "procedure.moved",
            f"procedure:{locked.pk}",
            actor=actor_of(by),
            case=locked.case_id,
            details={
                "from": previous_start,
                "to": locked.booking.starts_at,
                "outside_hours": objection_count,
            },
        )
    )
    return locked
