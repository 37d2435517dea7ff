"""A stranger at the public page: nothing personal, nothing kept, and nothing thrown at it breaks it."""

import json
from pathlib import Path

import pytest
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
from tests.erasure.certificates.proofs import changed, ended, make_ended, stopped
from tests.erasure.certificates.test_verify_certificate import HOSTILE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stranger() -> Client:
    """Nobody we know, whose browser sends no token either."""
    return Client(enforce_csrf_checks=True)


def text(content: bytes) -> str:
    return " ".join(strip_tags(content.decode()).split())


def test_it_says_what_holds_and_of_whom_nothing(stranger: Client) -> None:
    run = ended(kept=True)
    made = Certificate.objects.get(run=run)
    answer = stranger.get(f"/v/{made.number}/")
    assert answer.status_code == 200
    shown = text(answer.content)
    assert "This certificate holds." in shown
    assert "Outcome partial" in shown
    assert "Memories destroyed 1" in shown
    assert "Kept during the night 1" in shown
    assert "Looked at afterwards clean" in shown
    entry = Entry.objects.get(action="certificate.issued")
    signed = Checkpoint.objects.get(reason="certificate-issued")
    assert f"is entry {entry.index} of the log, under a signed checkpoint over {signed.size} entries" in shown
    case = run.procedure.case
    statement = made.statement
    secrets = [
        *("Joel", "Barish", "Clementine", "Zanzibar", case.reference, str(case.pk), str(run.pk)),
        *(person["name"] for person in statement["team"]),
        *(str(step.pk) for step in run.steps.all()),
        *(statement[name] for name in ("started", "finished", "issued")),
    ]
    page = answer.content.decode()
    assert [secret for secret in secrets if secret in page] == []
    assert "no-store" in answer["Cache-Control"]


def test_a_stopped_night_is_told_as_one(stranger: Client) -> None:
    made = Certificate.objects.get(run=stopped())
    shown = text(stranger.get(f"/v/{made.digest}/").content)
    assert "This certificate holds." in shown
    assert "Outcome stopped, the night was aborted" in shown
    assert "1 memory stayed, but not whole: it had begun to fade." in shown


def test_the_number_may_be_typed_as_it_is_printed(stranger: Client) -> None:
    made = Certificate.objects.get(run=ended())
    typed = f" {made.number[:4]} {made.number[4:].upper()}"
    answer = stranger.get("/v/", {"number": typed}, follow=True)
    assert answer.redirect_chain == [(f"/v/{made.number}/", 302)]
    assert "This certificate holds." in text(answer.content)


@pytest.mark.both_databases
@pytest.mark.parametrize("number", ["0" * 24, "x", "%", "../..", "a" * 5000, "é", "<b>", "/v/", "\0"])
def test_a_number_that_is_none(stranger: Client, number: str) -> None:
    answer = stranger.get("/v/", {"number": number}, follow=True)
    assert answer.status_code in {200, 404}
    assert b"This certificate holds." not in answer.content


def test_a_certificate_changed_in_the_database_does_not_hold(stranger: Client) -> None:
    made = Certificate.objects.get(run=ended())
    Certificate.objects.filter(pk=made.pk).update(body=made.body.replace("complete", "stopped", 1))
    shown = text(stranger.get(f"/v/{made.number}/").content)
    assert "This certificate does not hold." in shown


def test_a_log_changed_behind_the_certificate_does_not_hold(stranger: Client) -> None:
    made = Certificate.objects.get(run=ended())
    triggers.install(connection)
    with unguarded(connection):
        Entry.objects.filter(action="certificate.issued").update(reason="because")
    shown = text(stranger.get(f"/v/{made.number}/").content)
    assert "This certificate does not hold." in shown
    assert "The log does not show that it was issued." in shown


@pytest.mark.both_databases
def test_a_certificate_whose_second_checkpoint_a_crash_prevented_waits_for_it(
    stranger: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(reason: str) -> Checkpoint:
        if reason == "certificate-issued":
            raise KeyboardInterrupt
        return checkpoint(reason)

    with monkeypatch.context() as patched:
        patched.setattr(issuing, "checkpoint", dies)
        with pytest.raises(KeyboardInterrupt):
            make_ended()
    made = Certificate.objects.get()
    entry = Entry.objects.get(action="certificate.issued")
    shown = text(stranger.get(f"/v/{made.number}/").content)
    assert "This certificate holds." in shown
    assert f"Unknown That it was issued is entry {entry.index} of the log. No checkpoint has been" in shown
    Supervision().slow_round()
    shown = text(stranger.get(f"/v/{made.number}/").content)
    assert f"is entry {entry.index} of the log, under a signed checkpoint over" in shown
    assert "Unknown That it was issued" not in shown
    assert sign_unsigned() is None


def everything() -> list[object]:
    return [list(model.objects.values()) for model in (Entry, Certificate, Case, Checkpoint)]


def test_a_certificate_can_be_pasted_or_sent_as_a_file_and_is_kept_nowhere(
    stranger: Client, tmp_path: Path
) -> None:
    file = certificate_file(Certificate.objects.get(run=ended())).encode()
    before = everything()
    stranger.get("/v/")
    with CaptureQueriesContext(connection) as queries:
        pasted = stranger.post("/v/", {"text": f"\n{file.decode()}\n"})
        chosen = stranger.post("/v/", {"file": SimpleUploadedFile("c.json", file), "text": ""})
    for answer in (pasted, chosen):
        assert answer.status_code == 200
        assert "This certificate holds." in text(answer.content)
        assert b"Joel" not in answer.content
    assert everything() == before
    assert [query["sql"] for query in queries if not query["sql"].startswith("SELECT")] == []
    forged = stranger.post("/v/", {"text": changed(file, outcome="partial").decode()})
    assert "This certificate does not hold." in text(forged.content)
    assert "The signature does NOT belong to this text and this key." in text(forged.content)


@pytest.mark.parametrize("file", HOSTILE, ids=range(len(HOSTILE)))
def test_u6_what_is_no_certificate_gets_a_sentence(stranger: Client, file: bytes) -> None:
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
            b"&".join(b"a=1" for _ in range(2000)),
            "application/x-www-form-urlencoded",
            "larger than any certificate",
        ),
        (b"text=%ff%00", "application/x-www-form-urlencoded; charset=nonsense", ""),
        (b"", "text/plain", "Paste a certificate, or choose its file."),
    ],
)
def test_u6_a_body_of_any_shape_gets_a_sentence(
    stranger: Client, body: bytes, media_type: str, sentence: str
) -> None:
    answer = stranger.generic("POST", "/v/", body, content_type=media_type)
    assert answer.status_code == 422
    shown = text(answer.content)
    assert "This cannot be checked." in shown
    assert sentence in shown


def test_what_is_claimed_about_the_key_can_be_read(stranger: Client) -> None:
    ended()
    assert verifier_key() in stranger.get("/v/").content.decode().replace("&#x2B;", "+")


def test_every_sentence_of_the_program_has_its_translation() -> None:
    assert {code: str(words) for code, words in SENTENCES.items()} == offline.SENTENCES
    assert {code: str(words) for code, words in UNKNOWN.items()} == offline.UNKNOWN


def test_an_unsigned_statement_is_no_certificate(stranger: Client) -> None:
    body = json.loads(certificate_file(Certificate.objects.get(run=ended())))["statement"]
    assert stranger.post("/v/", {"text": body}).status_code == 422
