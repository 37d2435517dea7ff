"""The pages of the intake, one for each step."""

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clinic.edits.changes import last_change
from clinic.edits.forms import EditForm
from clinic.edits.gone import Gone, gone_page, typed_words
from clinic.http.requests import request_user
from patients.cases.current_case import current_case_or_404
from patients.cases.editing import CaseLocked, open_case_of
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.drafts.reading import draft_on_page
from patients.drafts.writing import end_saved_draft
from patients.intake.drafts import step_draft
from patients.intake.looks import readers_of
from patients.intake.questions import (
    STEP_BY_KEY,
    STEPS,
    Step,
    answers_in_words,
    given_answers,
    step_after,
    steps_for,
)
from patients.intake.steps import CHANGES, form_of, save_step


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def intake(request: HttpRequest) -> HttpResponse:
    """Show one step; a POST saves the answers and goes on. What is typed is kept as a draft."""
    case = current_case_or_404(request)
    fields = case.read()
    steps = steps_for(fields.answers)
    step = STEP_BY_KEY.get(request.GET.get("step", steps[0].key))
    # What was typed on a step that is not asked any more is saved all the same.
    if step is None or (request.method != "POST" and step not in steps):
        raise Http404
    if request.method == "POST":
        try:
            form, saved = _save(request, case, step)
        except CaseLocked:
            return _locked_page(request, step)
        if saved:
            return redirect(_next_url(case, step))
    else:
        form = form_of(case, step)
    shown = [one for one in STEPS if one in steps or one == step]
    context = {
        "case": case,
        "draft": draft_on_page(request, step_draft(step), form),
        "form": form,
        "step": step,
        "steps": shown,
        "number": shown.index(step) + 1,
        "review": status_of(case).facts.review,
        "readers": readers_of(case),
        "answers": [] if case.map_is_open else answers_in_words(given_answers(fields)),
    }
    return render(
        request,
        "patients/intake/intake.html",
        context,
        status=form.refused_status() if form.is_bound else 200,
    )


@transaction.atomic
def _save(request: HttpRequest, case: Case, step: Step) -> tuple[EditForm, bool]:
    """Compare the posted form with the saved answers, and save it, under one lock.

    Return the form, and whether it was saved. Errors: CaseLocked.
    """
    user, row = request_user(request), open_case_of(case.pk)
    form = form_of(
        row,
        step,
        request.POST,
        changed_by=lambda: last_change(f"case:{row.pk}", CHANGES, viewer=user, names=False),
    )
    if not form.is_valid():
        return form, False
    save_step(row, step, form, by=user)
    end_saved_draft(request, step_draft(step))
    return form, True


def _locked_page(request: HttpRequest, step: Step) -> HttpResponse:
    """Return the page that says that the map is locked, with what was typed."""
    sentence = _("Your map is locked, so nothing is changed here now. Please talk to the clinic.")
    return gone_page(
        request,
        Gone(sentence, status=409),
        typed_words(step.form(request.POST)),
        back=reverse("patients:portal"),
        back_label=_("Your file"),
        layout="base_patient.html",
    )


def _next_url(case: Case, step: Step) -> str:
    """Return the URL of the next step for this patient, or of the portal after the last."""
    case.refresh_from_db()
    following = step_after(step, case.read().answers)
    if following:
        return f"{reverse('patients:intake')}?step={following.key}"
    return reverse("patients:portal")
