"""The patient's pages of keepsakes. The bytes themselves come in beside Django (upload.py)."""

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
from patients.cases.editing import NotTaken
from patients.cases.models import Case
from patients.consent.signing import agreed_to_keep
from patients.keepsakes.duplicates import bits_apart
from patients.keepsakes.editing import change_keepsake, hand_in
from patients.keepsakes.forms import NEW, SPOTS, KeepsakeForm, new_memory_form
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.keepsakes.outcomes import told_brought, told_refused
from patients.keepsakes.playback import length, original_of, with_player
from patients.keepsakes.removal import remove_keepsake
from patients.memories.forms import MemoryForm
from patients.memories.models import Memory, MemoryFields
from patients.memories.when import shown
from patients.memories.writing import write_memory
from patients.vault.keys import KeyGone
from patients.vault.objects import read
from patients.vault.sealed import read_many


@dataclass(frozen=True)
class Thing:
    """A keepsake on the contact sheet, with the memory it is placed in."""

    row: Keepsake
    paper: KeepsakeFields
    memory: MemoryFields | None

    @property
    def title(self) -> str:
        return self.paper.caption or (self.memory.title if self.memory else "")

    @property
    def when(self) -> str:
        if self.memory and (said := shown(self.memory.day, self.memory.when)):
            return said
        return shown(self.paper.taken[:10], "")


@dataclass(frozen=True)
class Remembered:
    """A memory in the list below the contact sheet."""

    row: Memory
    paper: MemoryFields

    @property
    def when(self) -> str:
        return shown(self.paper.day, self.paper.when)


def _told(request: HttpRequest) -> bool:
    """Put the codes that the upload form answered with into words; whether there were any."""
    brought, refused = request.GET.get("brought", ""), request.GET.get("refused", "")
    if sentence := told_brought(brought):
        messages.success(request, sentence)
    for sentence in told_refused(refused):
        messages.error(request, sentence)
    return bool(brought or refused)


@require_safe
@never_cache
def keepsakes(request: HttpRequest) -> HttpResponse:
    """Bring us everything: the way in, and what has been brought so far."""
    case = current_case_or_404(request)
    if _told(request):
        return redirect("patients:keepsakes")
    there = Keepsake.objects.filter(case=case, gone_at__isnull=True).select_related("thumb")
    rows = list(there.order_by("-added_at"))
    memories = list(Memory.objects.filter(case=case))
    papers, remembered = read_many(rows), read_many(memories)
    things = [Thing(row, papers[row.pk], remembered.get(row.memory_id)) for row in rows if row.pk in papers]
    known = [Remembered(row, remembered[row.pk]) for row in memories if row.pk in remembered]
    context = {
        "case": case,
        "agreed": agreed_to_keep(case),
        "subject": case.read().subject_name,
        "things": things,
        "memories": sorted(known, key=lambda item: (item.paper.day or "9999", item.row.made_at)),
        "unplaced": sum(1 for row in rows if row.memory_id is None),
        "max_bytes": settings.LACUNA_UPLOAD_MAX_BYTES,
    }
    return render(request, "patients/keepsakes/keepsakes.html", context)


def likenesses(keepsake: Keepsake) -> list[Keepsake]:
    """The other keepsakes of the case that look the same; pointed out, never refused."""
    others = list(
        Keepsake.objects.filter(case=keepsake.case_id, gone_at__isnull=True)
        .exclude(pk=keepsake.pk)
        .select_related("thumb")
        .order_by("added_at")
    )
    papers = read_many([keepsake, *others])
    mine = papers.get(keepsake.pk)
    if mine is None:
        return []
    return [row for row in others if row.pk in papers and bits_apart(mine, papers[row.pk]) is not None]


def _next_unplaced(row: Keepsake) -> Keepsake | None:
    loose = Keepsake.objects.filter(case=row.case_id, gone_at__isnull=True, memory__isnull=True)
    return loose.exclude(pk=row.pk).order_by("added_at").first()


def _open_keepsake_or_404(keepsake: UUID) -> Keepsake:
    """A keepsake that is there, of a case that is open: of the others nothing is shown. Errors: Http404."""
    there = Keepsake.objects.filter(gone_at__isnull=True).select_related("case", "picture", "thumb")
    return get_object_or_404(there, pk=keepsake, case__in=Case.objects.current())


def _letter(row: Keepsake) -> str:
    """The words of a letter as they stand now; empty for a picture. Errors: KeyGone."""
    if row.form != Keepsake.Form.TEXT or row.picture is None:
        return ""
    return read(row.picture).decode()


@never_cache
@with_player
@require_http_methods(["GET", "HEAD", "POST"])
def keepsake(request: HttpRequest, keepsake: UUID) -> HttpResponse:
    """One keepsake: what it shows, who is in it, what should go last, and its memory."""
    row = _open_keepsake_or_404(keepsake)
    post = request.POST if request.method == "POST" else None
    try:
        paper, words = row.read(), _letter(row)
    except KeyGone as error:
        raise Http404 from error
    form = KeepsakeForm(post, keepsake=row, paper=paper)
    making = post is not None and post.get("memory") == NEW
    new = new_memory_form(post if making else None, row, paper)
    following = _next_unplaced(row)
    if post is not None and _save(request, row, form, new):
        messages.success(request, _("Saved."))
        if following and "next" in post:
            return redirect("patients:keepsake", keepsake=following.pk)
        return redirect("patients:keepsakes")
    context = {
        "keepsake": row,
        "case": row.case,
        "paper": paper,
        "taken": shown(paper.taken[:10], ""),
        "form": form,
        "new": new,
        "words": words,
        "plays": original_of(row),
        "tag": row.tag,
        "lasts": length(paper.seconds),
        "spots": SPOTS,
        "focus": [f"{part * 100:.2f}" for part in paper.focus],
        "alike": likenesses(row),
        "following": following,
    }
    return render(request, "patients/keepsakes/keepsake.html", context, status=422 if post else 200)


def _save(request: HttpRequest, row: Keepsake, form: KeepsakeForm, new: MemoryForm) -> bool:
    """Write valid forms; False, and why in the form, where it cannot be."""
    if not form.is_valid() or (new.is_bound and not new.is_valid()):
        return False
    by, chosen = request_user(request), form.cleaned_data["memory"]
    try:
        memory: Memory | None = None
        if new.is_bound:
            memory = write_memory(row.case, new.words(), new.numbers(), links=new.linked(), by=by)
        elif chosen:
            memory = Memory.objects.get(pk=chosen)
        change_keepsake(row, form.words(), memory=memory, kind=form.cleaned_data.get("kind", ""), by=by)
    except NotTaken as refusal:
        form.add_error(None, str(refusal))
        return False
    except Memory.DoesNotExist:
        form.add_error("memory", _("That memory was taken off your file meanwhile."))
        return False
    return True


@require_POST
def remove(request: HttpRequest, keepsake: UUID) -> HttpResponse:
    """Take a keepsake back: it is destroyed, as everything is here."""
    row = get_object_or_404(Keepsake, pk=keepsake, case__in=Case.objects.current())
    try:
        remove_keepsake(row, by=request_user(request))
        messages.success(request, _("Taken back, and destroyed here."))
    except NotTaken as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:keepsakes")


@require_POST
def done(request: HttpRequest) -> HttpResponse:
    """Done for today: hand everything in."""
    try:
        hand_in(current_case_or_404(request), by=request_user(request))
    except NotTaken as refusal:
        messages.error(request, str(refusal))
        return redirect("patients:keepsakes")
    messages.success(request, _("Thank you. We look through everything and write to you."))
    return redirect("patients:portal")
