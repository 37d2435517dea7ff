"""The certificate as a page and as the signed statement it renders."""

import json
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.access.policy import allowed
from clinic.audit.checkpoints import public_key
from erasure.certificates.checking import check
from erasure.certificates.models import Certificate
from erasure.runs.models import Run
from erasure.verification.checks import BEYOND, NAMES
from patients.cases.people import request_user
from patients.maps.silhouette import CERTIFICATE, silhouette


def _certificate(run: UUID) -> Certificate:
    return get_object_or_404(Certificate.objects.select_related("run__procedure__case__patient"), run=run)


def _figures(statement: dict[str, Any]) -> list[tuple[str, object]]:
    """What was destroyed and what was not, as the statement has it."""
    remains = statement["remains"]
    kept = [memory for memory in remains["spared"] if memory["because"] == "protected"]
    destroyed = statement["destroyed"]
    rows: list[tuple[str, object]] = [
        (_("Memories destroyed"), len(destroyed)),
        (_("Stored objects, their keys destroyed"), sum(memory["objects"] for memory in destroyed)),
        (_("Bytes they held"), f"{sum(memory['bytes'] for memory in destroyed):,}".replace(",", "\u202f")),
        (_("Kept on purpose beforehand"), remains["protected-beforehand"]),
        (_("Kept during the night"), len(kept)),
        (_("Not reached, or spared"), len(remains["spared"]) - len(kept)),
        (_("Copies found off the map"), len(remains["copies"])),
    ]
    return [row for place, row in enumerate(rows) if place < 4 or row[1]]


def _when(text: str, since: str = "") -> str:
    """A moment of the statement on the clinic's clock; its day is said once for two moments of one day."""
    moment, before = parse_datetime(text), parse_datetime(since) if since else None
    if moment is None:
        return text
    local = timezone.localtime(moment)
    same_day = before is not None and timezone.localdate(before) == local.date()
    return date_format(local, "H:i" if same_day else "j F Y, H:i")


def _damaged(statement: dict[str, Any]) -> int:
    """Memories that stayed, but not whole: the night had begun on them."""
    return sum(memory["passes"] > 0 for memory in statement["remains"]["spared"])


def _places(statement: dict[str, Any]) -> list[tuple[object, str, str]]:
    found = statement["verification"]
    words = {"clean": _("clean"), "found": _("something is left")}
    return [(name, words.get(str(found.get(key)), _("not checked")), "text") for key, name in NAMES.items()]


@require_safe
@never_cache
def certificate(request: HttpRequest, run: UUID) -> HttpResponse:
    """The certificate in words, checked anew each time it is shown."""
    made = _certificate(run)
    statement = made.statement
    person = request_user(request)
    row = made.run.procedure.case
    context = {
        "certificate": made,
        "statement": statement,
        "case": row,
        "started": _when(statement["started"]),
        "finished": _when(statement["finished"], since=statement["started"]),
        "outcome": Run.Outcome(statement["outcome"]).label,
        "figures": _figures(statement),
        "damaged": _damaged(statement),
        "places": _places(statement),
        "beyond": [_(place) for place in BEYOND.values()],
        "checked": check(made.body.encode(), made.signature, public_key()),
        "map": silhouette(row, CERTIFICATE, paper=True),
        "doctors": [one["name"] for one in statement["team"] if one["role"] == "doctor"],
        "may_session": allowed(person, "erasure:session", {"run": run}, "GET").allowed,
        "may_file": allowed(person, "patients:case", {"case": row.pk}, "GET").allowed,
    }
    return render(request, "erasure/certificates/certificate.html", context)


@require_safe
@never_cache
def certificate_json(request: HttpRequest, run: UUID) -> HttpResponse:
    """The statement with its signature beside it: what `manage.py verify_certificate` takes."""
    made = _certificate(run)
    text = json.dumps({"statement": made.body, "signature": made.signature}, ensure_ascii=False)
    response = HttpResponse(text, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="certificate-{made.run_id}.json"'
    return response
