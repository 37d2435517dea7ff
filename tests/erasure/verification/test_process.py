"""The verifier as a process: only a complete report counts, and no report never counts as clean."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.urls import reverse

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from erasure.jobs import certifying
from erasure.jobs.certifying import certify
from erasure.jobs.supervisor import certify_finished
from erasure.jobs.worker import advance
from erasure.runs.models import Event, Run
from erasure.verification.checks import BEYOND, EVERY
from erasure.verification.places import FOUND, UNCHECKABLE, Place, statement, word
from erasure.verification.process import NotVerified, environment, read_report, report, verify_in_subprocess
from patients.vault.objects import storage
from tests.erasure.verification.ended import make_ended, verify_here
from tests.factories import make_run, make_user
from tests.processes import ROOT
from tests.processes import environment as process_environment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def test_a_run_is_verified_by_a_process_that_can_write_nothing() -> None:
    run = make_run(memories=1)
    advance(run.pk)
    entry = Entry.objects.get(run=run.pk, action="run.verified")
    assert entry.details["result"] == "clean"
    assert entry.details["database"] == "read-only"
    assert entry.details["confined"].startswith(("landlock-", "rlimit"))
    run.refresh_from_db()
    verification = run.certificate.statement["verification"]
    assert verification["result"] == verification["keys"] == "clean"
    assert [place["place"] for place in verification["places"]] == list(EVERY)
    assert {place["found"] for place in verification["places"] if place["place"] in BEYOND} == {UNCHECKABLE}
    assert verify_log().problems == []


def test_what_the_process_finds_is_on_the_page_the_log_and_the_certificate(
    monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    planted = uuid4().hex
    record_once = certifying._record_once

    def record_and_plant(run: Run, action: str, details: Any) -> None:
        record_once(run, action, details)
        if action == "keys.rolled":
            storage().save(planted, ContentFile(b"?"))

    monkeypatch.setattr(certifying, "_record_once", record_and_plant)
    run = make_run(memories=1)
    advance(run.pk)
    details = Entry.objects.get(run=run.pk, action="run.verified").details
    assert (details["result"], details["orphans"], details["orphans_found"]) == ("found", "found", 1)
    assert details["orphans_where"] == f"file:{planted}"
    run.refresh_from_db()
    verification = {place["place"]: place for place in run.certificate.statement["verification"]["places"]}
    assert verification["orphans"]["found"] == FOUND
    assert verification["orphans"]["why"] == f"file:{planted}"
    client.force_login(make_user(Role.DOCTOR))
    for page in ("erasure:session", "erasure:certificate"):
        shown = client.get(reverse(page, args=[run.pk])).content.decode()
        assert f"something is left: file:{planted}" in shown


def test_a_killed_verifier_is_not_clean_and_is_started_again(
    monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    monkeypatch.setenv("LACUNA_POINT", "verifying")
    run = make_run(memories=1)
    advance(run.pk)
    (entry,) = Entry.objects.filter(run=run.pk, action="run.unverified")
    assert entry.details == {"why": "signal-9", "attempt": 1}
    assert not Entry.objects.filter(run=run.pk, action="run.verified").exists()
    assert Event.objects.filter(run=run, kind="run-unverified").count() == 1
    run = Run.objects.get(pk=run.pk)
    assert not hasattr(run, "certificate")
    client.force_login(make_user(Role.DOCTOR))
    shown = client.get(reverse("erasure:session", args=[run.pk])).content.decode()
    assert "Not verified yet: the verifier gave no answer, and is started again." in shown

    monkeypatch.setattr(certifying, "FIRST_WAIT", timedelta(hours=1))
    assert certify(run.pk) is False
    assert Entry.objects.filter(run=run.pk, action="run.unverified").count() == 1
    monkeypatch.setattr(certifying, "FIRST_WAIT", timedelta(0))
    assert certify_finished() == 0
    assert Entry.objects.filter(run=run.pk, action="run.unverified").count() == 2
    monkeypatch.delenv("LACUNA_POINT")
    assert certify_finished() == 1
    assert Entry.objects.filter(run=run.pk, action="run.verified").count() == 1
    assert Run.objects.get(pk=run.pk).certificate.statement["verification"]["result"] == "clean"


def test_a_verifier_that_cannot_read_the_keys_gives_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    slots = Path(django_settings.LACUNA_KEYS_DIR) / "slots"
    slots.write_bytes(slots.read_bytes()[:200])
    with pytest.raises(NotVerified) as refusal:
        verify_in_subprocess(run.pk)
    assert refusal.value.why == "exit-1"
    assert "the slot file is cut off" in str(refusal.value)


def test_the_verifier_is_started_without_the_root_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LACUNA_ROOT_KEY", "00" * 32)
    monkeypatch.setenv("LACUNA_ROOT_KEY_FILE", "/somewhere")
    child_environment = environment()
    assert not [name for name in child_environment if name.startswith(("LACUNA_ROOT", "LACUNA_SIGNING"))]
    assert "00" * 32 not in child_environment.values()


def test_two_processes_do_not_certify_one_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(memories=1)
    results: list[bool] = []

    def verify_and_certify(run_id: Any) -> Any:
        results.append(certify(run_id))  # as another process would, while this one verifies
        return verify_here(run_id)

    monkeypatch.setattr(certifying, "verify_in_subprocess", verify_and_certify)
    advance(run.pk)
    assert results == [False]
    assert Run.objects.get(pk=run.pk).certificate


@pytest.mark.parametrize(
    "spoiled",
    [
        "",
        "{}",
        "null",
        '{"places": 3}',
        "one place too few",
        "another run",
        "unbound",
        "found nothing that is found",
        "a result of its own",
    ],
)
def test_an_incomplete_report_is_refused(spoiled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    found = verify_here(run.pk)
    text = report(found, run.pk)
    assert read_report(text, run.pk) == found
    changed = json.loads(text)
    match spoiled:
        case "one place too few":
            changed["places"].pop()
        case "another run":
            changed["run"] = str(uuid4())
        case "unbound":
            changed["confined"] = ""
        case "found nothing that is found":
            changed["places"][0]["found"] = 1
        case "a result of its own":
            changed["places"][0]["result"] = "fine"
        case _:
            changed = spoiled
    with pytest.raises(NotVerified):
        read_report(changed if isinstance(changed, str) else json.dumps(changed), run.pk)


def test_the_log_and_the_certificate_contain_the_findings() -> None:
    place = Place.checked("files", ["some where/ELSE (1)"], 3)
    assert place.where == "some-where-else--1-"
    assert word("ö") == "unnamed"
    figures = {"result": "found", "files": "found", "files_found": 1, "files_where": "a"}
    assert statement(figures, ["keys", "files"]) == {
        "result": "found",
        "files": "found",
        "places": [{"place": "files", "found": "found", "why": "a", "looked-for": 0, "count": 1}],
    }
    assert statement({}, ["keys"]) == {}


def test_the_command_prints_the_findings_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a separate process, because the command gives up the right to write."""
    run = make_ended(monkeypatch)

    def verify_erasure(run_id: object, *options: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # noqa: S603
            [sys.executable, str(ROOT / "manage.py"), "verify_erasure", str(run_id), *options],
            env=process_environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    result = verify_erasure(run.pk)
    assert result.returncode == 0, result.stderr
    assert "files in the vault" in result.stdout
    assert "log files: not checkable here: it is kept where this machine cannot look" in result.stdout
    (first,) = Entry.objects.filter(action="run.verified-by-hand")
    assert (first.actor, first.run, first.details["result"]) == ("system:operator", run.pk, "clean")
    assert first.details["confined"].startswith(("landlock", "rlimit"))
    storage().save(uuid4().hex, ContentFile(b"?"))
    result = verify_erasure(run.pk)
    assert (result.returncode, result.stderr) == (1, "CommandError: Something is left.\n")
    second = Entry.objects.filter(action="run.verified-by-hand").order_by("index").last()
    assert second is not None
    assert (second.details["result"], second.details["orphans"]) == ("found", "found")
    # The certificate still states the verification before its issue.
    assert run.certificate.statement["verification"]["result"] == "clean"
    size = Entry.objects.count()
    result = verify_erasure(run.pk, "--unrecorded")
    assert (result.returncode, result.stderr) == (1, "CommandError: Something is left.\n")
    assert Entry.objects.count() == size
    connection.close()  # SQLite must then create the index of its write-ahead log again
    result = verify_erasure(uuid4())
    assert result.stderr == "CommandError: There is no run or destruction with this id.\n"
