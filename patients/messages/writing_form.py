"""The form for a new message, which the patient's page and the clinic's share."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from django.db import transaction
from django.http import HttpRequest

from clinic.http.requests import request_user
from patients.cases.models import Case
from patients.drafts.models import REVISION
from patients.drafts.reading import FormDraft, draft_of
from patients.drafts.writing import end_saved_draft
from patients.keepsakes.models import Keepsake
from patients.messages.sending import MessageRefused, send_message
from patients.messages.thread import keepsake_asked_for, title_of


@dataclass(frozen=True)
class WritingForm:
    """The form under a thread. new_id: the id that its message will have. words: the text in it.

    about: the title of `keepsake`. problem: why nothing was sent.
    """

    new_id: UUID
    draft: FormDraft
    words: str
    keepsake: Keepsake | None
    about: str
    problem: str = ""


def posted_id(request: HttpRequest) -> UUID:
    """Return the id that the form carries for its message; a new one if it carries none."""
    try:
        return UUID(request.POST.get("message", ""))
    except ValueError:
        return uuid4()


def writing_form(request: HttpRequest, case: Case, form: str, keepsake: Keepsake | None) -> WritingForm:
    """Return the form for a new message, with its draft. form: its name (drafts.py)."""
    draft = draft_of(request_user(request), form)
    about = title_of(keepsake) if keepsake else ""
    return WritingForm(uuid4(), draft, draft.words.get("words", ""), keepsake, about)


def refused_form(request: HttpRequest, form: str, keepsake: Keepsake | None, problem: str) -> WritingForm:
    """Return the form with what was posted, and why it was not sent."""
    typed = request.POST.get("words", "").replace("\0", "")
    draft = FormDraft(form, request.POST.get(REVISION, ""))
    return WritingForm(uuid4(), draft, typed, keepsake, title_of(keepsake) if keepsake else "", problem)


@transaction.atomic
def send_posted(request: HttpRequest, case: Case, form: str) -> None:
    """Send what was posted, and end its draft. form: its name (drafts.py). Errors: MessageRefused."""
    named = request.POST.get("keepsake", "")
    keepsake, problem = keepsake_asked_for(case, named)
    if problem:
        raise MessageRefused(problem)
    send_message(
        case,
        request.POST.get("words", ""),
        message=posted_id(request),
        keepsake=keepsake.pk if keepsake else None,
        by=request_user(request),
    )
    end_saved_draft(request, form)
