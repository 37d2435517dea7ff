"""The certificate as a page and as the signed statement it renders."""

import json
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.audit.checkpoints import public_key
from erasure.certificates.checking import check
from erasure.certificates.models import Certificate
from erasure.runs.models import Run
from erasure.verification.checks import BEYOND, NAMES
from patients.memories.models import Memory


def emptied_map(case_id: UUID) -> list[dict[str, float | int | str]]:
    """The places of the map in the picture's units (900 x 372): corners where memories were."""
    placed = Memory.objects.filter(case=case_id, x__isnull=False).order_by("number")
    return [
        {
            "x": round((memory.x or 0) * 900, 1),
            "y": round((memory.y or 0) * 372, 1),
            "w": round((memory.w or 0) * 900, 1),
            "h": round((memory.h or 0) * 372, 1),
            "kept": memory.fate != Memory.Fate.ERASED,
        }
        for memory in placed
    ]


def _certificate(run: UUID) -> Certificate:
    return get_object_or_404(Certificate.objects.select_related("run__procedure__case__patient"), run=run)


@require_safe
@never_cache
def certificate(request: HttpRequest, run: UUID) -> HttpResponse:
    """The certificate in words, checked anew each time it is shown."""
    made = _certificate(run)
    statement = made.statement
    found = statement["verification"]
    context = {
        "certificate": made,
        "statement": statement,
        "started": parse_datetime(statement["started"]),
        "finished": parse_datetime(statement["finished"]),
        "kept": statement["remains"]["protected-beforehand"],
        "outcome": Run.Outcome(statement["outcome"]).label,
        "places": [(name, found.get(key)) for key, name in NAMES.items()],
        "beyond": BEYOND.values(),
        "checked": check(made.body.encode(), made.signature, public_key()),
        "map": emptied_map(made.run.procedure.case_id),
        "bytes": sum(memory["bytes"] for memory in statement["destroyed"]),
        "objects": sum(memory["objects"] for memory in statement["destroyed"]),
    }
    return render(request, "erasure/certificates/certificate.html", context)


@require_safe
@never_cache
def certificate_json(request: HttpRequest, run: UUID) -> HttpResponse:
    """The statement with its signature beside it: what `manage.py verify_certificate` takes."""
    made = _certificate(run)
    text = json.dumps({"statement": made.body, "signature": made.signature}, ensure_ascii=False)
    response = HttpResponse(text, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="certificate-{made.run.pk}.json"'
    return response
