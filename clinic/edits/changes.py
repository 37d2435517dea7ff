"""Tells who changed an object last, and when, by the audit log."""

from collections.abc import Collection
from uuid import UUID

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.models import Entry


def last_change(subject: str, actions: Collection[str], *, viewer: User, names: bool) -> str:
    """Return a sentence on who last did one of `actions` to `subject`; "" if the log has none.

    subject: as in the log, for example "memory:<id>". names: whether `viewer` may read the name; if not, the
    sentence says that the clinic changed it.
    """
    entry = Entry.objects.filter(subject=subject, action__in=actions).order_by("-index").first()
    if entry is None:
        return ""
    at = date_format(timezone.localtime(entry.at), "MONTH_DAY_TIME_FORMAT")
    if entry.actor == f"user:{viewer.pk}":
        return _("You changed it yourself in another window, %(at)s.") % {"at": at}
    who = _name_of(entry.actor) if names else ""
    if who:
        return _("%(who)s changed it, %(at)s.") % {"who": who, "at": at}
    return _("The clinic changed it, %(at)s.") % {"at": at}


def _name_of(actor: str) -> str:
    kind, _colon, user_id = actor.partition(":")
    if kind != "user":
        return ""
    return User.objects.filter(pk=UUID(user_id)).values_list("name", flat=True).first() or ""
