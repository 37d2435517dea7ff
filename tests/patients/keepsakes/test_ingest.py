"""create_keepsake: making a keepsake of an original that is in the vault."""

import pytest
from pytest_django import Settings

from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.keepsakes.ingest import create_keepsake
from patients.keepsakes.models import Keepsake
from patients.keepsakes.playback import played_of
from patients.vault.models import StoredObject
from patients.vault.objects import mark_for_destruction, put
from tests.factories import jpeg, make_case, make_keepsake, make_memory
from tests.patients.imaging.media import recording

pytestmark = pytest.mark.django_db


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def original(case: Case) -> StoredObject:
    """A photo in the vault, not yet a keepsake."""
    return put(jpeg(), case_id=case.pk, role=StoredObject.Role.ORIGINAL)


def test_a_case_with_the_maximum_of_keepsakes_accepts_no_more(
    case: Case, original: StoredObject, settings: Settings
) -> None:
    make_keepsake(make_memory(case))
    settings.LACUNA_CASE_MAX_KEEPSAKES = 1
    with pytest.raises(CaseLocked, match="as many keepsakes"):
        create_keepsake(original, by=case.patient)
    assert Keepsake.objects.count() == 1
    original.refresh_from_db()
    assert original.state == StoredObject.State.DESTROYED


def test_an_original_marked_for_destruction_cannot_become_a_keepsake(
    case: Case, original: StoredObject
) -> None:
    mark_for_destruction(StoredObject.objects.filter(pk=original.pk), "test")
    with pytest.raises(CaseLocked, match="took too long"):
        create_keepsake(original, by=case.patient)
    assert not Keepsake.objects.exists()
    assert not StoredObject.objects.remaining().exclude(pk=case.pk).exists()


@pytest.mark.parametrize(("before", "after"), [("intake", "bringing"), ("review", "review")])
def test_the_first_keepsake_ends_the_stage_of_intake_and_no_other(
    case: Case, original: StoredObject, before: str, after: str
) -> None:
    Case.objects.filter(pk=case.pk).update(stage=before)
    create_keepsake(original, by=case.patient)
    case.refresh_from_db()
    assert case.stage == after


def test_the_original_of_a_recording_can_be_played(case: Case) -> None:
    original = put(recording(), case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    assert played_of(create_keepsake(original, by=case.patient)) == original
