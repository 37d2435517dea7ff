"""E9: the installation notices certificates that were swapped, changed, removed, or never issued."""

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from clinic.accounts.models import Role
from clinic.audit import triggers
from clinic.audit.checkpoints import checkpoint, sign
from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from erasure.certificates.issued import index_of_issue
from erasure.certificates.models import Certificate
from erasure.certificates.pdf import certificate_file
from erasure.jobs.certifying import certify
from erasure.jobs.supervisor import certify_finished
from erasure.runs.models import Run
from tests.clinic.audit.plugin import unguarded
from tests.erasure.certificates.proofs import make_ended
from tests.factories import make_run, make_user
from tests.snapshots import snapshotted

pytestmark = pytest.mark.django_db(transaction=True)

FORMS = ("certificate-json", "certificate-statement", "certificate-signature", "certificate-pdf")
FIELDS = ("body", "signature", "digest", "issued_at")


def make_two() -> Run:
    """Make certified runs of two patients; return the first."""
    run = make_ended(name="Joel Barish", memories=1)
    make_ended(name="Howard Mierzwiak", memories=1)
    return run


run_of_two = snapshotted(make_two)


@pytest.fixture(autouse=True)
def log_triggers() -> None:
    """Install the triggers with which the database refuses changes of the log."""
    triggers.install(connection)


def two_certificates() -> tuple[Certificate, Certificate]:
    first = Certificate.objects.get(run=run_of_two())
    return first, Certificate.objects.exclude(pk=first.pk).get()


def problems() -> list[str]:
    return verify_log().problems


def page(client: Client, run: object) -> str:
    client.force_login(make_user(Role.DOCTOR))
    answer = client.get(reverse("erasure:certificate", args=[run]))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def public(client: Client, number: str) -> str:
    return " ".join(client.get(f"/v/{number}/").content.decode().split())


def check_refused(client: Client, certificate: Certificate, *sentences: str) -> None:
    """Assert that the page shows `sentences` and no stored data, and that no file is served or recorded."""
    shown = page(client, certificate.run_id)
    assert "This certificate does not hold." in shown
    assert [sentence for sentence in sentences if sentence not in shown] == []
    assert "Joel Barish" not in shown
    assert "Howard" not in shown
    urls = [reverse(f"erasure:{form}", args=[certificate.run_id]) for form in FORMS]
    assert [url for url in urls if url in shown] == []
    size = Entry.objects.count()
    answers = [client.get(url) for url in urls]
    assert [answer.status_code for answer in answers] == [409] * 4
    assert all("This certificate does not hold." in answer.content.decode() for answer in answers)
    assert Entry.objects.count() == size


def test_e9_unchanged_certificates_hold(client: Client) -> None:
    for certificate in two_certificates():
        assert "they hold." in page(client, certificate.run_id)
        assert "This certificate holds." in public(client, certificate.number)
        assert client.get(reverse("erasure:certificate-pdf", args=[certificate.run_id])).status_code == 200
    assert problems() == []


@pytest.mark.parametrize(
    "fields", [FIELDS, ("body", "signature", "digest"), ("body", "signature"), *((name,) for name in FIELDS)]
)
def test_e9_swapped_fields_of_two_certificates_are_noticed(client: Client, fields: tuple[str, ...]) -> None:
    """Also with all fields swapped. Then each of the two has a valid signature of its own."""
    first, second = two_certificates()
    if fields == ("issued_at",):  # both may have been issued in the same second
        for hours, certificate in enumerate((first, second), start=1):
            Certificate.objects.filter(pk=certificate.pk).update(
                issued_at=certificate.issued_at + timedelta(hours=hours)
            )
            certificate.refresh_from_db()
    values = {
        certificate.pk: {name: getattr(certificate, name) for name in fields}
        for certificate in (first, second)
    }
    if "digest" in fields:  # it is unique, so the first row gives its own up before the second takes it
        Certificate.objects.filter(pk=first.pk).update(digest="0" * 64)
    Certificate.objects.filter(pk=second.pk).update(**values[first.pk])
    Certificate.objects.filter(pk=first.pk).update(**values[second.pk])
    found = problems()
    assert [text for text in found if text.startswith(f"Certificate {first.pk}: ")]
    assert [text for text in found if text.startswith(f"Certificate {second.pk}: ")]
    for certificate in Certificate.objects.all():
        check_refused(client, certificate)
        assert "This certificate does not hold." in public(client, certificate.number)


def test_e9_swapped_runs_of_two_certificates_are_noticed(client: Client) -> None:
    """The certificates are unchanged; only their runs were exchanged."""
    first, second = two_certificates()
    with connection.constraint_checks_disabled():
        spare = make_run(memories=1)
        Certificate.objects.filter(pk=first.pk).update(run=spare)
        Certificate.objects.filter(pk=second.pk).update(run=first.run_id)
        Certificate.objects.filter(pk=first.pk).update(run=second.run_id)
    sentence = "It is the certificate of another night than the one under which it is stored."
    assert sum(text.endswith(sentence) for text in problems()) == 2
    for certificate in Certificate.objects.all():
        check_refused(client, certificate, sentence)
        assert sentence in public(client, certificate.number)
        assert f"Certificate {certificate.pk}: {sentence}" in problems()


def replace_text(certificate: Certificate, body: str) -> None:
    """Replace a certificate's text, with a valid signature and digest for the new text."""
    digest = hashlib.sha256(body.encode()).hexdigest()
    signature = base64.b64encode(sign(body.encode())).decode()
    Certificate.objects.filter(pk=certificate.pk).update(body=body, signature=signature, digest=digest)


def test_e9_another_text_with_a_valid_signature_is_noticed(client: Client) -> None:
    certificate, _other = two_certificates()
    replace_text(certificate, certificate.body.replace('"place":"clinic"', '"place":"home"'))
    number = certificate.number
    certificate.refresh_from_db()
    assert certificate.number != number
    entry = Entry.objects.get(action="certificate.issued", subject=f"certificate:{certificate.pk}")
    sentence = f"What it says is not what the log says was issued for this night (entry {entry.index})."
    check_refused(client, certificate, sentence)
    assert sentence in public(client, certificate.number)
    assert f"One was issued here: that is entry {entry.index} of the log." in public(client, number)
    assert f"Certificate {certificate.pk}: {sentence}" in problems()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("body", "{}"),
        ("body", "no JSON"),
        ("body", ""),
        ("signature", ""),
        ("signature", "é"),
        ("signature", base64.b64encode(bytes(64)).decode()),
        ("digest", "0" * 64),
    ],
)
def test_e9_a_changed_field_is_noticed(client: Client, field: str, value: str) -> None:
    certificate, other = two_certificates()
    Certificate.objects.filter(pk=certificate.pk).update(**{field: value})
    certificate.refresh_from_db()
    check_refused(client, certificate)
    assert "This certificate does not hold." in public(client, certificate.number)
    found = problems()
    assert found
    assert all(text.startswith(f"Certificate {certificate.pk}: ") for text in found)
    assert "they hold." in page(client, other.run_id)


def test_e9_a_changed_time_of_issue_is_noticed(client: Client) -> None:
    certificate, _other = two_certificates()
    Certificate.objects.filter(pk=certificate.pk).update(issued_at=certificate.issued_at - timedelta(days=1))
    sentence = "The time of issue stored with it is not the one that it states."
    check_refused(client, certificate, sentence)
    assert problems() == [f"Certificate {certificate.pk}: {sentence}"]


def test_e9_the_audit_page_says_that_the_log_is_whole_and_what_is_stored_is_not(client: Client) -> None:
    certificate, _other = two_certificates()
    Certificate.objects.filter(pk=certificate.pk).update(signature="")
    client.force_login(make_user(Role.AUDITOR))
    shown = client.post(reverse("audit-verify")).content.decode()
    assert "The log is whole, and what is stored is not as it says." in shown
    assert "The log is not whole." not in shown
    assert f"Certificate {certificate.pk}: " in shown
    assert Entry.objects.filter(action="audit.broken", details__problems=1).exists()


def test_e9_a_removed_certificate_is_noticed_and_not_issued_again(client: Client) -> None:
    certificate, _other = two_certificates()
    run, number, pk = certificate.run_id, certificate.number, certificate.pk
    certificate.delete()
    entry = Entry.objects.get(action="certificate.issued", subject=f"certificate:{pk}")
    sentence = f"The log says that it was issued (entry {entry.index}), and it is no longer here."
    assert problems() == [f"Certificate {pk}: {sentence}"]
    out = StringIO()
    with pytest.raises(CommandError, match="is not as it says: 1 problem") as caught:
        call_command("verify_audit", stdout=out)
    assert caught.value.returncode == 1
    assert f"Problem: Certificate {pk}: {sentence}" in out.getvalue()
    assert sentence in page(client, run)
    assert client.get(reverse("erasure:certificate-json", args=[run])).status_code == 409
    assert f"One was issued here: that is entry {entry.index} of the log." in public(client, number)
    assert not certify(run)
    assert certify_finished() == 0
    assert not Certificate.objects.filter(run=run).exists()


def never_issued() -> Certificate:
    """A validly signed certificate of a run for which none was issued."""
    certificate, _other = two_certificates()
    run = make_run(memories=1)
    body = certificate.body.replace(str(certificate.run_id), str(run.pk))
    extra = Certificate.objects.create(
        run=run,
        body=body,
        digest=hashlib.sha256(body.encode()).hexdigest(),
        signature=base64.b64encode(sign(body.encode())).decode(),
        issued_at=certificate.issued_at,
    )
    checkpoint("test")
    return extra


def test_e9_an_extra_certificate_that_was_never_issued_is_noticed(client: Client) -> None:
    extra = never_issued()
    sentence = "The log has no entry that this certificate was issued."
    check_refused(client, extra, sentence)
    assert sentence in public(client, extra.number)
    assert f"Certificate {extra.pk}: {sentence}" in problems()


def test_e9_a_pasted_certificate_that_was_never_issued_does_not_hold(client: Client) -> None:
    certificate, _other = two_certificates()
    answer = client.post("/v/", {"text": certificate_file(certificate)})
    entry = Entry.objects.get(action="certificate.issued", subject=f"certificate:{certificate.pk}")
    assert f"That this certificate was issued is entry {entry.index} of the log." in answer.content.decode()
    replace_text(certificate, certificate.body.replace('"place":"clinic"', '"place":"home"'))
    certificate.refresh_from_db()
    shown = client.post("/v/", {"text": certificate_file(certificate)}).content.decode()
    assert "This certificate does not hold." in shown
    assert "The log does not show that it was issued." in shown


def test_e9_an_entry_inserted_before_the_first_proves_no_issue() -> None:
    certificate, _other = two_certificates()
    entry = Entry.objects.get(action="certificate.issued", subject=f"certificate:{certificate.pk}")
    entry.index, entry.details = -1, {**entry.details, "digest": "ab" * 32}
    with unguarded(connection):
        entry.save(force_insert=True)
    assert index_of_issue("ab" * 32) is None
    assert index_of_issue(certificate.digest) is not None


def change_details(entry: Entry) -> None:
    entry.details = {**entry.details, "digest": "0" * 64}


def change_run(entry: Entry) -> None:
    entry.run = None


def change_shape(entry: Entry) -> None:
    entry.details = []


@pytest.mark.parametrize("change", [change_details, change_run, change_shape])
def test_e9_a_changed_entry_of_the_issue_is_noticed(client: Client, change: Callable[[Entry], None]) -> None:
    certificate, _other = two_certificates()
    entry = Entry.objects.get(action="certificate.issued", subject=f"certificate:{certificate.pk}")
    change(entry)
    with unguarded(connection):
        entry.save()
    check_refused(client, certificate)
    assert "This certificate does not hold." in public(client, certificate.number)
    assert any(text.startswith(f"Entry {entry.index} was changed: ") for text in problems())
    assert any(text.startswith(f"Certificate {certificate.pk}: ") for text in problems())


def test_e9_a_second_entry_for_the_same_run_is_noticed(client: Client) -> None:
    certificate, other = two_certificates()
    entry = Entry.objects.get(action="certificate.issued", subject=f"certificate:{other.pk}")
    entry.run = certificate.run_id
    with unguarded(connection):
        entry.save()
    sentence = f"The log says that another certificate of this night was issued too (entry {entry.index})."
    check_refused(client, certificate, sentence)
    assert f"Certificate {certificate.pk}: {sentence}" in problems()
