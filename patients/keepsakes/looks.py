"""Who may see a case's keepsakes sharp: staff see them blurred until they have recorded a reason.

Such an audit entry is called a "look", and it is the permission. So nobody sees a keepsake sharp without an
entry, and the patient can read each look and its reason (patients/cases/view_log.py). Patients see their own
keepsakes sharp without an entry.
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
SHARP_FOR = timedelta(minutes=10)  # how long after the entry a keepsake may be seen sharp
VISIT = timedelta(hours=1)  # a mapping visit ends so long after its last look


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
    """For how long an audit action lets its actor see all keepsakes of a case sharp.

    stage: only while the case is in this stage. lasts: how long after the entry.
    """

    stage: str
    lasts: timedelta


CASE_LOOKS: dict[str, CaseLook] = {}


def register_case_look(action: str, stage: str, lasts: timedelta) -> None:
    """Let the actor of an audit `action` see the keepsakes of its case sharp. stage, lasts: see `CaseLook`.

    Other packages call it when their actions.py is imported.
    """
    CASE_LOOKS[action] = CaseLook(stage, lasts)


@transaction.atomic
def record_look(keepsake: Keepsake, reason: str, *, by: User) -> None:
    """Record that `by` sees a keepsake sharp, and why. Errors: NoReason if the reason is not known."""
    if reason not in LookReason.values:
        raise NoReason(_("Choose a reason. The patient can see it."))
    record(Act(ACTION, f"keepsake:{keepsake.pk}", actor=actor_of(by), case=keepsake.case_id, reason=reason))


def may_look(user: User, case: Case, keepsake_id: UUID | None, *, lasts: timedelta = SHARP_FOR) -> bool:
    """Return whether `user` may see a keepsake of `case` sharp now.

    The patient always may. Staff may for `lasts` after their recorded look at this keepsake, and while a look
    at the whole case lasts (`CaseLook`). The caller must check the access policy.
    """
    if case.patient_id == user.pk:
        return True
    recent = Q(action=ACTION, subject=f"keepsake:{keepsake_id}", at__gt=timezone.now() - lasts)
    for action, look in CASE_LOOKS.items():
        if case.stage == look.stage:
            recent |= _within(action, look)
    return Entry.objects.filter(recent, case=case.pk, actor=actor_of(user)).exists()


def has_watched(user: User, case: Case) -> bool:
    """Return whether `user` has a look at the whole case that is recent enough, in whatever stage it is now.

    The session page may request a picture just when the session ends and the stage changes.
    """
    nothing = Q(pk__in=[])
    recent = reduce(or_, (_within(action, look) for action, look in CASE_LOOKS.items()), nothing)
    return Entry.objects.filter(recent, case=case.pk, actor=actor_of(user)).exists()


def _within(action: str, look: CaseLook) -> Q:
    """Return the condition for entries of `action` that are recent enough."""
    return Q(action=action, at__gt=timezone.now() - look.lasts)


def is_mapping(user: User, case: Case) -> bool:
    """Return whether `user` is mapping with the patient: they looked for that reason within `VISIT`."""
    since = timezone.now() - VISIT
    return Entry.objects.filter(
        action=ACTION, case=case.pk, actor=actor_of(user), reason=LookReason.MAPPING, at__gt=since
    ).exists()


def require_look(visitor: Visitor, name: str, row: StoredObject, *, lasts: timedelta = SHARP_FOR) -> None:
    """Check that the visitor may see a stored object sharp now. If not, record the denial and raise Refused.

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
