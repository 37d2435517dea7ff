"""Review of keepsakes by the clinic: accept them, or return them with a reason for the patient."""

import dataclasses
from datetime import datetime

from django.db import models, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake

MAX_REASON_LENGTH = 500  # characters


class UnblurReason(models.TextChoices):
    """Reasons for viewing a preview unblurred. They go into the audit log, which the patient can read."""

    READABLE = "readable", gettext_lazy("to see whether it can be made out at all")
    OTHERS = "others", gettext_lazy("to see who else is in it")
    DATE = "date", gettext_lazy("to find its date or place")
    COMPARE = "compare", gettext_lazy("to see whether it is a copy of another")
    DOUBT = "doubt", gettext_lazy("there is doubt whether it belongs here")


class CannotReview(Exception):
    """The review cannot be changed now. The message is shown to the user."""


def _lock_keepsake(keepsake: Keepsake) -> Keepsake:
    """Lock the rows of case and keepsake. Errors: CannotReview if the map is locked or the keepsake gone."""
    case = Case.objects.select_for_update().get(pk=keepsake.case_id)
    if not case.map_is_open:
        raise CannotReview(_("The map is locked, so nothing is reviewed any more."))
    row = Keepsake.objects.select_for_update().get(pk=keepsake.pk)
    if row.gone_at:
        raise CannotReview(_("The patient has taken this one back. It is destroyed."))
    return row


@transaction.atomic
def accept(keepsake: Keepsake, *, by: User) -> Keepsake:
    """Accept one keepsake. Do nothing if it is accepted already. Errors: CannotReview."""
    row = _lock_keepsake(keepsake)
    if row.review == Keepsake.Review.ACCEPTED:
        return row
    row.review = Keepsake.Review.ACCEPTED
    fields = row.read()
    if fields.returned_because:
        row.write(dataclasses.replace(fields, returned_because=""))
    row.save(update_fields=["review", "sealed"])
    record(Act("keepsake.accepted", f"keepsake:{row.pk}", actor=actor_of(by), case=row.case_id))
    return row


@transaction.atomic
def return_keepsake(keepsake: Keepsake, reason: str, *, by: User) -> Keepsake:
    """Return one keepsake to the patient. The reason is stored in its sealed fields and never logged.

    Errors: CannotReview, also if the reason is empty or longer than `MAX_REASON_LENGTH`.
    """
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON_LENGTH:
        raise CannotReview(_("Say in a sentence or two why it goes back. The patient reads it."))
    row = _lock_keepsake(keepsake)
    row.review = Keepsake.Review.RETURNED
    row.write(dataclasses.replace(row.read(), returned_because=reason))
    row.save(update_fields=["review", "sealed"])
    record(Act("keepsake.returned", f"keepsake:{row.pk}", actor=actor_of(by), case=row.case_id))
    return row


@transaction.atomic
def accept_rest(case: Case, *, seen_until: datetime, by: User) -> int:
    """Accept all waiting keepsakes added until `seen_until`, when the page was made. Return how many.

    Errors: CannotReview.
    """
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if not locked.map_is_open:
        raise CannotReview(_("The map is locked, so nothing is reviewed any more."))
    waiting = Keepsake.objects.filter(
        case=locked, review=Keepsake.Review.WAITING, gone_at__isnull=True, added_at__lte=seen_until
    )
    ids = list(waiting.values_list("pk", flat=True))
    Keepsake.objects.filter(pk__in=ids).update(review=Keepsake.Review.ACCEPTED)
    actor = actor_of(by)
    record(*(Act("keepsake.accepted", f"keepsake:{pk}", actor=actor, case=locked.pk) for pk in ids))
    return len(ids)


@transaction.atomic
def unblur(keepsake: Keepsake, reason: str, *, by: User) -> None:
    """Record that a user views a preview unblurred, and why. Errors: CannotReview for an unknown reason."""
    if reason not in UnblurReason.values:
        raise CannotReview(_("Choose a reason. The patient can see it."))
    record(
        Act(
            "keepsake.unblurred",
            f"keepsake:{keepsake.pk}",
            actor=actor_of(by),
            case=keepsake.case_id,
            reason=reason,
        )
    )
