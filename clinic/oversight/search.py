"""The filters of the audit page."""

import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from operator import itemgetter
from typing import Any, cast

from django import forms
from django.db import connection
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from clinic.accounts.models import STAFF_ROLES, User
from clinic.audit.actions import ACTIONS
from clinic.audit.models import Entry, EntryQuerySet
from clinic.names import normalize_text
from clinic.oversight.concealed import readable_rows, without_concealed

MIN_DIGEST_LENGTH = 8  # hex digits; fewer would match too many digests
MAX_PEOPLE = 50  # members of staff with a name that is searched for
LARGEST_INDEX = 2**63 - 1
# Dates in these years can be converted between time zones without overflow.
YEARS = range(2000, 2201)
DAY_ERRORS = {"invalid": _("Write the day as year-month-day, for example 2026-02-14.")}


@dataclass(frozen=True)
class FileNumbers:
    """Functions to read file numbers, which belong to an app that this one may not import.

    read: returns a typed file number as it is stored, or "" if the text is none. is_mistyped: returns whether
    a text looks like a file number but cannot be one.
    """

    read: Callable[[str], str]
    is_mistyped: Callable[[str], bool]


file_numbers: list[FileNumbers] = []  # filled by patients/apps.py


class Filters(forms.Form):
    """The filters as a form. `apply` validates the values before it uses them in a query."""

    since = forms.DateField(
        label=pgettext_lazy("date", "From"),
        required=False,
        error_messages=DAY_ERRORS,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    until = forms.DateField(
        label=pgettext_lazy("date", "To"),
        required=False,
        error_messages=DAY_ERRORS,
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
        staff = User.objects.filter(grants__role__in=STAFF_ROLES).distinct().by_name()
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
        return checked_day(self.cleaned_data["since"])

    def clean_until(self) -> date | None:
        return checked_day(self.cleaned_data["until"])

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
            entries = entries.filter(begins_with("actor", "system:"))
        elif cleaned["who"]:
            entries = without_concealed(entries.filter(actor=cleaned["who"]))
        if cleaned["what"]:
            entries = entries.filter(action=cleaned["what"])
        return entries.filter(search_condition(cleaned["find"])) if cleaned["find"] else entries


def begins_with(field: str, prefix: str) -> Q:
    """Return the condition that a text column begins with `prefix` (ASCII), in a form that uses its index.

    On SQLite it is a range, as SQLite would read the whole table for LIKE. On PostgreSQL it is LIKE, for
    which there is an index; there the order of a range would depend on the collation.
    """
    if connection.vendor == "postgresql":
        return Q(**{f"{field}__startswith": prefix})
    return Q(**{f"{field}__gte": prefix, f"{field}__lt": prefix[:-1] + chr(ord(prefix[-1]) + 1)})


def checked_day(day: date | None) -> date | None:
    """Return `day` unchanged. Errors: ValidationError if its year is not in YEARS."""
    if day and day.year not in YEARS:
        raise forms.ValidationError(_("No entry can be from that year."))
    return day


def midnight(day: date) -> datetime:
    """Return the beginning of `day` in the current time zone."""
    return timezone.make_aware(datetime.combine(day, time()))


def search_condition(text: str) -> Q:
    """Return the condition for a search text: number of an entry or a file, id, digest, or name of staff."""
    word = normalize_text(text).strip("[]#").strip()
    digits = word.replace(" ", "").lower()
    references = {word, *(numbers.read(word) for numbers in file_numbers)} - {""}
    staff = User.objects.named(word).filter(grants__role__in=STAFF_ROLES).distinct()
    files = User.objects.filter(cases__reference__in=references).values("cases")
    # Subjects are written in lower case (clinic/audit/record.py), so the index finds a whole one.
    condition = unless_concealed(Q(subject=word.lower())) | Q(case__in=files)
    condition |= unless_concealed(
        Q(actor__in=[f"user:{pk}" for pk in staff.values_list("pk", flat=True)[:MAX_PEOPLE]])
    )
    if digits.isascii() and digits.isdecimal() and int(digits) <= LARGEST_INDEX:
        condition |= Q(index=int(digits)) | Q(subject__endswith=f":{int(digits)}")
    if len(digits) >= MIN_DIGEST_LENGTH and not set(digits) - set(string.hexdigits):
        condition |= digest_begins_with(digits)
    try:
        wanted_id = uuid.UUID(word)
    except ValueError:
        return condition
    return (
        condition
        | Q(case=wanted_id)
        | Q(run=wanted_id)
        | unless_concealed(Q(actor=f"user:{wanted_id}") | Q(subject__endswith=f":{wanted_id}"))
    )


def unless_concealed(condition: Q) -> Q:
    """Return `condition`, but without the entries that `without_concealed` leaves out."""
    return Q(pk__in=without_concealed(Entry.objects.filter(condition)).values("pk"))


def digest_begins_with(digits: str) -> Q:
    """Return the condition that the leaf hash begins with these hex digits. More than 64 match nothing."""
    if len(digits) > 64:
        return Q(pk__in=[])
    lowest, highest = bytes.fromhex(digits.ljust(64, "0")), bytes.fromhex(digits.ljust(64, "f"))
    return Q(leaf__gte=lowest, leaf__lte=highest)


def page_of(entries: EntryQuerySet, before: str, length: int, reader: User) -> tuple[list[Entry], int | None]:
    """Return up to `length` entries, newest first, and the value of `before` for the next page, or None.

    before: from the URL: only entries with a smaller index are returned; if it is no number, the newest.
    reader: gets only entries that they may read. That is checked for the rows of this page only, not for the
    whole log.
    """
    if before.isascii() and before.isdecimal() and int(before) <= LARGEST_INDEX:
        entries = entries.filter(index__lt=int(before))
    entries, rows = entries.order_by("-index"), list[Entry]()
    while len(rows) <= length:
        wanted = length + 1 - len(rows)
        part = list(entries[:wanted])
        rows += readable_rows(reader, part)
        if len(part) < wanted:
            break
        entries = entries.filter(index__lt=part[-1].index)
    return rows[:length], rows[length - 1].index if len(rows) > length else None
