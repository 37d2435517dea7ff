"""The spoken safe word: the patient chooses it before the night, and the team reads it during the night."""

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

MAX_WORD_LENGTH = 40  # characters


def can_choose_word(procedure: Procedure) -> bool:
    """Return whether the patient can still set the word: the night is booked and has not begun."""
    begun = Run.objects.filter(procedure=procedure).exists()
    return procedure.state == Procedure.State.BOOKED and not begun


def word_of(procedure: Procedure) -> str:
    """Return the word of a night; "" if there is none, its key is destroyed or its ciphertext is damaged."""
    row = SpokenWord.objects.filter(procedure=procedure).first()
    try:
        return str(row.read().word) if row else ""
    except (KeyGone, Tampered):
        return ""


@transaction.atomic
def choose_word(procedure: Procedure, word: str, *, by: User) -> None:
    """Set the word of a night, or remove it if `word` is "". The caller must hold the procedure's row lock.

    by: the patient. The audit entry does not contain the word. Errors: NotNow if the night has begun or is no
    longer booked; ValueError if the word is too long or has control or format characters.
    """
    if not can_choose_word(procedure):
        raise NotNow(_("The night has begun, so the word stays as it is."))
    word = " ".join(unicodedata.normalize("NFC", word).split())
    if len(word) > MAX_WORD_LENGTH or any(unicodedata.category(char)[0] == "C" for char in word):
        raise ValueError(_("A word has at most 40 letters."))
    row = SpokenWord.objects.filter(procedure=procedure).first()
    row = row or SpokenWord(procedure=procedure, case_id=procedure.case_id)
    row.write(SpokenWordFields(word))
    row.set_at = timezone.now()
    row.save()
    subject = f"procedure:{procedure.pk}"
    details = {"chosen": bool(word)}
    record(Act("bed.word-set", subject, actor=actor_of(by), case=procedure.case_id, details=details))


def may_read_word(run: Run, user: User, decision: Decision) -> bool:
    """Return whether `user` is in the team of this night and the certificate is not issued yet.

    decision: the one that opened the session page to `user`. The team is the booked technician, the booked
    doctor and a doctor who has taken over. There is no run, and so no word to read, before the night begins;
    it may begin a few minutes before its booked start.
    """
    if decision.roles.isdisjoint({Role.TECHNICIAN, Role.DOCTOR}) or hasattr(run, "certificate"):
        return False
    return "assigned" in decision.relations or run.taken_over_by_id == user.pk


@transaction.atomic
def word_for(run: Run, user: User, decision: Decision) -> str:
    """Return the word for `user` to read, and record the first time that each person reads it.

    Returns "" if `user` may not read it, there is no word or the case's key is destroyed. decision: as in
    `may_read_word`.
    """
    if not may_read_word(run, user, decision):
        return ""
    word = word_of(run.procedure)
    if word:
        _record_shown(run.pk, run.procedure.case_id, user)
    return word


def _record_shown(run_id: UUID, case_id: UUID, user: User) -> None:
    actor = actor_of(user)
    if not Entry.objects.filter(action="bed.word-shown", run=run_id, actor=actor).exists():
        record(Act("bed.word-shown", f"run:{run_id}", actor=actor, case=case_id, run=run_id))
