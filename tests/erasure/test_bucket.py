"""An installation with its ciphertext in an S3 bucket, from upload to certificate."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from clinic.asgi import application
from erasure.backups.create import make_backup
from erasure.backups.drill import hold_drill
from erasure.backups.models import Drill
from erasure.backups.restoring import restore
from erasure.operations.startup import CannotStart, check_storage
from erasure.runs.models import DoctorCall, Event, Run
from erasure.runs.planning import start_run
from erasure.runs.run_actions import after
from erasure.verification.places import Subject
from erasure.verification.vault import files
from patients.cases.models import Case
from patients.keepsakes.editing import change_keepsake
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.removal import keepsake_mark
from patients.keepsakes.staging import staging_path
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction, read, storage
from tests.erasure.backups.empty_installation import empty_installation
from tests.erasure.operations.served import serve, without_volume_warnings
from tests.erasure.runs.nights import check_end
from tests.factories import jpeg, make_case, make_keepsake, make_memory, make_procedure, make_run
from tests.patients.imaging.media import recording
from tests.patients.keepsakes.sending import Sender
from tests.processes import PATIENCE, ROOT, environment, progress, until, until_certified
from tests.servers import Bucket, S3Server, TcpProxy, use_bucket
from tests.serving import ask, cookie_of, serving

pytestmark = pytest.mark.django_db(transaction=True)


def upload_three(case: Case, port: int) -> None:
    """Upload three keepsakes through the streaming endpoint, one for each of three memories."""
    sender = Sender(port, case.patient)
    files_by_name = {
        "one.jpg": jpeg((2400, 1800)),
        "voice.wav": recording(),
        "letter.txt": b"Dear heron, farewell.",
    }
    for number, (name, data) in enumerate(files_by_name.items()):
        answer = sender.bring(data, name)
        assert answer.status == 204, answer.body
        keepsake = Keepsake.objects.get(pk=answer.keepsake)
        assert read(keepsake.stored.get(role=StoredObject.Role.ORIGINAL)) == data
        memory = make_memory(case, f"Memory {number}", f"2003-02-0{number + 1}")
        change_keepsake(keepsake, {}, memory=memory, by=case.patient)
    Keepsake.objects.filter(case=case).update(review=Keepsake.Review.ACCEPTED)


@pytest.mark.processes
@pytest.mark.parametrize("versions", [False, True], ids=["plain", "keeping versions"])
def test_after_a_run_no_byte_of_the_uploads_is_left_in_the_bucket(bucket: Bucket, versions: bool) -> None:
    if versions:
        bucket.enable_versioning()
    case = make_case()
    with serve("--workers", "1", LACUNA_LEASE_SECONDS="5") as served:
        upload_three(case, served.port)
        before = storage().traces()
        assert before == set(StoredObject.objects.live().exclude(blob="").values_list("blob", flat=True))
        assert not list(staging_path(Upload.objects.all()[0].pk).parent.iterdir())
        case.refresh_from_db()
        run = start_run(make_procedure(case).pk, by=None)
        until_certified(run)
    check_end(run)
    assert bucket.versions() == 0
    verification = Run.objects.get(pk=run.pk).certificate.statement["verification"]
    assert verification["result"] == "clean"
    (place,) = [place for place in verification["places"] if place["place"] == "files"]
    assert place["looked-for"] > len(before)


@pytest.mark.processes
@pytest.mark.usefixtures("bucket")
def test_a_run_without_storage_calls_the_doctor_and_resumes_when_it_is_back(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = TcpProxy(s3_server.port)
    monkeypatch.setenv("LACUNA_S3_ENDPOINT", proxy.address)
    run = make_run(memories=2, letters=1, pace=2)
    passes = Event.objects.filter(run=run, kind="pass")
    with serve("--no-web", "--workers", "1", LACUNA_LEASE_SECONDS="2") as served:
        until(lambda: passes.count() > 2, "the fade is under way", progress)
        proxy.shut()
        until(Event.objects.filter(run=run, kind="storage-away").exists, "the session says so")
        passes_before = passes.count()
        call = DoctorCall.objects.get(run=run, why="storage")
        assert Run.objects.get(pk=run.pk).why == "storage"
        # Calls do not wait for the storage: the doctor is called again while it is away.
        DoctorCall.objects.update(remind_at=after(0))
        until(call.notices.filter(kind="again").exists, "the doctor is called again")
        assert passes.count() == passes_before
        proxy.open()
        until_certified(run)
        call.refresh_from_db()
        assert call.acknowledged_at is not None
        served.end(signal.SIGTERM)
    proxy.close()
    check_end(run)


@pytest.mark.parametrize("where", ["object", "version", "part"])
def test_the_verifier_finds_what_a_bucket_has_kept(bucket: Bucket, where: str) -> None:
    run = make_run(memories=1)
    bucket.enable_versioning()
    objects = StoredObject.objects.filter(case=run.procedure.case)
    blob = objects.exclude(blob="").values_list("blob", flat=True)[0]
    mark_for_destruction(objects, "test")
    destroy(objects)
    assert files(Subject(run)).result == "clean"
    if where == "part":
        bucket.begin_multipart_upload(blob)
    else:
        bucket.client.put_object(Bucket=bucket.name, Key=blob, Body=b"?")
    if where == "version":
        bucket.client.delete_object(Bucket=bucket.name, Key=blob)
    found = files(Subject(run))
    assert (found.result, found.found, found.where) == ("found", 1, blob)


def test_a_backup_is_made_of_a_bucket_drilled_and_restored_into_another(
    bucket: Bucket, settings: Settings, tmp_path: Path
) -> None:
    kept, gone = (make_keepsake(make_memory(make_case())) for _ in range(2))
    _backup, manifest = make_backup(tmp_path / "backup")
    assert {item.name for item in manifest.objects} == storage().traces()
    erased = StoredObject.objects.filter(keepsake=gone)
    mark_for_destruction(erased, "test")
    destroy(erased)
    drill = hold_drill(tmp_path / "backup")
    assert drill.result == Drill.Result.HOLDS
    assert (drill.kept_closed, drill.erased_opened, drill.erased_closed > 0) == (0, 0, True)
    picture = StoredObject.objects.get(pk=kept.picture_id)
    expected = read(picture)
    bucket.client.create_bucket(Bucket=f"{bucket.name}-new")
    with empty_installation(tmp_path):
        use_bucket(settings, f"{bucket.name}-new", bucket.client.meta.endpoint_url)
        restore(tmp_path / "backup")
        assert storage().traces() == {item.name for item in manifest.objects}
        assert read(StoredObject.objects.get(pk=kept.picture_id)) == expected


def test_the_server_does_not_start_if_its_bucket_is_missing_or_away(
    bucket: Bucket, settings: Settings, nowhere: str
) -> None:
    check_storage()
    assert storage().traces() == set(), "the check deletes what it wrote"
    use_bucket(settings, "no-such-bucket", bucket.client.meta.endpoint_url)
    with pytest.raises(
        CannotStart, match=r"^What people bring could not be stored and destroyed\. The S3 bucket"
    ):
        check_storage()
    result = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, str(ROOT / "manage.py"), "serve", "--port", "0"],
        env=environment(LACUNA_S3_ENDPOINT=nowhere),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode == 1
    assert f"The S3 bucket {bucket.name} cannot be reached: Could not connect" in result.stderr
    assert len(without_volume_warnings(result.stderr).splitlines()) == 1


@pytest.mark.both_databases
def test_uploads_and_pictures_are_answered_in_words_if_the_storage_is_away(
    bucket: Bucket, settings: Settings, nowhere: str
) -> None:
    case = make_case()
    keepsake = make_keepsake(make_memory(case))
    use_bucket(settings, bucket.name, nowhere)
    with serving(application) as port:
        shown = ask(port, f"/pictures/{keepsake.picture_id}", cookie_of(case.patient))
        assert (shown.status, shown.headers["Retry-After"]) == (503, "30")
        assert shown.read().decode() == "This cannot be shown just now. Please try again in a minute."
        answer = Sender(port, case.patient).bring(jpeg(), "photo.jpg")
        assert answer.status == 503
        assert b"We could not store this just now. Please try again in a minute." in answer.body
    assert Keepsake.objects.count() == 1


@pytest.mark.usefixtures("bucket")
def test_a_page_that_needs_the_storage_says_that_it_is_away(
    client: Client, settings: Settings, nowhere: str
) -> None:
    case = make_case()
    keepsake = make_keepsake(make_memory(case))
    client.force_login(case.patient, backend=settings.AUTHENTICATION_BACKENDS[0])
    use_bucket(settings, "away", nowhere)
    seen = {"seen": keepsake_mark(keepsake)}
    answer = client.post(reverse("patients:keepsake-remove", args=[keepsake.pk]), seen)
    assert answer.status_code == 503
    assert "Something does not answer." in answer.content.decode()
