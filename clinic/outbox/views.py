"""The outbox page of the demonstration: mail that was stored instead of sent."""

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from clinic.outbox.models import Mail


@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """Show all mails, newest first. 404 unless this is the demonstration."""
    if not settings.LACUNA_DEMO:
        raise Http404
    page = Paginator(Mail.objects.all(), 25).get_page(request.GET.get("page"))
    return render(request, "clinic/outbox/outbox.html", {"page": page})
