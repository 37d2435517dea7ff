"""Who answers for the night: handed from one technician to another, and taken over by a doctor.

Every part of it is on the record, and under the run row's lock. A technician who was not booked for this
night becomes part of its team by accepting: the calendar's own constraint decides whether they are free.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.access.relations import CONFLICT
from clinic.accounts.models import Role, User
from clinic.calendar.models import Booking, Reservation, Resource, quarters
from erasure.runs.models import Handover, Run
from erasure.runs.run_actions import UNCHANGED, Done, NotNow, lock, only_in_charge, record_run_event
from patients.cases.relations import standing_to


def open_offer(run: Run) -> Handover | None:
    """The offer that waits for an answer, if there is one."""
    return (
        Handover.objects.filter(run=run, state=Handover.State.OFFERED)
        .select_related("offered_by", "offered_to")
        .first()
    )


def first_responsible(booking: Booking) -> User | None:
    """The technician a night begins with: the first of those booked for it, by the name on the board."""
    booked = booking.resources.filter(kind=Resource.Kind.TECHNICIAN, user__is_active=True)
    resource = booked.select_related("user").order_by("label").first()
    return resource.user if resource else None


def candidates(run: Run) -> list[User]:
    """Technicians who could take the night now: those booked for it, then those free until its end."""
    resources = (
        Resource.objects.filter(
            kind=Resource.Kind.TECHNICIAN,
            in_use=True,
            user__is_active=True,
            user__grants__role=Role.TECHNICIAN,
        )
        .exclude(user=run.responsible_id)
        .select_related("user")
        .order_by("label")
    )
    booked = set(run.procedure.booking.resources.values_list("pk", flat=True))
    taken = _taken(run.procedure.booking)
    found = sorted(resources, key=lambda resource: (resource.pk not in booked, resource.label))
    return [
        resource.user
        for resource in found
        if resource.user
        and (resource.pk in booked or resource.pk not in taken)
        and CONFLICT not in standing_to(resource.user, run.procedure.case)
    ]


def _taken(booking: Booking) -> set[UUID]:
    """Resources that something else holds at some time between now and the night's end."""
    left = Reservation.objects.filter(quarter__in=list(quarters(timezone.now(), booking.ends_at)))
    return set(left.exclude(booking=booking).values_list("resource_id", flat=True))


@transaction.atomic
def offer(run_id: UUID, to: UUID, *, by: User) -> Done:
    """Ask the technician `to` to answer for the night. A new offer takes the place of one that waits.

    Errors: NotNow where `by` has nothing to hand over or `to` cannot take it.
    """
    run = lock(run_id)
    only_in_charge(run, by)
    if run.responsible and run.responsible_id != by.pk and not by.has_role(Role.DOCTOR):
        raise NotNow(
            _("%(who)s is responsible now. Only they, or a doctor, can hand over.")
            % {"who": run.responsible.short_name}
        )
    person = next((one for one in candidates(run) if one.pk == to), None)
    if person is None:
        raise NotNow(_("This person cannot take over: not a technician here, or not free tonight."))
    waiting = open_offer(run)
    if waiting and (waiting.offered_to_id, waiting.offered_by_id) == (to, by.pk):
        return UNCHANGED
    if waiting:
        _end(waiting, Handover.State.WITHDRAWN)
    Handover.objects.create(run=run, offered_by=by, offered_to=person, offered_at=Now())
    return record_run_event(run, "handover-offered", by, {"to": str(person.pk)})


def _end(offered: Handover, state: str) -> None:
    Handover.objects.filter(pk=offered.pk).update(state=state, ended_at=Now())


@transaction.atomic
def accept(run_id: UUID, *, by: User) -> Done:
    """Answer for the night from now on. Errors: NotNow where it is not offered to `by`, or they are not free.

    The account is locked too: one that is being closed takes nothing over, and one that took over before
    it was closed is found by the supervisor (erasure/runs/presence.py, release_absent).
    """
    run = lock(run_id)
    if run.responsible_id == by.pk:
        return UNCHANGED
    offered = open_offer(run)
    if offered is None or offered.offered_to_id != by.pk:
        raise NotNow(_("This night is not offered to you any more."))
    person = User.objects.select_for_update().get(pk=by.pk)
    if not person.is_active or not person.has_role(Role.TECHNICIAN):
        raise NotNow(_("Only a technician of the house can take over."))
    _join(run.procedure.booking, person)
    before = run.responsible_id
    run.responsible = person
    run.save(update_fields=["responsible"])
    _end(offered, Handover.State.ACCEPTED)
    return record_run_event(run, "handover-accepted", by, {"before": str(before)} if before else {})


def _join(booking: Booking, person: User) -> None:
    """Make `person` part of the night's team. Errors: NotNow where the calendar holds them elsewhere."""
    if booking.resources.filter(user=person).exists():
        return
    resource = (
        Resource.objects.filter(kind=Resource.Kind.TECHNICIAN, user=person, in_use=True)
        .select_for_update()
        .first()
    )
    if resource is None:
        raise NotNow(_("Only a technician of the house can take over."))
    hours: Sequence[Reservation] = [
        Reservation(resource=resource, quarter=quarter, booking=booking)
        for quarter in quarters(timezone.now(), booking.ends_at)
    ]
    try:
        with transaction.atomic():
            Reservation.objects.bulk_create(hours)
    except IntegrityError as error:
        raise NotNow(_("You are booked elsewhere before this night ends.")) from error
    booking.resources.add(resource)


@transaction.atomic
def decline(run_id: UUID, *, by: User) -> Done:
    """Leave things as they are: said by who was asked, or taken back by who asked. Errors: NotNow."""
    run = lock(run_id, over=True)
    offered = open_offer(run)
    if offered is None:
        return UNCHANGED
    if by.pk not in {offered.offered_to_id, offered.offered_by_id}:
        raise NotNow(_("This night is not offered to you any more."))
    own = by.pk == offered.offered_by_id
    _end(offered, Handover.State.WITHDRAWN if own else Handover.State.DECLINED)
    return record_run_event(run, "handover-declined", by)


@transaction.atomic
def take_over(run_id: UUID, *, by: User) -> Done:
    """From now on only this doctor's controls act; pause, safe word and the patient's own word stay.

    Another doctor may take over from one who has; both are on the record. Errors: NotNow.
    """
    run = lock(run_id)
    if not by.has_role(Role.DOCTOR):
        raise NotNow(_("Only a doctor takes over."))
    if run.taken_over_by_id == by.pk:
        return UNCHANGED
    before = run.taken_over_by_id
    run.taken_over_by, run.taken_over_at = by, timezone.now()
    run.save(update_fields=["taken_over_by", "taken_over_at"])
    return record_run_event(run, "taken-over", by, {"before": str(before)} if before else {})


@transaction.atomic
def hand_back(run_id: UUID, *, by: User) -> Done:
    """Give the controls back to the team. Errors: NotNow where another doctor has taken over."""
    run = lock(run_id)
    if run.taken_over_by_id is None:
        return UNCHANGED
    only_in_charge(run, by)
    run.taken_over_by, run.taken_over_at = None, None
    run.save(update_fields=["taken_over_by", "taken_over_at"])
    return record_run_event(run, "handed-back", by)
