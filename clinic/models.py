"""The models of this room, named here so that Django finds them."""

from clinic.audit.models import Checkpoint, Entry, TreeHead
from clinic.calendar.models import Booking, Reservation, Resource
from clinic.outbox.models import Mail
from clinic.people.models import Invitation, RoleGrant, User

__all__ = [
    "Booking",
    "Checkpoint",
    "Entry",
    "Invitation",
    "Mail",
    "Reservation",
    "Resource",
    "RoleGrant",
    "TreeHead",
    "User",
]
