"""The pages of the intake, one for each step."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clinic.http.requests import request_user
from patients.cases.current_case import current_case_or_404
from patients.cases.editing import NotTaken
from patients.cases.models import Case
from patients.intake.steps import Step, initial_of, keep_draft, save_step, steps_for


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def intake(request: HttpRequest) -> HttpResponse:
    """One step of the questionnaire. Typing keeps it quietly; the button goes on."""
    case = current_case_or_404(request)
    steps = steps_for(case.read().answers)
    wanted = request.GET.get("step", steps[0].key)
    step = next((item for item in steps if item.key == wanted), None)
    if step is None:
        raise Http404
    if request.method == "POST" and getattr(request, "htmx", False):
        return _quietly(request, case, step)
    form = step.form(request.POST if request.method == "POST" else None, initial=initial_of(case, step))
    if request.method == "POST" and form.is_valid():
        try:
            save_step(case, step, form, by=request_user(request))
            return redirect(_after(case, step))
        except NotTaken as refusal:
            form.add_error(None, str(refusal))
    context = {
        "case": case,
        "form": form,
        "step": step,
        "steps": steps,
        "number": steps.index(step) + 1,
    }
    return render(request, "patients/intake/intake.html", context, status=422 if form.is_bound else 200)


def _quietly(request: HttpRequest, case: Case, step: Step) -> HttpResponse:
    """Keep what is being typed, finished or not, and say so."""
    refused = ""
    try:
        keep_draft(case, step, request.POST)
    except NotTaken as refusal:
        refused = str(refusal)
    context = {"at": timezone.localtime(), "refused": refused}
    return render(request, "patients/intake/saved.html", context, status=409 if refused else 200)


def _after(case: Case, step: Step) -> str:
    """Where the button leads: the next step that concerns this patient, or home."""
    case.refresh_from_db()
    steps = steps_for(case.read().answers)
    at = [item.key for item in steps].index(step.key) + 1
    if at < len(steps):
        return f"{reverse('patients:intake')}?step={steps[at].key}"
    return reverse("patients:portal")
