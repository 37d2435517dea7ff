"""The staff pages of cases ("files" on pages and in URLs): the list, and one case."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.access.policy import NAME_ROLES, allowed
from clinic.accounts.models import User
from clinic.calendar.bookings import booking_mark
from clinic.http.requests import announce, decision_of, request_user, wants_fragment
from clinic.names import normalize_text
from clinic.outgoing.events import event_title
from clinic.outgoing.lists import sent_to_patient
from patients.appointments.on_pages import on_file as appointments_on_file
from patients.case_file.lists import STAGES, files_page
from patients.case_file.timeline import timeline_of
from patients.cases.current_case import case_or_404
from patients.cases.facts import status_of, statuses_of
from patients.cases.models import Case, CaseFields
from patients.cases.references import is_mistyped
from patients.cases.relations import may_read_content, patient_label, roles_on
from patients.cases.status import Status
from patients.cases.status_words import stage_word, wait_words
from patients.cases.view_log import latest_views, viewed
from patients.contacts.changes import contact_in_words
from patients.intake_review.reviewing import conditions_of
from patients.memories.models import Memory
from patients.memories.silhouette import silhouette
from patients.messages.models import MessageThread
from patients.notes.writing import notes_of
from patients.vault.keys import KeyGone
from patients.waitlist.on_pages import on_file as waitlist_on_file

# Pages linked from a case, with the method to check: a link is shown only if the user may use it.
LINKS = {
    "review": ("patients:review", "GET"),
    "intake": ("patients:intake-review", "GET"),
    "mapping": ("patients:mapping", "GET"),
    "custody": ("patients:custody", "GET"),
    "notes": ("patients:notes", "POST"),
    "messages": ("patients:case-messages", "GET"),
    "contact": ("patients:contact", "POST"),
    "book": ("erasure:book", "POST"),
    "repeat": ("patients:repeat", "GET"),
}


@dataclass(frozen=True)
class FileRow:
    """One line of the list. stage_word: the case's stage in words.

    name: the patient's, or "" for a reader who knows files by number only.
    """

    case: Case
    stage_word: str
    name: str


@require_safe
@never_cache
def cases(request: HttpRequest) -> HttpResponse:
    """List the cases whose page opens for this user, newest first, in pages.

    Search by the file number; by the patient's name, e-mail address and telephone where the user reads names.
    """
    person = request_user(request)
    text = normalize_text(request.GET.get("name", "").replace("\0", ""))[:100]
    stage = request.GET.get("stage", "")
    page, count = files_page(request.GET, person, text, stage)
    roles_by_case = roles_on(person, [case.pk for case in page.rows])
    statuses = statuses_of(page.rows)
    context = {
        "page": page,
        "count": count,
        "rows": [
            _row(case, stage_word(statuses[case.pk]), roles_by_case.get(case.pk, frozenset()))
            for case in page.rows
        ],
        "name": text,
        "names": decision_of(request).names,
        "stage": stage,
        "stages": [(key, label) for key, (label, _stages) in STAGES.items()],
        "mistyped": is_mistyped(text),
    }
    if not wants_fragment(request):
        return render(request, "patients/case_file/list.html", context)
    found = ngettext("%(n)s file found.", "%(n)s files found.", count.n) % {"n": count.words}
    announce(request, found if count.n else _("No file found."))
    return render(request, "patients/case_file/rows.html", context | {"fragment": True})


def _row(case: Case, word: str, roles: frozenset[str]) -> FileRow:
    return FileRow(case, word, "" if NAME_ROLES.isdisjoint(roles) else case.patient.name)


def _fields_or_none(case: Case) -> CaseFields | None:
    """Return the decrypted fields of a case; None if its key is destroyed."""
    try:
        fields: CaseFields = case.read()
    except KeyGone:
        return None
    return fields


def _most_intense_memory(case: Case, fields: CaseFields | None) -> str:
    """Return number and title of the most intense memory on the map that is not erased, or ""."""
    if fields is None:
        return ""
    left = case.memories.filter(zone=Memory.Zone.MAP, number__isnull=False).exclude(fate=Memory.Fate.ERASED)
    memory = left.exclude(intensity=None).order_by("-intensity", "number").first()
    if memory is None:
        return ""
    try:
        title = memory.read().title
    except KeyGone:
        return ""
    return f"[{memory.number}] {title or _('Untitled')}"


@require_safe
@never_cache
def case(request: HttpRequest, case: UUID) -> HttpResponse:
    """Show one case: its map, its timeline, its signatures and procedure. The view is recorded."""
    row, person = case_or_404(case), request_user(request)
    viewed(row, "case", by=person)
    content = may_read_content(decision_of(request))
    fields = _fields_or_none(row) if content else None
    status = status_of(row)
    may = _allowed_links(person, row, status)
    context = {
        "case": row,
        "label": patient_label(row, decision_of(request).roles),
        "status": status,
        "stage_word": stage_word(status),
        "waits": [(words, wait) for wait in status.waits if (words := wait_words(wait))],
        "fields": fields,
        "closed_to_staff": row.stage == Case.Stage.WITHDRAWN and not content,
        "conditions": conditions_of(row) if content else "",
        "map": silhouette(row),
        "timeline": timeline_of(row, status),
        "strongest": _most_intense_memory(row, fields),
        "signatures": row.signatures.select_related("text").order_by("signed_at"),
        **_night_of(row, status),
        "may": may,
        "on_file": appointments_on_file(row, person, content=content),
        "waitlist": waitlist_on_file(row, person),
        "looks": latest_views(row),
        "thread": MessageThread.objects.filter(case=row).select_related("assigned_to").first(),
        "mails": [(message, event_title(message.event)) for message in sent_to_patient(row.pk)],
        **_desk_context(row, person, names=decision_of(request).names),
    }
    return render(request, "patients/case_file/case.html", context)


def _desk_context(case: Case, person: User, *, names: bool) -> dict[str, Any]:
    """Return the notes, and how the patient is reached, for those who read the patient's name."""
    if not names:
        return {}
    return {"notes": notes_of(case, reader=person), "contact": contact_in_words(case.patient)}


def _allowed_links(person: User, case: Case, status: Status) -> dict[str, bool]:
    """Return for each page or action of the file whether it is possible now and `person` may use it."""
    may = {
        key: allowed(person, name, {"case": case.pk}, method).allowed for key, (name, method) in LINKS.items()
    }
    may["book"] = may["book"] and status.allows("book")
    night = status.night
    if night and night.state == "booked":
        for key, name in {"move": "procedure-move", "cancel": "procedure-cancel", "start": "start"}.items():
            may[key] = allowed(person, f"erasure:{name}", {"procedure": night.id}, "POST").allowed
    if night and night.run:
        may["session"] = allowed(person, "erasure:session", {"run": night.run}, "GET").allowed
        may["certificate"] = allowed(person, "erasure:certificate", {"work": night.run}, "GET").allowed
    return may


def _night_of(case: Case, status: Status) -> dict[str, Any]:
    """Return for the page the night that is booked or under way, else the last one; {} if there is none."""
    if status.night is None:
        return {}
    procedure = case.procedures.select_related("booking", "run__certificate").get(pk=status.night.id)
    run = getattr(procedure, "run", None)
    return {
        "procedure": procedure,
        "seen": booking_mark(procedure.booking),
        "team": [one.label for one in procedure.booking.resources.by_name("kind")],
        "run": run,
        "certificate": getattr(run, "certificate", None),
    }
