"""The page of the notes on a case: the thread, a form for a new note, and striking out one's own."""

from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from clinic.http.requests import request_user
from patients.cases.current_case import case_or_404
from patients.cases.models import Case
from patients.cases.view_log import viewed
from patients.notes.models import CaseNote
from patients.notes.writing import (
    MAX_NOTE_CHARACTERS,
    MAX_REASON_CHARACTERS,
    NoteRefused,
    notes_of,
    strike_note,
    write_note,
)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def notes(request: HttpRequest, case: UUID) -> HttpResponse:
    """Show the notes on a case; a POST adds one."""
    row, by = case_or_404(case), request_user(request)
    if request.method != "POST":
        viewed(row, "notes", by=by)
        return _page(request, row)
    typed = request.POST.get("words", "")
    try:
        write_note(row, typed, note=_posted_id(request), by=by)
    except NoteRefused as refusal:
        return _page(request, row, problem=str(refusal), typed=typed[:MAX_NOTE_CHARACTERS])
    messages.success(request, _("Your note is on the file."))
    return redirect("patients:notes", case=row.pk)


def _posted_id(request: HttpRequest) -> UUID:
    """Return the id that the form carries for its note; a new one if it carries none."""
    try:
        return UUID(request.POST.get("note", ""))
    except ValueError:
        return uuid4()


@require_POST
@never_cache
def strike(request: HttpRequest, case: UUID, note: UUID) -> HttpResponse:
    """Strike out one's own note; if it cannot be, show why (409)."""
    row = get_object_or_404(CaseNote, pk=note, case=case)
    reason = request.POST.get("reason", "")
    try:
        strike_note(row, reason, seen=request.POST.get("seen", ""), by=request_user(request))
    except NoteRefused as refusal:
        # Then the page has no form on which to show the refusal.
        if row.written_by_id != request_user(request).pk or row.struck_at:
            messages.error(request, str(refusal))
            return redirect("patients:notes", case=case)
        return _page(
            request,
            case_or_404(case),
            problem=str(refusal),
            typed=reason[:MAX_REASON_CHARACTERS],
            refused=row.pk,
        )
    messages.success(request, _("The note is struck out. It stays legible."))
    return redirect("patients:notes", case=case)


def _page(
    request: HttpRequest, case: Case, *, problem: str = "", typed: str = "", refused: UUID | None = None
) -> HttpResponse:
    """Render the page. problem: why nothing was done (409), with what was typed.

    refused: the note that could not be struck out; None for a new note.
    """
    context = {
        "case": case,
        "notes": notes_of(case, reader=request_user(request)),
        "new_note": uuid4(),
        "problem": problem,
        "typed": typed,
        "refused": refused,
    }
    return render(request, "patients/notes/notes.html", context, status=409 if problem else 200)
