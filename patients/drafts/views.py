"""The URLs to which pages send what is typed (static/page/drafts.js)."""

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from clinic.http.requests import request_user
from patients.drafts.forms import GONE, NotEditable, find_form, uuid_or_none
from patients.drafts.models import REVISION, Draft
from patients.drafts.reading import draft_of
from patients.drafts.writing import (
    Changed,
    TooLong,
    TooMany,
    draft_values,
    end_draft,
    keep_draft,
)
from patients.vault.keys import KeyGone


@require_POST
@never_cache
def keep(request: HttpRequest, form: str) -> JsonResponse:
    """Keep what is typed into a form. form: its name.

    The answer is JSON: "revision", the new one, and two sentences with the time, "kept" and "again" (for the
    first time and later). If nothing is kept, the answer has only "text", which says why (409; 413 for too
    much text). If another page has changed the draft, it also has "revision" and "values" of the present
    draft; both are empty if that has ended.
    """
    known, person = request.POST.get(REVISION, ""), request_user(request)
    revision = uuid_or_none(known)
    try:
        if known and revision is None:
            raise Changed(Draft.objects.live().filter(person=person, form=form).first())
        found = find_form(person, form)
        values = draft_values(dict(request.POST.lists()), not_kept=found[0].not_kept if found else ())
        row = keep_draft(form, values, known=revision, by=person)
    except Changed as change:
        return _changed(request, form, change.draft)
    except TooLong:
        text = _("Not kept: this is longer than we can keep before you save it.")
        return JsonResponse({"text": text}, status=413)
    except (NotEditable, TooMany, KeyGone) as refusal:
        return JsonResponse({"text": _("Not kept: %(why)s") % {"why": _why(refusal)}}, status=409)
    at = date_format(timezone.localtime(row.saved_at), "H:i")
    return JsonResponse(
        {
            "revision": str(row.revision),
            "kept": _("Kept as you typed, %(at)s.") % {"at": at},
            "again": _("Kept, %(at)s.") % {"at": at},
        }
    )


def _why(refusal: Exception) -> str:
    if isinstance(refusal, TooMany):
        return _("You have begun very many texts. Save or discard some of them first.")
    return str(GONE) if isinstance(refusal, KeyGone) else str(refusal)


def _changed(request: HttpRequest, form: str, draft: Draft | None) -> JsonResponse:
    """Tell a page that the draft was changed elsewhere, with the present draft (409)."""
    present = draft_of(request_user(request), form)
    if draft is None or present.at is None:
        text = _("This was saved or discarded in another window. What you typed here since is not kept.")
        return JsonResponse({"text": text, "revision": "", "values": {}}, status=409)
    when = date_format(timezone.localtime(present.at), "MONTH_DAY_TIME_FORMAT")
    text = _("In another window you typed something else here, %(when)s. What you typed here is not kept.")
    return JsonResponse(
        {"text": text % {"when": when}, "revision": present.revision, "values": present.values}, status=409
    )


@require_POST
@never_cache
def discard(request: HttpRequest, form: str) -> HttpResponse:
    """Discard the draft that the page shows, and go back to the page of its form."""
    person = request_user(request)
    with transaction.atomic():
        end_draft(person, form, request.POST.get(REVISION, ""))
    found = find_form(person, form)
    return redirect(found[1].url if found else "home")
