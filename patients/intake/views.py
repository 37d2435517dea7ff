"""The pages of the intake, one for each step."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clinic.http.requests import request_user
from patients.cases.current_case import current_case_or_404
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.intake.steps import Step, initial_of, save_draft, save_step, steps_for


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def intake(request: HttpRequest) -> HttpResponse:
    """Show one step. An htmx POST saves a draft; the button's POST saves the answers and goes on."""
    case = current_case_or_404(request)
    steps = steps_for(case.read().answers)
    wanted = request.GET.get("step", steps[0].key)
    step = next((item for item in steps if item.key == wanted), None)
    if step is None:
        raise Http404
    if request.method == "POST" and getattr(request, "htmx", False):
        return _autosave(request, case, step)
    form = step.form(request.POST if request.method == "POST" else None, initial=initial_of(case, step))
    if request.method == "POST" and form.is_valid():
        try:
            save_step(case, step, form, by=request_user(request))
            return redirect(_next_url(case, step))
        except CaseLocked as refusal:
            form.add_error(None, str(refusal))
    context = {
        "case": case,
        "form": form,
        "step": step,
        "steps": steps,
        "number": steps.index(step) + 1,
    }
    return render(request, "patients/intake/intake.html", context, status=422 if form.is_bound else 200)


def _autosave(request: HttpRequest, case: Case, step: Step) -> HttpResponse:
    """Save a draft of the step, and return a line with the time of saving or the error."""
    error = ""
    try:
        save_draft(case, step, request.POST)
    except CaseLocked as refusal:
        error = str(refusal)
    context = {"at": timezone.localtime(), "refused": error}
    return render(request, "patients/intake/saved.html", context, status=409 if error else 200)


def _next_url(case: Case, step: Step) -> str:
    """Return the URL of the next step for this patient, or of the portal after the last."""
    case.refresh_from_db()
    steps = steps_for(case.read().answers)
    index = [item.key for item in steps].index(step.key) + 1
    if index < len(steps):
        return f"{reverse('patients:intake')}?step={steps[index].key}"
    return reverse("patients:portal")
