"""Review of keepsakes by the clinic: accept them, or return them with a reason for the patient."""

import dataclasses
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.models import Entry
from clinic.audit.record import Act, actor_of, record
from clinic.edits.seen import is_seen, seen_mark
from clinic.outgoing.queue import queue
from clinic.outgoing.recipients import to_patient
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake, KeepsakeFields

MAX_REASON_LENGTH = 500  # characters
# The mail waits so long for further returns: a reviewer often returns several, and one mail is enough.
MORE_RETURNS = timedelta(minutes=5)


class CannotReview(Exception):
    """The review cannot be changed now. The message is shown to the user."""


def review_mark(keepsake: Keepsake, fields: KeepsakeFields) -> str:
    """Return the mark of what the inbox shows of a keepsake, for the buttons that decide on it."""
    return seen_mark(f"keepsake:{keepsake.pk}", *_shown(keepsake, fields))


def _shown(keepsake: Keepsake, fields: KeepsakeFields) -> list[object]:
    words = [fields.caption, fields.others, fields.returned_because]
    return [keepsake.review, keepsake.kind, keepsake.memory_id, *words]


def _check_seen(row: Keepsake, seen: str | None) -> None:
    """Check that a locked keepsake is what the page showed. Errors: CannotReview."""
    if seen is not None and not is_seen(seen, f"keepsake:{row.pk}", *_shown(row, row.read())):
        raise CannotReview(
            _("This one was changed or decided while your page was open. It is shown now as it is.")
        )


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
def accept(keepsake: Keepsake, *, seen: str | None = None, by: User) -> Keepsake:
    """Accept one keepsake. Do nothing if it is accepted already.

    seen: the `review_mark` on the page; None where no page was shown. Errors: CannotReview, also if the
    keepsake is not what the page showed.
    """
    row = _lock_keepsake(keepsake)
    if row.review == Keepsake.Review.ACCEPTED:
        return row
    _check_seen(row, seen)
    row.review = Keepsake.Review.ACCEPTED
    fields = row.read()
    if fields.returned_because:
        row.write(dataclasses.replace(fields, returned_because=""))
    row.save(update_fields=["review", "sealed"])
    record(Act("keepsake.accepted", f"keepsake:{row.pk}", actor=actor_of(by), case=row.case_id))
    return row


@transaction.atomic
def return_keepsake(keepsake: Keepsake, reason: str, *, seen: str | None = None, by: User) -> Keepsake:
    """Return one keepsake to the patient. The reason is stored in its sealed fields and never logged.

    seen: as for `accept`. Errors: CannotReview, also if the reason is empty or longer than
    `MAX_REASON_LENGTH`, or the keepsake is not what the page showed.
    """
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON_LENGTH:
        raise CannotReview(_("Say in a sentence or two why it goes back. The patient reads it."))
    row = _lock_keepsake(keepsake)
    _check_seen(row, seen)
    row.review = Keepsake.Review.RETURNED
    row.write(dataclasses.replace(row.read(), returned_because=reason))
    row.save(update_fields=["review", "sealed"])
    queue(
        "keepsake-returned",
        f"case:{row.case_id}",
        to=[to_patient(row.case.patient)],
        case=row.case_id,
        at=timezone.now() + MORE_RETURNS,
    )
    record(Act("keepsake.returned", f"keepsake:{row.pk}", actor=actor_of(by), case=row.case_id))
    return row


@transaction.atomic
def accept_rest(case: Case, *, seen_until: datetime, by: User) -> int:
    """Accept the waiting keepsakes that nobody changed since `seen_until`, when the page was made.

    Return how many. Those that were added, changed or returned later wait for another look.
    Errors: CannotReview.
    """
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if not locked.map_is_open:
        raise CannotReview(_("The map is locked, so nothing is reviewed any more."))
    waiting = Keepsake.objects.filter(
        case=locked, review=Keepsake.Review.WAITING, gone_at__isnull=True, added_at__lte=seen_until
    )
    later = Entry.objects.filter(
        case=locked.pk, action__in=["keepsake.changed", "keepsake.returned"], at__gt=seen_until
    )
    changed = set(later.values_list("subject", flat=True))
    ids = [pk for pk in waiting.values_list("pk", flat=True) if f"keepsake:{pk}" not in changed]
    Keepsake.objects.filter(pk__in=ids).update(review=Keepsake.Review.ACCEPTED)
    actor = actor_of(by)
    record(*(Act("keepsake.accepted", f"keepsake:{pk}", actor=actor, case=locked.pk) for pk in ids))
    return len(ids)
