"""Finds the case that a page is about: the one named in its URL, or the patient's own current case."""

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from clinic.http.requests import request_user
from patients.cases.models import Case
from patients.cases.no_open_case import NoOpenCase


def current_case(request: HttpRequest) -> Case | None:
    """Return the signed-in patient's current case, or None."""
    return Case.objects.current().filter(patient=request_user(request)).first()


def current_case_or_404(request: HttpRequest) -> Case:
    """Return the signed-in patient's current case. Errors: NoOpenCase (a Http404) if there is none."""
    case = current_case(request)
    if case is None:
        raise NoOpenCase
    return case


def check_open(case: Case) -> None:
    """Raise NoOpenCase if the case is over."""
    if case.is_over:
        raise NoOpenCase


def case_or_404(case: UUID) -> Case:
    """Return the case with its patient. Errors: Http404."""
    return get_object_or_404(Case.objects.select_related("patient"), pk=case)
