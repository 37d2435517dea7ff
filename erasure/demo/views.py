"""Signing in as one of the demonstration's people, without a passphrase."""

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from clinic.access.signed_out import FORGET
from clinic.accounts.models import User
from erasure.demo.ownership import is_own_database
from erasure.demo.people_and_rooms import patients_to_come, person_of
from erasure.demo.progress import loading


@login_not_required
@require_POST
@never_cache
def sign_in_as(request: HttpRequest) -> HttpResponse:
    """Sign in as the person whose button was pressed. Whoever was signed in is signed out first.

    Both are recorded as any sign-in and sign-out, and the browser forgets what the person before had open.
    404 unless this is the demonstration, on its own database.
    """
    if not is_own_database():
        raise Http404
    key = request.POST.get("person", "")
    if loading() and key in patients_to_come():
        # If they opened a case themselves, theirs could not be loaded: a patient has one current case.
        messages.error(request, _("This patient's file is still being loaded. Try again in a few seconds."))
        return redirect("account_login")
    person = person_of(key)
    if person is None:
        messages.error(request, _("Nobody of the demonstration can be signed in by this button now."))
        return redirect("account_login")
    adapter = get_adapter(request)
    if isinstance(request.user, User):
        adapter.logout(request)
    adapter.login(request, person)
    response = redirect("home")
    response.headers.setdefault(*FORGET)
    return response
