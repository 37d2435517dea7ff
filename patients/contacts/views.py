"""The page on which the front desk changes how a patient is reached."""

from functools import partial
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clinic.edits.changes import last_change
from clinic.http.requests import request_user
from patients.cases.current_case import case_or_404
from patients.cases.view_log import viewed
from patients.contacts.changes import change_contact, contact_of, lock_patient
from patients.contacts.forms import ContactForm


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@transaction.atomic
def contact(request: HttpRequest, case: UUID) -> HttpResponse:
    """Show how the patient of a case is reached; a POST changes it.

    If a colleague has changed the same meanwhile, it shows both (409).
    """
    row, person = case_or_404(case), request_user(request)
    posted = request.POST if request.method == "POST" else None
    patient = row.patient if posted is None else lock_patient(row)
    saved = contact_of(patient)
    form = ContactForm(
        posted,
        about=f"contact:{row.pk}",
        saved=saved,
        initial=saved,
        changed_by=partial(last_change, f"case:{row.pk}", ["contact.changed"], viewer=person, names=True),
    )
    if posted is None:
        viewed(row, "contact", by=person)
    elif form.is_valid():
        if change_contact(row, form.cleaned_data, by=person):
            messages.success(request, _("Written down."))
        else:
            messages.info(request, _("Nothing was changed."))
        return redirect("patients:case", case=row.pk)
    status = form.refused_status() if form.errors else 200
    return render(request, "patients/contacts/contact.html", {"case": row, "form": form}, status=status)
