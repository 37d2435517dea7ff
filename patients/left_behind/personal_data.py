"""Lists the ticks of the left-behind list in a patient's personal data, and deletes them with the account."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.forgetting import register_forgetter
from clinic.personal_data.registry import Record, make_record, register_section
from patients.left_behind.models import LeftBehindTick
from patients.left_behind.places import PLACES


@register_section(68, _("What you have ticked off your list"))
def left_behind_ticks(person: User) -> Iterator[Record]:
    for row in LeftBehindTick.objects.filter(patient=person).order_by("ticked_at", "pk"):
        place = PLACES.get(row.place)
        # A place that was taken off the list has no title any more. Its id is shown instead.
        yield make_record(place.title if place else row.place, (_("When"), row.ticked_at))


@register_forgetter
def forget_left_behind(person: User) -> None:
    LeftBehindTick.objects.filter(patient=person).delete()
