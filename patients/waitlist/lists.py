"""The desk's list of who waits, in the order in which times are offered, and its filters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.http.keyset import Count, Page, Start, count_up_to, page_of, read_start, take
from clinic.seasons.models import Season
from clinic.seasons.rules import seasons_between
from patients.appointments.models import AppointmentTemplate
from patients.cases.models import Case
from patients.cases.relations import patient_label, roles_on
from patients.vault.sealed import read_many
from patients.waitlist.entries import entry_mark
from patients.waitlist.models import EVERY_DAY, WaitlistEntry, WaitlistEntryQuerySet, WaitlistOffer
from patients.waitlist.offers import ENTRY_RELATIONS
from patients.waitlist.waitables import entry_words

MOST_COUNTED = 1_000
Kind = WaitlistEntry.Kind


@dataclass(frozen=True)
class WaitlistRow:
    """One entry as a page shows it, in words.

    who: the patient. what: they wait for. suits: the times that suit them. seen: the mark for its buttons.
    offer: the open one.
    """

    entry: WaitlistEntry
    who: str
    what: str
    suits: str
    note: str
    seen: str
    offer: WaitlistOffer | None = None


@dataclass(frozen=True)
class Filter:
    """Which entries the list shows. what: a kind, or the id of a template; "": all. season: its days suit."""

    what: str = ""
    season: Season | None = None


def what_choices() -> list[tuple[str, str]]:
    """Return the choices of `Filter.what`, as values and labels."""
    templates = [(str(one.pk), one.name) for one in AppointmentTemplate.objects.usable()]
    return [
        ("", _("Everything")),
        *templates,
        (Kind.EARLIER.value, _("An earlier appointment")),
        (Kind.NIGHT.value, _("A night")),
        (Kind.EARLIER_NIGHT.value, _("An earlier night")),
    ]


def read_filter(
    query: Mapping[str, str], choices: Sequence[tuple[str, str]], seasons: Sequence[Season]
) -> Filter:
    """Return the filter in a page's query. Unknown values are ignored."""
    what = query.get("what", "")
    season = next((one for one in seasons if str(one.pk) == query.get("season", "")), None)
    return Filter(what if what in {value for value, _label in choices} else "", season)


def _filtered(rows: WaitlistEntryQuerySet, chosen: Filter) -> WaitlistEntryQuerySet:
    if chosen.what in Kind.values:
        rows = rows.filter(kind=chosen.what)
    elif chosen.what:
        rows = rows.filter(template=UUID(chosen.what))
    if chosen.season:
        season = chosen.season
        rows = rows.filter(
            Q(first_day=None) | Q(first_day__lte=season.last),
            Q(last_day=None) | Q(last_day__gte=season.first),
        )
    return rows


def waitlist_page(
    query: Mapping[str, str], chosen: Filter, viewer: User
) -> tuple[Page[WaitlistEntry], Count]:
    """Return one page of the list, and how many entries the list has, in a constant number of queries."""
    waiting = WaitlistEntry.objects.waiting()
    # Nobody sees an entry of their own, or of a case whose subject they are. The count leaves it out, too.
    hidden = Case.objects.filter(pk__in=waiting.values("case")).conflicting(viewer)
    rows = _filtered(waiting.exclude(case__in=hidden), chosen)

    def fetch(start: Start | None, most: int) -> list[WaitlistEntry]:
        return take([rows.select_related(*ENTRY_RELATIONS)], "order_at", start, most, newest_first=False)

    page = page_of(fetch, read_start(query, WaitlistEntry.objects.all(), "order_at"))
    return page, count_up_to([rows], MOST_COUNTED)


def wishes_words(entry: WaitlistEntry) -> str:
    """Return which days and hours suit, in words; "" if all do."""
    words = []
    if entry.weekdays != EVERY_DAY:
        words.append(", ".join(str(WEEKDAYS_ABBR[number]) for number in entry.weekday_numbers))
    if entry.from_clock:
        words.append(_("not before %(time)s") % {"time": time_format(entry.from_clock, "H:i")})
    if entry.until_clock:
        words.append(_("over by %(time)s") % {"time": time_format(entry.until_clock, "H:i")})
    if entry.first_day:
        words.append(_("from %(day)s on") % {"day": date_format(entry.first_day, "SHORT_DATE_FORMAT")})
    if entry.last_day:
        words.append(_("until %(day)s") % {"day": date_format(entry.last_day, "SHORT_DATE_FORMAT")})
    return "; ".join(words)


def rows_of(entries: Sequence[WaitlistEntry], viewer: User) -> list[WaitlistRow]:
    """Return entries as a page shows them, without those whose case does not open for `viewer`."""
    roles_by_case = roles_on(viewer, [one.case_id for one in entries])
    offers = {
        one.entry_id: one
        for one in WaitlistOffer.objects.open().filter(entry__in=entries).select_related("booking")
    }
    notes = read_many(entries, skip_damaged=True)
    return [
        WaitlistRow(
            entry=one,
            who=patient_label(one.case, roles_by_case[one.case_id]),
            what=entry_words(one),
            suits=wishes_words(one),
            note=notes[one.pk].note if one.pk in notes else "",
            seen=entry_mark(one),
            offer=offers.get(one.pk),
        )
        for one in entries
        if one.case_id in roles_by_case
    ]


def seasons_ahead() -> list[Season]:
    """Return the seasons that are not over, for the filter."""
    return seasons_between(timezone.localdate(), date.max)
