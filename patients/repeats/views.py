"""The pages on exceptions from the repeat limit: of one file, and those that are open."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from clinic.accounts.models import Role
from clinic.configuration.values import value_of
from clinic.http.requests import decision_of, request_user
from patients.cases.current_case import case_or_404
from patients.cases.models import Case
from patients.cases.relations import patient_label, roles_on
from patients.repeats.configuration import NIGHTS_EVER, REPEAT_MONTHS
from patients.repeats.exceptions import (
    ADMINISTRATOR,
    DOCTOR,
    ExceptionRefused,
    agree_to_exception,
    exception_mark,
    open_exception,
    take_back_exception,
)
from patients.repeats.forms import AgreeForm
from patients.repeats.limits import first_allowed_day, nights_of, repeat_limit_sentences
from patients.repeats.models import RepeatException

MAX_LISTED = 40  # so many exceptions are listed


def _roles_to_agree_in(request: HttpRequest, row: RepeatException | None) -> list[tuple[str, str]]:
    """Return the roles in which the user can agree now, with their names; [] if the clinic has no limit.

    row: the patient's open exception.
    """
    if not value_of(REPEAT_MONTHS) and not value_of(NIGHTS_EVER):
        return []
    if row and request_user(request).pk in {row.doctor_id, row.administrator_id}:
        return []
    missing = [role for role in (DOCTOR, ADMINISTRATOR) if row is None or getattr(row, f"{role}_id") is None]
    return [(role, str(Role(role).label)) for role in missing if role in decision_of(request).roles]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def repeat(request: HttpRequest, case: UUID) -> HttpResponse:
    """Show what the repeat limit says of a case's patient; doctors and administrators agree to more."""
    row = case_or_404(case)
    by, seen = request_user(request), request.POST.get("seen", "")
    exception = open_exception(row.patient_id)
    form = AgreeForm(
        request.POST if request.method == "POST" and request.POST.get("do") == "agree" else None,
        roles=_roles_to_agree_in(request, exception),
    )
    if request.method == "POST":
        try:
            if request.POST.get("do") == "take-back":
                take_back_exception(row, seen=seen, by=by)
                messages.success(request, _("The exception is taken back."))
                return redirect("patients:repeat", case=row.pk)
            if form.is_valid():
                data = form.cleaned_data
                agreed = agree_to_exception(row, role=data["role"], reason=data["reason"], seen=seen, by=by)
                complete = _("Both have agreed. The next night that needs it uses the exception up.")
                half = _("You have agreed. The other one of the two has to agree as well.")
                messages.success(request, complete if agreed.is_complete else half)
                return redirect("patients:repeat", case=row.pk)
        except ExceptionRefused as refusal:
            messages.error(request, str(refusal))
            return redirect("patients:repeat", case=row.pk)
    return _render_case(request, row, exception, form)


def _render_case(
    request: HttpRequest, case: Case, exception: RepeatException | None, form: AgreeForm
) -> HttpResponse:
    nights = nights_of(case.patient)
    decision = decision_of(request)
    past = RepeatException.objects.filter(patient=case.patient_id)
    past = past.exclude(pk=exception.pk) if exception else past
    context: dict[str, Any] = {
        "case": case,
        "label": patient_label(case, decision.roles),
        "nights": nights,
        "months": int(value_of(REPEAT_MONTHS)),
        "most": int(value_of(NIGHTS_EVER)),
        "sentences": repeat_limit_sentences(nights, timezone.localdate()),
        "first": first_allowed_day(nights),
        "exception": exception,
        "past": past.select_related("doctor", "administrator", "taken_back_by"),
        "form": form,
        "may_open_file": not {str(Role.RECEPTIONIST), DOCTOR, str(Role.AUDITOR)}.isdisjoint(decision.roles),
        "may_agree": bool(_roles_to_agree_in(request, exception)),
        "may_take_back": exception and not {DOCTOR, ADMINISTRATOR}.isdisjoint(decision.roles),
        "may_read_reasons": not {DOCTOR, ADMINISTRATOR, str(Role.AUDITOR)}.isdisjoint(decision.roles),
        "seen": exception_mark(case.patient_id, exception),
    }
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "patients/repeats/repeat.html", context, status=status)


@never_cache
@require_safe
def repeats(request: HttpRequest) -> HttpResponse:
    """List the newest exceptions: those that are open, and those that were used or taken back."""
    rows = list(RepeatException.objects.select_related("doctor", "administrator")[:MAX_LISTED])
    newest: dict[UUID, Case] = {}  # by patient
    patients = {row.patient_id for row in rows}
    cases = Case.objects.filter(patient__in=patients).select_related("patient").order_by("opened_at")
    for one in cases:
        newest[one.patient_id] = one
    roles_by_case = roles_on(request_user(request), [one.pk for one in newest.values()], "patients:repeat")
    lines = [
        (row, case, patient_label(case, roles_by_case[case.pk]))
        for row in rows
        if (case := newest.get(row.patient_id)) and case.pk in roles_by_case
    ]
    open_lines = [line for line in lines if not line[0].used_at and not line[0].taken_back_at]
    context = {"open": open_lines, "ended": [line for line in lines if line not in open_lines]}
    return render(request, "patients/repeats/repeats.html", context)
