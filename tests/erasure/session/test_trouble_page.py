"""What people see and may do in a session when a keepsake is damaged or the storage does not answer."""

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from clinic.accounts.models import Role, User
from clinic.unavailable import ServiceUnavailable
from erasure.certificates import summary
from erasure.jobs.certifying import certify
from erasure.jobs.worker import advance
from erasure.runs import trouble
from erasure.runs.models import Event, Run, Trouble
from erasure.session.replay import replay as replay_of
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.objects import storage
from tests.erasure.runs.nights import doctor_of, technician_of
from tests.factories import make_run, make_user
from tests.servers import Bucket, use_bucket

pytestmark = pytest.mark.django_db(transaction=True)


def signed_in(user: User, settings: Settings) -> Client:
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


@pytest.fixture
def damaged_run() -> Run:
    """A run that has come to a damaged photo."""
    run = make_run(2)
    keepsake = Keepsake.objects.get(memory=run.steps.get(position=0).memory)
    assert keepsake.picture
    path = Path(storage().path(keepsake.picture.blob))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    advance(run.pk)
    return run


def page(run: Run, user: User, settings: Settings) -> str:
    answer = signed_in(user, settings).get(reverse("erasure:session", args=[run.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def decide(run: Run, user: User, settings: Settings, **data: str) -> tuple[int, str]:
    answer = signed_in(user, settings).post(
        reverse("erasure:decide-damaged", args=[run.pk]), data, headers={"Accept": "application/json"}
    )
    text = answer.json()["text"] if answer["Content-Type"] == "application/json" else ""
    return answer.status_code, text


def test_the_page_names_the_damaged_memory_and_asks_the_doctor(damaged_run: Run, settings: Settings) -> None:
    for user, asked in ((doctor_of(damaged_run), True), (technician_of(damaged_run), False)):
        html = page(damaged_run, user, settings)
        assert "[2] cannot be read" in html
        assert "its file was altered" in html
        assert "Paused: a keepsake cannot be read." in html
        assert ("Destroy it as it is" in html) is asked
        assert "A keepsake cannot be read." in html, "why the doctor is called"


def test_after_the_doctors_decision_the_run_goes_on(damaged_run: Run, settings: Settings) -> None:
    step = str(damaged_run.steps.get(position=0).pk)
    assert decide(damaged_run, doctor_of(damaged_run), settings, step=step, decision="destroy") == (
        200,
        "Decided. The procedure goes on.",
    )
    assert decide(damaged_run, doctor_of(damaged_run), settings, step=step, decision="spare") == (
        409,
        "This has been decided already.",
    )
    assert Run.objects.get().state == Run.State.RUNNING
    assert "cannot be read</b>" not in page(damaged_run, doctor_of(damaged_run), settings)


def test_an_invalid_decision_is_refused_in_words(damaged_run: Run, settings: Settings) -> None:
    doctor, step = doctor_of(damaged_run), str(damaged_run.steps.get(position=0).pk)
    chosen = "Please choose what shall happen."
    assert decide(damaged_run, doctor, settings, step=step, decision="both") == (400, chosen)
    assert decide(damaged_run, doctor, settings, step="?", decision="spare") == (400, chosen)
    other = make_run(1).steps.get()
    assert decide(damaged_run, doctor, settings, step=str(other.pk), decision="spare")[0] == 404
    assert Trouble.objects.get().state == Trouble.State.OPEN


def test_only_a_doctor_decides_on_a_damaged_keepsake(damaged_run: Run, settings: Settings) -> None:
    step = str(damaged_run.steps.get(position=0).pk)
    for user in (
        technician_of(damaged_run),
        damaged_run.procedure.case.patient,
        make_user(Role.ADMINISTRATOR),
    ):
        assert decide(damaged_run, user, settings, step=step, decision="destroy")[0] in {403, 404}
    assert Trouble.objects.get().state == Trouble.State.OPEN


def test_the_page_opens_even_if_a_memorys_sealed_text_was_changed(
    damaged_run: Run, settings: Settings
) -> None:
    memory = damaged_run.steps.get(position=1).memory
    sealed = bytearray(memory.sealed)
    sealed[-1] ^= 1
    Memory.objects.filter(pk=memory.pk).update(sealed=bytes(sealed))
    html = page(damaged_run, doctor_of(damaged_run), settings)
    assert "Photo 1" in html
    assert "Photo 0" not in html


def test_certificate_and_replay_show_what_was_destroyed_without_a_fade(
    damaged_run: Run, settings: Settings
) -> None:
    step = damaged_run.steps.get(position=0)
    trouble.decide_damaged(damaged_run.pk, step.pk, destroy=True, by=doctor_of(damaged_run))
    advance(damaged_run.pk)
    certify(damaged_run.pk)
    damaged_run.refresh_from_db()
    statement = damaged_run.certificate.statement
    assert summary.unfaded(statement) == [("[2] photograph", "its file had been altered")]
    (remark,) = (words for words in summary.remarks(statement) if "did not fade" in words)
    assert remark.startswith("1 keepsake could not be read")
    client = signed_in(doctor_of(damaged_run), settings)
    html = client.get(reverse("erasure:certificate", args=[damaged_run.pk])).content.decode()
    assert "What could not be read, and did not fade" in html
    assert client.get(reverse("erasure:replay", args=[damaged_run.pk])).status_code == 200
    replay = replay_of(damaged_run)
    assert [moment.state for moment in replay.moments if moment.kind in {"damaged", "paused", "resumed"}] == [
        "running",
        "paused",
        "running",
    ]


def test_a_spared_memory_is_protected_in_the_replay(damaged_run: Run) -> None:
    trouble.decide_damaged(
        damaged_run.pk, damaged_run.steps.get(position=0).pk, destroy=False, by=doctor_of(damaged_run)
    )
    advance(damaged_run.pk)
    damaged_run.refresh_from_db()
    last = replay_of(damaged_run).moments[-1]
    assert last.fates == {1: "destroyed", 2: "protected"}


def test_the_page_says_that_the_storage_is_away_and_that_it_goes_on_by_itself(
    bucket: Bucket, settings: Settings, nowhere: str
) -> None:
    run = make_run(1)
    use_bucket(settings, bucket.name, nowhere)
    with pytest.raises(ServiceUnavailable):
        advance(run.pk)
    html = page(run, technician_of(run), settings)
    assert "The storage does not answer" in html
    assert "The session goes on by itself then" in html
    assert Event.objects.filter(run=run, kind="storage-away").exists()
