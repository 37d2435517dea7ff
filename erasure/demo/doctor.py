"""The demonstration's doctor, who decides on a held copy when nobody else does."""

import logging
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from clinic.accounts.models import User
from clinic.audit.record import Act, record
from clinic.calendar.models import Resource
from erasure.demo.ownership import is_own_database
from erasure.runs import resistance
from erasure.runs.events import NewEvent, emit
from erasure.runs.models import Hold, Run
from erasure.runs.run_actions import NotNow, check_in_charge, lock
from erasure.session.likeness import look
from patients.keepsakes.looks import LookReason

log = logging.getLogger("lacuna.supervisor")

WAITS = 90.0  # seconds that a visitor of the demonstration has to decide on a held copy


def decide_waiting() -> int:
    """Decide on the held copies on which nobody decided within `WAITS`; return their number.

    The supervisor calls it in every quick round, in the demonstration only (erasure/apps.py). It decides as
    the doctor who is booked for the night, by the functions that a doctor uses, and says on the record that
    it was the demonstration. A night that is paused or taken over is left to its people.
    """
    if not is_own_database():
        return 0
    late = Hold.objects.filter(
        state=Hold.State.OPEN,
        found_at__lte=timezone.now() - timedelta(seconds=WAITS),
        step__run__state=Run.State.RUNNING,
        step__run__taken_over_by__isnull=True,
    )
    decided = 0
    for run_id, hold_id in late.values_list("step__run_id", "pk"):
        try:
            decided += _decide(run_id, hold_id)
        except (NotNow, ValueError) as refusal:  # somebody has decided or taken over meanwhile
            log.info("run %s: the demonstration did not decide, %s", run_id, refusal)
    return decided


@transaction.atomic
def _decide(run_id: UUID, hold_id: UUID) -> bool:
    """Look at a copy and decide on it; return False if the night has no doctor any more.

    A copy that may be put on the map is, because the patient has signed for it. Otherwise it stays where it
    is. Errors: NotNow, ValueError if it cannot be decided now.
    """
    run = lock(run_id)
    item = resistance.open_hold(run, hold_id)
    doctor = User.objects.filter(
        is_active=True,
        resources__kind=Resource.Kind.DOCTOR,
        resources__bookings=run.procedure.booking_id,
    ).first()
    if doctor is None or run.state != Run.State.RUNNING:
        return False
    check_in_charge(run, doctor)
    extend = not resistance.why_not_extend(item)
    reasons = resistance.fitting_reasons(item, extend=extend)
    reason = reasons[0] if extend else reasons[1]
    emit(run.pk, NewEvent("demo-decided"))
    look(item, LookReason.COMPARE, by=doctor)
    resistance.decide(run.pk, item.pk, extend=extend, reason=reason, by=doctor)
    record(
        Act(
            "demo.decided",
            f"hold:{item.pk}",
            actor="system:demo",
            case=run.procedure.case_id,
            run=run.pk,
            details={"doctor": str(doctor.pk), "seconds": int(WAITS)},
        )
    )
    return True
