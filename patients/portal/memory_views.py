"""The patient's pages to add, change and remove memories."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from clinic.http.requests import request_user
from patients.cases.current_case import current_case_or_404
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import remove_memory
from patients.memories.forms import MemoryForm
from patients.memories.models import Memory
from patients.memories.writing import links_of, write_memory
from patients.vault.keys import KeyGone
from patients.vault.sealed import read_many


def _save(request: HttpRequest, case: Case, form: MemoryForm, memory: Memory | None) -> bool:
    """Save the form and return True. If it is invalid or refused, add the error to the form; return False."""
    if not form.is_valid():
        return False
    try:
        write_memory(
            case,
            form.words(),
            form.numbers(),
            memory=memory,
            links=form.linked(),
            by=request_user(request),
        )
    except CaseLocked as refusal:
        form.add_error(None, str(refusal))
        return False
    messages.success(request, _("Saved."))
    return True


def _open_memory_or_404(memory: UUID) -> Memory:
    """Return a memory that is not erased, of a current case. Errors: Http404 for any other."""
    existing = Memory.objects.exclude(fate=Memory.Fate.ERASED).select_related("case")
    return get_object_or_404(existing, pk=memory, case__in=Case.objects.current())


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def memory_new(request: HttpRequest) -> HttpResponse:
    """Add a memory. It needs no keepsake."""
    case = current_case_or_404(request)
    form = MemoryForm(request.POST if request.method == "POST" else None, case=case)
    if request.method == "POST" and _save(request, case, form, None):
        return redirect("patients:keepsakes")
    context = {"form": form, "case": case}
    return render(request, "patients/portal/memory.html", context, status=422 if form.is_bound else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def memory(request: HttpRequest, memory: UUID) -> HttpResponse:
    """Change a memory."""
    row = _open_memory_or_404(memory)
    try:
        fields = row.read()
    except KeyGone as error:
        raise Http404 from error
    form = MemoryForm(
        request.POST if request.method == "POST" else None,
        case=row.case,
        memory=row,
        linked=links_of(row),
        initial=MemoryForm.initial_of(row, fields),
    )
    if request.method == "POST" and _save(request, row.case, form, row):
        return redirect("patients:keepsakes")
    keepsakes = list(Keepsake.objects.filter(memory=row, gone_at__isnull=True).select_related("thumb"))
    keepsake_fields = read_many(keepsakes)
    context = {
        "form": form,
        "case": row.case,
        "memory": row,
        "title": fields.title,
        "things": [(one, keepsake_fields[one.pk]) for one in keepsakes if one.pk in keepsake_fields],
    }
    return render(request, "patients/portal/memory.html", context, status=422 if form.is_bound else 200)


@require_POST
def memory_remove(request: HttpRequest, memory: UUID) -> HttpResponse:
    """Remove a memory that has no keepsakes."""
    row = _open_memory_or_404(memory)
    try:
        remove_memory(row, by=request_user(request))
    except CaseLocked as refusal:
        messages.error(request, str(refusal))
        return redirect("patients:memory", memory=row.pk)
    messages.success(request, _("Taken off your file; its words are destroyed."))
    return redirect("patients:keepsakes")
