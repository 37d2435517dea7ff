"""The mapping bench: staff go through the keepsakes one by one, with memory and links, and lock the map."""

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from clinic.access.policy import allowed
from clinic.accounts.models import User
from clinic.calendar.durations import format_duration
from clinic.http.requests import request_user, wants_fragment
from patients.cases.current_case import case_or_404
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.cases.view_log import viewed
from patients.keepsakes.looks import LookReason, NoReason, is_mapping, may_look, record_look
from patients.keepsakes.models import Keepsake
from patients.keepsakes.playback import original_of, with_player
from patients.maps.changes import name_chapters, place_keepsake
from patients.maps.forms import BaseChapters, ChapterSet, MappingMemoryForm
from patients.maps.locking import CannotLock, lock_map, obstacles, unlock_map
from patients.maps.mapping_page import Bench, Item, bench_of
from patients.memories.links import CannotChange, link, lock_case_with_open_map, unlink
from patients.memories.models import Memory
from patients.memories.silhouette import rehearsal, silhouette
from patients.memories.writing import write_memory
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


def _chapters(case: Case) -> BaseChapters:
    initial = [
        {"name": one["name"], "color": one["color"], "first": one["from"], "last": one["to"]}
        for one in case.read().chapters
    ]
    return cast(BaseChapters, ChapterSet(initial=initial, prefix="chapters"))


def _context(
    request: HttpRequest, bench: Bench, item: Item | None, form: MappingMemoryForm | None = None
) -> dict[str, Any]:
    """Return the template context of the bench with `item` on it. form: a bound form with errors."""
    case, person = bench.case, request_user(request)
    before, after = bench.around(item) if item else (None, None)
    gone = _parse_count(request.GET.get("gone", ""), len(bench.targets))
    others = [one for one in bench.memories if item and one != item.memory]
    memory = item.memory if item else None
    sharp = item is not None and item.keepsake is not None and _may_look(person, case, item.keepsake)
    may_change = allowed(person, "patients:mapping", {"case": case.pk}, "POST").allowed
    return {
        "case": case,
        "bench": bench,
        "item": item,
        "sharp": sharp,
        "look_reasons": LookReason.choices,
        "letter": _letter_text(item) if sharp else "",
        "plays": original_of(item.keepsake) if sharp and item and item.keepsake else None,
        "is_new": item is not None and _previous_item_key(request) != str(item.key),
        "before": before,
        "after": after,
        "place": bench.items.index(item) + 1 if item else 0,
        "open": case.map_is_open and may_change,
        "form": form
        or (
            MappingMemoryForm(initial=MappingMemoryForm.initial_of(memory, item.story))
            if item and memory
            else None
        ),
        "linked": bench.linked(memory) if memory else [],
        "others": [(one.pk, bench.title(one), bench.day(one)) for one in sorted(others, key=bench.day)],
        "obstacles": obstacles(case) if case.map_is_open else [],
        "gone": gone,
        "map": rehearsal([(one, bench.day(one)) for one in bench.on_map], gone)
        if case.map_is_open
        else silhouette(case),
        "lasts": format_duration(bench.seconds),
        "pace": bench.seconds / (len(bench.targets) or 1),
        "may_lock": case.map_is_open
        and allowed(person, "patients:map-lock", {"case": case.pk}, "POST").allowed,
        "may_unlock": status_of(case).allows("unlock")
        and allowed(person, "patients:map-unlock", {"case": case.pk}, "POST").allowed,
    }


def _may_look(person: User, case: Case, keepsake: Keepsake) -> bool:
    """Return whether a keepsake on the bench is shown sharp.

    In a mapping visit it is, and this look is recorded unless the person's last one still lasts.
    """
    if may_look(person, case, keepsake.pk):
        return True
    if not is_mapping(person, case):
        return False
    record_look(keepsake, LookReason.MAPPING, by=person)
    return True


def _previous_item_key(request: HttpRequest) -> str:
    """Return the key of the item that the browser shows now, for an htmx request; otherwise ""."""
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
    context["chapter_forms"] = context.get("chapter_forms") or _chapters(context["case"])
    return render(request, "patients/maps/mapping.html", context, status=status)


def _item_url(case: Case, at: object) -> str:
    return f"{reverse('patients:mapping', args=[case.pk])}?at={at}"


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
    """Show one item. A POST saves its memory's form and goes on to the next item."""
    row = case_or_404(case)
    if not _case_key_exists(row):
        return render(request, "patients/maps/gone.html", {"case": row}, status=410)
    bench = bench_of(row)
    asked = request.POST if request.method == "POST" else request.GET
    item = bench.at(asked.get("at", ""))
    if request.method != "POST":
        if not wants_fragment(request):
            viewed(row, "mapping", by=request_user(request))
        return _page(request, _context(request, bench, item))
    if item is None or item.memory is None or asked.get("at") != str(item.key):
        messages.error(request, _("That is no longer on the bench."))
        return redirect("patients:mapping", case=row.pk)
    form = MappingMemoryForm(request.POST)
    if not form.is_valid():
        return _page(request, _context(request, bench, item, form), status=422)
    try:
        write_memory(
            row,
            form.words(),
            form.numbers(),
            memory=item.memory,
            by=request_user(request),
            lock=lock_case_with_open_map,
        )
    except CannotChange as refusal:
        form.add_error(None, str(refusal))
        return _page(request, _context(request, bench, item, form), status=409)
    _before, after = bench.around(item)
    return redirect(_item_url(row, after.key if after and "stay" not in asked else item.key))


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
    change = unlink if request.POST.get("do") == "remove" else link
    try:
        if one is None or other is None:
            raise CannotChange(_("Choose a memory to link."))
        change(row, one, other, by=request_user(request))
    except CannotChange as refusal:
        messages.error(request, str(refusal))
    return redirect(_item_url(row, request.POST.get("at", "")[:36]))


@require_POST
def place(request: HttpRequest, case: UUID, keepsake: UUID) -> HttpResponse:
    """Place a keepsake in a memory, or in a new one."""
    row = case_or_404(case)
    thing = get_object_or_404(Keepsake, pk=keepsake, case=row, gone_at__isnull=True)
    chosen = _parse_uuid(request.POST.get("memory", ""))
    memory = Memory.objects.filter(case=row, pk=chosen).first() if chosen else None
    try:
        if request.POST.get("memory") and memory is None:
            raise CannotChange(_("That memory is not in this file."))
        place_keepsake(thing, memory, request.POST.get("title", "")[:200], by=request_user(request))
    except CannotChange as refusal:
        messages.error(request, str(refusal))
    return redirect(_item_url(row, thing.pk))


@require_POST
@never_cache
@with_player
def look(request: HttpRequest, case: UUID, keepsake: UUID) -> HttpResponse:
    """Show one keepsake on the bench sharp, after recording the reason."""
    row = case_or_404(case)
    thing = get_object_or_404(Keepsake, pk=keepsake, case=row, gone_at__isnull=True)
    try:
        record_look(thing, request.POST.get("why", ""), by=request_user(request))
    except NoReason as refusal:
        messages.error(request, str(refusal))
    if not wants_fragment(request):
        return redirect(_item_url(row, thing.pk))
    bench = bench_of(row)
    return _page(request, _context(request, bench, bench.at(str(thing.pk))))


@require_POST
def chapters(request: HttpRequest, case: UUID) -> HttpResponse:
    """Save the chapters."""
    row = case_or_404(case)
    if not _case_key_exists(row):
        return render(request, "patients/maps/gone.html", {"case": row}, status=410)
    forms = cast(BaseChapters, ChapterSet(request.POST, prefix="chapters"))
    if not forms.is_valid():
        bench = bench_of(row)
        context = _context(request, bench, bench.at(""))
        return _page(request, context | {"chapter_forms": forms, "chapters_open": True}, status=422)
    try:
        name_chapters(row, forms.chapters(), by=request_user(request))
        messages.success(request, _("The chapters are written down."))
    except CannotChange as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:mapping", case=row.pk)


@require_POST
def lock(request: HttpRequest, case: UUID) -> HttpResponse:
    """Lock the map, or show why it cannot be locked."""
    row = case_or_404(case)
    try:
        lock_map(row, by=request_user(request))
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
