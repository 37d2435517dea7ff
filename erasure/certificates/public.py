"""Public pages to check a certificate: they need no sign-in, show no personal data and store nothing."""

import re
from pathlib import Path
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest, RequestDataTooBig, TooManyFieldsSent
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from clinic.audit.checkpoints import verifier_key
from clinic.audit.keyring import former_keys, key_of_certificate
from clinic.audit.restored import restore_declared_at
from clinic.oversight.entry_texts import short_digest
from erasure.certificates import summary, verify_certificate
from erasure.certificates.checking import LARGEST_FILE, Checked, Unreadable, digest_of, read_and_check
from erasure.certificates.finding_texts import UNKNOWN, sentence_of
from erasure.certificates.issued import examine, index_of_issue, issue_entry
from erasure.certificates.models import Certificate, digits_of
from erasure.certificates.pdf import grouped

VERIFIER = Path(verify_certificate.__file__)
# Bytes that a form adds to the file in it: boundaries and headers.
OVERHEAD = 4096


def checked_lines(checked: Checked) -> list[tuple[bool | None, str]]:
    """Return for each finding whether it holds, and its sentence.

    The finding about the key is left out, because these pages always use the installation's own key.
    """
    return [
        (finding.holds, sentence_of(finding)) for finding in checked.findings if finding.code != "key-given"
    ]


@login_not_required
@require_safe
@never_cache
def verify_number(request: HttpRequest, key: str) -> HttpResponse:
    """Show whether a certificate with this number exists and holds, and its figures; no personal data."""
    made = Certificate.objects.numbered(key)
    if made is None:
        gone = issue_entry(number=digits_of(key))
        context = page_context(number=key[:80], gone=gone, restored_at=restore_declared_at())
        return render(request, "erasure/certificates/verify.html", context, status=404)
    found = examine(made)
    lines = [(False, str(one)) for one in found.differences] + checked_lines(found.checked)
    entry = found.proof
    context = page_context(
        number=grouped(made.number), made=made, lines=lines, logged=entry, holds=found.holds
    )
    if found.holds:
        statement = made.statement
        context |= {
            "root": short_digest(bytes(entry.checkpoint.root).hex()) if entry.checkpoint else "",
            "outcome": summary.outcome(statement),
            "figures": summary.figures(statement),
            "remarks": summary.remarks(statement),
            "looked": summary.verification_words(statement),
        }
    return render(request, "erasure/certificates/verify.html", context)


# CSRF protection is not needed: the view changes nothing and has no user. Without it the request body is
# still unread, so that `sent_content` can set the upload handler.
@csrf_exempt
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def verify(request: HttpRequest) -> HttpResponse:
    """Show the form: a number to look up, or a certificate to check. What is sent is not stored."""
    if request.method != "POST":
        if number := re.sub(r"[^0-9a-z]", "", request.GET.get("number", "").lower())[:64]:
            return redirect("erasure:verify-number", key=number)
        return render(request, "erasure/certificates/verify.html", page_context())
    context, status = page_context(sent=True), 200
    try:
        file = sent_content(request)
        digest = digest_of(file)
        checked = read_and_check(file, key_of_certificate(digest))
        lines, holds = checked_lines(checked), checked.holds
        if holds:
            lines.append(issued_line(digest))
            holds = lines[-1][0] is not False
        context |= {"checked": checked, "lines": lines, "holds": holds}
    except (Unreadable, BadRequest) as error:
        context["problem"], status = str(error), 422
    return render(request, "erasure/certificates/verify.html", context, status=status)


def issued_line(digest: str) -> tuple[bool | None, str]:
    """Return whether the log says that a certificate with this digest was issued, and the sentence."""
    index = index_of_issue(digest)
    if index is not None:
        return True, _("That this certificate was issued is entry %(index)d of the log.") % {"index": index}
    if restore_declared_at() is not None:
        return None, _("The log does not show that it was issued. A restored backup lost a part of the log.")
    return False, _("The log does not show that it was issued.")


def sent_content(request: HttpRequest) -> bytes:
    """Return the pasted text or the chosen file. Errors: BadRequest, with a sentence for the page."""
    too_large = _("This is larger than any certificate.")
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_FILE + OVERHEAD:
            raise BadRequest(too_large)
        request.upload_handlers = [MemoryFileUploadHandler(request)]
        text, file = request.POST.get("text", ""), request.FILES.get("file")
    except (RequestDataTooBig, TooManyFieldsSent) as error:
        raise BadRequest(too_large) from error
    except (MultiPartParserError, ValueError, UnicodeError) as error:
        raise BadRequest(_("This could not be read.")) from error
    content = file.read() if file else text.strip().encode(errors="replace")
    if not content:
        raise BadRequest(_("Paste a certificate, or choose its file."))
    return content


@login_not_required
@require_safe
def verifier(request: HttpRequest) -> HttpResponse:
    """Return the program that checks certificates offline: the bytes of this repository's file."""
    headers = {"Content-Disposition": f'attachment; filename="{VERIFIER.name}"'}
    return HttpResponse(VERIFIER.read_bytes(), content_type="text/x-python; charset=utf-8", headers=headers)


@login_not_required
@require_safe
def key(request: HttpRequest) -> HttpResponse:
    """Return the public key in the C2SP format.

    It is to be compared with what the clinic publishes elsewhere.
    """
    return HttpResponse(f"{verifier_key()}\n", content_type="text/plain; charset=utf-8")


def page_context(**context: Any) -> dict[str, Any]:
    """Return the template context of all these pages, with `context` added."""
    former = [verifier_key(one.key) for one in former_keys()]
    return {"verifier_key": verifier_key(), "former_keys": former, "unknown": UNKNOWN.values(), **context}
