"""Finding entries: the filters of the audit page."""

import string
import uuid
from datetime import date, datetime, time, timedelta
from operator import itemgetter
from typing import Any, cast

from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from clinic.accounts.models import STAFF_ROLES, User
from clinic.audit.actions import ACTIONS
from clinic.audit.models import Entry, EntryQuerySet

SHORTEST_DIGEST = 8  # hex digits; fewer would find too much to be meant as a digest
LARGEST_INDEX = 2**63 - 1
# Wide enough for any clinic, and safe to reckon days and zones in.
YEARS = range(2000, 2201)
DAY_WANTED = {"invalid": _("Write the day as year-month-day, for example 2026-02-14.")}


class Filters(forms.Form):
    """From, to, who, what, find. Every value is checked before it reaches a query."""

    since = forms.DateField(
        label=pgettext_lazy("date", "From"),
        required=False,
        error_messages=DAY_WANTED,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    until = forms.DateField(
        label=pgettext_lazy("date", "To"),
        required=False,
        error_messages=DAY_WANTED,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    who = forms.ChoiceField(label=_("Who"), required=False)
    what = forms.ChoiceField(label=_("What"), required=False)
    find = forms.CharField(
        label=_("Find"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"placeholder": _("Number, name, id or digest"), "type": "search"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        staff = User.objects.filter(grants__role__in=STAFF_ROLES).distinct().order_by("name")
        self.set_choices(
            "who",
            [
                ("", _("Everyone")),
                ("system", _("The clinic's own machines")),
                ("visitor", _("Visitors")),
                *((f"user:{pk}", name) for pk, name in staff.values_list("pk", "name")),
            ],
        )
        actions = sorted(
            ((action, str(phrase.words)) for action, phrase in ACTIONS.items()), key=itemgetter(1)
        )
        self.set_choices("what", [("", _("Every action")), *actions])

    def set_choices(self, name: str, choices: list[Any]) -> None:
        cast(forms.ChoiceField, self.fields[name]).choices = choices

    def clean_since(self) -> date | None:
        return plausible(self.cleaned_data["since"])

    def clean_until(self) -> date | None:
        return plausible(self.cleaned_data["until"])

    def clean(self) -> dict[str, Any]:
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and until < since:
            self.add_error("until", _("This day is before the first one."))
        return self.cleaned_data

    def apply(self, entries: EntryQuerySet) -> EntryQuerySet:
        """Return the entries that all filters let through; none at all where a filter cannot be read."""
        if not self.is_valid():
            return entries.none()
        asked = self.cleaned_data
        if asked["since"]:
            entries = entries.filter(at__gte=midnight(asked["since"]))
        if asked["until"]:
            entries = entries.filter(at__lt=midnight(asked["until"] + timedelta(days=1)))
        if asked["who"] == "system":
            entries = entries.filter(actor__startswith="system:")
        elif asked["who"]:
            entries = entries.filter(actor=asked["who"])
        if asked["what"]:
            entries = entries.filter(action=asked["what"])
        return entries.filter(found_by(asked["find"])) if asked["find"] else entries


def plausible(day: date | None) -> date | None:
    if day and day.year not in YEARS:
        raise forms.ValidationError(_("No entry can be from that year."))
    return day


def midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def found_by(text: str) -> Q:
    """Return the condition for what was typed: a number of an entry or file, an id, a name, a digest."""
    word = text.strip().strip("[]#").strip()
    digits = word.replace(" ", "").lower()
    people = User.objects.filter(Q(name__icontains=word) | Q(cases__reference=word)).distinct()
    found = Q(subject__iexact=word) | Q(case__in=people.values("cases"))
    found |= Q(actor__in=[f"user:{pk}" for pk in people.values_list("pk", flat=True)[:50]])
    if digits.isascii() and digits.isdecimal() and int(digits) <= LARGEST_INDEX:
        found |= Q(index=int(digits)) | Q(subject__endswith=f":{int(digits)}")
    if len(digits) >= SHORTEST_DIGEST and not set(digits) - set(string.hexdigits):
        found |= digest_begins(digits)
    try:
        number = uuid.UUID(word)
    except ValueError:
        return found
    return (
        found | Q(case=number) | Q(run=number) | Q(actor=f"user:{number}") | Q(subject__endswith=f":{number}")
    )


def digest_begins(digits: str) -> Q:
    """Return the condition that a leaf begins with `digits` (hex), of which there are at most 64."""
    if len(digits) > 64:
        return Q(pk__in=[])
    least, most = bytes.fromhex(digits.ljust(64, "0")), bytes.fromhex(digits.ljust(64, "f"))
    return Q(leaf__gte=least, leaf__lte=most)


def page_of(entries: EntryQuerySet, before: str, length: int) -> tuple[list[Entry], int | None]:
    """Return up to `length` entries, newest first, and the index to continue before, if there are more.

    before: the index the last page ended with, as it stands in the address; anything else means the first.
    """
    if before.isascii() and before.isdecimal() and int(before) <= LARGEST_INDEX:
        entries = entries.filter(index__lt=int(before))
    rows = list(entries.order_by("-index")[: length + 1])
    return rows[:length], rows[length - 1].index if len(rows) > length else None
