"""What of this package is compared with the log when it is verified: states and moves of appointments."""

from collections.abc import Mapping

from clinic.audit.comparisons import Rows, Said, register
from clinic.audit.models import Entry
from patients.appointments.models import Appointment

Status = Appointment.Status
# The state that an action leaves behind. After "appointment.undone" it is in the details.
STATES = {
    "appointment.held": Status.HELD,
    "appointment.booked": Status.BOOKED,
    "appointment.arrived": Status.ARRIVED,
    "appointment.begun": Status.IN_PROGRESS,
    "appointment.completed": Status.COMPLETED,
    "appointment.missed": Status.NO_SHOW,
    "appointment.cancelled": Status.CANCELLED,
}
MOVED, UNDONE = "appointment.moved", "appointment.undone"


def stored(appointment_id: str | None) -> Mapping[str, Said]:
    """Return the case, the state and the number of moves of each appointment (or of one), by id."""
    rows = Appointment.objects.all()
    if appointment_id:
        rows = rows.filter(pk=appointment_id)
    return {
        str(pk): {"case": case, "status": status, "moves": moves}
        for pk, case, status, moves in rows.values_list("pk", "case_id", "status", "sequence")
    }


def logged(entries: list[Entry]) -> Said:
    """Return what the log says of an appointment."""
    status, moves = "", 0
    for entry in entries:
        if entry.action == MOVED:
            moves = entry.details["sequence"]
        elif entry.action == UNDONE:
            status = entry.details["back_to"]
        else:
            status = STATES[entry.action].value
    return {"case": entries[-1].case, "status": status, "moves": moves}


register("appointments", Rows("appointment", (*STATES, MOVED, UNDONE), stored, logged))
