"""The page on which a doctor reads the intake of a case and records the review."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clinic.edits.basis import Basis, read_basis
from clinic.edits.gone import Gone, gone_page, typed_words
from clinic.http.requests import request_user
from patients.cases.current_case import case_or_404
from patients.cases.facts import status_of
from patients.cases.models import Case, CaseFields
from patients.drafts.reading import draft_on_page
from patients.drafts.writing import end_saved_draft
from patients.intake.looks import record_intake_look
from patients.intake.questions import (
    alarms_in,
    answers_in_words,
    given_answers,
    question_names,
)
from patients.intake_review.drafts import review_draft
from patients.intake_review.forms import ReviewForm
from patients.intake_review.models import IntakeReview
from patients.intake_review.reviewing import CannotReview, record_review, review_mark
from patients.vault.keys import KeyGone
from patients.vault.sealed import read_many

SHOWN_INPUT = "shown"  # the name of the hidden input with hashes of the answers that the page shows


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def intake_review(request: HttpRequest, case: UUID) -> HttpResponse:
    """Show the answers, what is alarming first; a POST records the review.

    A review of answers that have changed since the page was made is refused (409). The page then shows what
    was typed, and which answers have changed. Once the answers are destroyed it shows only what was typed
    (410).
    """
    row, person = case_or_404(case), request_user(request)
    form = ReviewForm(request.POST if request.method == "POST" else None)
    status = 200
    try:
        fields: CaseFields = row.read()
        if form.is_bound:
            status = _record(request, row, form)
            if status == 302:
                return redirect("patients:case", case=row.pk)
            # The answers may have changed, or be destroyed, while the form was posted.
            row = case_or_404(case)
            fields = row.read()
    except KeyGone:
        return _gone(request, row, form)
    record_intake_look(row, by=person, again=form.is_bound)
    return render(
        request, "patients/intake_review/review.html", _context(request, row, fields, form), status=status
    )


def _record(request: HttpRequest, case: Case, form: ReviewForm) -> int:
    """Record the review, or add to the form what is wrong. Return the HTTP status. Errors: KeyGone."""
    if not form.is_valid():
        return 422
    data = form.cleaned_data
    try:
        with transaction.atomic():
            review = record_review(
                case,
                data["outcome"],
                data["words"],
                seen=request.POST.get("seen", ""),
                by=request_user(request),
            )
            end_saved_draft(request, review_draft(case.pk))
    except CannotReview as refusal:
        form.add_error(None, str(refusal))
        return 409
    messages.success(
        request, _("Your review is recorded: %(outcome)s.") % {"outcome": review.get_outcome_display()}
    )
    return 302


def _basis(case: Case, answers: dict[str, Any]) -> Basis:
    """Return hashes of all answers. The page carries them, and its form tells by them what has changed."""
    shown = {name: json.dumps(answers.get(name)) for name in question_names()}
    return Basis(f"intake:{case.pk}", shown)


def _changed_since(basis: Basis, posted: str) -> set[str]:
    """Return the questions whose answers differ from those on an earlier page.

    basis: of the present answers. posted: the hashes from the earlier page; without any there is no
    difference.
    """
    marks = read_basis(posted)
    return {name for name, text in basis.shown.items() if marks and not basis.was_shown(name, text, marks)}


def _context(request: HttpRequest, case: Case, fields: CaseFields, form: ReviewForm) -> dict[str, Any]:
    answers = given_answers(fields)
    basis = _basis(case, answers)
    draft = draft_on_page(request, review_draft(case.pk), form)
    # The doctor wrote the posted review, or the draft, on a page that may have shown other answers than now.
    posted_basis = request.POST.get(SHOWN_INPUT, "") if form.is_bound else draft.words.get(SHOWN_INPUT, "")
    changed = _changed_since(basis, posted_basis)
    reviews = list(IntakeReview.objects.filter(case=case).select_related("reviewed_by").order_by("-number"))
    words = read_many(reviews)
    steps = answers_in_words(answers, words[reviews[0].pk].answers if reviews else None)
    status = status_of(case)
    all_answers = [answer for step in steps for answer in step.answers]
    return {
        "case": case,
        "form": form,
        "draft": draft,
        "alarms": alarms_in(answers),
        "steps": steps,
        "unanswered": [answer for answer in all_answers if not answer.text],
        "changed": [answer for answer in all_answers if answer.question in changed],
        "since_review": [answer for answer in all_answers if answer.before is not None],
        "reviews": [(review, words[review.pk].words) for review in reviews],
        "status": status,
        "fault": status.facts.review_fault,
        "open": status.allows("review-intake"),
        "seen": review_mark(case, fields),
        "shown": basis.serialize(),
    }


def _gone(request: HttpRequest, case: Case, form: ReviewForm) -> HttpResponse:
    """Return the page that says that the answers are destroyed, and shows what was typed."""
    return gone_page(
        request,
        Gone(_("The answers are destroyed. Nobody can read them any more.")),
        typed_words(form) if form.is_bound else [],
        back=reverse("patients:case", args=[case.pk]),
        back_label=_("Back to the file"),
        layout="base.html",
    )
