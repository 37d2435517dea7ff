"""Who may do what: one table for all URLs, and one function that reads it.

A row says for the name of a URL who may read it and who may write to it. Each package registers the rows of
its own URLs (`policy.py` beside its urls.py); docs/access.md shows them all. Where the URL names an object, a
rule may ask how the person stands to it ("own", "assigned", "mapping"); packages register that in
clinic/access/relations.py. A URL without a row is closed, and fails a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from django.contrib.auth.models import AnonymousUser

from clinic.access.relations import CONFLICT, relations_to
from clinic.accounts.models import Role, User


@dataclass(frozen=True)
class Rule:
    """Holders of `role`; where `relations` are named, only towards objects they stand to in one of them."""

    role: str
    relations: frozenset[str] = frozenset()


Who = tuple[Rule, ...] | Literal["public", "signed-in"]
PUBLIC: Who = "public"
SIGNED_IN: Who = "signed-in"


@dataclass(frozen=True)
class Row:
    """Who may read (GET, HEAD, OPTIONS) and who may write (everything else)."""

    read: Who
    write: Who = ()
    # Watched rather than used: a page that follows a night by itself keeps nobody signed in.
    quiet: bool = False


@dataclass(frozen=True)
class Decision:
    """The table's answer. `status` of a refusal: 403, 404 where existence is a secret, 405 for the method."""

    allowed: bool
    status: int = 200
    because: str = ""
    relations: frozenset[str] = frozenset()


def roles(*rules: str | Rule) -> tuple[Rule, ...]:
    """Return rules for holders of these roles. A rule may stand beside them as it is."""
    return tuple(rule if isinstance(rule, Rule) else Rule(rule) for rule in rules)


def with_relation(role: str, *relations: str) -> Rule:
    """Return a rule for holders of `role`, towards objects they stand in one of these relations to."""
    return Rule(role, frozenset(relations))


EVERY_STAFF = roles(Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR, Role.ADMINISTRATOR, Role.AUDITOR)
READERS = roles(Role.ADMINISTRATOR, Role.AUDITOR)

TABLE: dict[str, Row] = {}


def register(rows: Mapping[str, Row]) -> None:
    """Add the rows of a package: `register({"audit": Row(READERS)})`, by the names of its URLs.

    Call it in a module `policy.py` beside the package's urls.py: clinic/registration.py imports it at start.
    Errors: ValueError where a URL has another row already.
    """
    for name, row in rows.items():
        if TABLE.setdefault(name, row) != row:
            raise ValueError(f"the URL {name} has two rows")


READING = frozenset({"GET", "HEAD", "OPTIONS"})


def allowed(user: User | AnonymousUser, name: str, kwargs: Mapping[str, Any], method: str) -> Decision:
    """Decide whether `user` may use the URL `name` with `kwargs` by `method`.

    Nobody acts with a staff role on a case in which they are the patient or the person to be forgotten:
    there only the role of patient counts. Whoever holds no staff role learns nothing of other people's
    objects (404), and whoever's roles are in no rule of the row isn't even told which objects exist.
    Where nobody may by this method and `user` may by another, that is no denial but a wrong method (405).
    """
    row = TABLE.get(name)
    if row is None:
        return Decision(False, 403, "no-row")
    who, other = (row.read, row.write) if method in READING else (row.write, row.read)
    if not who and _judge(user, other, kwargs).allowed:
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
    standing = relations_to(user, kwargs)
    if standing is None:
        return Decision(False, 404, "no-object")
    if who == SIGNED_IN:
        return Decision(True, relations=standing)
    held = user.roles & {Role.PATIENT} if CONFLICT in standing else user.roles
    if any(_fits(rule, held, standing) for rule in rules):
        return Decision(True, relations=standing)
    return _refusal("conflict" if CONFLICT in standing else "role", held, kwargs, standing)


def _refusal(
    because: str, held: frozenset[str], kwargs: Mapping[str, Any], standing: frozenset[str] = frozenset()
) -> Decision:
    """A 403 to colleagues; to all others an object they have no part in does not exist."""
    hidden = bool(kwargs) and not (held - {Role.PATIENT})
    return Decision(False, 404 if hidden else 403, because, standing)


def _fits(rule: Rule, held: frozenset[str], standing: frozenset[str]) -> bool:
    return rule.role in held and (not rule.relations or bool(rule.relations & standing))
