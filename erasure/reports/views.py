"""The pages of the reports and of the forecast, and each of their tables as a file."""

from datetime import date

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.audit.record import Act, actor_of, record
from clinic.http.requests import request_user
from erasure.reports.counts import FIGURES
from erasure.reports.figures import Figure
from erasure.reports.forecast import FORECASTS
from erasure.reports.spans import SpanForm


@never_cache
@require_safe
def reports(request: HttpRequest) -> HttpResponse:
    """Show all figures of the chosen span."""
    form = SpanForm(request.GET)
    if not form.is_valid():
        return render(request, "erasure/reports/reports.html", {"form": form}, status=422)
    span = form.span()
    figures = [make_figure(span) for make_figure in FIGURES.values()]
    context = {"form": form, "span": span, "figures": figures}
    return render(request, "erasure/reports/reports.html", context)


@never_cache
@require_POST
def export(request: HttpRequest, figure: str) -> HttpResponse:
    """Return one table as CSV. figure: its key. The export is recorded before it is sent."""
    if figure in FORECASTS:
        return _csv_response(request, FORECASTS[figure](), timezone.localdate(), None)
    if figure not in FIGURES:
        raise Http404
    form = SpanForm(request.POST)
    if not form.is_valid():
        return render(request, "erasure/reports/reports.html", {"form": form}, status=422)
    span = form.span()
    return _csv_response(request, FIGURES[figure](span), span.first, span.last)


def _csv_response(request: HttpRequest, figure: Figure, first: date, last: date | None) -> HttpResponse:
    """Return a table as CSV, and record it. first, last: the days it is about; a forecast has no last."""
    content = figure.csv()
    details = {
        "figure": figure.key,
        "since": first.isoformat(),
        **({"until": last.isoformat()} if last else {}),
    }
    with transaction.atomic():
        record(
            Act("report.exported", "report:export", actor=actor_of(request_user(request)), details=details)
        )
    name = "-".join([figure.key, *(f"{day:%Y%m%d}" for day in (first, last) if day)])
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    # Spreadsheets read UTF-8 only after a byte order mark.
    return HttpResponse("\ufeff" + content, content_type="text/csv; charset=utf-8", headers=headers)


@never_cache
@require_safe
def forecast(request: HttpRequest) -> HttpResponse:
    """Show the demand that is expected in the coming eight weeks, and the nights that can still be booked."""
    figures = [make_figure() for make_figure in FORECASTS.values()]
    return render(request, "erasure/reports/forecast.html", {"figures": figures})
