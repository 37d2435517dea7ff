"""What a patient without an open case sees at the address of a page that needs one, instead of a 404.

The address may be in a bookmark or a mail, or in a page that was open when the consent was withdrawn. A GET
leads to the patient's own page. A POST is answered with what was typed, so that it can be copied.
"""

import re
from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from clinic.access.sealed_forms import typed_fields
from clinic.edits.gone import Gone, gone_page
from clinic.http.requests import wants_fragment


class NoOpenCase(Http404):
    """The signed-in patient has no open case, or the page is about a case of theirs that is over.

    typed: labels and texts that were typed into the form of a POST, as `typed_words` returns them. None: the
    middleware takes them from the posted values, without labels.
    """

    def __init__(self, typed: list[tuple[str, str]] | None = None) -> None:
        super().__init__()
        self.typed = typed


# A value of a hidden field: an id, or what an edit was based on. No long word, mail address or link is one.
HIDDEN_VALUE = re.compile(r"(?=\D*\d)[\w:=.-]{21,}", re.ASCII)


def _is_typed(value: str) -> bool:
    """Return whether a posted value may be words that somebody typed."""
    return bool(value.strip()) and not HIDDEN_VALUE.fullmatch(value)


class NoOpenCaseMiddleware:
    """Answers NoOpenCase with the way to the patient's own page, and with what was typed into a form."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the answer to NoOpenCase; None for any other exception."""
        if not isinstance(exception, NoOpenCase):
            return None
        sentence = _("Your file is closed, so there is nothing here now.")
        if request.method == "POST":
            typed = exception.typed
            if typed is None:
                words = [value for _name, value in typed_fields(request.POST) if _is_typed(value)]
                typed = [(_("What you typed"), value) for value in words]
            return gone_page(
                request,
                Gone(sentence),
                typed,
                back=reverse("patients:portal"),
                back_label=_("Your page"),
                layout="base_patient.html",
            )
        messages.warning(request, sentence)
        if wants_fragment(request):
            return HttpResponseClientRedirect(reverse("patients:portal"))
        return redirect("patients:portal")
