"""Holds, books, moves and cancels appointments, and gives up holds.

Each change of a booked appointment has one audit entry.

Locks are taken in this order: the case, the appointment, its booking, people and rooms.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.availability.offers import objections_to
from clinic.calendar import bookings
from clinic.calendar.durations import format_moment
from clinic.calendar.models import Booking, Resource
from clinic.configuration.values import value_of
from clinic.edits.seen import is_seen, seen_mark
from clinic.seasons.rules import season_on
from patients.appointments.configuration import MOVES_PER_PATIENT
from patients.appointments.desk_tasks import answer_by_booking, ask_after_night, end_tasks_of
from patients.appointments.mails import tell_of_appointment
from patients.appointments.models import (
    TEMPLATE_FIELDS,
    Appointment,
    AppointmentTemplate,
    ChangeFields,
    Kind,
    TemplateValues,
)
from patients.appointments.offers import appointments_in, bookings_of, needed
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.repeats.exceptions import lock_patient
from patients.vault.keys import KeyGone

HOLD = timedelta(minutes=10)  # a hold reserves its time for so long
MAX_NOTE_CHARACTERS = 500  # of the optional note on a reason
Status, Reason = Appointment.Status, Appointment.Reason
CHANGE_FIELDS = ["reason", "changed_by", "changed_at", "sealed"]  # what `_set_reason` sets
# Moves for these reasons count towards MOVES_PER_PATIENT.
PATIENT_REASONS = frozenset({Reason.PATIENT, Reason.PATIENT_ILL})
# The reasons that a person may choose. The others are set by the system.
REASONS = [choice for choice in Reason.choices if choice[0] not in {Reason.CASE_OVER, Reason.EARLIER}]

# Functions that packages importing this one have added. They are called when an appointment was booked,
# moved, canceled, or set to another state: inside the transaction of the change, with the case and the
# appointment locked, before the audit entry is written.
on_appointment_changed: list[Callable[[Appointment, User | None], None]] = []


def appointment_changed(appointment: Appointment, by: User | None) -> None:
    """Call the functions of `on_appointment_changed`. by: None for the system."""
    for listener in on_appointment_changed:
        listener(appointment, by)


class CannotBook(Exception):
    """The appointment cannot be made or changed like this. sentences: why.

    stale: the appointment has changed since the page showed it. lost: the hold
    cannot be booked any more. confirm_token: if the only objections are working hours or absences, the page
    posts it to book all the same; else "".
    confirm_limit_token: the same for a move above the limit.
    """

    def __init__(
        self,
        *sentences: str,
        stale: bool = False,
        lost: bool = False,
        confirm_token: str = "",
        confirm_limit_token: str = "",
    ) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = list(sentences)
        self.stale = stale
        self.lost = lost
        self.confirm_token = confirm_token
        self.confirm_limit_token = confirm_limit_token


def appointment_mark(appointment: Appointment) -> str:
    """Return the `seen_mark` of what a page shows of an appointment: its status and times."""
    return seen_mark(f"appointment:{appointment.pk}", *_shown_values(appointment))


def _shown_values(appointment: Appointment) -> list[object]:
    booking = appointment.booking
    hours = [moment.astimezone(UTC) for moment in (booking.starts_at, booking.ends_at)]
    return [str(appointment.status), appointment.sequence, *hours]


def check_seen(posted: str | None, appointment: Appointment) -> None:
    """Raise CannotBook (stale) unless a page showed the appointment as it is.

    posted: the `appointment_mark` of the page; None if there was no page.
    """
    if posted is None or is_seen(posted, f"appointment:{appointment.pk}", *_shown_values(appointment)):
        return
    booking, status = appointment.booking, appointment.get_status_display()
    raise CannotBook(
        _("Somebody changed it meanwhile. It is on %(start)s now: %(status)s.")
        % {"start": format_moment(booking.starts_at), "status": status},
        stale=True,
    )


def lock_appointment(appointment: Appointment) -> Appointment:
    """Lock the case and the appointment, and return the appointment. Call it inside a transaction."""
    Case.objects.select_for_update().get(pk=appointment.case_id)
    rows = Appointment.objects.select_for_update(of=("self",)).with_booking()
    return rows.get(pk=appointment.pk)


def can_have_appointment(case: Case, kind: str) -> bool:
    """Return whether a case can have appointments of `kind`; "": a night. If it is over, only follow-ups."""
    return kind == Kind.FOLLOW_UP or not case.is_over


def team_problems(case: Case, template: TemplateValues, resources: Sequence[Resource]) -> list[str]:
    """Return what is wrong with the chosen people and rooms, one sentence each; [] if nothing is."""
    problems = []
    wanted = needed(template)
    for kind, count in wanted.values():
        chosen = sum(one.kind == kind for one in resources)
        if chosen != count:
            need = {"kind": Resource.Kind(kind).label, "count": count}
            problems.append(_("This appointment needs: %(kind)s, %(count)d of them.") % need)
    if {one.kind for one in resources} - {kind for kind, _count in wanted.values()}:
        problems.append(_("Somebody or something is chosen that this appointment does not need."))
    people = [one.user_id for one in resources if one.user_id]
    if len(set(people)) < len(people):
        problems.append(_("Nobody can have two roles in one appointment."))
    if case.people_in_conflict() & set(people):
        problems.append(_("One of these people is not available for this case."))
    if any(not one.in_use for one in resources):
        problems.append(_("One of these cannot be booked any more."))
    return problems


def _check_patient_free(
    case: Case, starts_at: datetime, ends_at: datetime, *, exclude: Booking | None = None
) -> None:
    """Raise CannotBook if the patient has another booking in this span.

    exclude: a booking that does not count. The caller holds the lock of the case.
    """
    for other in bookings_of(case):
        if other != exclude and other.starts_at < ends_at and other.occupied_until > starts_at:
            raise CannotBook(
                _("The patient has something else from %(start)s to %(end)s.")
                % {"start": format_moment(other.starts_at), "end": format_moment(other.ends_at)}
            )


def _check_season_limit(
    case: Case, kind: str, starts_at: datetime, *, exclude: Booking | None = None
) -> None:
    """Raise CannotBook if the patient has as many appointments as the season of this time allows.

    exclude: a booking that does not count, because it is the one that is moved or booked. Locks the patient.
    """
    season = season_on(timezone.localdate(starts_at))
    if season is None or season.appointments_per_patient is None or kind == Kind.FOLLOW_UP:
        return
    lock_patient(case.patient_id)
    have, most = appointments_in(case, season, exclude=exclude), season.appointments_per_patient
    if have >= most:
        raise CannotBook(
            ngettext(
                "In the season “%(name)s” a patient has at most %(most)d appointment, and this patient has "
                "%(have)d.",
                "In the season “%(name)s” a patient has at most %(most)d appointments, and this patient has "
                "%(have)d.",
                most,
            )
            % {"name": season.name, "most": most, "have": have}
        )


def _check_hours(booking: Booking, confirm_token: str) -> int:
    """Check the hours and absences of the resources booked. Return the number of objections.

    confirm_token: the token of the objections that a person has confirmed, or "". Raises CannotBook if there
    are objections and it is not theirs.
    """
    resources = list(booking.resources.by_name("kind"))
    objections = objections_to(resources, booking.starts_at, booking.ends_at, exclude=booking)
    if objections and not is_seen(confirm_token, "objections", *objections):
        raise CannotBook(*objections, confirm_token=seen_mark("objections", *objections))
    return len(objections)


@transaction.atomic
def hold_appointment(
    case: Case,
    template: AppointmentTemplate,
    *,
    resources: Sequence[Resource],
    starts_at: datetime,
    confirm_token: str = "",
    by: User,
) -> Appointment:
    """Reserve, for ten minutes, all resources that the template needs; if one is taken, none.

    Other times that `by` holds for this case are freed. confirm_token: as for `_check_hours`; the caller has
    checked that the person may confirm. Raises CannotBook with a sentence for each clash and objection, or if
    the case, the template, the team or the patient's other bookings do not allow it.
    """
    locked = Case.objects.select_for_update().get(pk=case.pk)
    template = AppointmentTemplate.objects.get(pk=template.pk)
    if not template.in_use:
        raise CannotBook(_("This template is retired. Choose another one."))
    if not can_have_appointment(locked, template.kind):
        raise CannotBook(_("The file is closed, so only follow-ups can be booked."))
    if problems := team_problems(locked, template, resources):
        raise CannotBook(*problems)
    _free_holds_of(locked, by)
    ends_at = starts_at + timedelta(minutes=template.minutes)
    _check_patient_free(locked, starts_at, ends_at)
    _check_season_limit(locked, template.kind, starts_at)
    try:
        booking = bookings.book(
            kind=template.kind,
            resources=resources,
            starts_at=starts_at,
            ends_at=ends_at,
            by=by,
            buffers=(template.buffer_before, template.buffer_after),
            held_until=timezone.now() + HOLD,
        )
    except bookings.Clash as clash:
        raise CannotBook(*clash.sentences(), *objections_to(resources, starts_at, ends_at)) from clash
    objection_count = _check_hours(booking, confirm_token)
    appointment = Appointment.objects.create(
        case=locked,
        template=template,
        booking=booking,
        made_by=by,
        **{name: getattr(template, name) for name in TEMPLATE_FIELDS},
    )
    details = {"from": booking.starts_at, "resources": len(resources), "outside_hours": objection_count}
    _record("appointment.held", appointment, by, {"kind": str(template.kind), **details})
    return appointment


def _record(action: str, appointment: Appointment, by: User | None, details: dict[str, object]) -> None:
    record(
        Act(
            action,
            f"appointment:{appointment.pk}",
            actor=actor_of(by) if by else "system:worker",
            case=appointment.case_id,
            details=details,  # type: ignore[arg-type]
        )
    )


def _free_holds_of(case: Case, by: User) -> None:
    """Free the times that `by` holds for a case. The caller holds the lock of the case."""
    rows = Appointment.objects.filter(
        case=case, status=Status.HELD, made_by=by, booking__canceled_at__isnull=True
    )
    for row in rows.select_related("booking"):
        bookings.cancel(row.booking)


@transaction.atomic
def book_appointment(appointment: Appointment, *, by: User) -> Appointment:
    """Book a held appointment, tell patient and team, and close the desk's tasks to book it.

    A hold that has expired can still be booked if nobody has taken its time. Raises CannotBook: with `lost`
    if the time is not held any more or the file is closed, with `stale` if the status is not HELD any more,
    and with neither if the season's limit is reached.
    """
    locked = lock_appointment(appointment)
    _check_held(locked)
    if not can_have_appointment(locked.case, locked.kind):
        raise CannotBook(_("The file is closed, so only follow-ups can be booked."), lost=True)
    _check_season_limit(locked.case, locked.kind, locked.booking.starts_at, exclude=locked.booking)
    if not bookings.confirm_hold(locked.booking):
        raise CannotBook(_why_lost(locked), lost=True)
    locked.status, locked.booked_at = Status.BOOKED, timezone.now()
    locked.save(update_fields=["status", "booked_at"])
    answer_by_booking(locked, by=by)
    tell_of_appointment("appointment-booked", locked, by=by)
    appointment_changed(locked, by)
    details = {"kind": str(locked.kind), "from": locked.booking.starts_at}
    _record("appointment.booked", locked, by, details)
    return locked


def _check_held(appointment: Appointment) -> None:
    """Raise CannotBook (stale) unless the status of an appointment is HELD."""
    if appointment.status == Status.BOOKED:
        raise CannotBook(_("This appointment is booked already."), stale=True)
    if appointment.status != Status.HELD:
        _check_booked(appointment)  # raises: it is neither held nor booked, and this says what it is


def _why_lost(appointment: Appointment) -> str:
    """Return why the time of a hold is lost, as a sentence: somebody else has it, or it is held no more.

    A hold that was canceled within its ten minutes was given up; only a later one was taken by somebody.
    """
    booking = Booking.objects.get(pk=appointment.booking_id)
    ended_at, held_until = booking.canceled_at, booking.held_until
    expired = ended_at is not None and held_until is not None and held_until <= ended_at
    own = bookings_of(appointment.case)
    taken = bookings.clashes(booking.resources.all(), booking.starts_at, booking.ends_at)
    if expired and any(other not in own for _resource, other in taken):
        return _(
            "The ten minutes are over, and the time is given to somebody else. Please choose another one."
        )
    return _("This time is not held any more. Please choose another one.")


@transaction.atomic
def give_up_hold(appointment: Appointment, *, by: User) -> None:
    """Free a held time. Doing it again changes nothing. Raises CannotBook if the status is not HELD."""
    locked = lock_appointment(appointment)
    _check_held(locked)
    if locked.booking.canceled_at is None:
        bookings.cancel(locked.booking)
        _record("appointment.given-up", locked, by, {"from": locked.booking.starts_at})


def moves_of(case: Case) -> int:
    """Return how often the appointments of a case were moved because of the patient."""
    return sum(Appointment.objects.filter(case=case).values_list("patient_moves", flat=True))


def _check_move_limit(appointment: Appointment, reason: str, confirm_limit_token: str) -> bool:
    """Return whether a move is above the limit. Raises CannotBook if it is, and nobody has confirmed that."""
    moves, limit = moves_of(appointment.case), int(value_of(MOVES_PER_PATIENT))
    if reason not in PATIENT_REASONS or moves < limit:
        return False
    if not is_seen(confirm_limit_token, f"moves:{appointment.case_id}", moves, limit):
        raise CannotBook(
            ngettext(
                "The appointments of this patient were moved %(moves)d time already.",
                "The appointments of this patient were moved %(moves)d times already.",
                moves,
            )
            % {"moves": moves},
            confirm_limit_token=seen_mark(f"moves:{appointment.case_id}", moves, limit),
        )
    return True


def _set_reason(appointment: Appointment, reason: str, words: str, by: User | None) -> None:
    """Set why and by whom an appointment is changed; the caller saves CHANGE_FIELDS.

    words: a note on the reason; it is stored sealed. Raises CannotBook if there is no such reason, if the
    words are too long, or if they cannot be sealed because the case's key is destroyed.
    """
    if reason not in Reason.values:
        raise CannotBook(_("Please choose a reason."))
    words = words.strip()
    if len(words) > MAX_NOTE_CHARACTERS:
        raise CannotBook(_("Please say it in at most %(n)d characters.") % {"n": MAX_NOTE_CHARACTERS})
    appointment.reason, appointment.changed_by, appointment.changed_at = reason, by, timezone.now()
    appointment.sealed = b""
    if words:
        try:
            appointment.write(ChangeFields(words=words))
        except KeyGone as error:
            raise CannotBook(
                _("The key of this file is destroyed, so no words can be kept. Choose a reason without them.")
            ) from error


def _check_booked(appointment: Appointment) -> None:
    """Raise CannotBook (stale) unless the status of an appointment is BOOKED."""
    if appointment.status != Status.BOOKED:
        raise CannotBook(
            _("This appointment is not expected any more: %(status)s.")
            % {"status": appointment.get_status_display()},
            stale=True,
        )


@transaction.atomic
def move_appointment(
    appointment: Appointment,
    *,
    starts_at: datetime,
    ends_at: datetime,
    expected_start: datetime,
    expected_end: datetime | None = None,
    confirm_token: str = "",
    confirm_limit_token: str = "",
    reason: str,
    words: str = "",
    new_resources: Sequence[Resource] | None = None,
    by: User,
) -> Appointment:
    """Move a booked appointment to another time. Tell patient and team.

    expected_start, expected_end: the span that the user saw; an end of None is not checked. reason: one of
    Reason. words: a note on the reason; it is stored sealed. confirm_token: as for `_check_hours`.
    confirm_limit_token: of a move above the limit. The caller has checked that the person may confirm these.
    new_resources: booked in place of the present people and room; None keeps them. The caller must ensure
    that only the room differs.
    Raises CannotBook if it cannot be moved; with `stale` if it has changed since the user saw it.
    """
    locked = lock_appointment(appointment)
    _check_booked(locked)
    _set_reason(locked, reason, words, by)
    over_limit = _check_move_limit(locked, reason, confirm_limit_token)
    previous_start = locked.booking.starts_at
    try:
        moved = bookings.move(
            locked.booking,
            starts_at=starts_at,
            ends_at=ends_at,
            expected_start=expected_start,
            expected_end=expected_end,
            new_resources=new_resources,
        )
    except bookings.Stale as stale:
        raise CannotBook(str(stale), stale=True) from stale
    except bookings.Clash as clash:
        raise CannotBook(*clash.sentences()) from clash
    except ValueError as error:
        raise CannotBook(str(error)) from error
    _check_patient_free(locked.case, moved.starts_at, moved.ends_at, exclude=moved)
    _check_season_limit(locked.case, locked.kind, moved.starts_at, exclude=moved)
    objection_count = _check_hours(moved, confirm_token)
    locked.booking = moved
    locked.sequence += 1
    locked.patient_moves += reason in PATIENT_REASONS
    locked.save(update_fields=["sequence", "patient_moves", *CHANGE_FIELDS])
    tell_of_appointment("appointment-moved", locked, by=by)
    appointment_changed(locked, by)
    details = {"from": previous_start, "to": moved.starts_at, "because": str(reason)}
    _record(
        "appointment.moved",
        locked,
        by,
        details | {"outside_hours": objection_count, "over_limit": over_limit, "sequence": locked.sequence},
    )
    return locked


@transaction.atomic
def cancel_appointment(
    appointment: Appointment, *, reason: str, words: str = "", seen: str | None = None, by: User
) -> None:
    """Cancel a booked appointment and free its people and room. Tell patient and team.

    seen: the `appointment_mark` on the page; None where no page was shown. Raises CannotBook without a known
    reason; with `stale` if the appointment is not booked any more, or not as the page showed it.
    """
    locked = lock_appointment(appointment)
    _check_booked(locked)
    check_seen(seen, locked)
    _cancel(locked, reason, words, by)


def _cancel(locked: Appointment, reason: str, words: str, by: User | None) -> None:
    """Cancel an appointment that the caller has locked. by: None for the system."""
    _set_reason(locked, reason, words, by)
    bookings.cancel(locked.booking)
    locked.status, locked.cancelled_at = Status.CANCELLED, timezone.now()
    locked.save(update_fields=["status", "cancelled_at", *CHANGE_FIELDS])
    tell_of_appointment("appointment-cancelled", locked, by=by)
    appointment_changed(locked, by)
    details = {"from": locked.booking.starts_at, "because": str(reason)}
    _record("appointment.cancelled", locked, by, details)


def _cancel_open_appointments(case: Case, by: User | None, *, keep: Sequence[str] = ()) -> None:
    """Cancel the future appointments and the holds of a case that is over. keep: kinds that stay.

    Call it inside a transaction.
    """
    Case.objects.select_for_update().get(pk=case.pk)
    rows = Appointment.objects.select_for_update(of=("self",)).with_booking().filter(case=case.pk)
    rows = rows.filter(status__in=[Status.BOOKED, Status.HELD], booking__canceled_at__isnull=True)
    for row in rows.exclude(kind__in=keep).order_by("pk"):
        if row.status == Status.HELD:
            bookings.cancel(row.booking)
        elif row.booking.ends_at > timezone.now():
            _cancel(row, Reason.CASE_OVER, "", by)


def end_appointments_on_withdrawal(case: Case, *, by: User) -> None:
    """Cancel the future appointments of a case whose consent is withdrawn, and close its desk tasks.

    patients/consent calls this in the withdrawal's transaction, before it changes the signatures. If none is
    in force, nothing is withdrawn, and this changes nothing.
    """
    locked = Case.objects.select_for_update().get(pk=case.pk)
    in_force = Signature.objects.in_force().filter(case=locked)
    if locked.stage == Case.Stage.CLOSED or not in_force.exists():
        return
    _cancel_open_appointments(case, by)
    end_tasks_of(case, by=by)


def end_appointments_after_restore(case: Case) -> None:
    """Cancel the future appointments, but follow-ups, of a case that a restore has closed.

    Its key was destroyed after the backup. They were canceled then, and the backup brought them back.
    Follow-ups stay booked, as after a night. Call it inside a transaction.
    """
    _cancel_open_appointments(case, None, keep=[Kind.FOLLOW_UP])


def end_appointments_after_night(case: Case) -> None:
    """Cancel the future appointments of a case that a night has closed; ask the desk to book what follows.

    Follow-ups stay booked: they take place after the night. Call it inside a transaction.
    """
    _cancel_open_appointments(case, None, keep=[Kind.FOLLOW_UP])
    ask_after_night(case)
