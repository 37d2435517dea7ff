"""The present of a run, read from its rows."""

from typing import Any
from uuid import UUID

import pytest

from erasure.runs.worker import advance
from erasure.session.present import Viewer, present
from patients.keepsakes.models import Keepsake
from tests.factories import make_case, make_run

pytestmark = pytest.mark.django_db


def shown(run_id: UUID, *, pictures: bool = True) -> dict[str, dict[str, Any]]:
    """The memories of the present by id."""
    return {item["id"]: item for item in present(run_id, Viewer(None, pictures=pictures))["memories"]}


def test_the_stage_gets_the_largest_picture_there_is_and_never_a_second_one() -> None:
    run = make_run(1, letters=1, pace=600, case=make_case())
    photo = Keepsake.objects.get(kind=Keepsake.Kind.PHOTO)
    letter = Keepsake.objects.get(kind=Keepsake.Kind.LETTER)
    before = shown(run.pk)
    assert before[str(photo.memory_id)]["large"] == f"/pictures/{photo.picture_id}"
    assert before[str(photo.memory_id)]["picture"] == f"/pictures/{photo.thumb_id}"
    # The words of a letter are no picture: its sheet is.
    assert before[str(letter.memory_id)]["large"] == f"/pictures/{letter.thumb_id}"
    advance(run.pk)
    for keepsake in Keepsake.objects.filter(gone_at__isnull=True):
        now = shown(run.pk)[str(keepsake.memory_id)]
        expected = keepsake.picture_id if keepsake.kind == Keepsake.Kind.PHOTO else keepsake.thumb_id
        assert now["large"] == f"/pictures/{expected}"


def test_who_sees_no_pictures_gets_no_address_of_one() -> None:
    run = make_run(1, pace=600)
    assert [item["large"] for item in shown(run.pk, pictures=False).values()] == [None]
