"""The ticks of the left-behind list: that they are held, and that they end with the account."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.forgetting import register_forgetter
from clinic.personal_data.registry import Record, make_record, register_section
from patients.left_behind.models import LeftBehindTick
from patients.left_behind.places import PLACES


@register_section(68, _("What you have ticked off your list"))
def left_behind(person: User) -> Iterator[Record]:
    for row in LeftBehindTick.objects.filter(patient=person).order_by("ticked_at", "pk"):
        place = PLACES.get(row.place)
        yield make_record(place.title if place else row.place, (_("When"), row.ticked_at))


@register_forgetter
def forget_left_behind(person: User) -> None:
    LeftBehindTick.objects.filter(patient=person).delete()
