"""Keeps, ends and sweeps drafts.

A draft makes no audit entry: nothing on record changes, and the log must not tell when somebody types. The
entry is made when the form is saved.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from clinic.accounts.models import User
from clinic.failpoints import hit
from clinic.http.requests import request_user
from patients.drafts.forms import lock_form, uuid_or_none
from patients.drafts.models import REVISION, Draft, DraftFields, DraftQuerySet
from patients.vault.configured import key_store

# A draft that was not changed for so long ends (`sweep_drafts`).
LIFETIME = timedelta(days=30)
MAX_FIELD = 10_000  # characters in one value; the longest field of a form takes 9,000
MAX_DRAFT = 50_000  # characters in all values of a form
MAX_VALUES = 300  # values in a form
MAX_DRAFTS = 200  # drafts of one person
NOT_STORED = frozenset({"csrfmiddlewaretoken", "page_owner", REVISION})


class Changed(Exception):
    """The draft is not the one that the page knows. draft: the present one; None if it has ended."""

    def __init__(self, draft: Draft | None) -> None:
        super().__init__("the draft has changed")
        self.draft = draft


class TooLong(Exception):
    """More was typed than a draft can hold."""


class TooMany(Exception):
    """The person has MAX_DRAFTS drafts already."""


def draft_values(
    posted: Mapping[str, Sequence[str]], *, not_kept: Collection[str] = ()
) -> dict[str, list[str]]:
    """Return what a draft keeps of a posted form, given as lists of values by name. Errors: TooLong.

    not_kept: further names of inputs to leave out.
    """
    values = {
        name: [value.replace("\0", "") for value in found]
        for name, found in posted.items()
        if name not in NOT_STORED and name not in not_kept
    }
    texts = [*values, *(value for found in values.values() for value in found)]
    longest = max(map(len, texts), default=0)
    if len(texts) > MAX_VALUES or longest > MAX_FIELD or sum(map(len, texts)) > MAX_DRAFT:
        raise TooLong
    return values


@transaction.atomic
def keep_draft(form: str, values: dict[str, list[str]], *, known: UUID | None, by: User) -> Draft:
    """Keep what is typed into a form and return the draft, with a new revision.

    known: the revision that the page shows, None if it shows no draft. The caller has asked the policy
    whether `by` may use the form. Errors: NotEditable; Changed; TooMany; KeyGone, OSError from the key store.
    """
    place = lock_form(by, form)
    mine = Draft.objects.live().filter(person=by)
    row = mine.select_for_update().filter(form=form).first()
    if (row.revision if row else None) != known:
        raise Changed(row)
    if row is None:
        if mine.count() >= MAX_DRAFTS:
            raise TooMany
        row = Draft(person=by, form=form, case_id=place.case, about=place.about)
        # Whatever goes wrong from here on, the sweep finds a key that has no row.
        key_store().create(row.pk, place.case)
        hit("draft-key")
    row.write(DraftFields(values))
    row.revision, row.saved_at = uuid4(), timezone.now()
    row.save()
    return row


def end_drafts(rows: DraftQuerySet) -> int:
    """End drafts: empty their rows now, and destroy their keys after the commit. Return how many.

    Call it inside a transaction. A caller after whose decision a form can't be saved any more must hold the
    lock that `keep_draft` takes. Otherwise a draft could be begun meanwhile.
    """
    ids = list(rows.live().values_list("pk", flat=True))
    ended = rows.live().filter(pk__in=ids).update(sealed=b"", ended_at=timezone.now())

    def destroy_keys() -> None:
        destroy_ended(ids)

    if ended:
        # robust: a failure is only logged, as the transaction is committed. The sweep tries again.
        transaction.on_commit(destroy_keys, robust=True)
    return ended


def end_drafts_about(*ids: UUID) -> int:
    """End everybody's drafts about things that are gone, by their ids. See `end_drafts`."""
    return end_drafts(Draft.objects.filter(about__in=ids))


def end_drafts_of_case(case: UUID, *, except_form: str = "") -> int:
    """End all drafts of a case whose forms can't be saved any more. See `end_drafts`.

    except_form: the name of a form that still can.
    """
    return end_drafts(Draft.objects.filter(case=case).exclude(form=except_form))


def end_saved_draft(request: HttpRequest, form: str) -> None:
    """End the draft of a form that was saved. Call it in the transaction that saves.

    Only the draft that the page knew: another page of the same person may have typed more meanwhile.
    """
    end_draft(request_user(request), form, request.POST.get(REVISION, ""))


def end_draft(person: User, form: str, revision: str) -> int:
    """End the draft of a form if this is its present revision. See `end_drafts`."""
    if (known := uuid_or_none(revision)) is None:
        return 0
    return end_drafts(Draft.objects.filter(person=person, form=form, revision=known))


def destroy_ended(ids: Sequence[UUID] | None = None) -> int:
    """Destroy the keys of ended drafts, then delete their rows. Return how many. May be repeated.

    ids: only these drafts. Errors: OSError, KeyStoreDamaged; the rest stays for another call.
    """
    chosen = Q() if ids is None else Q(pk__in=ids)
    done = 0
    for key in list(Draft.objects.ended().filter(chosen).values_list("pk", flat=True)):
        key_store().destroy(key)
        hit("draft-key-destroyed")
        done += Draft.objects.ended().filter(pk=key).delete()[0]
    return done


def sweep_drafts() -> int:
    """End the drafts older than LIFETIME, and delete all ended drafts; return how many were deleted.

    Errors: as `destroy_ended`.
    """
    old = Draft.objects.live().filter(saved_at__lt=timezone.now() - LIFETIME)
    old.update(sealed=b"", ended_at=timezone.now())
    return destroy_ended()
