"""The patient's page of everybody who looked at their files: who, when, at what, and why."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.http.requests import request_user
from patients.cases.models import Case
from patients.cases.view_log import view_entries, views_of

PAGE_SIZE = 50


@require_safe
@never_cache
def looks(request: HttpRequest) -> HttpResponse:
    """Show all looks of staff at the patient's files, ended ones too, the latest first."""
    cases = Case.objects.filter(patient=request_user(request))
    page = Paginator(view_entries(cases), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"page": page, "looks": views_of(list(page.object_list))}
    return render(request, "patients/portal/looks.html", context)
