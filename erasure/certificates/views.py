"""The certificate as a page, and its files to download."""

from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.access.policy import allowed
from clinic.audit.keyring import key_of_certificate
from clinic.audit.record import Act, record
from clinic.http.requests import request_user
from erasure.certificates import sanitization_fields, summary
from erasure.certificates.checking import check
from erasure.certificates.finding_texts import SENTENCES
from erasure.certificates.models import Certificate
from erasure.certificates.pdf import certificate_file, grouped, render_pdf
from patients.memories.silhouette import CERTIFICATE, silhouette


def _certificate(run: UUID) -> Certificate:
    return get_object_or_404(Certificate.objects.select_related("run__procedure__case__patient"), run=run)


def public_url(request: HttpRequest, made: Certificate) -> str:
    """Return the URL at which anyone can check the certificate, also used for the QR code."""
    return request.build_absolute_uri(reverse("erasure:verify-number", args=[made.number]))


@require_safe
@never_cache
def certificate(request: HttpRequest, run: UUID) -> HttpResponse:
    """Show the certificate in words. It is checked each time it is shown."""
    made = _certificate(run)
    statement = made.statement
    person = request_user(request)
    row = made.run.procedure.case
    context = {
        "certificate": made,
        "number": grouped(made.number),
        "url": public_url(request, made),
        "statement": statement,
        "case": row,
        "opening": summary.opening(statement),
        "closing": summary.closing(statement),
        "remarks": summary.remarks(statement),
        "figures": summary.figures(statement),
        "things": summary.things(statement),
        "unfaded": summary.unfaded(statement),
        "places": [(place.name, place.words, "text") for place in summary.places(statement)],
        "spared": summary.spared(statement),
        "beyond": sanitization_fields.unverifiable(statement),
        "checked": check(made.body.encode(), made.signature, key_of_certificate(made.digest)),
        "map": silhouette(row, CERTIFICATE, paper=True),
        "doctors": [one["name"] for one in statement["team"] if one["role"] == "doctor"],
        "may_session": allowed(person, "erasure:session", {"run": run}, "GET").allowed,
        "may_file": allowed(person, "patients:case", {"case": row.pk}, "GET").allowed,
    }
    return render(request, "erasure/certificates/certificate.html", context)


def _download(made: Certificate, content: bytes, media_type: str, name: str) -> HttpResponse:
    """Record the download in the log, then return a file of the certificate; no file if recording fails."""
    form = name.rpartition(".")[2] if name.startswith("certificate") else name.partition(".")[0]
    with transaction.atomic():
        record(
            Act(
                "certificate.downloaded",
                f"certificate:{made.pk}",
                case=made.run.procedure.case_id,
                run=made.run_id,
                details={"form": form, "language": (get_language() or "en")[:2], "bytes": len(content)},
            )
        )
    stem, _dot, ending = name.rpartition(".")
    headers = {"Content-Disposition": f'attachment; filename="{stem}-{made.run_id}.{ending}"'}
    return HttpResponse(content, content_type=media_type, headers=headers)


@require_safe
@never_cache
def certificate_json(request: HttpRequest, run: UUID) -> HttpResponse:
    """Return the statement and its signature in one file, as our verifiers take it."""
    made = _certificate(run)
    return _download(made, certificate_file(made).encode(), "application/json", "certificate.json")


@require_safe
@never_cache
def certificate_statement(request: HttpRequest, run: UUID) -> HttpResponse:
    """Return the exact bytes that were signed, for people who check them with their own tool."""
    made = _certificate(run)
    return _download(made, made.body.encode(), "application/json", "statement.json")


@require_safe
@never_cache
def certificate_signature(request: HttpRequest, run: UUID) -> HttpResponse:
    """Return the detached Ed25519 signature of the statement, in base64."""
    made = _certificate(run)
    return _download(made, f"{made.signature}\n".encode(), "text/plain; charset=utf-8", "certificate.sig")


@require_safe
@never_cache
def certificate_pdf(request: HttpRequest, run: UUID) -> HttpResponse:
    """Return the certificate as PDF in the active language."""
    made = _certificate(run)
    holds = check(made.body.encode(), made.signature, key_of_certificate(made.digest)).holds
    chart = silhouette(made.run.procedure.case, CERTIFICATE, paper=True)
    broken = "" if holds else str(SENTENCES["signature-not"])
    content = render_pdf(made, chart, public_url(request, made), broken=broken)
    return _download(made, content, "application/pdf", "certificate.pdf")
