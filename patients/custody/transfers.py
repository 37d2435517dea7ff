"""Records the transfers of a thing: received, handed to the procedure's team, destroyed or given back.

The outcome takes two people: one records it (`end`), another confirms it (`witness`) or denies it
(`contradict`).
"""

import re
from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.edits.seen import is_seen, seen_mark
from patients.cases.models import Case
from patients.custody.models import Custody
from patients.keepsakes.models import Keepsake

SHELF = re.compile(r"[A-Z0-9]([A-Z0-9-]{0,10}[A-Z0-9])?")
BOOKED_STAGES = frozenset({Case.Stage.BOOKED, Case.Stage.RUNNING})
State, Outcome = Custody.State, Custody.Outcome


class CannotTransfer(Exception):
    """This transfer is not possible; the message says why."""


def custody_mark(keepsake: Keepsake, custody: Custody | None) -> str:
    """Return the mark of what the page shows of a thing, for the buttons that say what happened to it."""
    return seen_mark(f"custody:{keepsake.pk}", *_shown(custody))


def _shown(custody: Custody | None) -> list[object]:
    if custody is None:
        return []
    return [custody.state, custody.outcome, custody.ended_by_id, custody.ended_at]


def check_seen(keepsake: Keepsake, seen: str) -> None:
    """Lock the custody of a thing, and check that it is what the page showed. Call in a transaction.

    seen: the `custody_mark` on the page. Errors: CannotTransfer.
    """
    custody = Custody.objects.select_for_update(of=("self",)).filter(keepsake=keepsake).first()
    if not is_seen(seen, f"custody:{keepsake.pk}", *_shown(custody)):
        raise CannotTransfer(
            _("Somebody has written down something else about this thing. It is shown now as it is.")
        )


def _record_transfer(action: str, custody: Custody, by: User, details: Mapping[str, str]) -> None:
    row = custody.keepsake
    all_details = {"keepsake": str(row.pk), **details}
    record(Act(action, f"custody:{custody.pk}", actor=actor_of(by), case=row.case_id, details=all_details))


def _lock_custody(keepsake: Keepsake) -> Custody:
    """Lock the custody of a thing and return it. Errors: CannotTransfer if it was never received."""
    rows = Custody.objects.select_for_update(of=("self",)).select_related("keepsake__case")
    if (custody := rows.filter(keepsake=keepsake).first()) is None:
        raise CannotTransfer(_("We have not received this thing."))
    return custody


@transaction.atomic
def receive(keepsake: Keepsake, shelf: str, *, by: User) -> Custody:
    """Record that the clinic received a thing and put it on a shelf. Errors: CannotTransfer."""
    code = shelf.strip().upper()
    if not SHELF.fullmatch(code):
        raise CannotTransfer(_("Write the shelf as letters, digits and hyphens, such as B-14."))
    row = Keepsake.objects.select_for_update().get(pk=keepsake.pk)
    if row.kind != Keepsake.Kind.OBJECT or row.gone_at:
        raise CannotTransfer(_("There is no such thing on this file any more."))
    try:
        with transaction.atomic():
            custody = Custody.objects.create(keepsake=row, shelf=code, received_by=by)
    except IntegrityError:
        raise CannotTransfer(_("This thing was received before.")) from None
    _record_transfer("custody.received", custody, by, {"shelf": code.lower()})  # the log has no capitals
    return custody


@transaction.atomic
def hand_over(keepsake: Keepsake, *, by: User) -> Custody:
    """Record that a thing was handed to the team of the booked procedure. Errors: CannotTransfer."""
    custody = _lock_custody(keepsake)
    if custody.state != State.RECEIVED:
        raise CannotTransfer(_("This thing is not on the shelf any more."))
    if custody.keepsake.case.stage not in BOOKED_STAGES:
        raise CannotTransfer(_("No night is booked yet, so there is no team to hand it to."))
    custody.state, custody.handed_by, custody.handed_at = State.HANDED, by, timezone.now()
    custody.save(update_fields=["state", "handed_by", "handed_at"])
    _record_transfer("custody.handed", custody, by, {})
    return custody


@transaction.atomic
def end(keepsake: Keepsake, outcome: str, *, by: User) -> Custody:
    """Record that a thing was destroyed or given back. It counts once another person has confirmed it.

    outcome: a value of Custody.Outcome. A thing cannot be destroyed in passes and stopped half-way, so it is
    destroyed only after its memory is erased: until then the patient may still keep it.
    Errors: CannotTransfer.
    """
    if outcome not in Outcome.values:
        raise CannotTransfer(_("Say whether it was destroyed or given back."))
    custody = _lock_custody(keepsake)
    if custody.state not in {State.RECEIVED, State.HANDED}:
        raise CannotTransfer(_("How this thing ended has been said already."))
    if outcome == Outcome.DESTROYED and (
        custody.state != State.HANDED or not _erased_by_run(custody.keepsake)
    ):
        raise CannotTransfer(_("Its memory is not erased yet, so the thing cannot be destroyed."))
    custody.state, custody.outcome = State.ENDING, outcome
    custody.ended_by, custody.ended_at = by, timezone.now()
    custody.save(update_fields=["state", "outcome", "ended_by", "ended_at"])
    _record_transfer("custody.ended", custody, by, {"outcome": outcome})
    return custody


def _erased_by_run(keepsake: Keepsake) -> bool:
    """Return whether a run erased the keepsake. One that the patient took back is gone at level 0."""
    return keepsake.gone_at is not None and keepsake.level > 0


def _check_second_person(custody: Custody, by: User) -> None:
    """Errors: CannotTransfer if no outcome waits for a second person, or if `by` recorded it."""
    if custody.state != State.ENDING:
        raise CannotTransfer(_("Nobody has said how this thing ended."))
    if custody.ended_by_id == by.pk:
        raise CannotTransfer(_("Somebody else has to witness this."))


@transaction.atomic
def witness(keepsake: Keepsake, *, by: User) -> Custody:
    """Confirm the recorded outcome as the second person; this closes the custody. Errors: CannotTransfer."""
    custody = _lock_custody(keepsake)
    _check_second_person(custody, by)
    custody.state, custody.witnessed_by, custody.witnessed_at = custody.outcome, by, timezone.now()
    custody.save(update_fields=["state", "witnessed_by", "witnessed_at"])
    _record_transfer("custody.witnessed", custody, by, {"outcome": custody.outcome})
    return custody


@transaction.atomic
def contradict(keepsake: Keepsake, *, by: User) -> Custody:
    """Deny the recorded outcome as the second person; the state before it is back. Errors: CannotTransfer."""
    custody = _lock_custody(keepsake)
    _check_second_person(custody, by)
    denied_outcome = custody.outcome
    custody.state = State.HANDED if custody.handed_at else State.RECEIVED
    custody.outcome, custody.ended_by, custody.ended_at = "", None, None
    custody.save(update_fields=["state", "outcome", "ended_by", "ended_at"])
    _record_transfer("custody.contradicted", custody, by, {"outcome": denied_outcome})
    return custody
