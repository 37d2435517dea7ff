"""The page on which a patient closes their account for good."""

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from clinic.http.requests import request_user
from erasure.closing.closing import CannotClose, close_account, obstacles_of
from patients.archives.forms import PassphraseForm


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters()
def close(request: HttpRequest) -> HttpResponse:
    """Say what closing means and what has to be done first. A POST with the passphrase closes the account."""
    person = request_user(request)
    form = PassphraseForm(request.POST) if request.method == "POST" else PassphraseForm()
    obstacles = obstacles_of(person)
    if form.is_bound and not obstacles and form.is_proven(person):
        try:
            close_account(person)
        except CannotClose:
            obstacles = obstacles_of(person)
        else:
            logout(request)
            return render(request, "erasure/closing/closed.html")
    status = 200 if not form.is_bound else 409 if obstacles else 422
    return render(
        request, "erasure/closing/close.html", {"form": form, "obstacles": obstacles}, status=status
    )
