"""Clearing the inbox: what a patient brought is accepted, or returned with a reason they can read."""

import dataclasses
from datetime import datetime

from django.db import models, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake

LONGEST_REASON = 500


class Why(models.TextChoices):
    """Reasons for looking at a preview sharp; they go into the log, which the patient can read."""

    READABLE = "readable", gettext_lazy("to see whether it can be made out at all")
    OTHERS = "others", gettext_lazy("to see who else is in it")
    DATE = "date", gettext_lazy("to find its date or place")
    DOUBT = "doubt", gettext_lazy("there is doubt whether it belongs here")


class CannotReview(Exception):
    """The review cannot be changed now; the message says why in plain words."""


def _locked(keepsake: Keepsake) -> Keepsake:
    """Lock case and keepsake. Errors: CannotReview once the map is locked or the keepsake is gone."""
    case = Case.objects.select_for_update().get(pk=keepsake.case_id)
    if not case.takes_keepsakes:
        raise CannotReview(_("The map is locked, so nothing is reviewed any more."))
    row = Keepsake.objects.select_for_update().get(pk=keepsake.pk)
    if row.gone_at:
        raise CannotReview(_("The patient has taken this one back. It is destroyed."))
    return row


@transaction.atomic
def accept(keepsake: Keepsake, *, by: User) -> Keepsake:
    """Accept one keepsake. Accepting what is accepted changes nothing. Errors: CannotReview."""
    row = _locked(keepsake)
    if row.review == Keepsake.Review.ACCEPTED:
        return row
    row.review = Keepsake.Review.ACCEPTED
    paper = row.read()
    if paper.returned_because:
        row.write(dataclasses.replace(paper, returned_because=""))
    row.save(update_fields=["review", "sealed"])
    record(Act("keepsake.accepted", f"keepsake:{row.pk}", actor=actor_of(by), case=row.case_id))
    return row


@transaction.atomic
def give_back(keepsake: Keepsake, reason: str, *, by: User) -> Keepsake:
    """Return one keepsake with words for the patient, sealed with it and never logged.

    Errors: CannotReview, also for a reason that is empty or longer than 500 characters.
    """
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise CannotReview(_("Say in a sentence or two why it goes back. The patient reads it."))
    row = _locked(keepsake)
    row.review = Keepsake.Review.RETURNED
    row.write(dataclasses.replace(row.read(), returned_because=reason))
    row.save(update_fields=["review", "sealed"])
    record(Act("keepsake.returned", f"keepsake:{row.pk}", actor=actor_of(by), case=row.case_id))
    return row


@transaction.atomic
def accept_rest(case: Case, *, seen_until: datetime, by: User) -> int:
    """Accept all that wait and were there when the page was made. Returns how many. Errors: CannotReview."""
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if not locked.takes_keepsakes:
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
def unblur(keepsake: Keepsake, why: str, *, by: User) -> None:
    """Put on record that somebody looks at a preview sharp, and why. Errors: CannotReview, no such reason."""
    if why not in Why.values:
        raise CannotReview(_("Choose a reason. The patient can see it."))
    record(
        Act(
            "keepsake.unblurred",
            f"keepsake:{keepsake.pk}",
            actor=actor_of(by),
            case=keepsake.case_id,
            reason=why,
        )
    )
