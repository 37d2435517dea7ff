"""Changes that administrators make to the accounts of others."""

from django.db import transaction
from django.utils.translation import gettext as _

from clinic.accounts.models import STAFF_ROLES, Role, User
from clinic.audit.record import Act, actor_of, record


class NotYours(Exception):
    """The change is not this user's to make. The message is a sentence for them."""


def _locked(person: User, by: User) -> User:
    """Return the account with its row locked, after locking and checking that of `by`, who changes it.

    So at least one active administrator always remains: whoever changes an account is one, and stays one
    until the change is committed. Call it inside a transaction.
    Errors: NotYours, for the own account or if `by` is not an administrator any more.
    """
    if person.pk == by.pk:
        raise NotYours(_("Nobody changes their own account here. Please ask another administrator."))
    rows = {}
    # In the order of the ids: two who change each other's accounts would else wait for each other.
    for pk in sorted([person.pk, by.pk]):
        # `no_key`: rows that refer to the administrator may still be written meanwhile.
        rows[pk] = User.objects.select_for_update(no_key=pk == by.pk).get(pk=pk)
    administrator = rows[by.pk]
    if not (administrator.is_active and administrator.has_role(Role.ADMINISTRATOR)):
        raise NotYours(_("You are not an administrator any more, so nothing was changed."))
    return rows[person.pk]


@transaction.atomic
def change_roles(person: User, roles: set[str], *, by: User) -> None:
    """Replace the staff roles of a person and end their sessions.

    The role of patient stays. Errors: NotYours.
    """
    row = _locked(person, by)
    kept = roles | (set(row.roles) & {Role.PATIENT})
    if kept == set(row.roles):
        return
    row.set_roles(kept, by=by)
    # Only staff roles: not every reader of the log may know that a colleague is also a patient.
    details = {str(role): role in kept for role in Role if role in STAFF_ROLES}
    record(Act("person.roles-changed", f"user:{row.pk}", actor=actor_of(by), details=details))


@transaction.atomic
def set_active(person: User, active: bool, *, by: User) -> None:
    """Close or reopen an account and end its sessions. Errors: NotYours."""
    row = _locked(person, by)
    if row.is_active == active:
        return
    row.is_active = active
    row.save(update_fields=["is_active"])
    row.end_sessions()
    action = "person.reactivated" if active else "person.deactivated"
    record(Act(action, f"user:{row.pk}", actor=actor_of(by)))
