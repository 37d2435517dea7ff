"""What a night left half gone: the patient alone decides, each act recorded, and destroyed is destroyed."""

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


def half_gone(how: str = "abort", *, letter: bool = False) -> Run:
    """A finished run of two memories of which the newer is three passes in."""
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


def do(run: Run, name: str, user: User | None = None, **data: str) -> HttpResponse:
    client = client_of(user or run.procedure.case.patient)
    return client.post(reverse(f"erasure:left-{name}", args=[memory_of(run).pk]), data)


@pytest.mark.parametrize("how", ["abort", "protect", "withdraw"])
def test_what_any_end_left_half_gone_waits_for_the_patient(how: str) -> None:
    run = half_gone(how)
    patient = run.procedure.case.patient
    (left,) = decisions.partly_erased_of(patient)
    assert (left.memory_id, left.step.level, left.state) == (memory_of(run).pk, 3, "")
    portal = client_of(patient).get(reverse("patients:portal")).content.decode()
    assert reverse("erasure:left") in portal
    page = client_of(patient).get(reverse("erasure:left")).content.decode()
    assert "after pass 3 of" in page
    assert "Photo 1" in page
    assert decisions.partly_erased_of(make_user(Role.PATIENT)) == []


def test_given_back_it_can_be_fetched_as_it_is_and_not_before() -> None:
    run = half_gone()
    patient = run.procedure.case.patient
    keepsake = Keepsake.objects.select_related("picture").get(memory=memory_of(run))
    path = reverse("erasure:left-fetch", args=[keepsake.pk])
    assert client_of(patient).get(path).status_code == 404
    do(run, "give-back")
    assert client_of(patient).get(path).status_code == 404, "without a word of confirmation nothing happens"
    do(run, "give-back", sure="on")
    do(run, "give-back", sure="on")
    answer = client_of(patient).get(path)
    assert keepsake.picture
    assert answer.content == read(keepsake.picture)
    assert answer["Content-Disposition"].startswith("attachment")
    assert "no-store" in answer["Cache-Control"]
    actions = Entry.objects.filter(run=run.pk, action__startswith="remainder.").values_list("action", "actor")
    me = f"user:{patient.pk}"
    assert list(actions.order_by("index")) == [("remainder.given-back", me), ("remainder.fetched", me)]
    do(run, "keep")
    assert client_of(patient).get(path).status_code == 404, "what is left in the house is sealed again"


def test_a_letter_comes_back_as_its_words_are_now() -> None:
    run = half_gone(letter=True)
    keepsake = Keepsake.objects.select_related("picture").get(memory=memory_of(run))
    do(run, "give-back", sure="on")
    answer = client_of(run.procedure.case.patient).get(reverse("erasure:left-fetch", args=[keepsake.pk]))
    assert keepsake.picture
    assert answer["Content-Type"] == "text/plain"
    assert answer.content == read(keepsake.picture)


def test_destroyed_means_that_no_key_of_it_exists() -> None:
    run = half_gone()
    memory = memory_of(run)
    mine = set(StoredObject.objects.filter(memory=memory).values_list("pk", flat=True)) | {memory.pk}
    assert mine & set(key_store().ids())
    other = run.steps.get(position=1).memory_id
    answer = do(run, "destroy", passphrase=PASSPHRASE)
    assert answer.status_code == 302
    assert not mine & set(key_store().ids())
    assert not StoredObject.objects.filter(memory=memory).remaining().exists()
    assert StoredObject.objects.filter(memory=other).live().exists(), "and nothing else went"
    assert Memory.objects.get(pk=memory.pk).fate == Memory.Fate.ERASED
    assert Remainder.objects.get().state == "destroyed"
    assert decisions.partly_erased_of(run.procedure.case.patient) == []
    assert Entry.objects.filter(run=run.pk, action="remainder.destroyed").count() == 1
    do(run, "destroy", passphrase=PASSPHRASE)
    assert Entry.objects.filter(run=run.pk, action="remainder.destroyed").count() == 1


def test_a_wrong_passphrase_destroys_nothing() -> None:
    run = half_gone()
    do(run, "destroy", passphrase="not mine")
    do(run, "destroy")
    assert not Remainder.objects.exists()
    assert Memory.objects.get(pk=memory_of(run).pk).fate == Memory.Fate.TARGET


@pytest.mark.parametrize("name", ["give-back", "keep", "destroy"])
def test_nobody_else_decides(name: str) -> None:
    run = half_gone()
    for person in (make_doctor(), make_user(Role.PATIENT), make_user(Role.ADMINISTRATOR)):
        assert do(run, name, person, sure="on", passphrase=PASSPHRASE).status_code in {403, 404}
    assert not Remainder.objects.exists()


def test_while_a_new_night_is_booked_nothing_is_decided() -> None:
    run = half_gone()
    Procedure.objects.filter(pk=run.procedure_id).update(state=Procedure.State.BOOKED)
    for name in ("give-back", "keep", "destroy"):
        do(run, name, sure="on", passphrase=PASSPHRASE)
    assert not Remainder.objects.exists()


def test_untouched_memories_and_running_nights_are_not_half_gone() -> None:
    run = make_run(2)
    patient = run.procedure.case.patient
    fence, step = claim(run.pk), next_step(run.pk)
    assert fence
    assert step
    make_pass(fence, step, due=run.next_due_at)
    control.protect(run.pk, step.memory_id, by=patient)
    assert decisions.partly_erased_of(patient) == [], "the night goes on"


def test_a_copy_off_the_map_that_faded_with_it_is_listed_given_back_and_destroyed() -> None:
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
    (left,) = decisions.partly_erased_of(case.patient)
    assert {keepsake.pk for keepsake in left.keepsakes} == {
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
    # What did not fade with it is as it was, and so are the words of the memory that the copy hid in.
    other.refresh_from_db()
    assert other.picture
    assert read(other.picture)
    assert childhood.read().title == "Long ago"
    assert decisions.partly_erased_of(case.patient) == []
