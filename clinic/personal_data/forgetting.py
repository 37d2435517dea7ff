"""Forgets a person whose account is closed for good: what their rows say of them is emptied or deleted.

Each package registers in its personal_data.py what it forgets. Forgetting destroys no keys: what is sealed
under the keys of the person's cases must be destroyed first, with its proof (erasure/destructions).
"""

from collections.abc import Callable
from copy import copy
from typing import TypeAlias

from django.db import transaction

from clinic.accounts.models import User

EMPTIED = "—"  # stands for a name or a reason that was forgotten where a row needs one

Forgetter: TypeAlias = Callable[[User], None]

_forgetters: list[Forgetter] = []


def closed_address(person: User) -> str:
    """Return the address of an account that was closed for good, in a domain that nobody has (RFC 2606)."""
    return f"{person.pk}@closed.invalid"


def register_forgetter(forget: Forgetter) -> Forgetter:
    """Register a function that removes what a package's rows say of a person. Their order is not fixed."""
    _forgetters.append(forget)
    return forget


@transaction.atomic
def forget_person(person: User) -> None:
    """Call every forgetter. The caller has locked the row of the person.

    Each gets the person as they were: one of them empties the row.
    """
    for forget in _forgetters:
        forget(copy(person))
