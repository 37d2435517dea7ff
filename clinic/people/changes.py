"""What an administrator may do to an account, never to their own."""

from django.db import transaction
from django.utils.translation import gettext as _

from clinic.audit.record import Act, actor_of, record
from clinic.people.models import Role, User


class NotYours(Exception):
    """Nobody changes their own power; the message says so."""


def _not_own(person: User, by: User) -> None:
    if person.pk == by.pk:
        raise NotYours(_("Nobody changes their own account here. Please ask another administrator."))


@transaction.atomic
def change_roles(person: User, roles: set[str], *, by: User) -> None:
    """Give and take staff roles; the person's sessions end. Errors: NotYours."""
    _not_own(person, by)
    kept = roles | (set(person.roles) & {Role.PATIENT})
    if kept == set(person.roles):
        return
    person.set_roles(kept, by=by)
    record(
        Act(
            "person.roles-changed",
            f"user:{person.pk}",
            actor=actor_of(by),
            details={str(role): role in kept for role in Role},
        )
    )


@transaction.atomic
def set_active(person: User, active: bool, *, by: User) -> None:
    """Close an account, or open it again. Closing ends its sessions. Errors: NotYours."""
    _not_own(person, by)
    if person.is_active == active:
        return
    person.is_active = active
    person.save(update_fields=["is_active"])
    person.end_sessions()
    action = "person.reactivated" if active else "person.deactivated"
    record(Act(action, f"user:{person.pk}", actor=actor_of(by)))
