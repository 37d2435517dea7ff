"""One appointment as a file that a patient's own calendar reads.

The file leaves the clinic, and others may see that calendar. So it says that there is an appointment, and not
what it is for, where, or with whom.
"""

from datetime import timedelta

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.calendar_feeds.icalendar_format import Event, write_calendar
from clinic.configuration.configuration import NAME
from clinic.configuration.values import value_of
from patients.appointments.models import Appointment

# The file has the time zone's changes of clocks for so long before and after the appointment.
ZONE_MARGIN = timedelta(days=400)


def calendar_file(appointment: Appointment) -> bytes:
    """Return an appointment as iCalendar, in the active language and the clinic's time zone.

    After a move the file has the same id and a higher sequence, and after a cancellation it says that the
    appointment does not take place. So a calendar that has the appointment changes it.
    """
    booking = appointment.booking
    title = _("Appointment at %(clinic)s") % {"clinic": value_of(NAME)}
    cancelled = appointment.status == Appointment.Status.CANCELLED
    event = Event(
        uid=str(appointment.pk),
        sequence=booking.sequence,
        changed_at=booking.canceled_at or booking.moved_at or booking.made_at,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        summary=title,
        cancelled=cancelled,
    )
    return write_calendar(
        title,
        [event],
        timezone.get_default_timezone(),
        settings.TIME_ZONE,
        booking.starts_at - ZONE_MARGIN,
        booking.ends_at + ZONE_MARGIN,
        method="CANCEL" if cancelled else "PUBLISH",
    )


@never_cache
@require_safe
def own_file(request: HttpRequest, appointment: str) -> HttpResponse:
    """Send the file of an appointment to its patient; 404 if the appointment is only held."""
    row = Appointment.objects.made().with_booking().filter(pk=appointment).first()
    if row is None:
        raise Http404
    return HttpResponse(
        calendar_file(row),
        content_type="text/calendar; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="lacuna-appointment.ics"'},
    )
