"""The patient's pages for keepsakes. Files are uploaded through upload_app.py, not through these views."""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clinic.http.requests import request_user
from patients.cases.current_case import current_case_or_404
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.consent.signing import agreed_to_keep
from patients.keepsakes.duplicates import bits_apart
from patients.keepsakes.editing import change_keepsake, submit_for_review
from patients.keepsakes.forms import NEW, SPOTS, KeepsakeForm, new_memory_form
from patients.keepsakes.letters import letter_text, undrawn_letters
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.keepsakes.outcomes import brought_message, refusal_messages
from patients.keepsakes.playback import format_duration, original_of, with_player
from patients.keepsakes.removal import remove_keepsake
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

    @property
    def title(self) -> str:
        return self.fields.caption or (self.memory.title if self.memory else "")

    @property
    def when(self) -> str:
        if self.memory and (date := shown(self.memory.day, self.memory.when)):
            return date
        return shown(self.fields.taken_day, "")


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


@require_safe
@never_cache
def keepsakes(request: HttpRequest) -> HttpResponse:
    """The upload page, with all keepsakes and memories so far."""
    case = current_case_or_404(request)
    if _add_messages(request):
        return redirect("patients:keepsakes")
    there = Keepsake.objects.filter(case=case, gone_at__isnull=True).select_related("thumb")
    rows = list(there.order_by("-added_at"))
    memories = list(Memory.objects.filter(case=case))
    fields_by_id, memory_fields = read_many(rows), read_many(memories)
    things = [
        SheetItem(row, fields_by_id[row.pk], memory_fields.get(row.memory_id))
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
        "max_bytes": settings.LACUNA_UPLOAD_MAX_BYTES,
    }
    return render(request, "patients/keepsakes/keepsakes.html", context)


def lookalikes(keepsake: Keepsake) -> list[Keepsake]:
    """Return the other keepsakes of the case that look the same. They are pointed out, never refused."""
    others = list(
        Keepsake.objects.filter(case=keepsake.case_id, gone_at__isnull=True)
        .exclude(pk=keepsake.pk)
        .select_related("thumb")
        .order_by("added_at")
    )
    fields_by_id = read_many([keepsake, *others])
    mine = fields_by_id.get(keepsake.pk)
    if mine is None:
        return []
    return [
        row for row in others if row.pk in fields_by_id and bits_apart(mine, fields_by_id[row.pk]) is not None
    ]


def _next_unplaced(row: Keepsake) -> Keepsake | None:
    unplaced = Keepsake.objects.filter(case=row.case_id, gone_at__isnull=True, memory__isnull=True)
    return unplaced.exclude(pk=row.pk).order_by("added_at").first()


def _open_keepsake_or_404(keepsake: UUID) -> Keepsake:
    """Return a keepsake that is not gone and whose case is open. Errors: Http404."""
    there = Keepsake.objects.filter(gone_at__isnull=True).select_related("case", "picture", "thumb")
    return get_object_or_404(there, pk=keepsake, case__in=Case.objects.current())


@never_cache
@with_player
@require_http_methods(["GET", "HEAD", "POST"])
def keepsake(request: HttpRequest, keepsake: UUID) -> HttpResponse:
    """Show and change one keepsake: caption, other people, the spot that fades last, and its memory."""
    row = _open_keepsake_or_404(keepsake)
    post = request.POST if request.method == "POST" else None
    try:
        fields, words = row.read(), letter_text(row)
    except KeyGone as error:
        raise Http404 from error
    form = KeepsakeForm(post, keepsake=row, keepsake_fields=fields)
    is_new = post is not None and post.get("memory") == NEW
    new = new_memory_form(post if is_new else None, row, fields)
    following = _next_unplaced(row)
    if post is not None and _save(request, row, form, new):
        messages.success(request, _("Saved."))
        if following and "next" in post:
            return redirect("patients:keepsake", keepsake=following.pk)
        return redirect("patients:keepsakes")
    context = {
        "keepsake": row,
        "case": row.case,
        "fields": fields,
        "taken": shown(fields.taken_day, ""),
        "form": form,
        "new": new,
        "words": words,
        "undrawn": undrawn_letters(row, fields),
        "plays": original_of(row),
        "tag": row.tag,
        "lasts": format_duration(fields.seconds),
        "spots": SPOTS,
        "focus": [f"{part * 100:.2f}" for part in fields.focus],
        "alike": lookalikes(row),
        "following": following,
    }
    return render(request, "patients/keepsakes/keepsake.html", context, status=422 if post else 200)


def _save(request: HttpRequest, row: Keepsake, form: KeepsakeForm, new: PatientMemoryForm) -> bool:
    """Save the forms. Return False if that is not possible; the form then has the errors."""
    if not form.is_valid() or (new.is_bound and not new.is_valid()):
        return False
    by, chosen = request_user(request), form.cleaned_data["memory"]
    try:
        memory: Memory | None = None
        if new.is_bound:
            memory = write_memory(row.case, new.words(), new.numbers(), links=new.linked(), by=by)
        elif chosen:
            memory = Memory.objects.get(pk=chosen)
        change_keepsake(
            row, form.field_values(), memory=memory, kind=form.cleaned_data.get("kind", ""), by=by
        )
    except CaseLocked as refusal:
        form.add_error(None, str(refusal))
        return False
    except Memory.DoesNotExist:
        form.add_error("memory", _("That memory was taken off your file meanwhile."))
        return False
    return True


@require_POST
def remove(request: HttpRequest, keepsake: UUID) -> HttpResponse:
    """Remove a keepsake. It is destroyed."""
    row = get_object_or_404(Keepsake, pk=keepsake, case__in=Case.objects.current())
    try:
        remove_keepsake(row, by=request_user(request))
        messages.success(request, _("Taken back, and destroyed here."))
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
