"""The public page: it shows nothing personal, stores nothing, and no input breaks it."""

import json
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from clinic.audit import triggers
from clinic.audit.checkpoints import checkpoint, verifier_key
from clinic.audit.models import Checkpoint, Entry
from erasure.certificates import issuing
from erasure.certificates import verify_certificate as offline
from erasure.certificates.checking import LARGEST_FILE
from erasure.certificates.finding_texts import SENTENCES, UNKNOWN
from erasure.certificates.issuing import sign_unsigned
from erasure.certificates.models import Certificate
from erasure.certificates.pdf import certificate_file
from erasure.operations.supervisor_loop import Supervision
from patients.cases.models import Case
from tests.clinic.audit.plugin import unguarded
from tests.erasure.certificates.proofs import ended_run, make_ended, stopped_run, with_changed_fields
from tests.erasure.certificates.test_verify_certificate import HOSTILE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stranger() -> Client:
    """A visitor who is not signed in and sends no CSRF token."""
    return Client(enforce_csrf_checks=True)


def text(content: bytes) -> str:
    return " ".join(strip_tags(content.decode()).split())


def test_the_page_says_what_holds_and_nothing_personal(stranger: Client) -> None:
    run = ended_run(kept=True)
    certificate = Certificate.objects.get(run=run)
    answer = stranger.get(f"/v/{certificate.number}/")
    assert answer.status_code == 200
    shown = text(answer.content)
    assert "This certificate holds." in shown
    assert "Outcome partial" in shown
    assert "Memories destroyed 1" in shown
    assert "Kept during the night 1" in shown
    assert "Looked at afterwards clean" in shown
    entry = Entry.objects.get(action="certificate.issued")
    over_issue = Checkpoint.objects.get(reason="certificate-issued")
    assert (
        f"is entry {entry.index} of the log, under a signed checkpoint over {over_issue.size} entries"
        in shown
    )
    case = run.procedure.case
    statement = certificate.statement
    secrets = [
        *("Joel", "Barish", "Clementine", "Zanzibar", case.reference, str(case.pk), str(run.pk)),
        *(person["name"] for person in statement["team"]),
        *(str(step.pk) for step in run.steps.all()),
        *(statement[name] for name in ("started", "finished", "issued")),
    ]
    page = answer.content.decode()
    assert [secret for secret in secrets if secret in page] == []
    assert "no-store" in answer["Cache-Control"]


def test_a_stopped_run_is_shown_as_stopped(stranger: Client) -> None:
    certificate = Certificate.objects.get(run=stopped_run())
    shown = text(stranger.get(f"/v/{certificate.digest}/").content)
    assert "This certificate holds." in shown
    assert "Outcome stopped, the night was aborted" in shown
    assert "1 memory stayed, but not whole: it had begun to fade." in shown


def test_the_number_may_be_typed_as_it_is_printed(stranger: Client) -> None:
    certificate = Certificate.objects.get(run=ended_run())
    typed = f" {certificate.number[:4]} {certificate.number[4:].upper()}"
    answer = stranger.get("/v/", {"number": typed}, follow=True)
    assert answer.redirect_chain == [(f"/v/{certificate.number}/", 302)]
    assert "This certificate holds." in text(answer.content)


@pytest.mark.both_databases
@pytest.mark.parametrize("number", ["0" * 24, "x", "%", "../..", "a" * 5000, "é", "<b>", "/v/", "\0"])
def test_a_string_that_is_no_number_finds_nothing(stranger: Client, number: str) -> None:
    answer = stranger.get("/v/", {"number": number}, follow=True)
    assert answer.status_code in {200, 404}
    assert b"This certificate holds." not in answer.content


def test_a_certificate_changed_in_the_database_does_not_hold(stranger: Client) -> None:
    certificate = Certificate.objects.get(run=ended_run())
    Certificate.objects.filter(pk=certificate.pk).update(
        body=certificate.body.replace("complete", "stopped", 1)
    )
    shown = text(stranger.get(f"/v/{certificate.number}/").content)
    assert "This certificate does not hold." in shown


def test_a_certificate_does_not_hold_if_the_log_was_changed(stranger: Client) -> None:
    certificate = Certificate.objects.get(run=ended_run())
    triggers.install(connection)
    with unguarded(connection):
        Entry.objects.filter(action="certificate.issued").update(reason="because")
    shown = text(stranger.get(f"/v/{certificate.number}/").content)
    assert "This certificate does not hold." in shown
    assert "The log does not show that it was issued." in shown


@pytest.mark.both_databases
def test_after_a_crash_the_second_checkpoint_is_made_later(
    stranger: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checkpoint_and_die(reason: str) -> Checkpoint:
        if reason == "certificate-issued":
            raise KeyboardInterrupt
        return checkpoint(reason)

    with monkeypatch.context() as patched:
        patched.setattr(issuing, "checkpoint", checkpoint_and_die)
        with pytest.raises(KeyboardInterrupt):
            make_ended()
    certificate = Certificate.objects.get()
    entry = Entry.objects.get(action="certificate.issued")
    shown = text(stranger.get(f"/v/{certificate.number}/").content)
    assert "This certificate holds." in shown
    assert f"Unknown That it was issued is entry {entry.index} of the log. No checkpoint has been" in shown
    Supervision().slow_round()
    shown = text(stranger.get(f"/v/{certificate.number}/").content)
    assert f"is entry {entry.index} of the log, under a signed checkpoint over" in shown
    assert "Unknown That it was issued" not in shown
    assert sign_unsigned() is None


def all_rows() -> list[object]:
    return [list(model.objects.values()) for model in (Entry, Certificate, Case, Checkpoint)]


def test_a_pasted_or_uploaded_certificate_is_checked_and_not_stored(stranger: Client, tmp_path: Path) -> None:
    file = certificate_file(Certificate.objects.get(run=ended_run())).encode()
    before = all_rows()
    stranger.get("/v/")
    with CaptureQueriesContext(connection) as queries:
        pasted = stranger.post("/v/", {"text": f"\n{file.decode()}\n"})
        chosen = stranger.post("/v/", {"file": SimpleUploadedFile("c.json", file), "text": ""})
    for answer in (pasted, chosen):
        assert answer.status_code == 200
        assert "This certificate holds." in text(answer.content)
        assert b"Joel" not in answer.content
    assert all_rows() == before
    assert [query["sql"] for query in queries if not query["sql"].startswith("SELECT")] == []
    forged = stranger.post("/v/", {"text": with_changed_fields(file, outcome="partial").decode()})
    assert "This certificate does not hold." in text(forged.content)
    assert "The signature does NOT belong to this text and this key." in text(forged.content)


@pytest.mark.parametrize("file", HOSTILE, ids=range(len(HOSTILE)))
def test_u6_other_files_are_answered_in_words(stranger: Client, file: bytes) -> None:
    for answer in (
        stranger.post("/v/", {"file": SimpleUploadedFile("c.json", file)}),
        stranger.post("/v/", {"text": file.decode(errors="replace")}),
    ):
        assert answer.status_code == 422
        assert "This cannot be checked." in text(answer.content)


@pytest.mark.parametrize(
    ("body", "media_type", "sentence"),
    [
        (b"x" * (LARGEST_FILE + 5000), "application/json", "larger than any certificate"),
        (
            b"text=" + b"x" * (LARGEST_FILE + 5000),
            "application/x-www-form-urlencoded",
            "larger than any certificate",
        ),
        (b"nonsense", "multipart/form-data; boundary=x", "Paste a certificate, or choose its file."),
        (b"nonsense", "multipart/form-data", "This could not be read."),
        (
            b"&".join(b"a=1" for _ in range(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1)),
            "application/x-www-form-urlencoded",
            "larger than any certificate",
        ),
        (b"text=%ff%00", "application/x-www-form-urlencoded; charset=nonsense", ""),
        (b"", "text/plain", "Paste a certificate, or choose its file."),
    ],
)
def test_u6_a_body_of_any_shape_is_answered_in_words(
    stranger: Client, body: bytes, media_type: str, sentence: str
) -> None:
    answer = stranger.generic("POST", "/v/", body, content_type=media_type)
    assert answer.status_code == 422
    shown = text(answer.content)
    assert "This cannot be checked." in shown
    assert sentence in shown


def test_the_page_shows_the_verifier_key(stranger: Client) -> None:
    ended_run()
    assert verifier_key() in stranger.get("/v/").content.decode().replace("&#x2B;", "+")


def test_every_sentence_of_the_verifier_has_a_translation() -> None:
    assert {code: str(words) for code, words in SENTENCES.items()} == offline.SENTENCES
    assert {code: str(words) for code, words in UNKNOWN.items()} == offline.UNKNOWN


def test_an_unsigned_statement_is_no_certificate(stranger: Client) -> None:
    body = json.loads(certificate_file(Certificate.objects.get(run=ended_run())))["statement"]
    assert stranger.post("/v/", {"text": body}).status_code == 422
