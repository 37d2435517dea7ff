"""Looks at a case's keepsakes: staff see them blurred, and sharp for a reason that is on record.

The entry in the audit log is the permission. So nobody sees a keepsake sharp without an entry, and the
patient reads each one with its reason (patients/cases/view_log.py). The patient's own looks are not recorded.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import NoReturn
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.access.denials import record_denial
from clinic.access.policy import Decision
from clinic.accounts.models import User
from clinic.audit.models import Entry
from clinic.audit.record import Act, actor_of, record
from clinic.http.guard import Refused, Visitor
from patients.cases import view_log
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.vault.models import StoredObject

ACTION = "keepsake.unblurred"
SHARP_FOR = timedelta(minutes=10)  # how long one look at one keepsake lasts
VISIT = timedelta(hours=1)  # a mapping visit ends when no keepsake was looked at for so long


class LookReason(models.TextChoices):
    """Reasons for seeing a keepsake sharp. They go into the audit log, which the patient can read."""

    READABLE = "readable", gettext_lazy("to see whether it can be made out at all")
    OTHERS = "others", gettext_lazy("to see who else is in it")
    DATE = "date", gettext_lazy("to find its date or place")
    COMPARE = "compare", gettext_lazy("to see whether it is a copy of another")
    DOUBT = "doubt", gettext_lazy("there is doubt whether it belongs here")
    MAPPING = "mapping", gettext_lazy("to map it together with the patient")
    TECHNICAL = "technical", gettext_lazy("to find a technical fault")


view_log.register({ACTION, "session.viewed", "run.replayed"}, dict(LookReason.choices))
# In review nobody sits beside the patient.
REVIEW_REASONS = [choice for choice in LookReason.choices if choice[0] != LookReason.MAPPING]


class NoReason(ValueError):
    """No known reason was given. The message is shown to the user."""


@dataclass(frozen=True)
class CaseLook:
    """An audit action that lets its actor see all keepsakes of a case, while the case is in `stage`.

    lasts: how long after the entry.
    """

    stage: str
    lasts: timedelta


CASE_LOOKS: dict[str, CaseLook] = {}


def register_case_look(action: str, stage: str, lasts: timedelta) -> None:
    """Let the actors of `action` see the keepsakes of its case sharp, while the case is in `stage`.

    A higher package calls it at import time of its actions.py.
    """
    CASE_LOOKS[action] = CaseLook(stage, lasts)


@transaction.atomic
def record_look(keepsake: Keepsake, reason: str, *, by: User) -> None:
    """Record that `by` looks at a keepsake sharp, and why. Errors: NoReason."""
    if reason not in LookReason.values:
        raise NoReason(_("Choose a reason. The patient can see it."))
    record(Act(ACTION, f"keepsake:{keepsake.pk}", actor=actor_of(by), case=keepsake.case_id, reason=reason))


def may_look(user: User, case: Case, keepsake_id: UUID | None, *, lasts: timedelta = SHARP_FOR) -> bool:
    """Return whether `user` may see a keepsake of `case` sharp now.

    The patient may. Staff may for `lasts` after their recorded look at this keepsake, and while a look at the
    whole case lasts. The access policy is checked elsewhere.
    """
    if case.patient_id == user.pk:
        return True
    recent = Q(action=ACTION, subject=f"keepsake:{keepsake_id}", at__gt=timezone.now() - lasts)
    for action, look in CASE_LOOKS.items():
        if case.stage == look.stage:
            recent |= _within(action, look)
    return Entry.objects.filter(recent, case=case.pk, actor=actor_of(user)).exists()


def has_watched(user: User, case: Case) -> bool:
    """Return whether `user` had a look at the whole case that would last still, had the stage not changed.

    Their page may ask for a picture in the moment in which the session ends.
    """
    recent = reduce(or_, (_within(action, look) for action, look in CASE_LOOKS.items()), Q(pk__in=[]))
    return Entry.objects.filter(recent, case=case.pk, actor=actor_of(user)).exists()


def _within(action: str, look: CaseLook) -> Q:
    """Return the condition for entries of `action` from which the look still lasts."""
    return Q(action=action, at__gt=timezone.now() - look.lasts)


def is_mapping(user: User, case: Case) -> bool:
    """Return whether `user` is mapping with the patient: they looked for that reason within `VISIT`."""
    since = timezone.now() - VISIT
    return Entry.objects.filter(
        action=ACTION, case=case.pk, actor=actor_of(user), reason=LookReason.MAPPING, at__gt=since
    ).exists()


def require_look(visitor: Visitor, name: str, row: StoredObject, *, lasts: timedelta = SHARP_FOR) -> None:
    """Check that the visitor may see a stored object sharp now. A denial is recorded.

    name: the URL's name in the access policy. row: loaded with its case. Errors: Refused (403).
    """
    if not may_look(visitor.user, row.case, row.keepsake_id, lasts=lasts):
        refuse_look(visitor, name, row)


def refuse_look(visitor: Visitor, name: str, row: StoredObject) -> NoReturn:
    """Record that the visitor may not see a stored object sharp now. Errors: Refused (403), always."""
    decision = Decision(False, 403, "no-look")
    method = visitor.request.method or "GET"
    record_denial(visitor.user, name, {"picture": row.pk}, method, decision, visitor.address)
    with translation.override(visitor.language):
        raise Refused(403, _("It is shown sharp only where a reason was given. Its page asks for one."))
