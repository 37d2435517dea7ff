"""What the case file and the patient's page show of the waitlist."""

from dataclasses import dataclass, field
from uuid import UUID

from django.utils import timezone

from clinic.access.policy import allowed
from clinic.accounts.models import User
from patients.cases.models import Case
from patients.waitlist.configuration import is_open_on
from patients.waitlist.entries import with_relations
from patients.waitlist.lists import WaitlistRow, rows_of
from patients.waitlist.models import WaitlistEntry, WaitlistOffer

Kind = WaitlistEntry.Kind


@dataclass(frozen=True)
class OnFile:
    """The entries of a case, as its file shows them. may_change: the viewer may change them, and add some."""

    rows: list[WaitlistRow] = field(default_factory=list)
    may_change: bool = False


@dataclass(frozen=True)
class OnPortal:
    """What the patient's page shows. offer: an open one.

    asked: ids of the appointments for which they wait for an earlier time. asked_night: whether they wait for
    an earlier night. open: whether the waitlist is open.
    """

    offer: WaitlistOffer | None = None
    asked: frozenset[UUID | None] = frozenset()
    asked_night: bool = False
    open: bool = False


def on_file(case: Case, viewer: User) -> OnFile:
    """Return what the file of a case shows to `viewer`: no entries if they may not change the waitlist."""
    if not allowed(viewer, "patients:waitlist-new", {"case": case.pk}, "POST").allowed:
        return OnFile()
    entries = list(with_relations(WaitlistEntry.objects.waiting()).filter(case=case).in_order())
    return OnFile(rows_of(entries, viewer) if entries else [], True)


def on_portal(patient: User) -> OnPortal:
    """Return what the page of a patient shows of the waitlist."""
    rows = WaitlistOffer.objects.open().filter(case__patient=patient, expires_at__gt=timezone.now())
    asked = WaitlistEntry.objects.waiting().filter(
        case__patient=patient, kind__in=[Kind.EARLIER, Kind.EARLIER_NIGHT]
    )
    found = set(asked.values_list("kind", "appointment_id"))
    return OnPortal(
        offer=rows.select_related("booking").first(),
        asked=frozenset(pk for kind, pk in found if kind == Kind.EARLIER),
        asked_night=any(kind == Kind.EARLIER_NIGHT for kind, _pk in found),
        open=is_open_on(timezone.localdate()),
    )
