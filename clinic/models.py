"""Imports the models of this app's packages, so that Django finds them."""

from clinic.accounts.models import Invitation, PersonWord, RoleGrant, User
from clinic.audit.models import Checkpoint, Delivery, Entry, Subtree, TreeHead
from clinic.availability.models import AvailabilityException, NightLimits, WorkingHours
from clinic.calendar.models import Booking, Reservation, Resource
from clinic.calendar_feeds.models import CalendarFeed
from clinic.configuration.models import SettingChange, SettingsVersion
from clinic.outbox.models import Mail
from clinic.outgoing.models import OutgoingMessage
from clinic.seasons.models import Season, SeasonAgreement, SeasonChange
from clinic.setup.models import MailTrial

__all__ = [
    "AvailabilityException",
    "Booking",
    "CalendarFeed",
    "Checkpoint",
    "Delivery",
    "Entry",
    "Invitation",
    "Mail",
    "MailTrial",
    "NightLimits",
    "OutgoingMessage",
    "PersonWord",
    "Reservation",
    "Resource",
    "RoleGrant",
    "Season",
    "SeasonAgreement",
    "SeasonChange",
    "SettingChange",
    "SettingsVersion",
    "Subtree",
    "TreeHead",
    "User",
    "WorkingHours",
]
