"""The patient's pages to add, change and remove memories."""

from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from clinic.edits.changes import last_change
from clinic.edits.gone import Gone, gone_page, typed_words
from clinic.http.requests import request_user
from patients.cases.current_case import check_open, current_case_or_404
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.drafts.reading import draft_on_page
from patients.drafts.writing import end_saved_draft
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import ChangedMeanwhile, memory_mark, remove_memory
from patients.memories.forms import PatientMemoryForm
from patients.memories.models import Memory
from patients.memories.writing import CHANGES, links_of, lock_memory, write_memory
from patients.portal.drafts import NEW_MEMORY, memory_draft
from patients.vault.keys import KeyGone
from patients.vault.sealed import read_many


def _existing_memory_or_404(memory: UUID) -> Memory:
    """Return a memory that is not erased. Errors: Http404 for any other; NoOpenCase if its case is over."""
    existing = Memory.objects.exclude(fate=Memory.Fate.ERASED).select_related("case")
    row = get_object_or_404(existing, pk=memory)
    check_open(row.case)
    return row


def _check_changeable(memory: Memory | None) -> Memory:
    """Return a memory that can be changed. Errors: Gone, with a sentence for the patient."""
    if memory is None:
        raise Gone(_("This memory was taken off your file meanwhile."))
    if memory.case.is_over:
        raise Gone(_("Your file was closed meanwhile."))
    if memory.fate == Memory.Fate.ERASED:
        raise Gone(_("This memory is erased."))
    if not memory.case.map_is_open:
        raise Gone(
            _("Your map is locked, so nothing is changed here now. Please talk to the clinic."), status=409
        )
    return memory


def _form(request: HttpRequest, row: Memory, *, bound: bool = False) -> PatientMemoryForm:
    """Return the form for a memory as it is now; bound: with what was posted. Errors: KeyGone."""
    user = request_user(request)
    return PatientMemoryForm(
        request.POST if bound else None,
        case=row.case,
        memory=row,
        memory_fields=row.read(),
        linked=links_of(row),
        changed_by=lambda: last_change(f"memory:{row.pk}", CHANGES, viewer=user, names=False),
    )


def _page(
    request: HttpRequest, case: Case, form: PatientMemoryForm, row: Memory | None, *, problem: str = ""
) -> HttpResponse:
    """Render the page of one memory; without `row`, that for a new one. problem: why it was not removed."""
    keepsakes: list[Keepsake] = []
    if row:
        existing = Keepsake.objects.filter(memory=row, gone_at__isnull=True)
        keepsakes = list(existing.select_related("thumb"))
    fields = read_many(keepsakes)
    context = {
        "form": form,
        "draft": draft_on_page(request, memory_draft(row) if row else NEW_MEMORY, form),
        "case": case,
        "memory": row,
        "title": form.memory_fields.title if form.memory_fields else "",
        "things": [(one, fields[one.pk]) for one in keepsakes if one.pk in fields],
        "seen": memory_mark(row) if row else "",
        "problem": problem,
    }
    unbound_status = 409 if problem else 200
    status = form.refused_status() if form.is_bound else unbound_status
    return render(request, "patients/portal/memory.html", context, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def memory_new(request: HttpRequest) -> HttpResponse:
    """Add a memory. It needs no keepsake."""
    case = current_case_or_404(request)
    # The timeline names the time from which nothing is there yet.
    initial = {"when": request.GET.get("when", "")[:100]}
    form = PatientMemoryForm(request.POST if request.method == "POST" else None, case=case, initial=initial)
    if request.method == "POST" and form.is_valid() and _write(request, case, form, None):
        return redirect("patients:keepsakes")
    return _page(request, case, form, None)


def _write(request: HttpRequest, case: Case, form: PatientMemoryForm, row: Memory | None) -> bool:
    """Write the valid form and return True. If that is refused, add the error to the form; return False."""
    try:
        with transaction.atomic():
            if row is None or form.edited:
                write_memory(
                    case,
                    form.words(),
                    form.numbers(),
                    memory=row,
                    links=form.linked(),
                    by=request_user(request),
                )
            end_saved_draft(request, memory_draft(row) if row else NEW_MEMORY)
    except CaseLocked as refusal:
        form.add_error(None, str(refusal))
        return False
    messages.success(request, _("Saved."))
    return True


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def memory(request: HttpRequest, memory: UUID) -> HttpResponse:
    """Change a memory. A field that was changed since the page was made is shown, not overwritten (409)."""
    if request.method != "POST":
        row = _existing_memory_or_404(memory)
        try:
            return _page(request, row.case, _form(request, row), row)
        except KeyGone as error:
            raise Http404 from error
    try:
        row, form, written = _change(request, memory)
    except Gone as gone:
        return gone_page(
            request,
            gone,
            typed_words(PatientMemoryForm(request.POST, case=Case())),
            back=reverse("patients:portal"),
            back_label=_("Your file"),
            layout="base_patient.html",
        )
    return redirect("patients:keepsakes") if written else _page(request, row.case, form, row)


@transaction.atomic
def _change(request: HttpRequest, memory: UUID) -> tuple[Memory, PatientMemoryForm, bool]:
    """Compare the posted form with the memory and write it, both under the lock of the memory.

    Return the memory, the form, and whether it was written. Errors: Gone.
    """
    row = _check_changeable(lock_memory(memory))
    try:
        form = _form(request, row, bound=True)
    except KeyGone as error:
        raise Gone(_("This memory is erased.")) from error
    return row, form, form.is_valid() and _write(request, row.case, form, row)


@require_POST
@never_cache
def memory_remove(request: HttpRequest, memory: UUID) -> HttpResponse:
    """Remove a memory that has no keepsakes. If it is not as the page showed it, it stays (409)."""
    if not Memory.objects.filter(pk=memory).exists():
        messages.error(request, _("This memory was taken off your file meanwhile."))
        return redirect("patients:keepsakes")
    row = _existing_memory_or_404(memory)
    try:
        remove_memory(row, seen=request.POST.get("seen", ""), by=request_user(request))
    except ChangedMeanwhile as refusal:
        row.refresh_from_db()
        return _page(request, row.case, _form(request, row), row, problem=str(refusal))
    except CaseLocked as refusal:
        messages.error(request, str(refusal))
        return redirect("patients:memory", memory=row.pk)
    messages.success(request, _("Taken off your file; its words are destroyed."))
    return redirect("patients:keepsakes")
