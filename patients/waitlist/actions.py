"""The audit actions of this package, each with its phrase and its tone on the page."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "waitlist.added": (_("Put on the waitlist"), "plain"),
        "waitlist.changed": (_("Wishes on the waitlist changed"), "plain"),
        "waitlist.moved-up": (_("Moved up on the waitlist"), "alarm"),
        "waitlist.ended": (_("Taken off the waitlist"), "plain"),
        "waitlist.offered": (_("Time offered from the waitlist"), "plain"),
        "waitlist.accepted": (_("Offered time accepted"), "plain"),
        "waitlist.declined": (_("Offered time declined"), "plain"),
        "waitlist.expired": (_("Offered time not answered"), "plain"),
        "waitlist.taken-back": (_("Offered time taken back"), "plain"),
        "waitlist.gone-through": (_("Free times offered to the waitlist"), "plain"),
    }
)
