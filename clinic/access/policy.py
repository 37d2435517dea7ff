"""Who may do what: one table for the whole house, one function that reads it.

A row says for a URL's name who may read it and who may write to it. Where the URL names an object, a rule
may ask how the person stands to it ("own", "assigned", "mapping"); rooms teach that to the registry in
clinic/access/relations.py. A URL without a row is closed, and fails a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from django.contrib.auth.models import AnonymousUser

from clinic.access.relations import CONFLICT, relations_to
from clinic.people.models import Role, User

RECEPTIONIST, TECHNICIAN, DOCTOR = Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR
ADMINISTRATOR, AUDITOR, PATIENT = Role.ADMINISTRATOR, Role.AUDITOR, Role.PATIENT


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


def to(*rules: str | Rule) -> tuple[Rule, ...]:
    """Rules for roles, in short."""
    return tuple(rule if isinstance(rule, Rule) else Rule(rule) for rule in rules)


def only(role: str, *relations: str) -> Rule:
    """Holders of a role towards objects they stand in a relation to."""
    return Rule(role, frozenset(relations))


OWN = only(PATIENT, "own")
NEAR = only(TECHNICIAN, "assigned", "mapping")
ON_DUTY = only(TECHNICIAN, "assigned")
OFFERED = only(TECHNICIAN, "offered")
EVERY_STAFF = to(RECEPTIONIST, TECHNICIAN, DOCTOR, ADMINISTRATOR, AUDITOR)
READERS = to(ADMINISTRATOR, AUDITOR)
TEAM = to(DOCTOR, NEAR)
NIGHT = to(DOCTOR, ON_DUTY, OWN)

TABLE: dict[str, Row] = {
    # The door
    "home": Row(PUBLIC),
    "health": Row(PUBLIC),
    "set_language": Row(PUBLIC, PUBLIC),
    "invitation": Row(PUBLIC, PUBLIC),
    "patients:request": Row(PUBLIC, PUBLIC),
    "patients:request-sent": Row(PUBLIC),
    "account_login": Row(PUBLIC, PUBLIC),
    "account_logout": Row(PUBLIC, PUBLIC),
    "account_inactive": Row(PUBLIC),
    "account_signup": Row(PUBLIC),
    "account_reset_password": Row(PUBLIC, PUBLIC),
    "account_reset_password_done": Row(PUBLIC),
    "account_reset_password_from_key": Row(PUBLIC, PUBLIC),
    "account_reset_password_from_key_done": Row(PUBLIC),
    "account_reauthenticate": Row(SIGNED_IN, SIGNED_IN),
    "account_change_password": Row(SIGNED_IN, SIGNED_IN),
    "account_set_password": Row(SIGNED_IN, SIGNED_IN),
    # An address proves who may come in, so nobody changes it alone: closed.
    "account_email": Row(()),
    "account_email_verification_sent": Row(()),
    "account_confirm_email": Row(()),
    # Nobody comes in by a code alone until that way asks for a second factor too: closed.
    "account_confirm_login_code": Row(()),
    # The house
    "today": Row(EVERY_STAFF),
    "today-wall": Row(EVERY_STAFF, quiet=True),
    "audit": Row(READERS),
    "audit-verify": Row((), READERS),
    "audit-export": Row((), READERS),
    "audit-compare": Row((), READERS),
    "people": Row(to(ADMINISTRATOR), to(ADMINISTRATOR)),
    "person": Row(to(ADMINISTRATOR), to(ADMINISTRATOR)),
    "outbox": Row(to(RECEPTIONIST, ADMINISTRATOR)),
    "style": Row(EVERY_STAFF),
    # Who comes
    "patients:requests": Row(to(RECEPTIONIST, DOCTOR), to(RECEPTIONIST)),
    "patients:request-decide": Row((), to(RECEPTIONIST)),
    "patients:portal": Row(to(PATIENT)),
    "patients:intake": Row(to(PATIENT), to(PATIENT)),
    "patients:keepsakes": Row(to(PATIENT), to(PATIENT)),
    "patients:keepsakes-done": Row((), to(PATIENT)),
    "patients:keepsake": Row(to(OWN), to(OWN)),
    "patients:keepsake-remove": Row((), to(OWN)),
    "patients:memory-new": Row(to(PATIENT), to(PATIENT)),
    "patients:memory": Row(to(OWN), to(OWN)),
    "patients:memory-remove": Row((), to(OWN)),
    "patients:consent": Row(to(PATIENT)),
    "patients:consent-sign": Row((), to(PATIENT)),
    "patients:withdraw": Row(to(PATIENT), to(PATIENT)),
    "patients:upload": Row(to(PATIENT), to(PATIENT)),
    "patients:upload-form": Row((), to(PATIENT)),
    # What the clinic does with it
    "patients:cases": Row(to(RECEPTIONIST, TECHNICIAN, DOCTOR, AUDITOR)),
    "patients:case": Row(to(RECEPTIONIST, DOCTOR, NEAR, AUDITOR)),
    "patients:review": Row(TEAM),
    "patients:review-decide": Row((), TEAM),
    "patients:review-unblur": Row((), TEAM),
    "patients:review-rest": Row((), TEAM),
    "patients:mapping": Row(TEAM, TEAM),
    "patients:map-link": Row((), TEAM),
    "patients:map-place": Row((), TEAM),
    "patients:map-chapters": Row((), TEAM),
    "patients:map-lock": Row((), TEAM),
    "patients:map-unlock": Row((), to(DOCTOR)),
    "patients:picture": Row(to(DOCTOR, NEAR, OWN)),
    "patients:playback": Row(to(DOCTOR, NEAR, OWN)),
    "patients:custody": Row(to(RECEPTIONIST, DOCTOR, NEAR, AUDITOR)),
    "patients:custody-change": Row((), to(RECEPTIONIST, DOCTOR, NEAR)),
    # The night
    "erasure:book": Row(to(RECEPTIONIST, DOCTOR), to(RECEPTIONIST, DOCTOR)),
    "erasure:procedure-move": Row(to(RECEPTIONIST, DOCTOR), to(RECEPTIONIST, DOCTOR)),
    "erasure:procedure-cancel": Row((), to(RECEPTIONIST, DOCTOR)),
    "erasure:start": Row(to(DOCTOR, ON_DUTY), to(DOCTOR, ON_DUTY)),
    "erasure:session": Row((*NIGHT, Rule(AUDITOR)), quiet=True),
    "erasure:state": Row((*NIGHT, Rule(AUDITOR)), quiet=True),
    "erasure:live": Row((*NIGHT, Rule(AUDITOR)), quiet=True),
    "erasure:map-css": Row((*NIGHT, Rule(AUDITOR), Rule(RECEPTIONIST)), quiet=True),
    "erasure:wall": Row(EVERY_STAFF, quiet=True),
    "erasure:replay": Row((*NIGHT, Rule(AUDITOR))),
    "erasure:pause": Row((), NIGHT),
    "erasure:resume": Row((), to(DOCTOR, ON_DUTY)),
    "erasure:protect": Row((), NIGHT),
    "erasure:call-doctor": Row((), NIGHT),
    "erasure:acknowledge": Row((), to(DOCTOR)),
    "erasure:abort": Row((), to(DOCTOR, ON_DUTY)),
    "erasure:abort-finish": Row((), to(DOCTOR, ON_DUTY)),
    "erasure:decide": Row((), to(DOCTOR)),
    "erasure:safe-word": Row((), NIGHT),
    "erasure:presence": Row((), to(DOCTOR, ON_DUTY)),
    "erasure:here": Row((), NIGHT),
    "erasure:handover": Row(to(DOCTOR, ON_DUTY, OFFERED)),
    "erasure:handover-offer": Row((), to(DOCTOR, ON_DUTY)),
    "erasure:handover-accept": Row((), to(ON_DUTY, OFFERED)),
    "erasure:handover-decline": Row((), to(DOCTOR, ON_DUTY, OFFERED)),
    "erasure:take-over": Row((), to(DOCTOR)),
    "erasure:hand-back": Row((), to(DOCTOR)),
    # What a night left half gone
    "erasure:left": Row(to(PATIENT)),
    "erasure:left-give-back": Row((), to(OWN)),
    "erasure:left-keep": Row((), to(OWN)),
    "erasure:left-destroy": Row((), to(OWN)),
    "erasure:left-fetch": Row(to(OWN)),
    "erasure:certificate": Row(to(DOCTOR, ON_DUTY, OWN, RECEPTIONIST, AUDITOR)),
    "erasure:backups": Row(READERS),
    "erasure:backups-end-held": Row((), to(ADMINISTRATOR)),
    "erasure:certificate-json": Row(to(DOCTOR, ON_DUTY, OWN, RECEPTIONIST, AUDITOR)),
    "erasure:certificate-statement": Row(to(DOCTOR, ON_DUTY, OWN, RECEPTIONIST, AUDITOR)),
    "erasure:certificate-signature": Row(to(DOCTOR, ON_DUTY, OWN, RECEPTIONIST, AUDITOR)),
    "erasure:certificate-pdf": Row(to(DOCTOR, ON_DUTY, OWN, RECEPTIONIST, AUDITOR)),
    # Whoever holds a certificate may check it: these show nothing of anybody.
    "erasure:verify": Row(PUBLIC, PUBLIC),
    "erasure:verify-number": Row(PUBLIC),
    "erasure:verify-key": Row(PUBLIC),
    "erasure:verifier": Row(PUBLIC),
}

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
    roles = user.roles & {PATIENT} if CONFLICT in standing else user.roles
    if any(_fits(rule, roles, standing) for rule in rules):
        return Decision(True, relations=standing)
    return _refusal("conflict" if CONFLICT in standing else "role", roles, kwargs, standing)


def _refusal(
    because: str, roles: frozenset[str], kwargs: Mapping[str, Any], standing: frozenset[str] = frozenset()
) -> Decision:
    """A 403 to colleagues; to all others an object they have no part in does not exist."""
    hidden = bool(kwargs) and not (roles - {PATIENT})
    return Decision(False, 404 if hidden else 403, because, standing)


def _fits(rule: Rule, roles: frozenset[str], standing: frozenset[str]) -> bool:
    return rule.role in roles and (not rule.relations or bool(rule.relations & standing))
