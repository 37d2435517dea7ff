"""The tasks of the desk after appointments and nights: call who did not come, book a follow-up."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.calendar.durations import format_moment
from patients.appointments.models import Appointment, AppointmentTemplate, DeskTask
from patients.cases.models import Case

Kind, Answer = DeskTask.Kind, DeskTask.Answer


def when_words(appointment: Appointment) -> str:
    """Return when an appointment is, as text."""
    return format_moment(appointment.booking.starts_at)


def task_words(task: DeskTask) -> str:
    """Return what the desk has to do, as a sentence."""
    if task.kind == DeskTask.Kind.CALL and task.appointment:
        return _("Did not come on %(when)s: call.") % {"when": when_words(task.appointment)}
    return _("Book “%(name)s” by %(day)s.") % {
        "name": task.template.name if task.template else "",
        "day": date_format(task.due, "MONTH_DAY_FORMAT") if task.due else "",
    }


class AlreadyAnswered(Exception):
    """The task was answered before. The message is a sentence for the user."""


def ask_to_call(appointment: Appointment) -> None:
    """Create the task to call a patient who did not come. The caller holds the lock of the appointment."""
    DeskTask.objects.get_or_create(
        appointment=appointment, kind=Kind.CALL, answer="", defaults={"case_id": appointment.case_id}
    )


def ask_for_follow_up(appointment: Appointment) -> None:
    """Create the task to book what follows a completed appointment, if something does.

    The caller holds the lock of the appointment.
    """
    if appointment.follow_up_id and appointment.follow_up_days is not None:
        DeskTask.objects.get_or_create(
            appointment=appointment,
            kind=Kind.FOLLOW_UP,
            answer="",
            defaults={
                "case_id": appointment.case_id,
                "template_id": appointment.follow_up_id,
                "due": timezone.localdate() + timedelta(days=appointment.follow_up_days),
            },
        )


def ask_after_night(case: Case) -> None:
    """Create the tasks to book what follows the night that closed a case. Call it inside a transaction."""
    today = timezone.localdate()
    DeskTask.objects.bulk_create(
        DeskTask(
            kind=Kind.FOLLOW_UP,
            case_id=case.pk,
            template=template,
            due=today + timedelta(days=template.days_after_night or 0),
        )
        for template in AppointmentTemplate.objects.usable().filter(days_after_night__isnull=False)
    )


def _settle(answer: str, by: User | None, **conditions: object) -> int:
    """Settle the open tasks that meet the conditions. Return how many there were."""
    rows = DeskTask.objects.open().filter(**conditions)
    return rows.update(answer=answer, answered_by=by, answered_at=timezone.now())


def answer_by_booking(appointment: Appointment, *, by: User) -> None:
    """Settle the open tasks that a new appointment answers: calls, and follow-ups with its template."""
    _settle(Answer.BOOKED, by, case=appointment.case_id, kind=Kind.CALL)
    _settle(Answer.BOOKED, by, case=appointment.case_id, template=appointment.template_id)


def answer_by_undoing(appointment: Appointment, *, by: User) -> None:
    """Settle the open tasks of an appointment whose state was entered by mistake."""
    _settle(Answer.UNDONE, by, appointment=appointment)


def end_tasks_of(case: Case, *, by: User | None) -> None:
    """Settle all open tasks of a case that was withdrawn."""
    _settle(Answer.CLOSED, by, case=case)


@transaction.atomic
def close_task(task: DeskTask, *, by: User) -> None:
    """Record that nothing more is needed. Errors: AlreadyAnswered."""
    locked = DeskTask.objects.select_for_update(of=("self",)).get(pk=task.pk)
    if locked.answer:
        raise AlreadyAnswered(_("Somebody has answered this already."))
    _settle(Answer.CLOSED, by, pk=locked.pk)
    record(
        Act(
            "desk-task.closed",
            f"desk-task:{locked.pk}",
            actor=actor_of(by),
            case=locked.case_id,
            details={"kind": str(locked.kind)},
        )
    )
