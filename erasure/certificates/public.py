"""The pages that a stranger checks a certificate with: no sign-in, nothing personal, nothing kept."""

import re
from dataclasses import dataclass
from datetime import datetime
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

from clinic.audit.canonical import leaf_of
from clinic.audit.checkpoints import verifier_key
from clinic.audit.keyring import former_keys, key_of_certificate
from clinic.audit.merkle import verify_inclusion
from clinic.audit.models import Checkpoint, Entry
from clinic.audit.proofs import tree_of
from clinic.oversight.entry_texts import grouped as beginning
from erasure.certificates import summary, verify_certificate
from erasure.certificates.checking import LARGEST_FILE, Checked, Unreadable, check, digest_of, read_and_check
from erasure.certificates.finding_texts import UNKNOWN, told
from erasure.certificates.models import Certificate
from erasure.certificates.pdf import grouped

VERIFIER = Path(verify_certificate.__file__)
# Boundaries and headers of a form around the file.
OVERHEAD = 4096


def checked_lines(checked: Checked) -> list[tuple[bool | None, str]]:
    """What was checked, as lines of a page: whether it holds, and the sentence. The key is ours here."""
    return [(finding.holds, told(finding)) for finding in checked.findings if finding.code != "key-given"]


@dataclass(frozen=True)
class Logged:
    """How it stands with the log's entry that a certificate was issued.

    `holds` is None while the entry is there and no checkpoint was signed over it yet: the house was stopped
    between the two, and signs one when it is open again (`issuing.sign_unsigned`).
    """

    holds: bool | None
    entry: Entry | None = None
    checkpoint: Checkpoint | None = None


def logged(made: Certificate) -> Logged:
    """Find the log's entry that this certificate was issued, and prove it to lie under a checkpoint.

    The proof is made and checked here, from the stored log.
    """
    issued = Entry.objects.filter(action="certificate.issued", subject=f"certificate:{made.pk}")
    entry = issued.order_by("index").first()
    if entry is None or entry.details.get("digest") != made.digest:
        return Logged(False)
    signed = Checkpoint.objects.filter(size__gt=entry.index).order_by("size", "pk").first()
    if signed is None:
        return Logged(None, entry)
    root = bytes(signed.root)
    try:
        path = tree_of(signed.size, root).inclusion(entry.index, signed.size)
    except LookupError:
        return Logged(False)
    held = verify_inclusion(leaf_of(entry), entry.index, signed.size, path, root)
    return Logged(True, entry, signed) if held else Logged(False)


def restored_at() -> datetime | None:
    """When an end of the log was last declared lost to a restore: certificates may have gone with it."""
    declared = Entry.objects.filter(action="audit.restored").order_by("-index")
    return declared.values_list("at", flat=True).first()


@login_not_required
@require_safe
@never_cache
def verify_number(request: HttpRequest, key: str) -> HttpResponse:
    """Whether a certificate of this number exists, and whether it holds; what it counts, and of nobody."""
    made = Certificate.objects.numbered(key)
    if made is None:
        context = page(number=key[:80], restored_at=restored_at())
        return render(request, "erasure/certificates/verify.html", context, status=404)
    checked = check(made.body.encode(), made.signature, key_of_certificate(made.digest))
    statement, found = made.statement, logged(made)
    context = page(
        number=grouped(made.number),
        made=made,
        checked=checked,
        lines=checked_lines(checked),
        logged=found,
        root=beginning(bytes(found.checkpoint.root).hex()) if found.checkpoint else "",
        holds=checked.holds and found.holds is not False,
        outcome=summary.outcome(statement),
        figures=summary.figures(statement),
        remarks=summary.remarks(statement),
        looked=summary.verified(statement),
    )
    return render(request, "erasure/certificates/verify.html", context)


@csrf_exempt  # it changes nothing and asks nobody who they are; and so the file can be read here, in memory
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def verify(request: HttpRequest) -> HttpResponse:
    """The form: a number to look up, or a certificate to check. What is sent is kept nowhere."""
    if request.method != "POST":
        if number := re.sub(r"[^0-9a-z]", "", request.GET.get("number", "").lower())[:64]:
            return redirect("erasure:verify-number", key=number)
        return render(request, "erasure/certificates/verify.html", page())
    context, status = page(sent=True), 200
    try:
        file = sent(request)
        checked = read_and_check(file, key_of_certificate(digest_of(file)))
        context |= {"checked": checked, "lines": checked_lines(checked), "holds": checked.holds}
    except (Unreadable, BadRequest) as error:
        context["problem"], status = str(error), 422
    return render(request, "erasure/certificates/verify.html", context, status=status)


def sent(request: HttpRequest) -> bytes:
    """Return what was pasted or chosen. Errors: BadRequest, in a sentence, for too much or nothing."""
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
    """The program that checks certificates offline: the bytes of the repository's own file."""
    headers = {"Content-Disposition": f'attachment; filename="{VERIFIER.name}"'}
    return HttpResponse(VERIFIER.read_bytes(), content_type="text/x-python; charset=utf-8", headers=headers)


@login_not_required
@require_safe
def key(request: HttpRequest) -> HttpResponse:
    """The public key, as C2SP writes it; compare it with what the clinic says elsewhere."""
    return HttpResponse(f"{verifier_key()}\n", content_type="text/plain; charset=utf-8")


def page(**context: Any) -> dict[str, Any]:
    """The context that every answer shares."""
    former = [verifier_key(one.key) for one in former_keys()]
    return {"verifier_key": verifier_key(), "former_keys": former, "unknown": UNKNOWN.values(), **context}
