"""Helpers for tests of the page for the bed: browsers with its token, and nights."""

from django.conf import settings
from django.test import Client
from django.urls import reverse

from clinic.accounts.models import User
from erasure.bedside.tokens import cookie_name
from erasure.procedures.models import Procedure

BACKEND = settings.AUTHENTICATION_BACKENDS[0]


def signed_in(user: User, **options: object) -> Client:
    """A browser in which `user` is signed in."""
    client = Client(**options)
    client.force_login(user, backend=BACKEND)
    return client


def bed_url(procedure: Procedure, name: str = "bed") -> str:
    return reverse(f"erasure:{name}", args=[procedure.pk])


def open_bed(procedure: Procedure, client: Client | None = None) -> Client:
    """Open the page for the bed in the patient's browser, and return it. They are still signed in there."""
    client = client or signed_in(procedure.case.patient)
    answer = client.post(bed_url(procedure, "bed-open"))
    assert (answer.status_code, answer["Location"]) == (302, bed_url(procedure))
    assert client.cookies[cookie_name()].value
    return client


def idle_out(client: Client) -> None:
    """Delete the session of a browser, as when it expires after two hours without use."""
    client.session.delete()


def at_the_bed(procedure: Procedure) -> Client:
    """A new browser with a token of the night, in which nobody is signed in any more."""
    client = open_bed(procedure)
    idle_out(client)
    assert client.get("/me/").status_code == 302
    return client


def works(client: Client, procedure: Procedure) -> bool:
    """Whether the page for the bed opens in this browser."""
    status = client.get(bed_url(procedure)).status_code
    assert status in {200, 302}
    return status == 200
