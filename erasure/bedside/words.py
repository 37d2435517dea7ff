"""The word that the patient chose to say aloud: set before the night, shown to its team while it lasts."""

import unicodedata
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.access.policy import Decision
from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.audit.record import Act, actor_of, record
from erasure.bedside.models import SpokenWord, SpokenWordFields
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.runs.run_actions import NotNow
from patients.vault.keys import KeyGone
from patients.vault.stream import Tampered

LENGTH = 40  # letters


def is_open(procedure: Procedure) -> bool:
    """Return whether the word can still be chosen: the night is booked and has not begun."""
    begun = Run.objects.filter(procedure=procedure).exists()
    return procedure.state == Procedure.State.BOOKED and not begun


def word_of(procedure: Procedure) -> str:
    """Return the word of a night; "" if there is none, or its key is destroyed."""
    row = SpokenWord.objects.filter(procedure=procedure).first()
    try:
        return str(row.read().word) if row else ""
    except (KeyGone, Tampered):
        return ""


@transaction.atomic
def choose_word(procedure: Procedure, word: str, *, by: User) -> None:
    """Set the word of the night of `by`, or with "" take it back. The caller holds the procedure's lock.

    The entry does not contain the word. Errors: NotNow if the night has begun or is not to come; ValueError
    if the word is too long or has signs that cannot be said.
    """
    if not is_open(procedure):
        raise NotNow(_("The night has begun, so the word stays as it is."))
    word = " ".join(unicodedata.normalize("NFC", word).split())
    if len(word) > LENGTH or any(unicodedata.category(sign)[0] == "C" for sign in word):
        raise ValueError(_("A word has at most 40 letters."))
    row = SpokenWord.objects.filter(procedure=procedure).first()
    row = row or SpokenWord(procedure=procedure, case_id=procedure.case_id)
    row.write(SpokenWordFields(word))
    row.set_at = timezone.now()
    row.save()
    subject = f"procedure:{procedure.pk}"
    details = {"chosen": bool(word)}
    record(Act("bed.word-set", subject, actor=actor_of(by), case=procedure.case_id, details=details))


def may_hear(run: Run, user: User, decision: Decision) -> bool:
    """Return whether `user` is of the team of this night, and it lasts.

    decision: of the session page. The team are the technician and the doctor who are booked, and a doctor who
    has taken over. A run exists from its booked start on, or from the minutes before it in which it may
    begin.
    """
    if decision.roles.isdisjoint({Role.TECHNICIAN, Role.DOCTOR}) or hasattr(run, "certificate"):
        return False
    return "assigned" in decision.relations or run.taken_over_by_id == user.pk


@transaction.atomic
def word_for(run: Run, user: User, decision: Decision) -> str:
    """Return the word for a member of the night's team, and record when it is shown to them first.

    "" for everybody else, if there is no word, and once the case's key is destroyed.
    """
    if not may_hear(run, user, decision):
        return ""
    word = word_of(run.procedure)
    if word:
        _record_shown(run.pk, run.procedure.case_id, user)
    return word


def _record_shown(run_id: UUID, case_id: UUID, user: User) -> None:
    actor = actor_of(user)
    if not Entry.objects.filter(action="bed.word-shown", run=run_id, actor=actor).exists():
        record(Act("bed.word-shown", f"run:{run_id}", actor=actor, case=case_id, run=run_id))
