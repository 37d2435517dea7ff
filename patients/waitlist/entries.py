"""Puts a patient on the waitlist, changes which times suit them, moves them up, and takes them off.

Each is one function with one audit entry. It locks the case first: whoever changes an entry or an offer holds
the lock of its case.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.edits.seen import is_seen, seen_mark
from patients.appointments.booking import can_have_appointment
from patients.appointments.models import Appointment, AppointmentTemplate
from patients.cases.models import Case
from patients.vault.keys import KeyGone
from patients.vault.sealed import read_many
from patients.waitlist.configuration import is_open_on
from patients.waitlist.models import EntryFields, WaitlistEntry
from patients.waitlist.offers import ENTRY_RELATIONS, end_entry

Kind, Ended = WaitlistEntry.Kind, WaitlistEntry.Ended
MAX_NOTE_CHARACTERS = 500
# The fields that say which times suit a patient.
WISH_FIELDS = ("weekdays", "from_clock", "until_clock", "first_day", "last_day")


class CannotWait(Exception):
    """The waitlist was not changed. The message is a sentence for the user."""


def lock_case(case: UUID) -> Case:
    """Return a case with its row locked. Call it inside a transaction."""
    return Case.objects.select_for_update(of=("self",)).select_related("patient").get(pk=case)


def with_relations(rows: Any) -> Any:
    """Return a queryset of entries that loads their cases, patients, templates and appointments too."""
    return rows.select_related(*ENTRY_RELATIONS)


def lock_entry(entry: WaitlistEntry) -> WaitlistEntry:
    """Lock the case of an entry, and return the entry. Call it inside a transaction.

    Raises CannotWait if it is not on the list any more.
    """
    lock_case(entry.case_id)
    found: WaitlistEntry | None = with_relations(WaitlistEntry.objects.waiting()).filter(pk=entry.pk).first()
    if found is None:
        raise CannotWait(_("This is not on the waitlist any more."))
    return found


def entry_mark(entry: WaitlistEntry) -> str:
    """Return the `seen_mark` of an entry's place on the list, for a page with a button that acts on it."""
    return seen_mark(f"waitlist-entry:{entry.pk}", entry.order_at.isoformat(), entry.ended_at)


def _check_seen(posted: str | None, entry: WaitlistEntry) -> None:
    """Raise CannotWait if the page showed the entry at another place. posted: None if there was no page."""
    shown = (entry.order_at.isoformat(), entry.ended_at)
    if posted is not None and not is_seen(posted, f"waitlist-entry:{entry.pk}", *shown):
        raise CannotWait(_("Somebody has changed the list meanwhile. Please look at it again."))


def _record(
    action: str, entry: WaitlistEntry, by: User, details: Mapping[str, Any], reason: str = ""
) -> None:
    record(
        Act(
            action,
            f"waitlist-entry:{entry.pk}",
            actor=actor_of(by),
            case=entry.case_id,
            details=details,
            reason=reason,
        )
    )


def _write_note(entry: WaitlistEntry, note: str) -> None:
    """Seal a note into an entry, which the caller saves. Raises CannotWait if the case's key is destroyed."""
    entry.sealed = b""
    if note := note.strip():
        try:
            entry.write(EntryFields(note=note))
        except KeyGone as error:
            raise CannotWait(_("The key of this file is destroyed, so no words can be kept.")) from error


def note_of(entry: WaitlistEntry) -> str:
    """Return the note on an entry; "" if there is none, or if it cannot be read any more."""
    fields: EntryFields = read_many([entry], skip_damaged=True).get(entry.pk, EntryFields())
    return fields.note


def _add(case: Case, by: User, kind: str, *, note: str = "", **values: Any) -> WaitlistEntry:
    """Add an entry at the end of the list. The caller holds the lock of the case.

    Raises CannotWait if the waitlist is closed, or if the patient waits for it already.
    """
    if not is_open_on(timezone.localdate()):
        raise CannotWait(_("The waitlist is closed at the moment."))
    entry = WaitlistEntry(case=case, kind=kind, made_by=by, **values)
    _write_note(entry, note)
    try:
        with transaction.atomic():
            entry.save(force_insert=True)
    except IntegrityError as error:
        raise CannotWait(_("This is on the waitlist already.")) from error
    _record("waitlist.added", entry, by, {"kind": str(kind)})
    return entry


@transaction.atomic
def put_on_waitlist(
    case: Case,
    template: AppointmentTemplate | None,
    *,
    wishes: Mapping[str, Any],
    place: str = "",
    note: str = "",
    by: User,
) -> WaitlistEntry:
    """Put a patient on the waitlist for an appointment.

    template: of the appointment; None: the patient waits for a night, or for an earlier one if they have a
    night booked. wishes: the values of WISH_FIELDS. place: where a night is wanted. note: what the desk
    should know, sealed. Raises CannotWait if they cannot wait for this.
    """
    locked = lock_case(case.pk)
    if template is None:
        if not can_have_appointment(locked, ""):
            raise CannotWait(_("The file is closed."))
        if locked.stage == Case.Stage.RUNNING:
            raise CannotWait(_("The night is under way."))
        if locked.stage == Case.Stage.BOOKED:
            return _add(locked, by, Kind.EARLIER_NIGHT, note=note, **wishes)
        return _add(locked, by, Kind.NIGHT, place=place, note=note, **wishes)
    if not template.in_use:
        raise CannotWait(_("This template is retired. Choose another one."))
    if not can_have_appointment(locked, template.kind):
        raise CannotWait(_("The file is closed, so only follow-ups can be booked."))
    return _add(locked, by, Kind.APPOINTMENT, template=template, note=note, **wishes)


@transaction.atomic
def ask_for_earlier(appointment: Appointment, *, by: User) -> WaitlistEntry:
    """Put a patient on the waitlist for an earlier time of an appointment.

    Raises CannotWait if the appointment is not booked any more, or as `_add`.
    """
    locked = lock_case(appointment.case_id)
    row = Appointment.objects.get(pk=appointment.pk)
    if row.status != Appointment.Status.BOOKED:
        raise CannotWait(_("This appointment is not expected any more."))
    return _add(locked, by, Kind.EARLIER, appointment=row)


@transaction.atomic
def ask_for_earlier_night(case: Case, *, by: User) -> WaitlistEntry:
    """Put a patient on the waitlist for an earlier night.

    Raises CannotWait if they have no night booked, or as `_add`.
    """
    locked = lock_case(case.pk)
    if locked.stage != Case.Stage.BOOKED:
        raise CannotWait(_("There is no night that could be earlier."))
    return _add(locked, by, Kind.EARLIER_NIGHT)


@transaction.atomic
def change_wishes(
    entry: WaitlistEntry, values: Mapping[str, Any], edited: Collection[str], *, by: User
) -> bool:
    """Change which days and hours suit, and the note. The place on the list stays.

    values: of WISH_FIELDS, and "note". edited: the names of those that are changed. Return whether anything
    was changed. Raises CannotWait if the entry is not on the list any more.
    """
    row = lock_entry(entry)
    changed = [name for name in WISH_FIELDS if name in edited and getattr(row, name) != values[name]]
    for name in changed:
        setattr(row, name, values[name])
    if "note" in edited and values["note"].strip() != note_of(row):
        _write_note(row, values["note"])
        changed.append("note")
    if not changed:
        return False
    row.save(update_fields=[*WISH_FIELDS, "sealed"])
    _record("waitlist.changed", row, by, {f"{name}_changed": True for name in changed})
    return True


@transaction.atomic
def move_up(entry: WaitlistEntry, *, reason: str, seen: str | None = None, by: User) -> bool:
    """Put an entry at the head of the list. Return False if it is there already.

    seen: the `entry_mark` of the page; None where no page was shown. Raises CannotWait without a reason, if
    the page was older, or if the entry is not on the list any more.
    """
    row = lock_entry(entry)
    _check_seen(seen, row)
    if not reason.strip():
        raise CannotWait(_("Please say why they are moved up."))
    others = WaitlistEntry.objects.waiting().exclude(pk=row.pk)
    first = others.aggregate(first=Min("order_at"))["first"]
    if first is None or row.order_at < first:
        return False
    moved_from, row.order_at = row.order_at, first - timedelta(milliseconds=1)
    row.save(update_fields=["order_at"])
    place = others.filter(order_at__lt=moved_from).count() + 1
    _record("waitlist.moved-up", row, by, {"was": place}, reason.strip())
    return True


@transaction.atomic
def take_off(entry: WaitlistEntry, *, because: str, seen: str | None = None, by: User) -> None:
    """Take an entry off the list.

    because: TAKEN_BACK by the patient, or REMOVED by the desk. seen: as for `move_up`. Raises CannotWait if
    the page was older, or if the entry is not on the list any more.
    """
    row = lock_entry(entry)
    _check_seen(seen, row)
    end_entry(row, because, by=by)


def waiting_entries_of(case: Case | UUID, *kinds: str) -> list[WaitlistEntry]:
    """Return the entries of a case that are on the list: of these kinds, or all if none is given."""
    rows = with_relations(WaitlistEntry.objects.waiting()).filter(case=case)
    return list((rows.filter(kind__in=kinds) if kinds else rows).in_order())
