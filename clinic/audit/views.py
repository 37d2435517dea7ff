"""The audit page. Who may see it is decided by the policy, not here."""

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
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe
from django_htmx.middleware import HtmxDetails

from clinic.audit.canonical import Telling
from clinic.audit.export import export
from clinic.audit.models import Checkpoint, Entry, EntryQuerySet
from clinic.audit.proofs import head_size
from clinic.audit.record import Act, LogBroken, record
from clinic.audit.search import Filters, page_of
from clinic.audit.telling import grouped, lines
from clinic.audit.verify import Report, verify_log
from clinic.people.models import User

LINES = 50
# A person waits for these two; beyond, the command does the same (about 20 000 entries a second).
MOST_TO_VERIFY = 100_000
MOST_TO_EXPORT = 50_000


class HtmxRequest(HttpRequest):
    """A request as django-htmx's middleware leaves it."""

    htmx: HtmxDetails


class ExportForm(forms.Form):
    """Why the log leaves the house; kept as the reason of the entry that says so."""

    reason = forms.CharField(label=gettext_lazy("Why is it exported?"), max_length=500, min_length=4)


@dataclass(frozen=True)
class Verdict:
    """What a verification said and when; `report` is None where the log is too long for a page."""

    report: Report | None
    at: datetime
    recorded: bool = True


def visible(request: HttpRequest) -> EntryQuerySet:
    return Entry.objects.visible_to(cast(User, request.user))


def context(request: HttpRequest, asked: QueryDict) -> dict[str, Any]:
    """Return what the page and its fragment show for the filters in `asked`."""
    filters = Filters(asked)
    entries, more = page_of(filters.apply(visible(request)), asked.get("before", ""), LINES)
    checkpoint = Checkpoint.objects.last()
    size = head_size()
    older = asked.copy()
    older["before"] = str(more)
    newest = asked.copy()
    newest.pop("before", None)
    return {
        "filters": filters,
        "chosen": [(name, asked[name]) for name in filters.fields if asked.get(name)],
        "lines": lines(entries),
        "older": older.urlencode() if more is not None else "",
        "newest": newest.urlencode() if asked.get("before") else None,
        "size": size,
        "checkpoint": checkpoint,
        "checkpoint_root": grouped(bytes(checkpoint.root).hex()) if checkpoint else "",
        "since_checkpoint": size - checkpoint.size if checkpoint else size,
        "export_form": ExportForm(auto_id="export_%s"),
    }


@require_safe
def audit(request: HtmxRequest) -> HttpResponse:
    """The log with its filters; htmx swaps only the table."""
    shown = context(request, request.GET)
    fragment = request.htmx and not request.htmx.history_restore_request
    template = "clinic/audit/_log.html" if fragment else "clinic/audit/page.html"
    response = render(request, template, shown, status=422 if shown["filters"].errors else 200)
    patch_vary_headers(response, ["HX-Request", "HX-History-Restore-Request"])
    return response


@require_POST
def audit_verify(request: HtmxRequest) -> HttpResponse:
    """Verify the whole log now, say what was found, and record that it was asked."""
    verdict = Verdict(None, timezone.now())
    if head_size() <= MOST_TO_VERIFY:
        report = verify_log()
        verdict = Verdict(report, timezone.now(), recorded=recorded(report))
    root = grouped(verdict.report.root.hex()) if verdict.report else ""
    said = {"verdict": verdict, "verdict_root": root, "most": MOST_TO_VERIFY}
    if request.htmx:
        return render(request, "clinic/audit/_verdict.html", said)
    return render(request, "clinic/audit/page.html", context(request, QueryDict()) | said)


def recorded(report: Report) -> bool:
    """Record a verification; False where the log is too broken to take an entry."""
    action = "audit.verified" if report.ok else "audit.broken"
    details: dict[str, Telling] = {
        "size": report.size,
        "root": report.root.hex(),
        "checkpoints": report.checkpoints,
        "problems": len(report.problems) + report.unlisted,
    }
    try:
        with transaction.atomic():
            record(Act(action, "log:whole", details=details))
    except (LogBroken, IntegrityError):
        return False
    return True


@require_POST
def audit_export(request: HttpRequest) -> HttpResponse:
    """Hand out the filtered log, signed; nothing leaves before the entry that says so is written."""
    form, filters = ExportForm(request.POST), Filters(request.POST)
    entries = filters.apply(visible(request))
    if not form.is_valid() or not filters.is_valid():
        shown = context(request, request.POST) | {"export_form": form}
        return render(request, "clinic/audit/page.html", shown, status=422)
    count = entries.count()
    if count > MOST_TO_EXPORT:
        messages.error(request, _("These are too many entries for one file. Choose a shorter span of days."))
        return redirect("audit")
    at = timezone.now()
    asked = {name: str(value or "") for name, value in filters.cleaned_data.items() if name != "find"}
    content = export(entries, asked | {"find": "used" if filters.cleaned_data["find"] else ""}, at)
    with transaction.atomic():
        details = {"entries": count, "bytes": len(content)}
        record(Act("audit.exported", "log:export", details=details, reason=form.cleaned_data["reason"]))
    name = f"audit-{timezone.localtime(at):%Y%m%d-%H%M%S}.jsonl"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return HttpResponse(content, content_type="application/jsonl; charset=utf-8", headers=headers)
