"""A run from its first pass to its certificate, in one process."""

import pytest
from django.conf import LazySettings, settings

from clinic.audit.checkpoints import public_key
from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from erasure.certificates.checking import check
from erasure.jobs.worker import advance, take_turn
from erasure.runs.lease import claim
from erasure.runs.models import Event, Hold, Run, Step
from erasure.runs.passes import PASS_COUNT
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject
from patients.vault.objects import storage
from tests.factories import jpeg, make_case, make_keepsake, make_memory, make_run

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_run_destroys_every_target_and_ends_with_a_certificate_that_holds() -> None:
    run = make_run(memories=2, letters=1)
    case = run.procedure.case
    advance(run.pk)
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, Run.Outcome.COMPLETE)
    assert set(run.steps.values_list("state", "level")) == {(Step.State.DESTROYED, PASS_COUNT)}
    assert not StoredObject.objects.filter(case=case).remaining().exists()
    assert list(key_store().ids()) == []
    assert storage().listdir("")[1] == []
    assert not Keepsake.objects.filter(case=case, gone_at__isnull=True).exists()
    with pytest.raises(KeyGone):
        Memory.objects.filter(case=case)[0].read()
    case.refresh_from_db()
    assert case.stage == Case.Stage.CLOSED
    assert Entry.objects.filter(action="memory.destroyed", run=run.pk).count() == 3
    checked = check(run.certificate.body.encode(), run.certificate.signature, public_key())
    assert checked.problems == []
    assert verify_log(witness=settings.LACUNA_WITNESS_DIR).problems == []


def test_stored_bits_only_decrease_and_events_have_no_gap() -> None:
    run = make_run(memories=1, letters=1)
    advance(run.pk)
    events = list(Event.objects.filter(run=run))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    for n in (1, 2):
        bits = [event.data["bits"] for event in events if event.kind == "pass" and event.data["n"] == n]
        assert len(bits) == PASS_COUNT
        assert bits == sorted(bits, reverse=True)
        assert bits[-1] == 0


def test_the_newest_memory_goes_first() -> None:
    run = make_run(memories=3)
    advance(run.pk)
    order = [event.data["n"] for event in Event.objects.filter(run=run, kind="destroyed")]
    assert order == [3, 2, 1]


def test_a_worker_whose_lease_has_ended_does_no_pass(settings: LazySettings) -> None:
    run = make_run(memories=1)
    settings.LACUNA_LEASE_SECONDS = -1  # the lease has ended when it begins
    assert not advance(run.pk)
    assert run.steps.get().level == 0


def test_a_memory_that_has_begun_to_fade_is_not_held() -> None:
    """Copies are looked for only before the first pass. Later a hold would leave the memory half erased."""
    case, picture = make_case(), jpeg()
    make_keepsake(make_memory(case, "The target"), picture)
    childhood = make_memory(case, "Childhood", zone=Memory.Zone.CHILDHOOD)
    run = make_run(memories=0, case=case)
    fence = claim(run.pk)
    assert fence
    assert take_turn(fence)
    make_keepsake(childhood, picture)
    assert take_turn(fence)
    assert run.steps.get().level == 2
    assert not Hold.objects.exists()
