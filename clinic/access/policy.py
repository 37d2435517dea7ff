"""Who may do what: one table for all URLs, and one function that reads it.

A row gives, for one URL name, who may read (GET, HEAD, OPTIONS) and who may write (all other methods). Each
package registers the rows of its own URLs in `policy.py` beside its urls.py; docs/access.md shows them all.
Where the URL has an object's id as argument, a rule may require a relation of the user to that object ("own",
"assigned", "mapping"); packages register functions that find the relations (clinic/access/relations.py).
A rule may also name the kind of a pass that a browser carries instead of a sign-in (clinic/access/passes.py).
A URL without a row is denied to everyone, and a test fails.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from clinic.access.relations import CONFLICT, standing_in
from clinic.accounts.models import Role, User


@dataclass(frozen=True)
class Pass:
    """What lets a browser use a few URLs without a sign-in (clinic/access/passes.py).

    kind: the name that rules have for it in place of a role. user: its owner. objects: the URL arguments that
    it opens, name -> id; a URL with any others stays closed. relations: those of its owner to the objects.
    id: primary key of the row that stores it.
    """

    kind: str
    user: User
    objects: Mapping[str, UUID]
    relations: frozenset[str]
    id: UUID


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
    # It does the same for whomever the page that sends the request was made (clinic/access/page_owner.py).
    ownerless: bool = False


# The roles that read patients' names, and those that read what a case is about.
NAME_ROLES = frozenset({Role.PATIENT, Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR})
CONTENT_ROLES = frozenset({Role.PATIENT, Role.TECHNICIAN, Role.DOCTOR})


@dataclass(frozen=True)
class Decision:
    """Whether a request is allowed, and why not.

    status: 200, or for a denial 403, 404 (the user must not learn whether the object exists) or 405 (wrong
    method). because: the cause of a denial as one word, as the audit log records it. relations: how the user
    is related to the URL's objects. roles: the roles that opened it. What a page shows depends on these, not
    on other roles of the same person; for a URL that everybody may use they are all the user's roles.
    """

    allowed: bool
    status: int = 200
    because: str = ""
    relations: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    @property
    def names(self) -> bool:
        """Whether the page may show the patient's name; if not, a case is its file number."""
        return not NAME_ROLES.isdisjoint(self.roles)

    @property
    def content(self) -> bool:
        """Whether the page may show the subject, chapters, titles and pictures of a case."""
        return not CONTENT_ROLES.isdisjoint(self.roles)


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


def url_name_of(request: HttpRequest) -> str:
    """Return the name of the URL that was asked for, as in the table; "" if there is no such URL."""
    return request.resolver_match.view_name if request.resolver_match else ""


def row_of(request: HttpRequest) -> Row | None:
    """Return the row of the URL that was asked for."""
    return TABLE.get(url_name_of(request))


def allowed(
    user: User | AnonymousUser,
    name: str,
    kwargs: Mapping[str, Any],
    method: str,
    access_pass: Pass | None = None,
) -> Decision:
    """Decide whether `user` may use the URL `name` with the URL arguments `kwargs` by the HTTP `method`.

    access_pass: the pass by which the request acts. If there is one, only it counts and `user` is ignored.

    A member of staff who is the patient or the subject of a case has no staff role there: only the role of
    patient counts. If no rule of the row names any role of the user, the objects are not even looked up: the
    answer is 403, and for users without a staff role 404. Whoever has such a role, but not the relation, gets
    404 for objects that exist and for those that do not. If the URL has no rule for the method, and `user`
    may use the other kind (reading or writing), the answer is 405 and not a denial.
    """
    row = TABLE.get(name)
    if row is None:
        return Decision(False, 403, "no-row")
    who, other_kind = (row.read, row.write) if method in READING else (row.write, row.read)

    def judge(asked: Who) -> Decision:
        return _judge_pass(access_pass, asked, kwargs) if access_pass else _judge(user, asked, kwargs)

    if not who and judge(other_kind).allowed:
        return Decision(False, 405, "method")
    return judge(who)


def _judge_pass(access_pass: Pass, who: Who, kwargs: Mapping[str, Any]) -> Decision:
    rules = [rule for rule in who if isinstance(rule, Rule)]
    if dict(kwargs) == dict(access_pass.objects) and (
        opening := opening_roles(rules, frozenset({access_pass.kind}), access_pass.relations)
    ):
        return Decision(True, relations=access_pass.relations, roles=opening)
    return Decision(False, 404 if kwargs else 403, "pass", access_pass.relations)


def _judge(user: User | AnonymousUser, who: Who, kwargs: Mapping[str, Any]) -> Decision:
    if who == PUBLIC:
        return Decision(True, roles=user.roles if isinstance(user, User) else frozenset())
    if not isinstance(user, User) or not user.is_active:
        return Decision(False, 403, "anonymous")
    if who == SIGNED_IN:
        return Decision(True, roles=user.roles)
    rules = [rule for rule in who if isinstance(rule, Rule)]
    if not any(rule.role in user.roles for rule in rules):
        hidden = bool(kwargs) and not (user.roles - {Role.PATIENT})
        return Decision(False, 404 if hidden else 403, "role")
    standing = standing_in(user, kwargs)
    if standing is None:
        return Decision(False, 404, "no-object")
    if opening := opening_roles(rules, user.roles, standing.relations):
        return Decision(True, relations=standing.relations, roles=opening)
    because = "conflict" if CONFLICT in standing.relations else "role"
    return Decision(False, 404 if kwargs else 403, because, standing.relations)


def opening_roles(
    rules: Iterable[Rule], user_roles: frozenset[str], relations: frozenset[str]
) -> frozenset[str]:
    """Return those of `user_roles` that one of `rules` lets in, for a user with `relations` to the object.

    Where the user is the patient or the subject, only the role of patient counts.
    """
    counted = user_roles & {Role.PATIENT} if CONFLICT in relations else user_roles
    return frozenset(
        rule.role
        for rule in rules
        if rule.role in counted and (not rule.relations or rule.relations & relations)
    )
