"""Which case a page acts on: the one that its URL names, or the patient's own that is open."""

from uuid import UUID

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from clinic.http.requests import request_user
from patients.cases.models import Case


def current_case(request: HttpRequest) -> Case | None:
    """The case that is open, if there is one."""
    return Case.objects.current().filter(patient=request_user(request)).first()


def current_case_or_404(request: HttpRequest) -> Case:
    """Errors: Http404 where nothing is open."""
    case = current_case(request)
    if case is None:
        raise Http404
    return case


def case_or_404(case: UUID) -> Case:
    """Return the case with its patient. Errors: Http404."""
    return get_object_or_404(Case.objects.select_related("patient"), pk=case)
