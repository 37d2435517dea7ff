"""E9: certificates swapped, changed, removed or never issued, inside the installation."""

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
from tests.snapshots import begin_with

pytestmark = pytest.mark.django_db(transaction=True)

FORMS = ("certificate-json", "certificate-statement", "certificate-signature", "certificate-pdf")
FIELDS = ("body", "signature", "digest", "issued_at")


def make_two() -> Run:
    """Two certified nights of two patients; return the first."""
    run = make_ended(name="Joel Barish", memories=1)
    make_ended(name="Howard Mierzwiak", memories=1)
    return run


two = begin_with(make_two)


@pytest.fixture(autouse=True)
def guarded() -> None:
    triggers.install(connection)


def pair() -> tuple[Certificate, Certificate]:
    first = Certificate.objects.get(run=two())
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


def refused(client: Client, made: Certificate, *sentences: str) -> None:
    """The page shows what was found and nothing of what is stored; no file is given; nothing is recorded."""
    shown = page(client, made.run_id)
    assert "This certificate does not hold." in shown
    assert [sentence for sentence in sentences if sentence not in shown] == []
    assert "Joel Barish" not in shown
    assert "Howard" not in shown
    urls = [reverse(f"erasure:{form}", args=[made.run_id]) for form in FORMS]
    assert [url for url in urls if url in shown] == []
    size = Entry.objects.count()
    answers = [client.get(url) for url in urls]
    assert [answer.status_code for answer in answers] == [409] * 4
    assert all("This certificate does not hold." in answer.content.decode() for answer in answers)
    assert Entry.objects.count() == size


def test_e9_certificates_that_nobody_touched_hold(client: Client) -> None:
    for made in pair():
        assert "they hold." in page(client, made.run_id)
        assert "This certificate holds." in public(client, made.number)
        assert client.get(reverse("erasure:certificate-pdf", args=[made.run_id])).status_code == 200
    assert problems() == []


@pytest.mark.parametrize(
    "fields", [FIELDS, ("body", "signature", "digest"), ("body", "signature"), *((name,) for name in FIELDS)]
)
def test_e9_swapped_fields_of_two_certificates(client: Client, fields: tuple[str, ...]) -> None:
    """Also with every field, so that each of the two proves itself."""
    first, second = pair()
    if fields == ("issued_at",):  # both were issued in the same second, perhaps
        for hours, made in enumerate((first, second), start=1):
            Certificate.objects.filter(pk=made.pk).update(issued_at=made.issued_at + timedelta(hours=hours))
            made.refresh_from_db()
    values = {made.pk: {name: getattr(made, name) for name in fields} for made in (first, second)}
    Certificate.objects.filter(pk=first.pk).update(**dict.fromkeys({"digest"} & set(fields), "0" * 64))
    Certificate.objects.filter(pk=second.pk).update(**values[first.pk])
    Certificate.objects.filter(pk=first.pk).update(**values[second.pk])
    found = problems()
    assert [text for text in found if text.startswith(f"Certificate {first.pk}: ")]
    assert [text for text in found if text.startswith(f"Certificate {second.pk}: ")]
    for made in Certificate.objects.all():
        refused(client, made)
        assert "This certificate does not hold." in public(client, made.number)


def test_e9_swapped_nights(client: Client) -> None:
    """The rows are whole; only which night each is said to be of was exchanged."""
    first, second = pair()
    with connection.constraint_checks_disabled():
        spare = make_run(memories=1)
        Certificate.objects.filter(pk=first.pk).update(run=spare)
        Certificate.objects.filter(pk=second.pk).update(run=first.run_id)
        Certificate.objects.filter(pk=first.pk).update(run=second.run_id)
    sentence = "It is the certificate of another night than the one under which it is stored."
    assert sum(text.endswith(sentence) for text in problems()) == 2
    for made in Certificate.objects.all():
        refused(client, made, sentence)
        assert sentence in public(client, made.number)
        assert f"Certificate {made.pk}: {sentence}" in problems()


def sign_anew(made: Certificate, body: str) -> None:
    """Store another text, with a signature that is right and the digest that belongs to it."""
    digest = hashlib.sha256(body.encode()).hexdigest()
    signature = base64.b64encode(sign(body.encode())).decode()
    Certificate.objects.filter(pk=made.pk).update(body=body, signature=signature, digest=digest)


def test_e9_another_text_rightly_signed(client: Client) -> None:
    made, _other = pair()
    sign_anew(made, made.body.replace('"place":"clinic"', '"place":"home"'))
    number = made.number
    made.refresh_from_db()
    assert made.number != number
    entry = Entry.objects.get(action="certificate.issued", subject=f"certificate:{made.pk}")
    sentence = f"What it says is not what the log says was issued for this night (entry {entry.index})."
    refused(client, made, sentence)
    assert sentence in public(client, made.number)
    assert f"One was issued here: that is entry {entry.index} of the log." in public(client, number)
    assert f"Certificate {made.pk}: {sentence}" in problems()


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
def test_e9_a_changed_field(client: Client, field: str, value: str) -> None:
    made, other = pair()
    Certificate.objects.filter(pk=made.pk).update(**{field: value})
    made.refresh_from_db()
    refused(client, made)
    assert "This certificate does not hold." in public(client, made.number)
    found = problems()
    assert found
    assert all(text.startswith(f"Certificate {made.pk}: ") for text in found)
    assert "they hold." in page(client, other.run_id)


def test_e9_a_changed_time_of_issue(client: Client) -> None:
    made, _other = pair()
    Certificate.objects.filter(pk=made.pk).update(issued_at=made.issued_at - timedelta(days=1))
    sentence = "The time of issue stored with it is not the one that it states."
    refused(client, made, sentence)
    assert problems() == [f"Certificate {made.pk}: {sentence}"]


def test_e9_the_audit_page_says_that_the_log_is_whole_and_what_is_stored_is_not(client: Client) -> None:
    made, _other = pair()
    Certificate.objects.filter(pk=made.pk).update(signature="")
    client.force_login(make_user(Role.AUDITOR))
    shown = client.post(reverse("audit-verify")).content.decode()
    assert "The log is whole, and what is stored is not as it says." in shown
    assert "The log is not whole." not in shown
    assert f"Certificate {made.pk}: " in shown
    assert Entry.objects.filter(action="audit.broken", details__problems=1).exists()


def test_e9_a_removed_one_is_missed_and_not_issued_again(client: Client) -> None:
    made, _other = pair()
    run, number, pk = made.run_id, made.number, made.pk
    made.delete()
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
    """A certificate of a night that has none, rightly signed."""
    made, _other = pair()
    run = make_run(memories=1)
    body = made.body.replace(str(made.run_id), str(run.pk))
    extra = Certificate.objects.create(
        run=run,
        body=body,
        digest=hashlib.sha256(body.encode()).hexdigest(),
        signature=base64.b64encode(sign(body.encode())).decode(),
        issued_at=made.issued_at,
    )
    checkpoint("test")
    return extra


def test_e9_an_extra_one_never_issued(client: Client) -> None:
    extra = never_issued()
    sentence = "The log has no entry that this certificate was issued."
    refused(client, extra, sentence)
    assert sentence in public(client, extra.number)
    assert f"Certificate {extra.pk}: {sentence}" in problems()


def test_e9_a_pasted_one_that_was_never_issued(client: Client) -> None:
    made, _other = pair()
    answer = client.post("/v/", {"text": certificate_file(made)})
    entry = Entry.objects.get(action="certificate.issued", subject=f"certificate:{made.pk}")
    assert f"That this certificate was issued is entry {entry.index} of the log." in answer.content.decode()
    sign_anew(made, made.body.replace('"place":"clinic"', '"place":"home"'))
    made.refresh_from_db()
    shown = client.post("/v/", {"text": certificate_file(made)}).content.decode()
    assert "This certificate does not hold." in shown
    assert "The log does not show that it was issued." in shown


def test_e9_an_entry_slipped_in_before_the_first_proves_no_issue() -> None:
    made, _other = pair()
    entry = Entry.objects.get(action="certificate.issued", subject=f"certificate:{made.pk}")
    entry.index, entry.details = -1, {**entry.details, "digest": "ab" * 32}
    with unguarded(connection):
        entry.save(force_insert=True)
    assert index_of_issue("ab" * 32) is None
    assert index_of_issue(made.digest) is not None


def change_details(entry: Entry) -> None:
    entry.details = {**entry.details, "digest": "0" * 64}


def change_run(entry: Entry) -> None:
    entry.run = None


def change_shape(entry: Entry) -> None:
    entry.details = []


@pytest.mark.parametrize("change", [change_details, change_run, change_shape])
def test_e9_the_entry_changed_instead(client: Client, change: Callable[[Entry], None]) -> None:
    made, _other = pair()
    entry = Entry.objects.get(action="certificate.issued", subject=f"certificate:{made.pk}")
    change(entry)
    with unguarded(connection):
        entry.save()
    refused(client, made)
    assert "This certificate does not hold." in public(client, made.number)
    assert any(text.startswith(f"Entry {entry.index} was changed: ") for text in problems())
    assert any(text.startswith(f"Certificate {made.pk}: ") for text in problems())


def test_e9_a_second_entry_for_the_same_night(client: Client) -> None:
    made, other = pair()
    entry = Entry.objects.get(action="certificate.issued", subject=f"certificate:{other.pk}")
    entry.run = made.run_id
    with unguarded(connection):
        entry.save()
    sentence = f"The log says that another certificate of this night was issued too (entry {entry.index})."
    refused(client, made, sentence)
    assert f"Certificate {made.pk}: {sentence}" in problems()
