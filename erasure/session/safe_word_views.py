"""The page on which a doctor resumes a run after the patient said the safe word.

With htmx it is loaded into the session page; without it, it is a page of its own.
"""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clinic.http.requests import request_user, wants_fragment
from erasure.runs import control
from erasure.session import answers
from erasure.session.forms import LiftForm
from erasure.session.safe_words import what_was_said
from erasure.session.views import run_or_404


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def lift(request: HttpRequest, run: UUID) -> HttpResponse:
    """Ask the doctor what the patient said (GET). Store the answer and resume the run (POST)."""
    row, user = run_or_404(run), request_user(request)
    form, problem, status = LiftForm(request.POST or None), "", 200
    if request.method == "POST":
        if form.is_valid():
            try:
                control.lift_safe_word(row.pk, by=user, words=form.cleaned_data["words"])
            except (control.NotNow, ValueError) as refusal:
                problem, status = str(refusal), 409
            else:
                return answers.done(
                    request, row, _("Resumed. What the patient said is sealed in their file.")
                )
        else:
            status = 422
    context = {
        "run": run_or_404(run),
        "form": form,
        "problem": problem,
        "said": what_was_said(row, user),
    }
    template = "_lift" if wants_fragment(request) else "lift"
    return render(request, f"erasure/session/{template}.html", context, status=status)
