"""The patient's page about the memories that a run erased only in part."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.accounts.proof import passphrase_matches
from clinic.http.requests import request_user
from erasure.remainders import decisions
from erasure.remainders.forms import DestroyForm, GiveBackForm
from patients.keepsakes.models import Keepsake

SUFFIXES = {"image/jpeg": "jpg", "text/plain": "txt"}


@require_safe
@never_cache
def left(request: HttpRequest) -> HttpResponse:
    """Show the partly erased memories, and what the patient can do with each."""
    context = {
        "left": decisions.partly_erased_of(request_user(request)),
        "give_back_form": GiveBackForm(),
        "destroy_form": DestroyForm(),
    }
    return render(request, "erasure/remainders/left.html", context)


def _apply(request: HttpRequest, decision: Callable[[], object], success: str) -> HttpResponse:
    """Call `decision` and redirect to the page. success: the message to show if it changed something."""
    try:
        changed = decision()
    except decisions.NotNow as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, success if changed else _("That was so already."))
    return redirect("erasure:left")


@require_POST
def give_back(request: HttpRequest, memory: UUID) -> HttpResponse:
    """Allow the patient to download what is left."""
    if not GiveBackForm(request.POST).is_valid():
        messages.error(request, _("Please confirm that you want to see it as it is now."))
        return redirect("erasure:left")
    user = request_user(request)
    return _apply(
        request,
        lambda: decisions.give_back(memory, by=user),
        _("It is yours again, as it is. Fetch it below."),
    )


@require_POST
def keep(request: HttpRequest, memory: UUID) -> HttpResponse:
    """Keep what is left, encrypted."""
    user = request_user(request)
    return _apply(request, lambda: decisions.keep(memory, by=user), _("It stays here, sealed, as it is."))


@require_POST
def destroy(request: HttpRequest, memory: UUID) -> HttpResponse:
    """Destroy what is left, if the passphrase is right."""
    user, form = request_user(request), DestroyForm(request.POST)
    try:
        sure = form.is_valid() and passphrase_matches(user, form.cleaned_data["passphrase"])
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("erasure:left")
    if not sure:
        messages.error(request, _("That is not your passphrase. Nothing was destroyed."))
        return redirect("erasure:left")
    return _apply(
        request, lambda: decisions.destroy(memory, by=user), _("It is destroyed. Nothing of it is left.")
    )


@require_safe
@never_cache
def fetch(request: HttpRequest, keepsake: UUID) -> HttpResponse:
    """Download what is left of one keepsake that was given back."""
    row = get_object_or_404(Keepsake.objects.select_related("picture"), pk=keepsake)
    try:
        data, kind = decisions.fetch(row, by=request_user(request))
    except decisions.NotNow as refusal:
        raise Http404(str(refusal)) from refusal
    response = HttpResponse(data, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="what-is-left.{SUFFIXES.get(kind, "bin")}"'
    return response
