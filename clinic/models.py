"""Imports the models of this app's packages, so that Django finds them."""

from clinic.accounts.models import Invitation, RoleGrant, User
from clinic.audit.models import Checkpoint, Delivery, Entry, Subtree, TreeHead
from clinic.calendar.models import Booking, Reservation, Resource
from clinic.outbox.models import Mail

__all__ = [
    "Booking",
    "Checkpoint",
    "Delivery",
    "Entry",
    "Invitation",
    "Mail",
    "Reservation",
    "Resource",
    "RoleGrant",
    "Subtree",
    "TreeHead",
    "User",
]
