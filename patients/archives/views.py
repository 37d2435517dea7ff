"""The page on which a patient asks for everything that is held about them."""

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from clinic.audit.record import Act, actor_of, record
from clinic.http.requests import request_user
from clinic.http.streaming import stream
from patients.archives.everything import everything_about, zip_everything
from patients.archives.forms import TakeForm


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters()
def everything(request: HttpRequest) -> HttpResponseBase:
    """Say what the archive has in it. A POST with the passphrase sends it, encrypted with its words."""
    person = request_user(request)
    form = TakeForm(request.POST) if request.method == "POST" else TakeForm()
    if not form.is_bound or not form.is_proven(person):
        status = 422 if form.is_bound else 200
        return render(request, "patients/archives/everything.html", {"form": form}, status=status)
    contents = everything_about(person)
    details = {"files": len(contents.files), "sections": len(contents.sections)}
    with transaction.atomic():
        record(Act("archive.everything", f"user:{person.pk}", actor=actor_of(person), details=details))
    chunks = zip_everything(contents, form.cleaned_data["seal"])
    return stream(chunks, content_type="application/zip", filename="lacuna-everything.zip")
