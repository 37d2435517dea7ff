"""Pages on which patients see what the clinic still has of them, download it, or have it destroyed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from clinic.audit.record import Act, actor_of, record
from clinic.configuration.values import value_of
from clinic.http.requests import request_user, wants_fragment
from clinic.http.streaming import stream
from erasure.destructions import orders, reopening
from erasure.destructions.configuration import THINKING_HOURS
from erasure.destructions.forms import DestroyForm, SelectionForm
from erasure.destructions.models import Destruction, DestructionItem
from patients.archives.archive import contents_of, zip_chunks
from patients.archives.forms import PassphraseForm, TakeForm
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.memories.models import Memory, MemoryFields
from patients.memories.when import shown
from patients.messages.archived import has_messages, message_entries
from patients.vault.sealed import read_many


@dataclass(frozen=True)
class ListedKeepsake:
    """A keepsake on the page. when: its date in words ("" if it is unknown)."""

    row: Keepsake
    title: str
    when: str


@dataclass(frozen=True)
class KeepsakeGroup:
    """The keepsakes of one memory on the page; if `memory` is None, those in no memory."""

    memory: Memory | None
    title: str
    when: str
    keepsakes: list[ListedKeepsake]


@dataclass(frozen=True)
class CaseSection:
    """The section of the page on one case: what is left of it, and what can be done with that now.

    over: whether the case is over, so that the patient may choose "everything". has_night: whether a night is
    booked or under way, so that nothing can be destroyed here. under_way: the destruction that is not
    finished, if any. has_messages: whether messages with the clinic are left.
    """

    case: Case
    belongings: orders.Belongings
    groups: list[KeepsakeGroup]
    over: bool
    may_reopen: bool
    has_night: bool
    under_way: Destruction | None
    has_messages: bool


def _section_of(case: Case) -> CaseSection:
    belongings = orders.belongings_of(case)
    memory_fields = read_many([part.memory for part in belongings.memories], skip_damaged=True)
    keepsake_fields = read_many(belongings.keepsakes, skip_damaged=True)

    def listed(rows: Sequence[Keepsake]) -> list[ListedKeepsake]:
        found = []
        for row in rows:
            fields = keepsake_fields.get(row.pk, KeepsakeFields())
            found.append(ListedKeepsake(row, fields.caption or str(row.unnamed), fields.known_date))
        return found

    groups = []
    for part in belongings.memories:
        fields = memory_fields.get(part.memory.pk, MemoryFields())
        title = fields.title or _("Untitled")
        when = shown(fields.day, fields.when)
        groups.append(KeepsakeGroup(part.memory, title, when, listed(part.keepsakes)))
    if belongings.single:
        groups.append(KeepsakeGroup(None, _("In no memory"), "", listed(belongings.single)))
    return CaseSection(
        case,
        belongings,
        groups,
        over=case.is_over,
        may_reopen=reopening.may_reopen(case),
        has_night=orders.has_night(case),
        under_way=orders.unfinished_destruction(case),
        has_messages=belongings.has_words and has_messages(case),
    )


@require_safe
@never_cache
def belongings(request: HttpRequest) -> HttpResponse:
    """Show what is left of each of the patient's cases, and their finished destructions."""
    person = request_user(request)
    cases = Case.objects.filter(patient=person).order_by("-opened_at")
    sections = [section for case in cases if (section := _section_of(case)).belongings or section.under_way]
    ended = Destruction.objects.filter(case__patient=person, state=Destruction.State.FINISHED)
    context = {"sections": sections, "ended": ended.select_related("certificate").order_by("-finished_at")}
    return render(request, "erasure/destructions/belongings.html", context)


@dataclass(frozen=True)
class Selection:
    """What a patient ticked of one case. memories, keepsakes: ids. belongings: all that is left of it.

    messages: whether they also ticked their messages with the clinic.
    """

    case: Case
    belongings: orders.Belongings
    memories: set[UUID]
    keepsakes: set[UUID]
    everything: bool
    messages: bool

    @cached_property
    def chosen(self) -> orders.Belongings:
        return self.belongings.choose(self.memories, self.keepsakes, everything=self.everything)

    @cached_property
    def archive_has_messages(self) -> bool:
        """Whether messages were ticked, and there are some."""
        return self.messages and self.belongings.has_words and has_messages(self.case)

    def summary(self, *, with_words: bool) -> str:
        """Return what is chosen, as "3 memories with all that is in them, and 2 keepsakes".

        with_words: whether it is to be destroyed; then the words of the file are named, which go too. Of an
        archive the messages are named, the only words of the file in it.
        """
        memories, keepsakes = len(self.chosen.memories), len(self.chosen.single)
        of_memories = ngettext(
            "%(n)d memory with all that is in it", "%(n)d memories with all that is in them", memories
        ) % {"n": memories}
        of_keepsakes = ngettext("%(n)d keepsake", "%(n)d keepsakes", keepsakes) % {"n": keepsakes}
        parts = [of_memories] if memories else []
        parts += [of_keepsakes] if keepsakes else []
        if with_words and self.chosen.has_words:
            parts.append(_("the words of your file"))
        if not with_words and self.archive_has_messages:
            parts.append(_("your messages with the clinic"))
        if len(parts) < 2:
            return "".join(parts)  # no part if only messages are ticked, which cannot be destroyed alone
        return _("%(list)s, and %(last)s") % {"list": ", ".join(parts[:-1]), "last": parts[-1]}


SelectionView = Callable[[HttpRequest, Selection], HttpResponseBase]


def with_selection(view: SelectionView) -> Callable[[HttpRequest, UUID], HttpResponseBase]:
    """Let a view take the posted Selection in place of the id of the case.

    If nothing was ticked, or something is not left any more, the answer is a redirect to the list. Messages
    alone are enough for an archive, and not to destroy.
    """

    @wraps(view)
    def answer(request: HttpRequest, case: UUID) -> HttpResponseBase:
        row = _case_or_404(case)
        belongings = orders.belongings_of(row)
        form = SelectionForm(
            request.POST,
            memory_ids=[part.memory.pk for part in belongings.memories],
            keepsake_ids=[keepsake.pk for keepsake in belongings.keepsakes],
        )
        if not form.is_valid():
            messages.error(request, _("Something that you chose is not here any more. Please look again."))
            return redirect("erasure:belongings")
        data = form.cleaned_data
        selection = Selection(
            row,
            belongings,
            set(data["memories"]),
            set(data["keepsakes"]),
            everything=data["everything"],
            messages=data["everything"] or data["messages"],
        )
        if not selection.chosen and not (selection.messages and request.POST.get("do") != "destroy"):
            messages.error(request, _("Choose something first, or everything."))
            return redirect("erasure:belongings")
        return view(request, selection)

    return answer


def _case_or_404(case: UUID) -> Case:
    """Return the case with its patient. It is the visitor's (policy.py)."""
    return get_object_or_404(Case.objects.select_related("patient"), pk=case)


@require_POST
@never_cache
@with_selection
def choose(request: HttpRequest, selection: Selection) -> HttpResponse:
    """Show the selection and ask for the passphrase. The form is sent to `take` or `destroy`."""
    if request.POST.get("do") == "destroy":
        return _confirm(request, selection, DestroyForm(later=_label_of_later()), "destroy")
    return _refuse_if_archive_empty(request, selection) or _confirm(request, selection, TakeForm(), "take")


def _refuse_if_archive_empty(request: HttpRequest, selection: Selection) -> HttpResponse | None:
    """Return a redirect to the list if an archive of the selection would be empty, else None."""
    if selection.chosen.memories or selection.chosen.single or selection.archive_has_messages:
        return None
    messages.error(request, _("Only words are left of this file. There is nothing to take back."))
    return redirect("erasure:belongings")


def _label_of_later() -> str:
    """Return the form's label for destroying after the time to think it over (THINKING_HOURS)."""
    hours = value_of(THINKING_HOURS)
    if hours % 24 == 0:
        days = int(hours // 24)
        text = ngettext(
            "In %(n)d day, so that I can still change my mind",
            "In %(n)d days, so that I can still change my mind",
            days,
        )
        return text % {"n": days}
    return ngettext(
        "In %(n)g hour, so that I can still change my mind",
        "In %(n)g hours, so that I can still change my mind",
        1 if hours == 1 else 2,  # 1.5 takes the plural
    ) % {"n": hours}


def _confirm(
    request: HttpRequest, selection: Selection, form: PassphraseForm, template: str, *, problem: str = ""
) -> HttpResponse:
    """Render the page that asks for the passphrase. template: "take" or "destroy". problem: of a refusal."""
    context = {
        "selection": selection,
        "summary": selection.summary(with_words=template == "destroy"),
        "has_objects": any(one.kind == Keepsake.Kind.OBJECT for one in selection.chosen.keepsakes),
        "form": form,
        "problem": problem,
    }
    status = 422 if form.is_bound else 200
    return render(request, f"erasure/destructions/{template}.html", context, status=status)


@require_POST
@never_cache
@sensitive_post_parameters()
@with_selection
def take(request: HttpRequest, selection: Selection) -> HttpResponseBase:
    """Send the selection as one archive, under the passphrase that the patient sets for it (`seal`)."""
    if refusal := _refuse_if_archive_empty(request, selection):
        return refusal
    form = TakeForm(request.POST)
    if not form.is_proven(request_user(request)):
        return _confirm(request, selection, form, "take")
    chosen, case = selection.chosen, selection.case
    contents = contents_of(
        [(part.memory, part.keepsakes) for part in chosen.memories],
        chosen.single,
        message_entries(case) if selection.messages else (),
    )
    details = {"files": len(contents.files), "unreadable": contents.unreadable}
    actor = actor_of(request_user(request))
    with transaction.atomic():
        record(Act("archive.taken", f"case:{case.pk}", actor=actor, case=case.pk, details=details))
    chunks = zip_chunks(contents, form.cleaned_data["seal"])
    return stream(chunks, content_type="application/zip", filename="lacuna.zip")


@require_POST
@never_cache
@sensitive_post_parameters()
@with_selection
def destroy(request: HttpRequest, selection: Selection) -> HttpResponse:
    """Order the destruction of what was chosen."""
    form = DestroyForm(request.POST, later=_label_of_later())
    if not form.is_proven(request_user(request)):
        return _confirm(request, selection, form, "destroy")
    later = form.cleaned_data["when"] == DestroyForm.LATER
    try:
        ordered = orders.order(
            selection.case,
            by=request_user(request),
            memories=selection.memories,
            keepsakes=selection.keepsakes,
            everything=selection.everything,
            wait=timedelta(hours=value_of(THINKING_HOURS) if later else 0),
        )
    except orders.NotNow as refusal:
        return _confirm(request, selection, form, "destroy", problem=str(refusal))
    return redirect("erasure:destruction", destruction=ordered.pk)


@require_POST
@never_cache
def reopen(request: HttpRequest, case: UUID) -> HttpResponse:
    """Reopen a withdrawn case, and redirect to the consent, which the patient has to sign again."""
    try:
        reopening.reopen(_case_or_404(case), by=request_user(request))
    except orders.NotNow as refusal:
        messages.error(request, str(refusal))
        return redirect("erasure:belongings")
    messages.success(
        request, _("Your file is open again. Please say once more that we may keep your things.")
    )
    return redirect("patients:consent")


@require_safe
@never_cache
def destruction(request: HttpRequest, destruction: UUID) -> HttpResponse:
    """Show how far a destruction is, item by item. The page polls until no change can come any more."""
    row = get_object_or_404(Destruction.objects.select_related("case", "certificate"), pk=destruction)
    items = list(row.items.select_related("memory", "keepsake").order_by("position"))
    progress = _progress(row, items)
    if wants_fragment(request) and request.GET.get("seen") == progress["version"]:
        return HttpResponse(status=204)  # htmx swaps nothing, so no screen reader reads it out again
    context = {**progress, "items": _titled(items)}
    return render(request, "erasure/destructions/destruction.html", context)


def _titled(items: list[DestructionItem]) -> list[tuple[DestructionItem, str]]:
    """Return each item with its title; "" if it has none, or its words are destroyed."""
    memory_fields = read_many([item.memory for item in items if item.memory], skip_damaged=True)
    keepsake_fields = read_many([item.keepsake for item in items if item.keepsake], skip_damaged=True)
    titled = []
    for item in items:
        if item.memory_id:
            title = memory_fields.get(item.memory_id, MemoryFields()).title
        else:
            title = keepsake_fields.get(item.keepsake_id, KeepsakeFields()).caption
        titled.append((item, title))
    return titled


def _progress(row: Destruction, items: list[DestructionItem]) -> dict[str, Any]:
    """Return the part of the page's context that changes while it is shown."""
    states = DestructionItem.State
    done = sum(item.state == states.DESTROYED for item in items)
    certified = hasattr(row, "certificate")
    begun = row.begins_at <= timezone.now()
    spared = sum(item.state == states.SPARED for item in items)
    return {
        "destruction": row,
        "done": done,
        "spared": spared,
        "can_stop": any(item.state == states.WAITING for item in items),
        "certified": certified,
        "begun": begun,
        # The version of what is shown here. A poll sends it back as `seen`, and gets 204 if nothing is new.
        "version": f"{row.state}-{done}-{spared}-{int(begun)}-{int(certified)}",
        # Where nothing was destroyed, no certificate comes.
        "keep_polling": not certified and (row.state != Destruction.State.FINISHED or done > 0),
    }


@require_POST
@never_cache
def destruction_stop(request: HttpRequest, destruction: UUID) -> HttpResponse:
    """Stop a destruction (`orders.stop`), and say what came of it."""
    try:
        stopped = orders.stop(destruction, by=request_user(request))
    except orders.NotNow as refusal:
        messages.error(request, str(refusal))
    else:
        if stopped:
            messages.success(request, _("Stopped. What was not destroyed by now stays."))
        else:
            messages.warning(request, _("Nothing was left to stop: it is all destroyed."))
    return redirect("erasure:destruction", destruction=destruction)
