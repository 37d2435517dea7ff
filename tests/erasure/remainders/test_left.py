"""Half-erased memories after a run: only the patient decides, and each decision is recorded."""

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from erasure.jobs.supervisor import end_stopped
from erasure.jobs.worker import next_step
from erasure.procedures.models import Procedure
from erasure.remainders import decisions
from erasure.runs import control
from erasure.runs.lease import claim
from erasure.runs.models import Hold, Remainder, Run
from erasure.runs.passes import make_pass
from patients.consent.signing import withdraw
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import read
from tests.factories import (
    PASSPHRASE,
    make_case,
    make_doctor,
    make_keepsake,
    make_letter,
    make_memory,
    make_run,
    make_user,
)

pytestmark = pytest.mark.django_db(transaction=True)


def finished_with_remainder(how: str = "abort", *, letter: bool = False) -> Run:
    """A stopped run of two memories. The newer one has faded by three passes. how: what stopped the run."""
    case = make_case()
    if letter:
        make_letter(make_memory(case, "The letter", "2004-01-01"))
    run = make_run(1 if letter else 2, case=case)
    fence = claim(run.pk)
    assert fence
    for _pass in range(3):
        step = next_step(run.pk)
        assert step
        make_pass(fence, step, due=run.next_due_at)
    memory = run.steps.get(position=0).memory_id
    patient = run.procedure.case.patient
    if how == "withdraw":
        withdraw(run.procedure.case, by=patient)
    else:
        if how == "protect":
            control.protect(run.pk, memory, by=patient)
        control.abort(run.pk, by=make_doctor(), reason="patient-asked")
    end_stopped()
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    return run


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def memory_of(run: Run) -> Memory:
    return run.steps.get(position=0).memory


def post_decision(run: Run, name: str, user: User | None = None, **data: str) -> HttpResponse:
    client = client_of(user or run.procedure.case.patient)
    return client.post(reverse(f"erasure:left-{name}", args=[memory_of(run).pk]), data)


@pytest.mark.parametrize("how", ["abort", "protect", "withdraw"])
def test_a_remainder_waits_for_the_patient_however_the_run_ended(how: str) -> None:
    run = finished_with_remainder(how)
    patient = run.procedure.case.patient
    (remainder,) = decisions.partly_erased_of(patient)
    assert (remainder.memory_id, remainder.step.level, remainder.state) == (memory_of(run).pk, 3, "")
    portal = client_of(patient).get(reverse("patients:portal")).content.decode()
    assert reverse("erasure:left") in portal
    page = client_of(patient).get(reverse("erasure:left")).content.decode()
    assert "after pass 3 of" in page
    assert "Photo 1" in page
    assert decisions.partly_erased_of(make_user(Role.PATIENT)) == []


def test_a_remainder_can_be_downloaded_once_it_was_given_back() -> None:
    run = finished_with_remainder()
    patient = run.procedure.case.patient
    keepsake = Keepsake.objects.select_related("picture").get(memory=memory_of(run))
    path = reverse("erasure:left-fetch", args=[keepsake.pk])
    assert client_of(patient).get(path).status_code == 404
    post_decision(run, "give-back")
    assert client_of(patient).get(path).status_code == 404, "without the confirmation nothing happens"
    post_decision(run, "give-back", sure="on")
    post_decision(run, "give-back", sure="on")
    answer = client_of(patient).get(path)
    assert keepsake.picture
    assert answer.content == read(keepsake.picture)
    assert answer["Content-Disposition"].startswith("attachment")
    assert "no-store" in answer["Cache-Control"]
    actions = Entry.objects.filter(run=run.pk, action__startswith="remainder.").values_list("action", "actor")
    patient_actor = f"user:{patient.pk}"
    assert list(actions.order_by("index")) == [
        ("remainder.given-back", patient_actor),
        ("remainder.fetched", patient_actor),
    ]
    post_decision(run, "keep")
    assert client_of(patient).get(path).status_code == 404, "what the clinic keeps is sealed again"


def test_a_letter_is_given_back_with_the_words_that_are_left() -> None:
    run = finished_with_remainder(letter=True)
    keepsake = Keepsake.objects.select_related("picture").get(memory=memory_of(run))
    post_decision(run, "give-back", sure="on")
    answer = client_of(run.procedure.case.patient).get(reverse("erasure:left-fetch", args=[keepsake.pk]))
    assert keepsake.picture
    assert answer["Content-Type"] == "text/plain"
    assert answer.content == read(keepsake.picture)


def test_a_destroyed_remainder_has_no_keys() -> None:
    run = finished_with_remainder()
    memory = memory_of(run)
    key_ids = set(StoredObject.objects.filter(memory=memory).values_list("pk", flat=True)) | {memory.pk}
    assert key_ids & set(key_store().ids())
    other = run.steps.get(position=1).memory_id
    answer = post_decision(run, "destroy", passphrase=PASSPHRASE)
    assert answer.status_code == 302
    assert not key_ids & set(key_store().ids())
    assert not StoredObject.objects.filter(memory=memory).remaining().exists()
    assert StoredObject.objects.filter(memory=other).live().exists(), "nothing else was destroyed"
    assert Memory.objects.get(pk=memory.pk).fate == Memory.Fate.ERASED
    assert Remainder.objects.get().state == "destroyed"
    assert decisions.partly_erased_of(run.procedure.case.patient) == []
    assert Entry.objects.filter(run=run.pk, action="remainder.destroyed").count() == 1
    post_decision(run, "destroy", passphrase=PASSPHRASE)
    assert Entry.objects.filter(run=run.pk, action="remainder.destroyed").count() == 1


def test_a_wrong_passphrase_destroys_nothing() -> None:
    run = finished_with_remainder()
    post_decision(run, "destroy", passphrase="not mine")
    post_decision(run, "destroy")
    assert not Remainder.objects.exists()
    assert Memory.objects.get(pk=memory_of(run).pk).fate == Memory.Fate.TARGET


@pytest.mark.parametrize("name", ["give-back", "keep", "destroy"])
def test_nobody_else_decides(name: str) -> None:
    run = finished_with_remainder()
    for person in (make_doctor(), make_user(Role.PATIENT), make_user(Role.ADMINISTRATOR)):
        assert post_decision(run, name, person, sure="on", passphrase=PASSPHRASE).status_code in {403, 404}
    assert not Remainder.objects.exists()


def test_while_a_new_procedure_is_booked_nothing_is_decided() -> None:
    run = finished_with_remainder()
    Procedure.objects.filter(pk=run.procedure_id).update(state=Procedure.State.BOOKED)
    for name in ("give-back", "keep", "destroy"):
        post_decision(run, name, sure="on", passphrase=PASSPHRASE)
    assert not Remainder.objects.exists()


def test_untouched_memories_and_running_runs_have_no_remainders() -> None:
    run = make_run(2)
    patient = run.procedure.case.patient
    fence, step = claim(run.pk), next_step(run.pk)
    assert fence
    assert step
    make_pass(fence, step, due=run.next_due_at)
    control.protect(run.pk, step.memory_id, by=patient)
    assert decisions.partly_erased_of(patient) == [], "the run goes on"


def test_a_copy_off_the_map_that_faded_too_belongs_to_the_remainder() -> None:
    case = make_case()
    run = make_run(1, case=case)
    childhood = make_memory(case, "Long ago", "1989-01-01", zone=Memory.Zone.CHILDHOOD)
    copy, other = make_keepsake(childhood), make_keepsake(childhood)
    step = run.steps.get()
    Hold.objects.create(
        step=step,
        keepsake=Keepsake.objects.get(memory=step.memory),
        copy=copy,
        distance=0,
        state=Hold.State.EXTENDED,
        decided_at=run.started_at,
        reason="clause",
    )
    fence = claim(run.pk)
    assert fence
    for _pass in range(3):
        make_pass(fence, step, due=run.next_due_at)
        step.refresh_from_db()
    control.abort(run.pk, by=make_doctor(), reason="patient-asked")
    end_stopped()
    (remainder,) = decisions.partly_erased_of(case.patient)
    assert {keepsake.pk for keepsake in remainder.keepsakes} == {
        copy.pk,
        Keepsake.objects.get(memory=step.memory).pk,
    }
    decisions.give_back(step.memory_id, by=case.patient)
    copy.refresh_from_db()
    assert copy.picture
    assert decisions.fetch(copy, by=case.patient)[0] == read(copy.picture)
    with pytest.raises(decisions.NotNow):
        decisions.fetch(other, by=case.patient)
    decisions.destroy(step.memory_id, by=case.patient)
    assert not StoredObject.objects.filter(keepsake=copy).remaining().exists()
    assert copy.picture_id not in set(key_store().ids())
    # The keepsake that did not fade is unchanged, and so is the text of the memory with the copy.
    other.refresh_from_db()
    assert other.picture
    assert read(other.picture)
    assert childhood.read().title == "Long ago"
    assert decisions.partly_erased_of(case.patient) == []
