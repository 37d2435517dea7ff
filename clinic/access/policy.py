"""Who may do what: one table for all URLs, and one function that reads it.

A row gives, for one URL name, who may read (GET, HEAD, OPTIONS) and who may write (all other methods). Each
package registers the rows of its own URLs in `policy.py` beside its urls.py; docs/access.md shows them all.
Where the URL has an object's id as argument, a rule may require a relation of the user to that object ("own",
"assigned", "mapping"); packages register functions that find the relations (clinic/access/relations.py).
A URL without a row is denied to everyone, and a test fails.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from django.contrib.auth.models import AnonymousUser

from clinic.access.relations import CONFLICT, relations_to
from clinic.accounts.models import Role, User


@dataclass(frozen=True)
class Rule:
    """Matches users with `role`. With `relations`, only if they have one of these to the URL's objects."""

    role: str
    relations: frozenset[str] = frozenset()


Who = tuple[Rule, ...] | Literal["public", "signed-in"]
PUBLIC: Who = "public"
SIGNED_IN: Who = "signed-in"


@dataclass(frozen=True)
class Row:
    """Who may read (GET, HEAD, OPTIONS) and who may write (all other methods)."""

    read: Who
    write: Who = ()
    # A page that updates itself without its user: its requests do not extend the session.
    quiet: bool = False


@dataclass(frozen=True)
class Decision:
    """Whether a request is allowed, and why not.

    status: 200, or for a denial 403, 404 (the user must not learn whether the object exists) or 405 (wrong
    method). because: the cause of a denial as one word, as the audit log records it. relations: how the user
    is related to the URL's objects.
    """

    allowed: bool
    status: int = 200
    because: str = ""
    relations: frozenset[str] = frozenset()


def roles(*rules: str | Rule) -> tuple[Rule, ...]:
    """Return one rule for each role. A `Rule` among the arguments is returned unchanged."""
    return tuple(rule if isinstance(rule, Rule) else Rule(rule) for rule in rules)


def with_relation(role: str, *relations: str) -> Rule:
    """Return a rule for users with `role` who have one of `relations` to the URL's objects."""
    return Rule(role, frozenset(relations))


EVERY_STAFF = roles(Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR, Role.ADMINISTRATOR, Role.AUDITOR)
READERS = roles(Role.ADMINISTRATOR, Role.AUDITOR)

TABLE: dict[str, Row] = {}


def register(rows: Mapping[str, Row]) -> None:
    """Add the rows of a package, by URL name: `register({"audit": Row(READERS)})`.

    Call it at import time of `policy.py` beside the package's urls.py: clinic/registration.py imports that
    module when the app starts. Errors: ValueError if a URL already has a different row.
    """
    for name, row in rows.items():
        if TABLE.setdefault(name, row) != row:
            raise ValueError(f"the URL {name} has two rows")


READING = frozenset({"GET", "HEAD", "OPTIONS"})


def allowed(user: User | AnonymousUser, name: str, kwargs: Mapping[str, Any], method: str) -> Decision:
    """Decide whether `user` may use the URL `name` with the URL arguments `kwargs` by the HTTP `method`.

    A member of staff who is the patient or the subject of a case has no staff role there: only the role of
    patient counts. Users without a staff role get 404 for objects of others, whether these exist or not. If
    no rule of the row names any role of the user, the objects are not even looked up. If the URL has no rule
    for the method, and `user` may use the other kind (reading or writing), the answer is 405 and not a
    denial.
    """
    row = TABLE.get(name)
    if row is None:
        return Decision(False, 403, "no-row")
    who, other_kind = (row.read, row.write) if method in READING else (row.write, row.read)
    if not who and _judge(user, other_kind, kwargs).allowed:
        return Decision(False, 405, "method")
    return _judge(user, who, kwargs)


def _judge(user: User | AnonymousUser, who: Who, kwargs: Mapping[str, Any]) -> Decision:
    if who == PUBLIC:
        return Decision(True)
    if not isinstance(user, User) or not user.is_active:
        return Decision(False, 403, "anonymous")
    rules = [rule for rule in who if isinstance(rule, Rule)]
    if who != SIGNED_IN and not any(rule.role in user.roles for rule in rules):
        return _refusal("role", user.roles, kwargs)
    relations = relations_to(user, kwargs)
    if relations is None:
        return Decision(False, 404, "no-object")
    if who == SIGNED_IN:
        return Decision(True, relations=relations)
    counted_roles = user.roles & {Role.PATIENT} if CONFLICT in relations else user.roles
    if any(_matches(rule, counted_roles, relations) for rule in rules):
        return Decision(True, relations=relations)
    return _refusal("conflict" if CONFLICT in relations else "role", counted_roles, kwargs, relations)


def _refusal(
    because: str,
    user_roles: frozenset[str],
    kwargs: Mapping[str, Any],
    relations: frozenset[str] = frozenset(),
) -> Decision:
    """Return a denial: 403 for staff, and 404 for all others if the URL names an object."""
    hidden = bool(kwargs) and not (user_roles - {Role.PATIENT})
    return Decision(False, 404 if hidden else 403, because, relations)


def _matches(rule: Rule, user_roles: frozenset[str], relations: frozenset[str]) -> bool:
    return rule.role in user_roles and (not rule.relations or bool(rule.relations & relations))
