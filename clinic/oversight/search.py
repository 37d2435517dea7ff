"""The filters of the audit page."""

import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass
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
from clinic.oversight.concealed import without_concealed

SHORTEST_DIGEST = 8  # hex digits; shorter ones would match too many digests
LARGEST_INDEX = 2**63 - 1
# Dates in these years can be converted between time zones without overflow.
YEARS = range(2000, 2201)
DAY_WANTED = {"invalid": _("Write the day as year-month-day, for example 2026-02-14.")}


@dataclass(frozen=True)
class FileNumbers:
    """How the file numbers of the app above are read.

    read: return a typed one as it is stored, or "" if it is none. is_mistyped: return whether a text is meant
    as one, but is certainly none.
    """

    read: Callable[[str], str]
    is_mistyped: Callable[[str], bool]


file_numbers: list[FileNumbers] = []  # filled by the app that has the cases


class Filters(forms.Form):
    """The filters as a form: from, to, who, what, find.

    Values are validated before they are used in a query.
    """

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
        widget=forms.TextInput(
            attrs={"placeholder": _("Number, file, id, digest, or name of staff"), "type": "search"}
        ),
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

    def clean_find(self) -> str:
        text: str = self.cleaned_data["find"]
        if any(numbers.is_mistyped(text) for numbers in file_numbers):
            raise forms.ValidationError(
                _("This is no file number: a digit is wrong or missing, or two are swapped.")
            )
        return text

    def clean(self) -> dict[str, Any]:
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and until < since:
            self.add_error("until", _("This day is before the first one."))
        return self.cleaned_data

    def apply(self, entries: EntryQuerySet) -> EntryQuerySet:
        """Return the entries that match all filters; none if a filter is invalid."""
        if not self.is_valid():
            return entries.none()
        cleaned = self.cleaned_data
        if cleaned["since"]:
            entries = entries.filter(at__gte=midnight(cleaned["since"]))
        if cleaned["until"]:
            entries = entries.filter(at__lt=midnight(cleaned["until"] + timedelta(days=1)))
        if cleaned["who"] == "system":
            entries = entries.filter(actor__startswith="system:")
        elif cleaned["who"]:
            entries = without_concealed(entries.filter(actor=cleaned["who"]))
        if cleaned["what"]:
            entries = entries.filter(action=cleaned["what"])
        return entries.filter(found_by(cleaned["find"])) if cleaned["find"] else entries


def plausible(day: date | None) -> date | None:
    """Return `day`. Errors: ValidationError if its year is not in YEARS."""
    if day and day.year not in YEARS:
        raise forms.ValidationError(_("No entry can be from that year."))
    return day


def midnight(day: date) -> datetime:
    """Return the beginning of `day` in the current time zone."""
    return timezone.make_aware(datetime.combine(day, time()))


def found_by(text: str) -> Q:
    """Return the condition for a search text: number of an entry or a file, id, digest, or name of staff."""
    word = text.strip().strip("[]#").strip()
    digits = word.replace(" ", "").lower()
    references = {word, *(numbers.read(word) for numbers in file_numbers)} - {""}
    staff = User.objects.filter(name__icontains=word, grants__role__in=STAFF_ROLES).distinct()
    files = User.objects.filter(cases__reference__in=references).values("cases")
    condition = by_person(Q(subject__iexact=word)) | Q(case__in=files)
    condition |= by_person(Q(actor__in=[f"user:{pk}" for pk in staff.values_list("pk", flat=True)[:50]]))
    if digits.isascii() and digits.isdecimal() and int(digits) <= LARGEST_INDEX:
        condition |= Q(index=int(digits)) | Q(subject__endswith=f":{int(digits)}")
    if len(digits) >= SHORTEST_DIGEST and not set(digits) - set(string.hexdigits):
        condition |= digest_begins(digits)
    try:
        wanted_id = uuid.UUID(word)
    except ValueError:
        return condition
    return (
        condition
        | Q(case=wanted_id)
        | Q(run=wanted_id)
        | by_person(Q(actor=f"user:{wanted_id}") | Q(subject__endswith=f":{wanted_id}"))
    )


def by_person(condition: Q) -> Q:
    """Return a condition on a person without the entries that tell of a colleague's own case."""
    return Q(pk__in=without_concealed(Entry.objects.filter(condition)).values("pk"))


def digest_begins(digits: str) -> Q:
    """Return the condition that the leaf hash begins with `digits` (hex).

    More than 64 digits match nothing.
    """
    if len(digits) > 64:
        return Q(pk__in=[])
    least, most = bytes.fromhex(digits.ljust(64, "0")), bytes.fromhex(digits.ljust(64, "f"))
    return Q(leaf__gte=least, leaf__lte=most)


def page_of(entries: EntryQuerySet, before: str, length: int) -> tuple[list[Entry], int | None]:
    """Return up to `length` entries, newest first, and the value of `before` for the next page, or None.

    before: only entries with a smaller index, as text from the URL; if it is not a number, the newest
    entries.
    """
    if before.isascii() and before.isdecimal() and int(before) <= LARGEST_INDEX:
        entries = entries.filter(index__lt=int(before))
    rows = list(entries.order_by("-index")[: length + 1])
    return rows[:length], rows[length - 1].index if len(rows) > length else None
