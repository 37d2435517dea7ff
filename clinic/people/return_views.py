"""Views that tell a page who is signed in, and that send a late form once its user has signed in again."""

from typing import Any

from allauth.account.views import LoginView
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.access.page_owner import owner_mark, owner_marks
from clinic.access.sealed_forms import TooOld, Unreadable, unseal
from clinic.access.signed_out import send_again_page
from clinic.accounts.models import User

SEALED = "sealed"
# A form sends itself if it was sealed less than this many seconds ago. An older one has to be sent by its
# button, because its user may not want it any more, for instance if it resumes a session.
AUTOMATIC_SECONDS = 600


@login_not_required
@require_safe
@never_cache
def account_state(request: HttpRequest) -> HttpResponse:
    """Return as JSON the mark of the person who is signed in ("" if nobody is), and a CSRF token."""
    return JsonResponse({"owner": owner_mark(request.user), "csrf": get_token(request)})


class ReturnView(LoginView):
    """Signs in from the page that a late form was answered with, then shows the page that sends the form.

    The page has the late form as a sealed field. A user who is signed in already needs no passphrase.
    """

    template_name = "clinic/access/signed_out.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return redirect("home")
        if isinstance(request.user, User):
            return self.send_again()
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return {**context, "sealed": self.request.POST.get(SEALED, "")}

    def form_valid(self, form: Any) -> HttpResponse:
        """Sign in and send the form. For a closed account nobody is signed in: return allauth's answer."""
        response: HttpResponse = super().form_valid(form)
        return self.send_again() if isinstance(self.request.user, User) else response

    def send_again(self) -> HttpResponse:
        """Return the page that sends the form; redirect home if it is another person's, or too old."""
        try:
            form = unseal(self.request.POST.get(SEALED, ""), owner_marks(self.request.user))
        except TooOld:
            text = _("What was typed before you signed in had waited too long. It is gone.")
            messages.warning(self.request, text)
            return redirect("home")
        except Unreadable:
            return redirect("home")
        automatic = form.age < AUTOMATIC_SECONDS
        return send_again_page(self.request, form.path, form.fields, automatic=automatic)
