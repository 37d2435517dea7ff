"""Book, move and cancel a procedure: its team and a room or home kit, bound to a consent and its map."""

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.calendar import bookings
from clinic.calendar.models import Booking, Resource
from erasure.procedures.models import Procedure
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import may_start_from
from patients.memories.map_content import map_body, map_digest


class CannotBook(Exception):
    """The procedure cannot be booked like this. sentences: why. stale: it has changed since it was shown."""

    def __init__(self, *sentences: str, stale: bool = False) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = list(sentences)
        self.stale = stale


def team_faults(case: Case, place: str, resources: Sequence[Resource]) -> list[str]:
    """Return what is wrong with the chosen resources, one sentence each; [] if nothing is.

    There must be one doctor, a technician and one place, no person twice, and neither the patient nor the
    subject. The sentence does not tell which of the two somebody is.
    """
    kinds = [resource.kind for resource in resources]
    faults = []
    if kinds.count(Resource.Kind.DOCTOR) != 1:
        faults.append(_("Choose one doctor."))
    if Resource.Kind.TECHNICIAN not in kinds:
        faults.append(_("Choose at least one technician."))
    wanted = Resource.Kind.HOME_KIT if place == Procedure.Place.HOME else Resource.Kind.ROOM
    if kinds.count(wanted) != 1 or {Resource.Kind.HOME_KIT, Resource.Kind.ROOM} - {wanted} & set(kinds):
        faults.append(_("Choose one home kit.") if place == Procedure.Place.HOME else _("Choose one room."))
    people = [resource.user_id for resource in resources if resource.user_id]
    if len(set(people)) < len(people):
        faults.append(_("Nobody can be doctor and technician of one night."))
    if case.people_in_conflict() & set(people):
        faults.append(_("One of these people is not available for this case."))
    return faults


@transaction.atomic
def book_procedure(
    case: Case,
    *,
    place: str,
    resources: Sequence[Resource],
    starts_at: datetime,
    ends_at: datetime,
    pace_seconds: float | None = None,
    by: User,
) -> Procedure:
    """Book the erasure of a map to which the patient has consented: all resources, or none.

    pace_seconds: seconds per memory, by default the setting. Errors: CannotBook, with a sentence for each
    clash; nothing is booked then.
    """
    locked = Case.objects.select_for_update().get(pk=case.pk)
    consent = (
        Signature.objects.in_force()
        .filter(case=locked, text__kind=ConsentText.Kind.PROCEDURE, map__unlocked_at__isnull=True)
        .select_related("map")
        .first()
    )
    if locked.stage != Case.Stage.CONSENTED or consent is None or consent.map is None:
        raise CannotBook(_("The patient has not agreed to a locked map yet."))
    if map_digest(map_body(locked)) != consent.map.digest:
        raise CannotBook(_("The memories are no longer those on the signed map."))
    if starts_at < may_start_from(consent):
        raise CannotBook(_("The night falls into the time the patient has to think it over."))
    if faults := team_faults(locked, place, resources):
        raise CannotBook(*faults)
    try:
        booking = bookings.book(
            kind=Booking.Kind.ERASURE, resources=resources, starts_at=starts_at, ends_at=ends_at, by=by
        )
    except bookings.Clash as clash:
        raise CannotBook(*clash.sentences()) from clash
    except ValueError as error:
        raise CannotBook(str(error)) from error
    procedure = Procedure.objects.create(
        case=locked,
        map=consent.map,
        consent=consent,
        booking=booking,
        place=place,
        pace_seconds=settings.LACUNA_PACE_SECONDS if pace_seconds is None else pace_seconds,
        booked_by=by,
    )
    Case.objects.filter(pk=locked.pk).update(stage=Case.Stage.BOOKED)
    record(
        Act(
            "procedure.booked",
            f"procedure:{procedure.pk}",
            actor=actor_of(by),
            case=locked.pk,
            details={"place": str(place), "resources": len(resources), "from": booking.starts_at},
        )
    )
    return procedure


@transaction.atomic
def cancel_procedure(procedure: Procedure, *, by: User) -> None:
    """Cancel a procedure and its booking. Consent stays in force. Errors: CannotBook once it has started."""
    locked = Procedure.objects.select_for_update(of=("self",)).select_related("booking").get(pk=procedure.pk)
    if locked.state != Procedure.State.BOOKED:
        raise CannotBook(_("This procedure was started or canceled before."))
    bookings.cancel(locked.booking)
    Procedure.objects.filter(pk=locked.pk).update(state=Procedure.State.CANCELED)
    Case.objects.filter(pk=locked.case_id, stage=Case.Stage.BOOKED).update(stage=Case.Stage.CONSENTED)
    record(Act("procedure.canceled", f"procedure:{locked.pk}", actor=actor_of(by), case=locked.case_id))


@transaction.atomic
def move_procedure(
    procedure: Procedure, *, starts_at: datetime, ends_at: datetime, expected_start: datetime, by: User
) -> Procedure:
    """Move a booked procedure to another time, with the same resources.

    expected_start: the start that the user saw. Errors: CannotBook, with `stale` if the start has changed
    since then.
    """
    locked = (
        Procedure.objects.select_for_update(of=("self",))
        .select_related("booking", "consent")
        .get(pk=procedure.pk)
    )
    if locked.state != Procedure.State.BOOKED:
        raise CannotBook(_("This procedure was started or canceled before."))
    if starts_at < may_start_from(locked.consent):
        raise CannotBook(_("The night falls into the time the patient has to think it over."))
    previous_start = locked.booking.starts_at
    try:
        locked.booking = bookings.move(
            locked.booking, starts_at=starts_at, ends_at=ends_at, expected_start=expected_start
        )
    except bookings.Stale as stale:
        raise CannotBook(str(stale), stale=True) from stale
    except bookings.Clash as clash:
        raise CannotBook(*clash.sentences()) from clash
    except ValueError as error:
        raise CannotBook(str(error)) from error
    record(
        Act(
            "procedure.moved",
            f"procedure:{locked.pk}",
            actor=actor_of(by),
            case=locked.case_id,
            details={"from": previous_start, "to": locked.booking.starts_at},
        )
    )
    return locked
