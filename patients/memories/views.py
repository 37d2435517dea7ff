"""The patient's pages of memories."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from patients.cases.people import request_user
from patients.cases.standing import current_case_or_404
from patients.keepsakes.arrivals import NotTaken
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import remove_memory
from patients.memories.forms import MemoryForm
from patients.memories.models import Memory
from patients.memories.writing import write_memory


def memory_new(request: HttpRequest) -> HttpResponse:
    """Write down a memory that has no keepsake yet, or will get one."""
    case = current_case_or_404(request)
    form = MemoryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            write_memory(case, form.words(), form.numbers(), by=request_user(request))
        except NotTaken as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("patients:keepsakes")
    return render(request, "patients/memories/memory.html", {"form": form, "memory": None})


def memory(request: HttpRequest, memory: UUID) -> HttpResponse:
    """Change what is said of a memory."""
    row = get_object_or_404(Memory.objects.select_related("case"), pk=memory)
    form = MemoryForm(request.POST or None, initial=MemoryForm.initial_of(row, row.read()))
    if request.method == "POST" and form.is_valid():
        try:
            write_memory(row.case, form.words(), form.numbers(), memory=row, by=request_user(request))
        except NotTaken as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("patients:keepsakes")
    keepsakes = Keepsake.objects.filter(memory=row, gone_at__isnull=True)
    context = {"form": form, "memory": row, "keepsakes": keepsakes}
    return render(request, "patients/memories/memory.html", context)


@require_POST
def memory_remove(request: HttpRequest, memory: UUID) -> HttpResponse:
    """Take an empty memory off the file."""
    row = get_object_or_404(Memory, pk=memory)
    try:
        remove_memory(row, by=request_user(request))
    except NotTaken as refusal:
        messages.error(request, str(refusal))
        return redirect("patients:memory", memory=row.pk)
    messages.success(request, _("Taken off your file; its words are destroyed."))
    return redirect("patients:keepsakes")
