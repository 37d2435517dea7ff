"""The patient's own current case, which every page under /me/ acts on."""

from django.http import Http404, HttpRequest

from patients.cases.models import Case
from patients.cases.people import request_user


def current_case(request: HttpRequest) -> Case | None:
    """The case that is open, if there is one."""
    return Case.objects.current().filter(patient=request_user(request)).first()


def current_case_or_404(request: HttpRequest) -> Case:
    """Errors: Http404 where nothing is open."""
    case = current_case(request)
    if case is None:
        raise Http404
    return case
