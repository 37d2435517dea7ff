"""The page of a patient's messages with the clinic."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clinic.http.requests import request_user
from patients.cases.current_case import current_case_or_404
from patients.cases.models import Case
from patients.messages.drafts import message_draft
from patients.messages.models import MessageThread
from patients.messages.promise import promise_words
from patients.messages.sending import MAX_CHARACTERS, MessageRefused, mark_opened, why_closed
from patients.messages.thread import keepsake_asked_for, shown_messages, thread_page
from patients.messages.writing_form import WritingForm, refused_form, send_posted, writing_form


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def my_messages(request: HttpRequest) -> HttpResponse:
    """Show the thread of the patient's current case; a POST sends a message.

    Without an open case it shows the thread of the newest case. `?file=<id>` chooses any case of the patient.
    """
    if request.method == "POST":
        return _send(request, current_case_or_404(request))
    case = _case_shown(request)
    if case is None:
        return render(request, "patients/messages/none.html")
    keepsake, problem = keepsake_asked_for(case, request.GET.get("keepsake", ""))
    if problem:
        messages.warning(request, problem)
    form = message_draft(keepsake.pk if keepsake else None)
    return _page(request, case, writing_form(request, case, form, keepsake))


def _case_shown(request: HttpRequest) -> Case | None:
    """Return the case of the patient that the address asks for, else the current, else the newest one."""
    own = Case.objects.filter(patient=request_user(request)).select_related("patient")
    try:
        asked = own.filter(pk=UUID(request.GET.get("file", ""))).first()
    except ValueError:
        asked = None
    return asked or own.current().first() or own.order_by("-opened_at").first()


def _send(request: HttpRequest, case: Case) -> HttpResponse:
    keepsake, _problem = keepsake_asked_for(case, request.POST.get("keepsake", ""))
    form = message_draft(keepsake.pk if keepsake else None)
    try:
        send_posted(request, case, form)
    except MessageRefused as refusal:
        case.refresh_from_db()
        return _page(request, case, refused_form(request, form, keepsake, str(refusal)))
    messages.success(request, _("Your message is sent."))
    return redirect(f"{reverse('patients:my-messages')}#new")


def _page(request: HttpRequest, case: Case, form: WritingForm) -> HttpResponse:
    """Render the page, and mark what it shows as opened. A refused form gives 422."""
    person = request_user(request)
    page = thread_page(case, request.GET, for_patient=True)
    shown = shown_messages(page, person, case, patient_name=person.name)
    if request.method != "HEAD":
        mark_opened(case, page.rows, by=person)
    other_cases = Case.objects.filter(patient=person, message_thread__isnull=False).exclude(pk=case.pk)
    thread = MessageThread.objects.filter(case=case).first()
    context = {
        "case": case,
        "page": page,
        "shown": shown,
        "has_new": any(one.is_new for one in shown),
        "form": form,
        "max_characters": MAX_CHARACTERS,
        "thread": thread,
        "overdue": thread is not None and thread.is_overdue,
        "promise": promise_words(),
        "closed": why_closed(case, for_patient=True),
        "other_cases": other_cases.order_by("-opened_at"),
    }
    status = 422 if form.problem else 200
    return render(request, "patients/messages/mine.html", context, status=status)
