"""The patient's pages for keepsakes. Files are uploaded through upload_app.py, not through these views."""

from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clinic.access.signed_out import send_same_form_again
from clinic.edits.changes import last_change
from clinic.edits.gone import Gone, gone_page, typed_words
from clinic.http.requests import request_user
from patients.cases.current_case import check_open, current_case_or_404
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.consent.signing import agreed_to_keep
from patients.drafts.reading import FormDraft, draft_of, draft_on_page
from patients.drafts.writing import end_saved_draft
from patients.keepsakes.drafts import LETTER, keepsake_draft
from patients.keepsakes.duplicates import alike_ids, lookalikes
from patients.keepsakes.editing import CHANGES, change_keepsake, lock_keepsake, submit_for_review
from patients.keepsakes.forms import NEW, SPOTS, KeepsakeForm, new_memory_form
from patients.keepsakes.half_way import uploads_half_way
from patients.keepsakes.letters import count_undrawn_characters, letter_text
from patients.keepsakes.limits import limits_by_group
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.keepsakes.outcomes import brought_message, refusal_messages
from patients.keepsakes.playback import format_duration, played_of, with_player
from patients.keepsakes.removal import ChangedMeanwhile, keepsake_mark, remove_keepsake
from patients.memories.forms import PatientMemoryForm
from patients.memories.models import Memory, MemoryFields
from patients.memories.when import shown
from patients.memories.writing import write_memory
from patients.vault.keys import KeyGone
from patients.vault.sealed import read_many


@dataclass(frozen=True)
class SheetItem:
    """A keepsake on the contact sheet (the page's grid of all keepsakes), with its memory, if any."""

    row: Keepsake
    fields: KeepsakeFields
    memory: MemoryFields | None
    is_alike: bool  # it looks like another one of the sheet

    @property
    def title(self) -> str:
        return self.fields.caption or (self.memory.title if self.memory else "")

    @property
    def when(self) -> str:
        if self.memory and (date := shown(self.memory.day, self.memory.when)):
            return date
        return self.fields.known_date


@dataclass(frozen=True)
class MemoryItem:
    """A memory in the list below the contact sheet."""

    row: Memory
    fields: MemoryFields

    @property
    def when(self) -> str:
        return shown(self.fields.day, self.fields.when)


def _add_messages(request: HttpRequest) -> bool:
    """Add messages for the upload form's result codes in the URL. Return whether there were any."""
    brought, refused = request.GET.get("brought", ""), request.GET.get("refused", "")
    if sentence := brought_message(brought):
        messages.success(request, sentence)
    for sentence in refusal_messages(refused):
        messages.error(request, sentence)
    return bool(brought or refused)


@require_POST
def late_upload(request: HttpRequest) -> HttpResponse:
    """Offer what was typed into the upload form once more.

    Only forms whose page outlived its sign-in come here (form_post.py). The middleware answers those of
    somebody signed out or of somebody else's page; this one's owner has signed in again meanwhile.
    """
    return send_same_form_again(request)


@require_safe
@never_cache
def keepsakes(request: HttpRequest) -> HttpResponse:
    """The upload page, with all keepsakes and memories so far."""
    case = current_case_or_404(request)
    if _add_messages(request):
        return redirect("patients:keepsakes")
    remaining = Keepsake.objects.filter(case=case, gone_at__isnull=True).select_related("thumb")
    rows = list(remaining.order_by("-added_at"))
    memories = list(Memory.objects.filter(case=case))
    fields_by_id, memory_fields = read_many(rows), read_many(memories)
    alike = alike_ids(fields_by_id)
    things = [
        SheetItem(row, fields_by_id[row.pk], memory_fields.get(row.memory_id), row.pk in alike)
        for row in rows
        if row.pk in fields_by_id
    ]
    memory_items = [MemoryItem(row, memory_fields[row.pk]) for row in memories if row.pk in memory_fields]
    context = {
        "case": case,
        "agreed": agreed_to_keep(case),
        "subject": case.read().subject_name,
        "things": things,
        "memories": sorted(memory_items, key=lambda item: (item.fields.day or "9999", item.row.made_at)),
        "unplaced": sum(1 for row in rows if row.memory_id is None),
        "limits": limits_by_group(),
        "half_way": uploads_half_way(case, request_user(request)),
        "draft": draft_of(request_user(request), LETTER),
    }
    return render(request, "patients/keepsakes/keepsakes.html", context)


def _next_unplaced(row: Keepsake) -> Keepsake | None:
    unplaced = Keepsake.objects.filter(case=row.case_id, gone_at__isnull=True, memory__isnull=True)
    return unplaced.exclude(pk=row.pk).order_by("added_at").first()


def _open_keepsake_or_404(keepsake: UUID) -> Keepsake:
    """Return a keepsake that is not gone. Errors: Http404; NoOpenCase if its case is over."""
    remaining = Keepsake.objects.filter(gone_at__isnull=True).select_related("case", "picture", "thumb")
    row = get_object_or_404(remaining, pk=keepsake)
    check_open(row.case)
    return row


@never_cache
@with_player
@require_http_methods(["GET", "HEAD", "POST"])
def keepsake(request: HttpRequest, keepsake: UUID) -> HttpResponse:
    """Show and change one keepsake: caption, other people, the spot that fades last, and its memory.

    What was changed since the page was made is not overwritten, but shown (409).
    """
    if request.method != "POST":
        row = _open_keepsake_or_404(keepsake)
        try:
            return _page(request, row, *_forms(request, row))
        except KeyGone as error:
            raise Http404 from error
    try:
        row, form, new, written = _change(request, keepsake)
    except Gone as gone:
        return _gone_page(request, gone)
    if not written:
        return _page(request, row, form, new)
    messages.success(request, _("Saved."))
    following = _next_unplaced(row)
    if following and "next" in request.POST:
        return redirect("patients:keepsake", keepsake=following.pk)
    return redirect("patients:keepsakes")


def _forms(
    request: HttpRequest, row: Keepsake, *, bound: bool = False
) -> tuple[KeepsakeForm, PatientMemoryForm]:
    """Return the forms for a keepsake as it is now and for a new memory; bound: with what was posted.

    Errors: KeyGone.
    """
    post, fields, user = request.POST if bound else None, row.read(), request_user(request)
    form = KeepsakeForm(
        post,
        keepsake=row,
        keepsake_fields=fields,
        changed_by=lambda: last_change(f"keepsake:{row.pk}", CHANGES, viewer=user, names=False),
    )
    is_new = post is not None and post.get("memory") == NEW
    return form, new_memory_form(post if is_new else None, row, fields)


def _page(
    request: HttpRequest, row: Keepsake, form: KeepsakeForm, new: PatientMemoryForm, *, problem: str = ""
) -> HttpResponse:
    """Render the page of one keepsake. problem: why it was not removed. Errors: KeyGone."""
    fields = row.read()
    draft = draft_on_page(request, keepsake_draft(row.pk), form, new)
    context = {
        "keepsake": row,
        "draft": draft,
        "case": row.case,
        "fields": fields,
        "taken": shown(fields.taken_day, ""),
        "form": form,
        "new": new,
        "words": letter_text(row),
        "undrawn": count_undrawn_characters(row, fields),
        "plays": played_of(row),
        "tag": row.tag,
        "lasts": format_duration(fields.seconds),
        "spots": SPOTS,
        "focus": _drafted_focus(draft) if draft.at else form.shown_focus(),
        "alike": lookalikes(row),
        "following": _next_unplaced(row),
        "seen": keepsake_mark(row),
        "problem": problem,
    }
    status = form.refused_status() if form.is_bound else 409 if problem else 200
    return render(request, "patients/keepsakes/keepsake.html", context, status=status)


def _check_there(keepsake: Keepsake | None) -> Keepsake:
    """Return a keepsake that can be changed. Errors: Gone, with a sentence for the patient."""
    if keepsake is None or keepsake.gone_at:
        raise Gone(_("You have taken this one back meanwhile. It is destroyed."))
    if keepsake.case.is_over:
        raise Gone(_("Your file was closed meanwhile."))
    if not keepsake.case.map_is_open:
        raise Gone(
            _("Your map is locked, so nothing is changed here now. Please talk to the clinic."), status=409
        )
    return keepsake


def _drafted_focus(draft: FormDraft) -> list[str]:
    """Return the spot that a draft marks, in percent of width and height."""
    return [part for name in ("focus_x", "focus_y") if (part := draft.words.get(name, ""))]


def _gone_page(request: HttpRequest, gone: Gone) -> HttpResponse:
    """Return the page for a keepsake that cannot be changed any more, with what was typed."""
    empty, no_fields = Keepsake(case=Case()), KeepsakeFields()
    typed = typed_words(KeepsakeForm(request.POST, keepsake=empty, keepsake_fields=no_fields))
    if request.POST.get("memory") == NEW:
        typed += typed_words(new_memory_form(request.POST, empty, no_fields))
    return gone_page(
        request,
        gone,
        typed,
        back=reverse("patients:portal"),
        back_label=_("Your file"),
        layout="base_patient.html",
    )


@transaction.atomic
def _change(request: HttpRequest, keepsake: UUID) -> tuple[Keepsake, KeepsakeForm, PatientMemoryForm, bool]:
    """Compare the posted forms with the keepsake, and write them, under one lock.

    Return the keepsake, both forms, and whether they were written. Errors: Gone.
    """
    row = _check_there(lock_keepsake(keepsake))
    try:
        form, new = _forms(request, row, bound=True)
    except KeyGone as error:
        raise Gone(_("This keepsake is destroyed.")) from error
    return row, form, new, _write(request, row, form, new)


def _write(request: HttpRequest, row: Keepsake, form: KeepsakeForm, new: PatientMemoryForm) -> bool:
    """Write the forms. Return False if that is not possible; the form then has the errors."""
    if not form.is_valid() or (new.is_bound and not new.is_valid()):
        return False
    by, chosen = request_user(request), form.cleaned_data["memory"]
    try:
        with transaction.atomic():  # a new memory is made only together with the change
            memory = row.memory
            if "memory" in form.edited and new.is_bound:
                memory = write_memory(row.case, new.words(), new.numbers(), links=new.linked(), by=by)
            elif "memory" in form.edited:
                memory = Memory.objects.get(pk=chosen) if chosen else None
            kind = form.cleaned_data.get("kind", "") if "kind" in form.edited else ""
            change_keepsake(row, form.field_values(), memory=memory, kind=kind, by=by)
            end_saved_draft(request, keepsake_draft(row.pk))
    except CaseLocked as refusal:
        form.add_error(None, str(refusal))
        return False
    except Memory.DoesNotExist:
        form.add_error("memory", _("That memory was taken off your file meanwhile."))
        return False
    return True


@require_POST
@never_cache
@with_player
def remove(request: HttpRequest, keepsake: UUID) -> HttpResponse:
    """Remove a keepsake: it is destroyed. Words that the page did not show are shown first (409)."""
    row = get_object_or_404(Keepsake.objects.select_related("case", "picture", "thumb"), pk=keepsake)
    check_open(row.case)
    try:
        remove_keepsake(row, seen=request.POST.get("seen", ""), by=request_user(request))
        messages.success(request, _("Taken back, and destroyed here."))
    except ChangedMeanwhile as refusal:
        row.refresh_from_db()
        return _page(request, row, *_forms(request, row), problem=str(refusal))
    except CaseLocked as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:keepsakes")


@require_POST
def done(request: HttpRequest) -> HttpResponse:
    """Submit the case for review."""
    try:
        submit_for_review(current_case_or_404(request), by=request_user(request))
    except CaseLocked as refusal:
        messages.error(request, str(refusal))
        return redirect("patients:keepsakes")
    messages.success(request, _("Thank you. We look through everything and write to you."))
    return redirect("patients:portal")
