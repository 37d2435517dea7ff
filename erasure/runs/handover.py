"""Who is responsible for a run: handover to another technician, and takeover by a doctor.

Every action is recorded and locks the run row. A technician who was not booked for the run is added to its
booking by accepting; the calendar's unique constraint decides whether they are free.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import Role, User
from clinic.calendar.models import Booking, Reservation, Resource, quarters
from erasure.procedures.models import Procedure
from erasure.runs.models import Handover, Run
from erasure.runs.run_actions import (
    UNCHANGED,
    ActionResult,
    NotNow,
    check_in_charge,
    check_not_stopping,
    lock,
    record_run_event,
)


def open_offer(run: Run) -> Handover | None:
    """Return the offer that waits for an answer, or None."""
    return (
        Handover.objects.filter(run=run, state=Handover.State.OFFERED)
        .select_related("offered_by", "offered_to")
        .first()
    )


def may_offer(run: Run, by: User) -> bool:
    """Return whether handing the run over means something now, and is for `by` to do."""
    if run.state in {Run.State.STOPPING, Run.State.FINISHED}:
        return False
    if run.taken_over_by_id not in {None, by.pk}:
        return False
    return run.responsible_id in {None, by.pk} or by.has_role(Role.DOCTOR)


def first_responsible(procedure: Procedure) -> User | None:
    """Return the technician who is responsible at the start: the first one booked, ordered by label.

    Nobody is whom the session would refuse: the patient or the subject.
    """
    booked = procedure.booking.resources.filter(kind=Resource.Kind.TECHNICIAN, user__is_active=True)
    able = booked.exclude(user__in=procedure.case.people_in_conflict())
    resource = able.select_related("user").order_by("label").first()
    return resource.user if resource else None


def candidates(run: Run) -> list[User]:
    """Return the technicians who could take over now: first those booked for the run, then those free."""
    resources = (
        Resource.objects.filter(
            kind=Resource.Kind.TECHNICIAN,
            in_use=True,
            user__is_active=True,
            user__grants__role=Role.TECHNICIAN,
        )
        .exclude(user=run.responsible_id)
        .select_related("user")
        .by_name()
    )
    booked = set(run.procedure.booking.resources.values_list("pk", flat=True))
    barred = run.procedure.case.people_in_conflict()
    busy = _busy_resources(run.procedure.booking)
    found = sorted(resources, key=lambda resource: resource.pk not in booked)
    return [
        resource.user
        for resource in found
        if resource.user
        and (resource.pk in booked or resource.pk not in busy)
        and resource.user_id not in barred
    ]


def _busy_resources(booking: Booking) -> set[UUID]:
    """Ids of the resources that another booking reserves at some time between now and the end of this one."""
    reservations = Reservation.objects.filter(quarter__in=list(quarters(timezone.now(), booking.ends_at)))
    return set(reservations.exclude(booking=booking).values_list("resource_id", flat=True))


@transaction.atomic
def offer(run_id: UUID, to: UUID, *, by: User) -> ActionResult:
    """Offer responsibility for the run to the technician `to`. A new offer replaces an open one.

    Errors: NotNow if `by` may not hand over or `to` cannot take over.
    """
    run = lock(run_id)
    check_not_stopping(run)
    check_in_charge(run, by)
    if run.responsible and not may_offer(run, by):
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
        _close_offer(waiting, Handover.State.WITHDRAWN)
    Handover.objects.create(run=run, offered_by=by, offered_to=person, offered_at=Now())
    return record_run_event(run, "handover-offered", by, {"to": str(person.pk)})


def _close_offer(offered: Handover, state: str) -> None:
    Handover.objects.filter(pk=offered.pk).update(state=state, ended_at=Now())


@transaction.atomic
def accept(run_id: UUID, *, by: User) -> ActionResult:
    """Accept the offer: `by` is responsible for the run from now on.

    Errors: NotNow if it is not offered to `by`, or they are not a technician who is free. The user row is
    locked too: an account that is being closed cannot accept. An account that is closed after it accepted
    is found by the supervisor (erasure/runs/presence.py, release_absent).
    """
    run = lock(run_id)
    check_not_stopping(run)
    if run.responsible_id == by.pk:
        return UNCHANGED
    offered = open_offer(run)
    if offered is None or offered.offered_to_id != by.pk:
        raise NotNow(_("This night is not offered to you any more."))
    person = User.objects.select_for_update().get(pk=by.pk)
    if not person.is_active or not person.has_role(Role.TECHNICIAN):
        raise NotNow(_("Only a technician of the house can take over."))
    _join_team(run.procedure.booking, person)
    previous = run.responsible_id
    run.responsible = person
    run.save(update_fields=["responsible"])
    _close_offer(offered, Handover.State.ACCEPTED)
    return record_run_event(run, "handover-accepted", by, {"before": str(previous)} if previous else {})


def _join_team(booking: Booking, person: User) -> None:
    """Add `person` to the booking from now to its end. Errors: NotNow if they are booked elsewhere."""
    if booking.resources.filter(user=person).exists():
        return
    resource = (
        Resource.objects.filter(kind=Resource.Kind.TECHNICIAN, user=person, in_use=True)
        .select_for_update()
        .first()
    )
    if resource is None:
        raise NotNow(_("Only a technician of the house can take over."))
    reservations: Sequence[Reservation] = [
        Reservation(resource=resource, quarter=quarter, booking=booking)
        for quarter in quarters(timezone.now(), booking.ends_at)
    ]
    try:
        with transaction.atomic():
            Reservation.objects.bulk_create(reservations)
    except IntegrityError as error:
        raise NotNow(_("You are booked elsewhere before this night ends.")) from error
    booking.resources.add(resource)


@transaction.atomic
def decline(run_id: UUID, *, by: User) -> ActionResult:
    """Close the open offer: `by` declines it, or withdraws their own. Errors: NotNow for anyone else."""
    run = lock(run_id, allow_finished=True)
    offered = open_offer(run)
    if offered is None:
        return UNCHANGED
    if by.pk not in {offered.offered_to_id, offered.offered_by_id}:
        raise NotNow(_("This night is not offered to you any more."))
    own = by.pk == offered.offered_by_id
    _close_offer(offered, Handover.State.WITHDRAWN if own else Handover.State.DECLINED)
    return record_run_event(run, "handover-declined", by)


@transaction.atomic
def take_over(run_id: UUID, *, by: User) -> ActionResult:
    """Put the doctor `by` in charge of the run.

    From now on only they may act. Others can still pause and say the safe word, and the patient can still
    protect memories. One doctor may take over from another; both are recorded. Errors: NotNow if `by` is not
    a doctor, or the run is finished.
    """
    run = lock(run_id)
    check_not_stopping(run)
    if not by.has_role(Role.DOCTOR):
        raise NotNow(_("Only a doctor takes over."))
    if run.taken_over_by_id == by.pk:
        return UNCHANGED
    previous = run.taken_over_by_id
    run.taken_over_by, run.taken_over_at = by, timezone.now()
    run.save(update_fields=["taken_over_by", "taken_over_at"])
    return record_run_event(run, "taken-over", by, {"before": str(previous)} if previous else {})


@transaction.atomic
def hand_back(run_id: UUID, *, by: User) -> ActionResult:
    """Give control back to the team. Errors: NotNow if a doctor other than `by` has taken over."""
    run = lock(run_id)
    check_not_stopping(run)
    if run.taken_over_by_id is None:
        return UNCHANGED
    check_in_charge(run, by)
    run.taken_over_by, run.taken_over_at = None, None
    run.save(update_fields=["taken_over_by", "taken_over_at"])
    return record_run_event(run, "handed-back", by)
