"""The audit page. The access policy (policy.py) decides who may use it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe
from django_htmx.middleware import HtmxDetails

from clinic.audit.canonical import DetailInput
from clinic.audit.checkpoints import NoteInvalid
from clinic.audit.compare import compare
from clinic.audit.export import export
from clinic.audit.models import Checkpoint, Entry
from clinic.audit.proofs import head_size
from clinic.audit.record import Act, LogBroken, record
from clinic.audit.verify import Report, verify_log
from clinic.http.requests import announce, request_user, wants_fragment
from clinic.oversight.concealed import readable_by, without_concealed
from clinic.oversight.entry_texts import lines, short_digest
from clinic.oversight.search import Filters, page_of

PAGE_SIZE = 50  # entries
# Limits, in entries, for what is done while a request waits (about 20,000 entries a second). For longer logs
# there are the commands verify_audit and export_audit.
MOST_TO_VERIFY = 100_000
MOST_TO_EXPORT = 50_000
MOST_TO_CHOOSE = 200  # checkpoints in a list; older ones can be pasted or given to verify_audit


class HtmxRequest(HttpRequest):
    """A request with the attribute that django-htmx's middleware adds."""

    htmx: HtmxDetails


class ExportForm(forms.Form):
    """Asks for the reason of an export, which is recorded in the log."""

    reason = forms.CharField(label=gettext_lazy("Why is it exported?"), max_length=500, min_length=4)


class CompareForm(forms.Form):
    """Asks for two checkpoints: both from the database, or one from there and one that is pasted."""

    older = forms.ChoiceField(label=gettext_lazy("One checkpoint"), required=False)
    newer = forms.ChoiceField(label=gettext_lazy("Another"))
    note = forms.CharField(
        label=gettext_lazy("or one that you hold, pasted"),
        required=False,
        max_length=4000,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "class": "mono"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows = {str(row.pk): row for row in Checkpoint.objects.order_by("-size", "-pk")[:MOST_TO_CHOOSE]}
        choices = [(number, checkpoint_label(row)) for number, row in self.rows.items()]
        cast(forms.ChoiceField, self.fields["older"]).choices = [("", "—"), *choices]
        cast(forms.ChoiceField, self.fields["newer"]).choices = choices

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if not cleaned.get("older") and not cleaned.get("note"):
            self.add_error("older", _("Choose a checkpoint, or paste one."))
        return cleaned

    def notes(self) -> tuple[str, str]:
        """Return the notes of the two checkpoints. Line ends of a pasted note are normalized."""
        cleaned = self.cleaned_data
        if cleaned["note"]:
            first = cleaned["note"].replace("\r\n", "\n").strip("\n") + "\n"
        else:
            first = self.rows[cleaned["older"]].note
        return first, self.rows[cleaned["newer"]].note


def checkpoint_label(row: Checkpoint) -> str:
    """Return a checkpoint as text for a list: number of entries, time, beginning of the root."""
    at = date_format(timezone.localtime(row.at), "SHORT_DATETIME_FORMAT")
    return f"{row.size}, {at}, {bytes(row.root).hex()[:8]}"


@dataclass(frozen=True)
class Verdict:
    """The result of a verification. report: None if the log is too long. recorded: whether the log has it."""

    report: Report | None
    at: datetime
    recorded: bool = True


def log_context(request: HttpRequest, query: QueryDict) -> dict[str, Any]:
    """Return the template context of the page and of its fragment. query: the filters, and `before`."""
    filters = Filters(query)
    reader = request_user(request)
    entries, next_before = page_of(
        filters.apply(Entry.objects.all()), query.get("before", ""), PAGE_SIZE, reader
    )
    checkpoint = Checkpoint.objects.last()
    size = head_size()
    older = query.copy()
    older["before"] = str(next_before)
    newest = query.copy()
    newest.pop("before", None)
    return {
        "filters": filters,
        "chosen": [(name, query[name]) for name in filters.fields if query.get(name)],
        "lines": lines(entries),
        "older": older.urlencode() if next_before is not None else "",
        "newest": newest.urlencode() if query.get("before") else None,
        "size": size,
        "checkpoint": checkpoint,
        "checkpoint_root": short_digest(bytes(checkpoint.root).hex()) if checkpoint else "",
        "since_checkpoint": size - checkpoint.size if checkpoint else size,
        "export_form": ExportForm(auto_id="export_%s"),
        "compare_form": CompareForm(auto_id="compare_%s"),
    }


@require_safe
def audit(request: HtmxRequest) -> HttpResponse:
    """Show the log with its filters; for htmx, only the table."""
    shown = log_context(request, request.GET)
    fragment = wants_fragment(request)
    template = "clinic/oversight/_log.html" if fragment else "clinic/oversight/audit.html"
    if fragment and not shown["filters"].errors:
        announce(request, count_sentence(shown["lines"], more=bool(shown["older"])))
    status = 422 if shown["filters"].errors else 200
    response = render(request, template, shown | {"fragment": fragment}, status=status)
    patch_vary_headers(response, ["HX-Request", "HX-History-Restore-Request"])
    return response


def count_sentence(lines_shown: Sequence[object], *, more: bool) -> str:
    """Return the sentence that says how many entries the page shows, and whether there are older ones."""
    if not lines_shown:
        return _("No entry is like this.")
    n = len(lines_shown)
    text = ngettext("%(n)d entry is shown.", "%(n)d entries are shown.", n) % {"n": n}
    return f"{text} {_('There are older ones.')}" if more else text


@require_POST
def audit_verify(request: HtmxRequest) -> HttpResponse:
    """Verify the whole log, record the verification and show its result."""
    verdict = Verdict(None, timezone.now())
    if head_size() <= MOST_TO_VERIFY:
        report = verify_log()
        verdict = Verdict(report, timezone.now(), recorded=record_verification(report))
    root = short_digest(verdict.report.root.hex()) if verdict.report else ""
    page_context = {"verdict": verdict, "verdict_root": root, "most": MOST_TO_VERIFY}
    if request.htmx:
        return render(request, "clinic/oversight/_verdict.html", page_context)
    return render(request, "clinic/oversight/audit.html", log_context(request, QueryDict()) | page_context)


def record_verification(report: Report) -> bool:
    """Record a verification in the log. Return False if the log is too broken for a new entry."""
    action = "audit.verified" if report.ok else "audit.broken"
    details: dict[str, DetailInput] = {
        "size": report.size,
        "root": report.root.hex(),
        "checkpoints": report.checkpoints,
        "problems": report.found,
    }
    try:
        with transaction.atomic():
            record(Act(action, "log:whole", details=details))
    except (LogBroken, IntegrityError):
        return False
    return True


@require_POST
def audit_compare(request: HtmxRequest) -> HttpResponse:
    """Show whether one checkpoint's log begins with the other's, with the proof. Record the comparison."""
    form = CompareForm(request.POST, auto_id="compare_%s")
    page_context: dict[str, Any] = {"compare_form": form}
    if form.is_valid():
        try:
            page_context["comparison"] = found = compare(*form.notes())
        except NoteInvalid as error:
            form.add_error("note", _("This is no checkpoint of this log: %(why)s.") % {"why": error})
        else:
            details = {"old": found.old.size, "new": found.new.size, "holds": found.holds}
            with transaction.atomic():
                record(Act("audit.compared", "log:checkpoint", details=details))
    status = 422 if form.errors else 200
    if request.htmx:
        return render(request, "clinic/oversight/_compare.html", page_context, status=status)
    return render(
        request,
        "clinic/oversight/audit.html",
        log_context(request, QueryDict()) | page_context,
        status=status,
    )


@require_POST
def audit_export(request: HttpRequest) -> HttpResponse:
    """Return the filtered log as a signed file, after the export was recorded in the log."""
    form, filters = ExportForm(request.POST), Filters(request.POST)
    if not form.is_valid() or not filters.is_valid():
        shown = log_context(request, request.POST) | {"export_form": form}
        return render(request, "clinic/oversight/audit.html", shown, status=422)
    found = filters.apply(Entry.objects.all())
    if found.count() > MOST_TO_EXPORT:
        messages.error(
            request,
            _(
                "These are too many entries for one file. Choose a shorter span of days, or have the operator"
                " type on the server: manage.py export_audit"
            ),
        )
        return redirect("audit")
    entries = without_concealed(readable_by(request_user(request), found))
    count, at = entries.count(), timezone.now()
    filters_used = {name: str(value or "") for name, value in filters.cleaned_data.items()}
    # The file says whether a text was searched for, but not which.
    filters_used["find"] = "used" if filters.cleaned_data["find"] else ""
    try:
        content = export(entries, filters_used, at)
    except LookupError:
        messages.error(
            request, _("The log has gaps, so nothing it exports could be proved. Verify it first.")
        )
        return redirect("audit")
    with transaction.atomic():
        details = {"entries": count, "bytes": len(content)}
        record(Act("audit.exported", "log:export", details=details, reason=form.cleaned_data["reason"]))
    name = f"audit-{timezone.localtime(at):%Y%m%d-%H%M%S}.jsonl"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return HttpResponse(content, content_type="application/jsonl; charset=utf-8", headers=headers)
