"""The line of the set-up page on mail."""

from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.outgoing.lists import failed, late
from clinic.outgoing.models import OutgoingMessage
from clinic.setup.checklist import Line, register_lines
from clinic.setup.mail_trial import is_only_stored, last_trial, mail_server


def mail_lines() -> Sequence[Line]:
    """Return the line on mail.

    It is done if the last trial with the present server succeeded, and no message has failed or waits too
    long. Only the trial is needed before a night can be booked.
    """
    trial = last_trial()
    tried = not is_only_stored() and trial is not None and trial.sent
    undelivered = _undelivered() if tried else ""
    if is_only_stored():
        text = _(
            "No mail server is set, so no invitation reaches anybody. On the server: set LACUNA_MAIL_HOST "
            "and what belongs to it (docs/settings.md), and start again."
        )
    elif trial is None:
        text = _("%(server)s is set and was not tried out yet. Send a message to yourself.") % {
            "server": mail_server()
        }
    elif undelivered:
        text = undelivered
    elif trial.sent:
        text = _("%(server)s took the last message to an administrator.") % {"server": mail_server()}
    else:
        text = _("%(server)s did not take the last message: %(why)s") % {
            "server": mail_server(),
            "why": trial.refusal,
        }
    done = tried and not undelivered
    link = {"url": reverse("mails"), "label": _("Mail that was not delivered")} if undelivered else {}
    return [Line("mail", _("Mail"), text, done, needed=not tried, **link)]


def _undelivered() -> str:
    """Return a text on how many messages failed or wait too long; "" if none."""
    n_failed = failed(OutgoingMessage.objects.all()).count()
    n_late = late().count()
    words = [
        ngettext("%(n)d message could not be delivered.", "%(n)d messages could not be delivered.", n_failed)
        % {"n": n_failed}
        if n_failed
        else "",
        ngettext("%(n)d message waits too long.", "%(n)d messages wait too long.", n_late) % {"n": n_late}
        if n_late
        else "",
    ]
    return " ".join(filter(None, words))


register_lines("mail", mail_lines)
