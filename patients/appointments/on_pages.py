"""What the file, the portal and the day board show of appointments, and which buttons they offer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Prefetch, Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clinic.access.policy import allowed
from clinic.accounts.models import User
from clinic.calendar.models import PLACES, Resource
from patients.appointments.booking import appointment_mark
from patients.appointments.desk_tasks import task_words
from patients.appointments.models import Appointment, AppointmentQuerySet, DeskTask
from patients.appointments.own import near
from patients.appointments.states import can_undo, next_states
from patients.cases.models import Case
from patients.vault.sealed import read_many

Status = Appointment.Status
# The words on the button of each state.
BUTTONS: dict[str, str | Promise] = {
    Status.ARRIVED: _("Arrived"),
    Status.IN_PROGRESS: _("In the room"),
    Status.COMPLETED: _("Done"),
    Status.NO_SHOW: _("Did not come"),
}
# The colour of the tag of a state (components/tag.html).
TAGS = {
    Status.ARRIVED: "teal",
    Status.IN_PROGRESS: "teal",
    Status.NO_SHOW: "alarm",
    Status.CANCELLED: "gone",
    Status.COMPLETED: "gone",
}
UPCOMING = (Status.BOOKED, Status.ARRIVED, Status.IN_PROGRESS)
MOST_PAST = 10  # past appointments on the file


@dataclass(frozen=True)
class AppointmentDisplay:
    """An appointment as a page shows it.

    people: labels of the team. place: the label of the room, or "". seen: the mark for its buttons
    (`appointment_mark`). who, url: the patient and the file; empty if the viewer may not know whose it is.
    may_change: whether its patient can still move or cancel it.
    buttons: the states that it can be set to, each with its words. words: the note on the last change.
    """

    appointment: Appointment
    people: str
    place: str
    tag: str
    seen: str
    who: str = ""
    url: str = ""
    buttons: Sequence[tuple[str, str | Promise]] = ()
    undo: bool = False
    may_move: bool = False
    may_cancel: bool = False
    may_change: bool = False
    words: str = ""


@dataclass(frozen=True)
class OnFile:
    """What the file shows: upcoming appointments, past ones, and what the desk has to do."""

    upcoming: list[AppointmentDisplay] = field(default_factory=list)
    past: list[AppointmentDisplay] = field(default_factory=list)
    tasks: list[tuple[DeskTask, str]] = field(default_factory=list)
    may_book: bool = False
    may_close: bool = False


def with_resources(rows: AppointmentQuerySet) -> AppointmentQuerySet:
    """Return appointments with their bookings, and the people and rooms of these."""
    resources = Prefetch("booking__resources", Resource.objects.select_related("user").by_name("kind"))
    return rows.with_booking().prefetch_related(resources)


def display_of(
    row: Appointment,
    now: datetime,
    *,
    who: str = "",
    url: str = "",
    may: Collection[str] = (),
    words: str = "",
) -> AppointmentDisplay:
    """Return an appointment as a page shows it. row: loaded by `with_resources`.

    may: which of "state", "move" and "cancel" the viewer may do; "own": they are its patient.
    The others as in AppointmentDisplay.
    """
    resources = list(row.booking.resources.all())
    is_booked = row.status == Status.BOOKED
    return AppointmentDisplay(
        appointment=row,
        people=", ".join(one.label for one in resources if one.kind not in PLACES),
        place=", ".join(one.label for one in resources if one.kind in PLACES),
        tag=TAGS.get(Status(row.status), ""),
        seen=appointment_mark(row),
        who=who,
        url=url,
        buttons=[(state, BUTTONS[state]) for state in next_states(row, now)] if "state" in may else [],
        undo="state" in may and can_undo(row, now),
        may_move="move" in may and is_booked,
        may_cancel="cancel" in may and is_booked,
        may_change="own" in may and is_booked and not near(row, now),
        words=words,
    )


def on_file(case: Case, viewer: User, *, content: bool) -> OnFile:
    """Return what the file of a case shows to `viewer`. content: whether they read sealed words."""
    now = timezone.now()
    rows = list(with_resources(Appointment.objects.made().filter(case=case)).order_by("booking__starts_at"))
    upcoming = [row for row in rows if row.status in UPCOMING]
    past = [row for row in rows if row.status not in UPCOMING][-MOST_PAST:]
    may = _allowed(viewer, rows[0]) if rows else set()
    words = read_many([*upcoming, *past], skip_damaged=True) if content else {}
    tasks = DeskTask.objects.open().filter(case=case).select_related("template", "appointment__booking")

    def show(row: Appointment) -> AppointmentDisplay:
        return display_of(row, now, may=may, words=words[row.pk].words if row.pk in words else "")

    may_book = allowed(viewer, "patients:appointment-new", {"case": case.pk}, "POST").allowed
    return OnFile(
        upcoming=[show(row) for row in upcoming],
        past=[show(row) for row in reversed(past)],
        tasks=[(task, task_words(task)) for task in tasks.order_by("made_at")],
        may_book=may_book,
        may_close=may_book,
    )


def _allowed(viewer: User, row: Appointment) -> set[str]:
    """Return what `viewer` may do with the appointments of a case, of which `row` is one."""
    return {
        name
        for name in ("state", "move", "cancel")
        if allowed(viewer, f"patients:appointment-{name}", {"appointment": row.pk}, "POST").allowed
    }


def upcoming_of(patient: User) -> list[AppointmentDisplay]:
    """Return the upcoming appointments of a patient, the next first, for their own pages.

    Canceled ones are among them, so that they can be taken out of a calendar.
    """
    now = timezone.now()
    upcoming = Q(status__in=UPCOMING) | Q(status=Status.CANCELLED, booked_at__isnull=False)
    rows = Appointment.objects.filter(upcoming, case__patient=patient, booking__ends_at__gt=now)
    return [display_of(row, now, may={"own"}) for row in with_resources(rows).order_by("booking__starts_at")]
