"""A thing's way through the house: received, handed to the procedure, and ended before two witnesses."""

import re
from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from patients.cases.models import Case
from patients.custody.models import Custody
from patients.keepsakes.models import Keepsake

SHELF = re.compile(r"[A-Z0-9]([A-Z0-9-]{0,10}[A-Z0-9])?")
NIGHT = frozenset({Case.Stage.BOOKED, Case.Stage.RUNNING})
State, Outcome = Custody.State, Custody.Outcome


class CannotKeep(Exception):
    """This cannot be written down so; the message says why in plain words."""


def _say(action: str, custody: Custody, by: User, details: Mapping[str, str]) -> None:
    row = custody.keepsake
    told = {"keepsake": str(row.pk), **details}
    record(Act(action, f"custody:{custody.pk}", actor=actor_of(by), case=row.case_id, details=told))


def _locked(keepsake: Keepsake) -> Custody:
    """Errors: CannotKeep where the thing was never received."""
    rows = Custody.objects.select_for_update(of=("self",)).select_related("keepsake__case")
    if (custody := rows.filter(keepsake=keepsake).first()) is None:
        raise CannotKeep(_("We have not received this thing."))
    return custody


@transaction.atomic
def receive(keepsake: Keepsake, shelf: str, *, by: User) -> Custody:
    """Take a thing in and put it on a shelf. Errors: CannotKeep."""
    code = shelf.strip().upper()
    if not SHELF.fullmatch(code):
        raise CannotKeep(_("Write the shelf as letters, digits and hyphens, such as B-14."))
    row = Keepsake.objects.select_for_update().get(pk=keepsake.pk)
    if row.kind != Keepsake.Kind.OBJECT or row.gone_at:
        raise CannotKeep(_("There is no such thing on this file any more."))
    try:
        with transaction.atomic():
            custody = Custody.objects.create(keepsake=row, shelf=code, received_by=by)
    except IntegrityError:
        raise CannotKeep(_("This thing was received before.")) from None
    _say("custody.received", custody, by, {"shelf": code.lower()})  # the log has no capitals
    return custody


@transaction.atomic
def hand_over(keepsake: Keepsake, *, by: User) -> Custody:
    """Hand a thing to the team of the booked night. Errors: CannotKeep."""
    custody = _locked(keepsake)
    if custody.state != State.RECEIVED:
        raise CannotKeep(_("This thing is not on the shelf any more."))
    if custody.keepsake.case.stage not in NIGHT:
        raise CannotKeep(_("No night is booked yet, so there is no team to hand it to."))
    custody.state, custody.handed_by, custody.handed_at = State.HANDED, by, timezone.now()
    custody.save(update_fields=["state", "handed_by", "handed_at"])
    _say("custody.handed", custody, by, {})
    return custody


@transaction.atomic
def end(keepsake: Keepsake, outcome: str, *, by: User) -> Custody:
    """Say that a thing was destroyed or given back; it counts once somebody else has witnessed it.

    What lies in a hand cannot be faded and stopped half-way, so a thing is destroyed after its memory is
    gone, never before: until then the patient may still keep it. Errors: CannotKeep.
    """
    if outcome not in Outcome.values:
        raise CannotKeep(_("Say whether it was destroyed or given back."))
    custody = _locked(keepsake)
    if custody.state not in {State.RECEIVED, State.HANDED}:
        raise CannotKeep(_("How this thing ended has been said already."))
    if outcome == Outcome.DESTROYED and (custody.state != State.HANDED or not _erased(custody.keepsake)):
        raise CannotKeep(_("Its memory is not erased yet, so the thing cannot be destroyed."))
    custody.state, custody.outcome = State.ENDING, outcome
    custody.ended_by, custody.ended_at = by, timezone.now()
    custody.save(update_fields=["state", "outcome", "ended_by", "ended_at"])
    _say("custody.ended", custody, by, {"outcome": outcome})
    return custody


def _erased(keepsake: Keepsake) -> bool:
    """Whether a run has taken it: what the patient took back themselves is gone, but not by their consent."""
    return keepsake.gone_at is not None and keepsake.level > 0


def _not_by_oneself(custody: Custody, by: User) -> None:
    if custody.state != State.ENDING:
        raise CannotKeep(_("Nobody has said how this thing ended."))
    if custody.ended_by_id == by.pk:
        raise CannotKeep(_("Somebody else has to witness this."))


@transaction.atomic
def witness(keepsake: Keepsake, *, by: User) -> Custody:
    """Confirm, as the second person, what was said of a thing's end; this closes it. Errors: CannotKeep."""
    custody = _locked(keepsake)
    _not_by_oneself(custody, by)
    custody.state, custody.witnessed_by, custody.witnessed_at = custody.outcome, by, timezone.now()
    custody.save(update_fields=["state", "witnessed_by", "witnessed_at"])
    _say("custody.witnessed", custody, by, {"outcome": custody.outcome})
    return custody


@transaction.atomic
def contradict(keepsake: Keepsake, *, by: User) -> Custody:
    """Say, as the second person, that it did not end so; it stands where it stood. Errors: CannotKeep."""
    custody = _locked(keepsake)
    _not_by_oneself(custody, by)
    said = custody.outcome
    custody.state = State.HANDED if custody.handed_at else State.RECEIVED
    custody.outcome, custody.ended_by, custody.ended_at = "", None, None
    custody.save(update_fields=["state", "outcome", "ended_by", "ended_at"])
    _say("custody.contradicted", custody, by, {"outcome": said})
    return custody
