"""The patient's pages of keepsakes. The bytes themselves come in beside Django (upload.py)."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from patients.cases.people import request_user
from patients.cases.standing import current_case_or_404
from patients.imaging.fingerprint import NEAR, distance
from patients.imaging.refusals import SENTENCES, Code
from patients.keepsakes.arrivals import NotTaken
from patients.keepsakes.changing import change_keepsake, hand_in
from patients.keepsakes.forms import NEW, KeepsakeForm, new_memory_form
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import remove_keepsake
from patients.memories.models import Memory
from patients.memories.writing import write_memory
from patients.vault.keys import KeyGone
from patients.vault.objects import read
from patients.vault.sealed import read_many


def _tell_outcome(request: HttpRequest) -> bool:
    """Put the codes that the upload form answered with into words; whether there were any."""
    brought, refused = request.GET.get("brought", ""), request.GET.get("refused", "")
    if brought.isdigit() and int(brought):
        count = min(int(brought), 10_000)
        messages.success(
            request, ngettext("%(n)d keepsake came in.", "%(n)d keepsakes came in.", count) % {"n": count}
        )
    for code in refused.split(",")[:20] if refused else []:
        if code in {item.value for item in Code}:
            sentence = str(SENTENCES[Code(code)])
            megabytes = settings.LACUNA_UPLOAD_MAX_BYTES // 1024**2
            messages.error(request, sentence.format(megabytes=megabytes, megapixels=50, frames=2000))
        else:
            messages.error(request, _("One of them could not be taken. Please try again later, or call us."))
    return bool(brought or refused)


@require_safe
@never_cache
def keepsakes(request: HttpRequest) -> HttpResponse:
    """Bring us everything: the way in, and what has been brought so far."""
    case = current_case_or_404(request)
    if _tell_outcome(request):
        return redirect("patients:keepsakes")
    rows = list(
        Keepsake.objects.filter(case=case, gone_at__isnull=True).select_related("thumb").order_by("-added_at")
    )
    memories = list(Memory.objects.filter(case=case))
    papers, titles = read_many(rows), read_many(memories)
    try:
        subject = case.read().subject_name
    except KeyGone:
        subject = ""
    things = [
        {"row": row, "paper": papers[row.pk], "memory": titles.get(row.memory_id)}
        for row in rows
        if row.pk in papers
    ]
    context = {
        "case": case,
        "subject": subject,
        "things": things,
        "memories": sorted(
            ((titles[row.pk], row) for row in memories if row.pk in titles), key=lambda item: item[0].day
        ),
        "unplaced": sum(1 for row in rows if row.memory_id is None),
        "max_bytes": settings.LACUNA_UPLOAD_MAX_BYTES,
    }
    return render(request, "patients/keepsakes/keepsakes.html", context)


def likenesses(keepsake: Keepsake) -> int:
    """How many other keepsakes of the case look the same; pointed out, never refused."""
    others = list(
        Keepsake.objects.filter(case=keepsake.case_id, gone_at__isnull=True).exclude(pk=keepsake.pk)
    )
    papers = read_many([keepsake, *others])
    mine = papers[keepsake.pk].fingerprint
    if not mine:
        return 0
    return sum(
        1
        for row in others
        if row.pk in papers
        and papers[row.pk].fingerprint
        and distance(int(mine, 16), int(papers[row.pk].fingerprint, 16)) <= NEAR
    )


@never_cache
def keepsake(request: HttpRequest, keepsake: UUID) -> HttpResponse:
    """One keepsake: what it shows, who is in it, what should go last, and its memory."""
    row = get_object_or_404(
        Keepsake.objects.select_related("case", "picture", "thumb"), pk=keepsake, gone_at__isnull=True
    )
    try:
        form = KeepsakeForm(request.POST or None, keepsake=row)
        new = new_memory_form(request.POST or None, row)
    except KeyGone as error:
        raise Http404 from error
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data["memory"]
        if (chosen != NEW or new.is_valid()) and _save(request, row, form, new):
            messages.success(request, _("Saved."))
            return redirect("patients:keepsakes")
    letter = row.kind == Keepsake.Kind.LETTER and row.picture is not None
    context = {
        "keepsake": row,
        "paper": row.read(),
        "form": form,
        "new": new,
        "words": read(row.picture).decode() if letter and row.picture else "",
        "alike": likenesses(row),
    }
    return render(request, "patients/keepsakes/keepsake.html", context)


def _save(request: HttpRequest, row: Keepsake, form: KeepsakeForm, new: object) -> bool:
    by, chosen = request_user(request), form.cleaned_data["memory"]
    try:
        memory = Memory.objects.filter(pk=chosen, case=row.case).first() if chosen not in {"", NEW} else None
        if chosen == NEW:
            memory = write_memory(row.case, new.words(), new.numbers(), by=by)  # type: ignore[attr-defined]
        change_keepsake(row, form.words(), memory=memory, kind=form.cleaned_data.get("kind", ""), by=by)
    except NotTaken as refusal:
        form.add_error(None, str(refusal))
        return False
    return True


@require_POST
def remove(request: HttpRequest, keepsake: UUID) -> HttpResponse:
    """Take a keepsake back: it is destroyed, as everything is here."""
    row = get_object_or_404(Keepsake, pk=keepsake)
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
        messages.success(request, _("Thank you. We look through everything and write to you."))
    except NotTaken as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:portal")
