"""The pages of the clinic for messages: the inbox, the thread of a case, and who answers it."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clinic.access.policy import allowed
from clinic.http.requests import decision_of, request_user
from patients.cases.current_case import case_or_404
from patients.cases.models import Case
from patients.cases.relations import patient_label
from patients.cases.view_log import viewed
from patients.messages.drafts import answer_draft
from patients.messages.lists import FILTERS, WAITING, inbox_page, lines_of
from patients.messages.models import MessageThread
from patients.messages.sending import MAX_CHARACTERS, MessageRefused, mark_opened, why_closed
from patients.messages.thread import keepsake_asked_for, shown_messages, thread_page
from patients.messages.waiting import (
    assign_thread,
    possible_answerers,
    settle_thread,
    thread_mark,
    unsettle_thread,
)
from patients.messages.writing_form import WritingForm, refused_form, send_posted, writing_form


@require_safe
@never_cache
def inbox(request: HttpRequest) -> HttpResponse:
    """List the threads that the viewer may know of: those that wait, the viewer's own, or all."""
    chosen = request.GET.get("show", WAITING)
    chosen = chosen if chosen in FILTERS else WAITING
    page = inbox_page(request.GET, chosen, request_user(request))
    context = {
        "page": page,
        "lines": lines_of(page.rows, request_user(request)),
        "chosen": chosen,
        "filters": FILTERS.items(),
    }
    return render(request, "patients/messages/inbox.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def case_messages(request: HttpRequest, case: UUID) -> HttpResponse:
    """Show the thread of a case; a POST answers in it. The view is recorded."""
    row = case_or_404(case)
    named = request.POST if request.method == "POST" else request.GET
    keepsake, problem = keepsake_asked_for(row, named.get("keepsake", ""))
    form = answer_draft(row.pk, keepsake.pk if keepsake else None)
    if request.method != "POST":
        if problem:
            messages.warning(request, problem)
        return _page(request, row, writing_form(request, row, form, keepsake))
    try:
        send_posted(request, row, form)
    except MessageRefused as refusal:
        return _page(request, case_or_404(case), refused_form(request, form, keepsake, str(refusal)))
    messages.success(request, _("Your answer is sent."))
    return redirect(_address(case))


def _address(case: UUID) -> str:
    return f"{reverse('patients:case-messages', args=[case])}#new"


def _page(request: HttpRequest, case: Case, form: WritingForm) -> HttpResponse:
    """Render the thread, record the view, and mark what it shows as opened. A refused form gives 422."""
    viewed(case, "case-messages", by=request_user(request))
    person, name = request_user(request), patient_label(case, decision_of(request).roles)
    page = thread_page(case, request.GET, for_patient=False)
    shown = shown_messages(page, person, case, patient_name=name)
    if request.method != "HEAD":
        mark_opened(case, page.rows, by=person)
    thread = MessageThread.objects.filter(case=case).select_related("assigned_to", "settled_by").first()
    context = {
        "case": case,
        "label": name,
        "page": page,
        "shown": shown,
        "form": form,
        "max_characters": MAX_CHARACTERS,
        "thread": thread,
        "has_new": any(one.is_new for one in shown),
        "may_file": allowed(person, "patients:case", {"case": case.pk}, "GET").allowed,
        "overdue": thread is not None and thread.is_overdue,
        "seen": thread_mark(thread) if thread else "",
        "closed": why_closed(case, for_patient=False),
        "colleagues": [one for one in possible_answerers(case) if one.pk != person.pk],
        "may_take": bool(thread and thread.assigned_to_id != person.pk),
    }
    status = 422 if form.problem else 200
    return render(request, "patients/messages/case.html", context, status=status)


def _change_thread(request: HttpRequest, case: UUID, change: Callable[[], object], done: str) -> HttpResponse:
    """Call `change`, then go to the thread with the message `done`, or with why the change was refused.

    A user who may not open the thread any more comes to the inbox.
    """
    try:
        change()
    except MessageRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    still_open = allowed(request_user(request), "patients:case-messages", {"case": case}, "GET").allowed
    return redirect(_address(case) if still_open else "patients:inbox")


@require_POST
@never_cache
def assign(request: HttpRequest, case: UUID) -> HttpResponse:
    """Assign a thread to oneself ("me"), to a colleague (an id), or to nobody ("")."""
    by, seen, named = request_user(request), request.POST.get("seen", ""), request.POST.get("person", "")
    try:
        person = by.pk if named == "me" else UUID(named) if named else None
    except ValueError:
        messages.error(request, _("Choose a colleague first."))
        return redirect(_address(case))
    done = _("The messages of this file are assigned.") if person else _("Nobody is asked to answer now.")
    return _change_thread(request, case, lambda: assign_thread(case, person, seen=seen, by=by), done)


@require_POST
@never_cache
def settle(request: HttpRequest, case: UUID) -> HttpResponse:
    """Record that the last message needs no answer."""
    by, seen = request_user(request), request.POST.get("seen", "")
    done = _("Nothing waits for an answer here now.")
    return _change_thread(request, case, lambda: settle_thread(case, seen=seen, by=by), done)


@require_POST
@never_cache
def unsettle(request: HttpRequest, case: UUID) -> HttpResponse:
    """Take back that no answer is needed."""
    by, seen = request_user(request), request.POST.get("seen", "")
    done = _("The message waits for an answer again.")
    return _change_thread(request, case, lambda: unsettle_thread(case, seen=seen, by=by), done)
