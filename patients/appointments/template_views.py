"""The pages on which an administrator adds, edits and retires templates of appointments."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from clinic.accounts.models import User
from clinic.audit.models import Entry
from clinic.edits.changes import last_change
from clinic.http.requests import request_user
from clinic.oversight.entry_texts import lines
from patients.appointments.forms import TemplateForm
from patients.appointments.models import AppointmentTemplate
from patients.appointments.template_changes import (
    TemplateRefused,
    add_template,
    change_template,
    lock_template,
    set_in_use,
)

NEWEST_CHANGES = 20


@require_safe
@never_cache
def templates(request: HttpRequest) -> HttpResponse:
    """List the templates, those in use first."""
    rows = AppointmentTemplate.objects.select_related("follow_up").order_by("-in_use", "name")
    return render(request, "patients/appointments/templates.html", {"templates": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def new(request: HttpRequest) -> HttpResponse:
    """Show an empty form, or add the template."""
    initial = {"doctors": 0, "technicians": 0, "buffer_before": 0, "buffer_after": 0, "minutes": 45}
    form = TemplateForm(request.POST if request.method == "POST" else None, initial=initial)
    status = 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            try:
                add_template(form.cleaned_data, by=request_user(request))
            except TemplateRefused as refusal:
                form.add_error(refusal.field, str(refusal))
                status = 409
            else:
                messages.success(request, _("Appointments can be booked with it now."))
                return redirect("patients:appointment-templates")
    return render(request, "patients/appointments/template.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def one(request: HttpRequest, template: UUID) -> HttpResponse:
    """Show one template; change it, retire it or put it back in use."""
    row = get_object_or_404(AppointmentTemplate, pk=template)
    by = request_user(request)
    do = request.POST.get("do", "")
    if do in {"retire", "use"}:
        set_in_use(row, do == "use", by=by)
        message = (
            _("It is in use again.") if do == "use" else _("It is retired. What is booked stays booked.")
        )
        messages.success(request, message)
        return redirect("patients:appointment-template", template=row.pk)
    form, status = _form(row, by), 200
    if request.method == "POST":
        form, status = _save(request, row, by)
        if status == 302:
            return redirect("patients:appointment-templates")
    context = {"form": form, "template": row, "history": _history(row)}
    return render(request, "patients/appointments/template.html", context, status=status)


def _form(row: AppointmentTemplate, by: User, posted: Any = None) -> TemplateForm:
    about, saved = f"appointment-template:{row.pk}", TemplateForm.saved_of(row)
    return TemplateForm(
        posted,
        template=row,
        about=about,
        saved=saved,
        initial=saved,
        changed_by=lambda: last_change(about, ("appointment-template.changed",), viewer=by, names=True),
    )


@transaction.atomic
def _save(request: HttpRequest, row: AppointmentTemplate, by: User) -> tuple[TemplateForm, int]:
    """Save what was sent, under the lock of the template. Return the form and the status."""
    locked = lock_template(row.pk)
    if locked is None:
        raise Http404
    form = _form(locked, by, request.POST)
    if not form.is_valid():
        return form, form.refused_status()
    try:
        changed = change_template(locked, form.cleaned_data, form.edited, by=by)
    except TemplateRefused as refusal:
        form.add_error(refusal.field, str(refusal))
        return form, 409
    words = _("Saved. Appointments that are made already stay as they are.")
    messages.success(request, words if changed else _("Nothing was changed: it is so already."))
    return form, 302


def _history(row: AppointmentTemplate) -> list[Any]:
    """Return what was changed in a template, by whom and when, the newest first, as the log has it."""
    entries = Entry.objects.filter(subject=f"appointment-template:{row.pk}").order_by("-index")
    return lines(entries[:NEWEST_CHANGES])
