"""The patient's own pages: what is next, and the intake."""

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from patients.cases.intake import initial_of, save_step, steps_for
from patients.cases.models import Case
from patients.cases.people import request_user
from patients.cases.standing import current_case, current_case_or_404
from patients.consent.models import ConsentText
from patients.keepsakes.arrivals import NotTaken
from patients.keepsakes.models import Keepsake


@dataclass(frozen=True)
class Task:
    """One line of the list of what is to do."""

    text: str | Promise
    url: str
    done: bool = False


def tasks_of(case: Case) -> list[Task]:
    """What the patient has to do, in order; the first that is not done is next."""
    paper = case.read()
    signed = case.signatures.in_force()
    keepsakes = Keepsake.objects.filter(case=case, gone_at__isnull=True)
    returned = keepsakes.filter(review=Keepsake.Review.RETURNED).count()
    unplaced = keepsakes.filter(memory__isnull=True).count()
    late = not case.takes_keepsakes
    tasks = [
        Task(_("Tell us whom it is about"), reverse("patients:intake"), bool(paper.subject_name)),
        Task(
            _("Agree that we keep what you bring"),
            reverse("patients:consent"),
            signed.filter(text__kind=ConsentText.Kind.STORAGE).exists(),
        ),
        Task(_("Bring your keepsakes"), reverse("patients:keepsakes"), late or keepsakes.exists()),
    ]
    if unplaced and not late:
        tasks.append(Task(_("Place each of them in a memory"), reverse("patients:keepsakes")))
    if returned and not late:
        tasks.append(Task(_("Look again at what we returned"), reverse("patients:keepsakes")))
    procedure = signed.filter(text__kind=ConsentText.Kind.PROCEDURE).exists()
    if case.stage == Case.Stage.MAPPED or procedure:
        tasks.append(Task(_("Read and sign for exactly your map"), reverse("patients:consent"), procedure))
    return tasks


@require_safe
@never_cache
def portal(request: HttpRequest) -> HttpResponse:
    """What is next. After the end nothing here names whom it was about."""
    case = current_case(request)
    if case is None:
        last = Case.objects.filter(patient=request_user(request)).order_by("-opened_at").first()
        ended = last.procedures.filter(state="done").first() if last else None
        return render(request, "patients/portal/after.html", {"case": last, "procedure": ended})
    tasks = tasks_of(case)
    procedure = case.procedures.filter(state__in=["booked", "started"]).select_related("booking").first()
    context = {
        "case": case,
        "tasks": tasks,
        "next": next((task for task in tasks if not task.done), None),
        "procedure": procedure,
        "run": getattr(procedure, "run", None),
        "signed": case.signatures.in_force().exists(),
    }
    return render(request, "patients/portal/portal.html", context)


@never_cache
def intake(request: HttpRequest) -> HttpResponse:
    """One step of the questionnaire. Typing saves it quietly; the button goes on."""
    case = current_case_or_404(request)
    steps = steps_for(case.read().answers)
    wanted = request.GET.get("step", steps[0].key)
    step = next((item for item in steps if item.key == wanted), None)
    if step is None:
        raise Http404
    form = step.form(request.POST or None, initial=initial_of(case, step))
    quietly = bool(getattr(request, "htmx", False))
    if request.method == "POST" and form.is_valid():
        try:
            save_step(case, step, form, by=request_user(request), said=not quietly)
        except NotTaken as refusal:
            form.add_error(None, str(refusal))
        else:
            if quietly:
                return render(request, "patients/portal/saved.html")
            case.refresh_from_db()
            steps = steps_for(case.read().answers)
            at = [item.key for item in steps].index(step.key)
            if at + 1 < len(steps):
                return redirect(f"{reverse('patients:intake')}?step={steps[at + 1].key}")
            return redirect("patients:portal")
    if quietly:
        return HttpResponse(status=204)
    return render(request, "patients/portal/intake.html", {"form": form, "step": step, "steps": steps})
