"""The line of the set-up page on rooms and kits."""

from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext as _

from clinic.calendar.models import PLACES, Resource
from clinic.setup.checklist import Line, register_lines


def place_lines() -> Sequence[Line]:
    """Return the line on places. It is done with one room or kit in use."""
    return [
        Line(
            "place",
            _("A room or a home kit"),
            _("A night takes place in a room of the clinic, or with a kit at the patient's home."),
            Resource.objects.filter(kind__in=PLACES, in_use=True).exists(),
            url=reverse("places"),
            label=_("Rooms and kits"),
            needed=True,
        )
    ]


register_lines("places", place_lines)
