"""The appointments on the day board: their labels, a list with a button for each state, and what waits."""

from collections.abc import Mapping, Sequence
from datetime import time
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.calendar.board import BoardSource, BookingLabel, Need, Panel, Span, at_clock
from clinic.calendar.models import Booking
from clinic.calendar.state_lanes import State
from patients.appointments.desk_tasks import task_words, when_words
from patients.appointments.models import Appointment, DeskTask
from patients.appointments.on_pages import AppointmentDisplay, display_of, with_resources
from patients.cases.relations import board_patient, patient_label, roles_on

MAX_ENTRIES = 40  # open tasks, and past appointments without a final state, each
PANEL = "patients/appointments/_panel.html"
Status = Appointment.Status
# The lane of the day board for each status of an appointment.
LANE_OF = {
    Status.HELD: State.EXPECTED,
    Status.BOOKED: State.EXPECTED,
    Status.ARRIVED: State.ARRIVED,
    Status.IN_PROGRESS: State.RUNNING,
    Status.COMPLETED: State.DONE,
    Status.NO_SHOW: State.DONE,
}


def describe_bookings(bookings: Sequence[Booking], viewer: User) -> Mapping[UUID, BookingLabel]:
    """Return labels by booking id: patient, kind and state; only the kind for hidden cases."""
    rows = list(
        Appointment.objects.filter(booking__in=bookings)
        .exclude(status=Status.CANCELLED)
        .select_related("case__patient")
    )
    roles_by_case = roles_on(viewer, [row.case_id for row in rows])
    return {row.booking_id: _label(row, roles_by_case.get(row.case_id, frozenset())) for row in rows}


def _label(row: Appointment, roles: frozenset[str]) -> BookingLabel:
    held, state, since = row.status == Status.HELD, LANE_OF[Status(row.status)], row.state_since
    if not roles:
        return BookingLabel(what=capfirst(row.get_kind_display()), held=held, state=state, since=since)
    what = _("%(kind)s, %(state)s") % {"kind": row.name, "state": row.get_status_display()}
    url = reverse("patients:case", args=[row.case_id])
    who, patient = patient_label(row.case, roles, short=True), board_patient(row.case, roles)
    return BookingLabel(who, what, url, held=held, state=state, since=since, patient=patient)


def panel(span: Span, viewer: User) -> Panel | None:
    """Return the list of the appointments of the day that `viewer` may see; None if there are none."""
    rows = (
        Appointment.objects.made()
        .exclude(status=Status.CANCELLED)
        .filter(booking__starts_at__gte=span.start, booking__starts_at__lt=span.end)
    )
    found = list(with_resources(rows).order_by("booking__starts_at", "pk"))
    cases = {row.case_id for row in found}
    roles_by_case = roles_on(viewer, cases)
    may = {
        name: roles_on(viewer, cases, f"patients:appointment-{name}", writing=True)
        for name in ("state", "move")
    }
    now = timezone.now()
    entries: list[AppointmentDisplay] = []
    for row in found:
        allowed = {name for name, roles in may.items() if row.case_id in roles}
        if row.case_id not in roles_by_case and not allowed:
            continue
        roles = roles_by_case.get(row.case_id, frozenset()) | may["move"].get(row.case_id, frozenset())
        url = reverse("patients:case", args=[row.case_id]) if row.case_id in roles_by_case else ""
        entries.append(display_of(row, now, who=patient_label(row.case, roles), url=url, may=allowed))
    return Panel(PANEL, entries) if entries else None


def needs(span: Span, viewer: User) -> Sequence[Need]:
    """Return what appointments leave to do: calls, follow-ups, and those whose state nobody has entered.

    span: not used; these entries have no date.
    """
    tasks = list(
        DeskTask.objects.open()
        .select_related("case__patient", "template", "appointment__booking")
        .order_by("made_at")[:MAX_ENTRIES]
    )
    today = at_clock(timezone.localdate(), time(0))
    # Sorted here: for an order by the time of the booking SQLite walks along all bookings that have been.
    waiting = Appointment.objects.unsettled().filter(booking__ends_at__lte=today)
    oldest = sorted(waiting.values_list("booking__starts_at", "pk"))[:MAX_ENTRIES]
    unsettled = list(
        Appointment.objects.with_booking()
        .filter(pk__in=[pk for _starts_at, pk in oldest])
        .order_by("booking__starts_at", "pk")
    )
    cases = {task.case_id for task in tasks} | {row.case_id for row in unsettled}
    if not cases:
        return []
    roles_by_case = roles_on(viewer, cases)
    may_book = roles_on(viewer, cases, "patients:appointment-new")
    found = []
    for task in tasks:
        if task.case_id in roles_by_case:
            who = patient_label(task.case, roles_by_case[task.case_id], short=True)
            url, patient = (
                _task_url(task, task.case_id in may_book),
                board_patient(task.case, roles_by_case[task.case_id]),
            )
            found.append(Need(who, task_words(task), url, patient=patient))
    for row in unsettled:
        if row.case_id in roles_by_case:
            words = _("Was expected on %(when)s. Say whether they came.") % {"when": when_words(row)}
            who = patient_label(row.case, roles_by_case[row.case_id], short=True)
            patient = board_patient(row.case, roles_by_case[row.case_id])
            found.append(Need(who, words, reverse("patients:case", args=[row.case_id]), patient=patient))
    return found


def _task_url(task: DeskTask, may_book: bool) -> str:
    if may_book and task.template_id:
        return f"{reverse('patients:appointment-new', args=[task.case_id])}?template={task.template_id}"
    return reverse("patients:case", args=[task.case_id])


BOARD_SOURCE = BoardSource(describe_bookings=describe_bookings, needs=needs, panel=panel)
