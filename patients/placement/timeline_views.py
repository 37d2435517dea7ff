"""The patient's page of their memories in the order of time."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from patients.cases.current_case import current_case_or_404
from patients.placement.sheet import load_thumbs, read_brought
from patients.placement.timeline import summary, timeline_of

PAGE_SIZE = 40  # stops on a page


@require_safe
@never_cache
def timeline(request: HttpRequest) -> HttpResponse:
    """Show the memories by time, with gaps and doubts, each with a link to where it is mended."""
    case = current_case_or_404(request)
    brought = read_brought(case)
    found = timeline_of(brought)
    page = Paginator(found.dated, PAGE_SIZE).get_page(request.GET.get("page"))
    shown = [stop for _gap, stop in page.object_list] + list(found.undated)
    load_thumbs(keepsake for stop in shown for keepsake in stop.pictures)
    context = {
        "case": case,
        "timeline": found,
        "summary": summary(found),
        "page": page,
        "tab": "timeline",
        "all_count": len(brought.keepsakes),
        "loose_count": len(brought.loose),
    }
    return render(request, "patients/placement/timeline.html", context)
