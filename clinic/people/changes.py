"""Changes that administrators make to the accounts of others."""

from collections.abc import Callable

from django.db import transaction
from django.utils.translation import gettext as _

from clinic.accounts.models import STAFF_ROLES, Role, User
from clinic.audit.record import Act, actor_of, record

# Functions of higher packages, called with an account after its roles were changed, or after it was closed or
# opened, in the transaction of the change.
on_changed: list[Callable[[User], None]] = []


class NotYours(Exception):
    """This user may not make the change. The message is a sentence for them."""


def lock_account(person: User, *, by: User) -> User:
    """Lock the rows of `person` and of `by`, who changes the account, and return that of `person`.

    So at least one active administrator always remains: `by` is one, and stays one until the change is
    committed. Call it inside a transaction.
    Errors: NotYours if both are the same account, if `by` is not an administrator any more, or if the account
    was closed for good.
    """
    if person.pk == by.pk:
        raise NotYours(_("Nobody changes their own account here. Please ask another administrator."))
    rows = {}
    # Always in the order of the ids: else two administrators who change each other could deadlock.
    for pk in sorted([person.pk, by.pk]):
        # `no_key`: rows that refer to the administrator may still be written meanwhile.
        rows[pk] = User.objects.select_for_update(no_key=pk == by.pk).get(pk=pk)
    administrator = rows[by.pk]
    if not (administrator.is_active and administrator.has_role(Role.ADMINISTRATOR)):
        raise NotYours(_("You are not an administrator any more, so nothing was changed."))
    if rows[person.pk].forgotten_at:
        raise NotYours(_("This account was closed for good. Nobody can open it again."))
    return rows[person.pk]


@transaction.atomic
def change_roles(person: User, roles: set[str], *, by: User) -> None:
    """Replace the staff roles of a person and end their sessions.

    The role of patient stays. Errors: NotYours.
    """
    row = lock_account(person, by=by)
    kept = roles | (set(row.roles) & {Role.PATIENT})
    if kept == set(row.roles):
        return
    row.set_roles(kept, by=by)
    for call_changed in on_changed:
        call_changed(row)
    # Only staff roles: the log must not tell its readers that a colleague is also a patient.
    details = {str(role): role in kept for role in Role if role in STAFF_ROLES}
    record(Act("person.roles-changed", f"user:{row.pk}", actor=actor_of(by), details=details))


@transaction.atomic
def set_active(person: User, active: bool, *, by: User) -> None:
    """Close or reopen an account and end its sessions. Errors: NotYours."""
    row = lock_account(person, by=by)
    if row.is_active == active:
        return
    row.is_active = active
    row.save(update_fields=["is_active"])
    row.end_sessions()
    for call_changed in on_changed:
        call_changed(row)
    action = "person.reactivated" if active else "person.deactivated"
    record(Act(action, f"user:{row.pk}", actor=actor_of(by)))


@transaction.atomic
def change_name_order(person: User, family_name_first: bool, *, by: User) -> None:
    """Store whether the name of a person is written with the family name first. Errors: NotYours."""
    row = lock_account(person, by=by)
    if row.family_name_first == family_name_first:
        return
    row.family_name_first = family_name_first
    row.save(update_fields=["family_name_first"])
    details = {"family_name_first": family_name_first}
    record(Act("person.name-order-changed", f"user:{row.pk}", actor=actor_of(by), details=details))
