"""The mapping bench: staff look at each keepsake, edit its memory and links, and at last lock the map."""

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from clinic.access.policy import allowed
from clinic.accounts.models import User
from clinic.calendar.durations import format_duration
from clinic.edits.basis import FIELD as BASED_ON
from clinic.edits.basis import Outcome
from clinic.edits.changes import last_change
from clinic.edits.gone import Gone, typed_words
from clinic.http.requests import announce, request_user, wants_fragment
from patients.cases.current_case import case_or_404
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.cases.view_log import viewed
from patients.drafts.reading import draft_of, draft_on_page
from patients.drafts.writing import end_saved_draft
from patients.intake_review.reviewing import conditions_of
from patients.keepsakes.looks import LookReason, NoReason, is_mapping, may_look, record_look
from patients.keepsakes.models import Keepsake
from patients.keepsakes.playback import played_of, with_player
from patients.maps.changes import name_chapters, place_keepsake, place_mark
from patients.maps.drafts import chapters_draft, mapping_draft, place_draft
from patients.maps.forms import BaseChapters, ChapterSet, MappingMemoryForm
from patients.maps.locking import CannotLock, lock_map, map_mark, obstacles, unlock_map
from patients.maps.mapping_page import Bench, Item, bench_of
from patients.memories.links import CannotChange, link, lock_case_with_open_map, unlink
from patients.memories.models import Memory, MemoryFields
from patients.memories.silhouette import rehearsal, silhouette
from patients.memories.writing import CHANGES, lock_memory, write_memory
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.objects import read
from patients.vault.stream import Tampered


def _parse_count(text: str, maximum: int) -> int:
    return min(int(text), maximum) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _letter_text(item: Item | None) -> str:
    """Return the text of a plain-text letter, which is easier to read here than its picture; otherwise ""."""
    if item is None or item.keepsake is None or item.keepsake.form != Keepsake.Form.TEXT:
        return ""
    try:
        return read(item.keepsake.picture).decode(errors="replace") if item.keepsake.picture else ""
    except (KeyGone, FileNotFoundError, Tampered):
        return ""


def _chapters(case: Case, posted: QueryDict | None = None, *, viewer: User) -> BaseChapters:
    subject = f"case:{case.pk}"
    chapter_set: Any = ChapterSet  # the type of a formset does not know the arguments of ours
    forms = chapter_set(
        posted,
        prefix="chapters",
        about=subject,
        saved=case.read().chapters,
        changed_by=lambda: last_change(
            subject, ("map.chapters", "intake.answered"), viewer=viewer, names=True
        ),
    )
    return cast(BaseChapters, forms)


def _context(
    request: HttpRequest,
    bench: Bench,
    item: Item | None,
    form: MappingMemoryForm | None = None,
    focus: str = "",
) -> dict[str, Any]:
    """Return the template context of the bench with `item` on it.

    form: a bound form with errors. focus: what has the focus after a swap (see the template _mapping.html).
    """
    case, person = bench.case, request_user(request)
    focus = focus if wants_fragment(request) else ""
    before, after = bench.around(item) if item else (None, None)
    erased_count = _parse_count(request.GET.get("gone", ""), len(bench.targets))
    others = [one for one in bench.memories if item and one != item.memory]
    memory = item.memory if item else None
    sharp = item is not None and item.keepsake is not None and _show_sharp(person, case, item.keepsake)
    may_change = allowed(person, "patients:mapping", {"case": case.pk}, "POST").allowed
    if item and memory and form is None:
        form = MappingMemoryForm(memory=memory, memory_fields=item.story)
    return {
        "case": case,
        "bench": bench,
        "item": item,
        "sharp": sharp,
        "focus": focus,
        "look_reasons": LookReason.choices,
        "letter": _letter_text(item) if sharp else "",
        "original": played_of(item.keepsake) if sharp and item and item.keepsake else None,
        "item_changed": item is not None and _displayed_item_key(request) != str(item.key),
        "before": before,
        "after": after,
        "position": bench.items.index(item) + 1 if item else 0,
        "open": case.map_is_open and may_change,
        "form": form,
        "draft": draft_on_page(request, mapping_draft(memory.pk), form) if memory and form else None,
        "placing": draft_of(person, place_draft(item.keepsake.pk)) if item and item.keepsake else None,
        "linked": bench.linked(memory) if memory else [],
        "others": [(one.pk, bench.title(one), bench.day(one)) for one in sorted(others, key=bench.day)],
        "obstacles": obstacles(case) if case.map_is_open else [],
        "conditions": conditions_of(case),
        "may_review": allowed(person, "patients:intake-review", {"case": case.pk}, "GET").allowed,
        "erased_count": erased_count,  # how many memories the preview shows as erased
        "map": rehearsal([(one, bench.day(one)) for one in bench.on_map], erased_count)
        if case.map_is_open
        else silhouette(case),
        "run_duration": format_duration(bench.seconds),
        "seconds_each": bench.seconds / (len(bench.targets) or 1),
        # What the buttons act on; other states are refused (clinic/edits/seen.py).
        "place_seen": place_mark(item.keepsake) if item and item.keepsake else "",
        "map_seen": map_mark(case) if case.map_is_open else "",
        "may_lock": case.map_is_open
        and allowed(person, "patients:map-lock", {"case": case.pk}, "POST").allowed,
        "may_unlock": status_of(case).allows("unlock")
        and allowed(person, "patients:map-unlock", {"case": case.pk}, "POST").allowed,
    }


def _show_sharp(person: User, case: Case, keepsake: Keepsake) -> bool:
    """Return whether a keepsake on the bench is shown sharp, not blurred.

    During a mapping visit it always is. That look is recorded, unless an earlier one of this person is valid.
    """
    if may_look(person, case, keepsake.pk):
        return True
    if not is_mapping(person, case):
        return False
    record_look(keepsake, LookReason.MAPPING, by=person)
    return True


def _displayed_item_key(request: HttpRequest) -> str:
    """Return the key of the item on the page that sent an htmx request; "" for other requests."""
    asked_from = request.htmx.current_url if request.htmx else None  # type: ignore[attr-defined]
    return QueryDict((asked_from or "").partition("?")[2]).get("at", "")


def _page(request: HttpRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Return the whole page, or the part that htmx asks for. Each item has its own URL."""
    if wants_fragment(request):
        if request.headers.get("HX-Target") == "rehearsal":
            return render(request, "patients/maps/_rehearsal.html", context)
        response = render(request, "patients/maps/_mapping.html", context | {"fragment": True}, status=status)
        if context["item"]:
            response["HX-Push-Url"] = _item_url(context["case"], context["item"].key)
        return response
    case = context["case"]
    forms = context.get("chapter_forms") or _chapters(case, viewer=request_user(request))
    draft = draft_on_page(request, chapters_draft(case.pk), *forms.forms)
    forms.draft_basis = draft.words.get(forms.add_prefix(BASED_ON), "")
    context |= {"chapter_forms": forms, "chapters_draft": draft}
    return render(request, "patients/maps/mapping.html", context, status=status)


def _show_again(
    request: HttpRequest, case: Case, item_key: object, *, focus: str, problem: str = ""
) -> HttpResponse:
    """Show an item after a change: for htmx the bench as it is now, else a redirect to the item.

    problem: why nothing was changed (409). It is shown where the focus goes, or as a message on the whole
    page; what was typed as the title of a new memory is shown again.
    """
    if not wants_fragment(request):
        if not problem:
            return redirect(_item_url(case, item_key))
        messages.error(request, problem)
    bench = bench_of(case)
    context = _context(request, bench, bench.at(str(item_key)), focus=focus)
    shown = {
        "problem": problem,
        "keepsake_focused": focus == "keepsake" and not problem,
        "new_title": request.POST.get("title", "")[:200] if problem else "",
    }
    return _page(request, context | shown, status=409 if problem else 200)


def _item_url(case: Case, item_key: object) -> str:
    return f"{reverse('patients:mapping', args=[case.pk])}?at={item_key}"


def _case_key_exists(case: Case) -> bool:
    """Return whether the case's key exists. After the run it is destroyed; the bench has nothing to show."""
    try:
        key_store().get(case.pk)
    except KeyGone:
        return False
    return True


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@with_player
def mapping(request: HttpRequest, case: UUID) -> HttpResponse:
    """Show one item. A POST saves its memory's form and goes on to the next item.

    What was changed since the page was made is not overwritten, but shown (409).
    """
    row = case_or_404(case)
    if not _case_key_exists(row):
        return render(request, "patients/maps/gone.html", {"case": row}, status=410)
    if request.method != "POST":
        if not wants_fragment(request):
            viewed(row, "mapping", by=request_user(request))
        bench = bench_of(row)
        item = bench.at(request.GET.get("at", ""))
        return _page(request, _context(request, bench, item, focus="item"))
    try:
        form, written = _change(request, row)
    except (Gone, CannotChange) as refusal:
        bench = bench_of(row)
        unsaved = MappingMemoryForm(request.POST, memory=Memory(), memory_fields=MemoryFields())
        context = _context(request, bench, bench.at(request.POST.get("at", "")))
        context |= {"refusal_message": str(refusal), "typed": typed_words(unsaved)}
        return _page(request, context, status=409)
    bench = bench_of(row)
    item = bench.item_of_memory(request.POST.get("at", ""), form.memory)
    if not written:
        return _page(request, _context(request, bench, item, form), status=form.refused_status())
    _before, after = bench.around(item)
    announce(request, _("Written down."))
    if after and "stay" not in request.POST:
        return _show_again(request, row, after.key, focus="item")
    return _show_again(request, row, item.key, focus="" if "stay" in request.POST else "item")


@transaction.atomic
def _change(request: HttpRequest, case: Case) -> tuple[MappingMemoryForm, bool]:
    """Compare the posted form with its memory, and write it, under one lock.

    Return the form, and whether it was written. Errors: Gone, CannotChange.
    """
    user, chosen = request_user(request), _parse_uuid(request.POST.get("memory", ""))
    lock_case_with_open_map(case.pk)
    memory = lock_memory(chosen) if chosen else None
    if memory is None or memory.case_id != case.pk or memory.fate == Memory.Fate.ERASED:
        raise Gone(_("This memory is not on the file any more."))
    try:
        fields = memory.read()
    except KeyGone as error:
        raise Gone(_("This memory is not on the file any more.")) from error
    form = MappingMemoryForm(
        request.POST,
        memory=memory,
        memory_fields=fields,
        changed_by=lambda: last_change(f"memory:{memory.pk}", CHANGES, viewer=user, names=True),
    )
    if not form.is_valid():
        return form, False
    if form.edited:
        write_memory(
            case,
            form.words(),
            form.numbers(),
            memory=memory,
            by=user,
            lock=lock_case_with_open_map,
        )
    end_saved_draft(request, mapping_draft(memory.pk))
    return form, True


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@require_POST
def links(request: HttpRequest, case: UUID) -> HttpResponse:
    """Add or remove one link between two memories."""
    row = case_or_404(case)
    one, other = _parse_uuid(request.POST.get("one", "")), _parse_uuid(request.POST.get("other", ""))
    remove = request.POST.get("do") == "remove"
    problem = ""
    try:
        if one is None or other is None:
            raise CannotChange(_("Choose a memory to link."))
        (unlink if remove else link)(row, one, other, by=request_user(request))
        announce(request, _("The link is taken away.") if remove else _("Linked."))
    except CannotChange as refusal:
        problem = str(refusal)
    return _show_again(request, row, request.POST.get("at", "")[:36], focus="links", problem=problem)


@require_POST
@never_cache
@with_player
def place(request: HttpRequest, case: UUID, keepsake: UUID) -> HttpResponse:
    """Place a keepsake in a memory, or in a new one. If that is refused, show where it is, and why."""
    row = case_or_404(case)
    keepsake_row = get_object_or_404(Keepsake, pk=keepsake, case=row)
    chosen = _parse_uuid(request.POST.get("memory", ""))
    memory = Memory.objects.filter(case=row, pk=chosen).first() if chosen else None
    problem = ""
    try:
        if request.POST.get("memory") and memory is None:
            raise CannotChange(_("That memory is not in this file."))
        with transaction.atomic():
            place_keepsake(
                keepsake_row,
                memory,
                request.POST.get("title", "")[:200],
                seen=request.POST.get("seen", ""),
                by=request_user(request),
            )
            end_saved_draft(request, place_draft(keepsake))
        announce(request, _("Placed in the memory."))
    except CannotChange as refusal:
        problem = str(refusal)
    return _show_again(request, row, keepsake, focus="place" if problem else "item", problem=problem)


@require_POST
@never_cache
@with_player
def look(request: HttpRequest, case: UUID, keepsake: UUID) -> HttpResponse:
    """Show one keepsake on the bench sharp, after recording the reason."""
    row = case_or_404(case)
    keepsake_row = get_object_or_404(Keepsake, pk=keepsake, case=row, gone_at__isnull=True)
    problem = ""
    try:
        record_look(keepsake_row, request.POST.get("why", ""), by=request_user(request))
        announce(request, _("Shown sharp. The look is on record, and the patient can read it."))
    except NoReason as refusal:
        problem = str(refusal)
    return _show_again(request, row, keepsake, focus="keepsake", problem=problem)


@require_POST
def chapters(request: HttpRequest, case: UUID) -> HttpResponse:
    """Save the chapters. If they were changed since the page was made, show what is there now (409)."""
    row = case_or_404(case)
    if not _case_key_exists(row):
        return render(request, "patients/maps/gone.html", {"case": row}, status=410)
    try:
        forms, saved = _change_chapters(request, row)
    except CannotChange as refusal:
        bench = bench_of(row)
        posted = _chapters(row, request.POST, viewer=request_user(request))
        typed = [pair for form in posted.forms for pair in typed_words(form)]
        context = _context(request, bench, bench.at(""))
        return _page(request, context | {"refusal_message": str(refusal), "typed": typed}, status=409)
    if not saved:
        bench = bench_of(row)
        context = _context(request, bench, bench.at(""))
        status = 409 if forms.conflict else 422
        return _page(request, context | {"chapter_forms": forms, "chapters_open": True}, status=status)
    messages.success(request, _("The chapters are written down."))
    return redirect("patients:mapping", case=row.pk)


@transaction.atomic
def _change_chapters(request: HttpRequest, case: Case) -> tuple[BaseChapters, bool]:
    """Compare the posted chapters with those of the case, and write them, under one lock.

    Return the forms, and True if they were written or nothing had to be. Errors: CannotChange.
    """
    user = request_user(request)
    locked = lock_case_with_open_map(case.pk)
    forms = _chapters(locked, request.POST, viewer=user)
    if not forms.management_form.is_valid():
        return forms, False
    outcome = forms.outcome()
    if outcome is Outcome.CONFLICT or (outcome is Outcome.WRITE and not forms.is_valid()):
        return forms, False
    if outcome is Outcome.WRITE:
        name_chapters(locked, forms.chapters(), by=user)
    end_saved_draft(request, chapters_draft(case.pk))
    return forms, True


@require_POST
def lock(request: HttpRequest, case: UUID) -> HttpResponse:
    """Lock the map, or show why it cannot be locked."""
    row = case_or_404(case)
    try:
        lock_map(row, seen=request.POST.get("seen", ""), by=request_user(request))
    except CannotLock as refusal:
        for sentence in refusal.obstacles:
            messages.error(request, sentence)
        return redirect("patients:mapping", case=row.pk)
    messages.success(request, _("The map is locked. Now the patient can sign for exactly this map."))
    return redirect("patients:case", case=row.pk)


@require_POST
def unlock(request: HttpRequest, case: UUID) -> HttpResponse:
    """Unlock the map; the consent to it is superseded."""
    row = case_or_404(case)
    try:
        unlock_map(row, by=request_user(request))
        messages.success(request, _("The map is open again. What was signed on it is void."))
    except CannotLock as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:mapping", case=row.pk)
