"""The certificate as a page, and its files to download."""

from collections.abc import Callable
from uuid import UUID

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.access.policy import allowed
from clinic.audit.record import Act, record
from clinic.http.requests import decision_of, request_user
from erasure.certificates import sanitization_fields, summary
from erasure.certificates.issued import check_stored, examine, removal_messages
from erasure.certificates.models import Certificate
from erasure.certificates.pdf import certificate_file, grouped, render_pdf
from patients.memories.silhouette import CERTIFICATE, silhouette


def _examined(work: UUID) -> tuple[Certificate | None, list[str]]:
    """Return the certificate of a run or destruction, and what does not hold of it as sentences.

    None with sentences: there was one, and it was removed. Errors: Http404 if none was ever issued.
    """
    rows = Certificate.objects.select_related("run__procedure__case__patient", "destruction__case__patient")
    if made := rows.of_work(work):
        examined = examine(made)
        return made, [] if examined.holds else examined.sentences
    if not (found := removal_messages(work)):
        raise Http404
    return None, found


def _does_not_hold(request: HttpRequest, found: list[str], status: int = 200) -> HttpResponse:
    """Show what was found of a certificate that does not hold, and nothing that it says.

    What is stored may be of another night, and so of another patient.
    """
    return render(request, "erasure/certificates/does_not_hold.html", {"found": found}, status=status)


def public_url(request: HttpRequest, made: Certificate) -> str:
    """Return the URL at which anyone can check the certificate, also used for the QR code."""
    return request.build_absolute_uri(reverse("erasure:verify-number", args=[made.number]))


@require_safe
@never_cache
def certificate(request: HttpRequest, work: UUID) -> HttpResponse:
    """Show the certificate in words. It is checked, and compared with the log, each time it is shown."""
    made, found = _examined(work)
    if made is None or found:
        return _does_not_hold(request, found)
    statement = made.statement
    person = request_user(request)
    row = made.case
    context = {
        "certificate": made,
        "number": grouped(made.number),
        "url": public_url(request, made),
        "statement": statement,
        "case": row,
        "title": summary.title(statement),
        "is_night": summary.is_night(statement),
        "opening": summary.opening(statement),
        "closing": summary.closing(statement),
        "remarks": summary.remarks(statement),
        "figures": summary.figures(statement),
        "things": summary.things(statement),
        "unfaded": summary.unfaded(statement),
        "places": [(place.name, place.words, "text") for place in summary.places(statement)],
        "spared": summary.spared(statement),
        "beyond": sanitization_fields.unverifiable(statement),
        "made_in": sanitization_fields.demonstration_words(statement["policies"]),
        "checked": check_stored(made),
        "map": silhouette(row, CERTIFICATE, paper=True),
        "doctors": summary.doctors(statement),
        "patient": statement["patient"] if decision_of(request).names else row.reference,
        "may_files": allowed(person, "erasure:certificate-json", {"work": work}, "GET").allowed,
        "may_session": made.run_id and allowed(person, "erasure:session", {"run": work}, "GET").allowed,
        "may_file": allowed(person, "patients:case", {"case": row.pk}, "GET").allowed,
    }
    return render(request, "erasure/certificates/certificate.html", context)


def _download(
    request: HttpRequest, work: UUID, media_type: str, name: str, content: Callable[[Certificate], bytes]
) -> HttpResponse:
    """Record the download in the log, then return a file of the certificate; no file if recording fails.

    Of a certificate that does not hold no file is given: anyone who got it would take it for valid.
    """
    made, found = _examined(work)
    if made is None or found:
        return _does_not_hold(request, found, status=409)
    form = name.rpartition(".")[2] if name.startswith("certificate") else name.partition(".")[0]
    file = content(made)
    with transaction.atomic():
        record(
            Act(
                "certificate.downloaded",
                f"certificate:{made.pk}",
                case=made.work.case_id,
                run=made.work_id,
                details={"form": form, "language": (get_language() or "en")[:2], "bytes": len(file)},
            )
        )
    stem, _dot, ending = name.rpartition(".")
    headers = {"Content-Disposition": f'attachment; filename="{stem}-{made.work_id}.{ending}"'}
    return HttpResponse(file, content_type=media_type, headers=headers)


@require_safe
@never_cache
def certificate_json(request: HttpRequest, work: UUID) -> HttpResponse:
    """Return the statement and its signature in one file, as our verifiers take it."""
    return _download(
        request, work, "application/json", "certificate.json", lambda made: certificate_file(made).encode()
    )


@require_safe
@never_cache
def certificate_statement(request: HttpRequest, work: UUID) -> HttpResponse:
    """Return the exact bytes that were signed, for people who check them with their own tool."""
    return _download(request, work, "application/json", "statement.json", lambda made: made.body.encode())


@require_safe
@never_cache
def certificate_signature(request: HttpRequest, work: UUID) -> HttpResponse:
    """Return the detached Ed25519 signature of the statement, in base64."""
    media_type = "text/plain; charset=utf-8"
    return _download(
        request, work, media_type, "certificate.sig", lambda made: f"{made.signature}\n".encode()
    )


@require_safe
@never_cache
def certificate_pdf(request: HttpRequest, work: UUID) -> HttpResponse:
    """Return the certificate as PDF in the active language."""

    def rendered(made: Certificate) -> bytes:
        chart = silhouette(made.case, CERTIFICATE, paper=True)
        return render_pdf(made, chart, public_url(request, made))

    return _download(request, work, "application/pdf", "certificate.pdf", rendered)
