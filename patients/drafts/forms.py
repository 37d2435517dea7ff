"""The registry of forms that keep drafts. Each package registers its own in a module drafts.py.

The name of a form on a page is the name of its kind, or that and an object: "letter", "memory:<id>".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy

from clinic.accounts.models import User
from patients.cases.editing import CaseLocked, open_case_of

GONE = gettext_lazy("This is no longer here, so it can't be saved.")


class NotEditable(Exception):
    """The form can't be saved now, so no draft of it is kept. The message is shown to the person."""


@dataclass(frozen=True)
class FormPlace:
    """Where a form is, and what it is about.

    page, kwargs: the name and the arguments of the URL that saves it. Whoever may post there may keep a
    draft. about: the id of the thing whose key also seals the draft. case: None if it belongs to no case.
    url: the page that shows the form.
    """

    page: str
    about: UUID
    case: UUID | None
    url: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def lock_open_case(place: FormPlace) -> None:
    """Lock the case of a form. Call in a transaction. Errors: NotEditable if its map is locked."""
    if place.case is None:
        raise ValueError("this form belongs to no case")
    try:
        open_case_of(place.case)
    except CaseLocked as refusal:
        raise NotEditable(str(refusal)) from refusal


@dataclass(frozen=True)
class DraftForm:
    """A kind of form that keeps drafts.

    find(person, key): return where the form is, or None if there is none; key: what follows the colon in its
    name, or "". lock(place): lock the rows that decide whether the form may be saved, in a transaction.
    Errors: NotEditable. not_kept: names of inputs that are no words, and not part of the draft.
    """

    find: Callable[[User, str], FormPlace | None]
    lock: Callable[[FormPlace], None] = lock_open_case
    not_kept: frozenset[str] = frozenset()


_forms: dict[str, DraftForm] = {}


def register_form(kind: str, form: DraftForm) -> None:
    """Register a kind of form. Call it at import time of a package's drafts.py."""
    _forms[kind] = form


def find_form(person: User, name: str) -> tuple[DraftForm, FormPlace] | None:
    """Return the form of this name and where it is, or None if there is none."""
    kind, colon, key = name.partition(":")
    if colon and not key:
        return None
    form = _forms.get(kind)
    place = form.find(person, key) if form else None
    return (form, place) if form and place else None


def lock_form(person: User, name: str) -> FormPlace:
    """Lock a form until the transaction ends, and return where it is.

    Errors: NotEditable if it is gone or can't be saved now.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("a form is locked in a transaction")
    if found := find_form(person, name):
        form, place = found
        form.lock(place)
        # Look for it once more, now that nobody can change it: it may have gone just before the lock.
        if still_there := find_form(person, name):
            return still_there[1]
    raise NotEditable(str(GONE))


def uuid_or_none(text: str) -> UUID | None:
    """Return `text` as a UUID; None if it is none, or not written in the usual form."""
    try:
        value = UUID(text)
    except ValueError:
        return None
    return value if str(value) == text else None


def id_or_nil(text: str) -> UUID:
    """Return `text` as a UUID; if it is none, the nil UUID, which is the id of nothing."""
    return uuid_or_none(text) or UUID(int=0)
