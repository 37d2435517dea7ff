"""Every kind of keepsake in a complete run: what fades, what is destroyed at once, and when."""

import pytest

from clinic.accounts.models import Role
from erasure.jobs.worker import advance, next_step
from erasure.runs.control import pause, resume
from erasure.runs.lease import claim
from erasure.runs.models import Event, Hold, Run, Step
from erasure.runs.passes import PASS_COUNT, capacity_bits, keepsakes_of, make_pass
from erasure.runs.resistance import copies_off_the_map
from patients.imaging.page_bundle import MEDIA_TYPE
from patients.keepsakes.models import Keepsake
from patients.keepsakes.playback import played_of
from patients.memories.models import Memory
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import storage
from tests.factories import make_case, make_memory, make_other, make_run, make_user

pytestmark = pytest.mark.django_db(transaction=True)
KINDS = ("pages", "recording", "video", "object")
PLAYABLE = {Keepsake.Kind.RECORDING, Keepsake.Kind.VIDEO}


def one_pass(run: Run) -> Step:
    fence = claim(run.pk, "test")
    assert fence
    step = next_step(run.pk)
    assert step
    make_pass(fence, step, due=run.started_at)
    Run.objects.filter(pk=run.pk).update(lease_until=None, lease_holder="")
    return Step.objects.select_related("memory").get(pk=step.pk)


def test_the_first_pass_destroys_every_original_and_leaves_a_picture() -> None:
    run = make_run(memories=1, kinds=KINDS)
    before = {row.pk: row for row in Keepsake.objects.select_related("picture")}
    assert sum(played_of(row) is not None for row in before.values()) == 2
    one_pass(run)
    originals = StoredObject.objects.filter(role=StoredObject.Role.ORIGINAL)
    assert originals.count() == 5
    assert set(originals.values_list("state", flat=True)) == {StoredObject.State.DESTROYED}
    assert {key_store().attest(row.pk).state for row in originals} == {"destroyed"}
    for row in Keepsake.objects.select_related("picture", "thumb"):
        row_before = before[row.pk]
        assert None not in (row.picture, row.thumb, row_before.picture)
        assert (row.level, row.gone_at, row.form) == (1, None, row_before.form)
        assert 0 < row.picture.capacity < row_before.picture.capacity
        assert row.thumb.media_type == "image/jpeg"
        assert played_of(row) is None
    # One file for each picture. A letter of pages has a second one for its first page.
    assert len(storage().listdir("")[1]) == 6


def test_a_run_over_every_kind_ends_complete_with_nothing_left() -> None:
    run = make_run(memories=2, letters=1, kinds=KINDS)
    while advance(run.pk):
        continue
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, Run.Outcome.COMPLETE)
    assert not StoredObject.objects.remaining().exists()
    assert list(key_store().ids()) == []
    assert storage().listdir("")[1] == []
    passes = [event.data for event in Event.objects.filter(run=run, kind="pass") if event.data["n"] == 1]
    assert [data["level"] for data in passes] == list(range(1, PASS_COUNT + 1))
    bits = [data["bits"] for data in passes]
    assert bits == sorted(bits, reverse=True)
    assert bits[-1] == 0


def test_a_letter_of_pages_keeps_its_media_type_until_the_last_pass() -> None:
    run = make_run(memories=1, kinds=("pages",))
    forms = []
    for _ in range(PASS_COUNT - 1):
        step = one_pass(run)
        letter = Keepsake.objects.select_related("picture").get(kind="letter")
        assert letter.picture
        forms.append(letter.picture.media_type)
        assert capacity_bits(keepsakes_of(step)) > 0
    assert set(forms) == {MEDIA_TYPE}
    one_pass(run)
    assert Keepsake.objects.get(kind="letter").picture is None


def test_during_a_pause_a_recording_has_a_faded_waveform_and_no_sound() -> None:
    run = make_run(memories=1, kinds=("recording",))
    one_pass(run)
    pause(run.pk, by=None)
    row = Keepsake.objects.select_related("picture").get(kind="recording")
    assert played_of(row) is None
    assert row.picture
    assert row.picture.state == StoredObject.State.LIVE
    assert not advance(run.pk)
    resume(run.pk, by=make_user(Role.TECHNICIAN))
    while advance(run.pk):
        continue
    assert not StoredObject.objects.remaining().exists()


@pytest.mark.parametrize(
    ("bits", "found"), [(0, [0]), (12, [12]), (13, [])], ids=["the same", "a copy", "another"]
)
@pytest.mark.parametrize("field", ["fingerprint", "sound"])
def test_a_copy_of_a_recording_or_a_video_off_the_map_holds_its_memory(
    field: str, bits: int, found: list[int]
) -> None:
    case = make_case()
    target, off_map = make_memory(case), make_memory(case, zone=Memory.Zone.CHILDHOOD)
    kind = "recording" if field == "sound" else "video"
    make_other(target, kind, **{field: "f" * 16})
    # The second value differs from the first in the lowest `bits` of 64 bits.
    make_other(off_map, kind, **{field: f"{(2**64 - 1) ^ (2**bits - 1):016x}"})
    run = make_run(memories=0, case=case)
    step = run.steps.get()
    assert [item.bits for item in copies_off_the_map(step)] == found
    advance(run.pk)
    assert Hold.objects.filter(step=step).exists() == bool(found)
