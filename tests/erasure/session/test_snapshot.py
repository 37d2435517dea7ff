"""The present of a run, read from its rows."""

from typing import Any
from uuid import UUID

import pytest

from erasure.jobs.worker import take_turn
from erasure.runs.lease import claim
from erasure.session.snapshot import Viewer, snapshot
from patients.keepsakes.models import Keepsake
from tests.factories import make_case, make_run

pytestmark = pytest.mark.django_db


def shown(run_id: UUID, *, pictures: bool = True) -> dict[str, dict[str, Any]]:
    """The memories of the present by id."""
    return {item["id"]: item for item in snapshot(run_id, Viewer(None, pictures=pictures))["memories"]}


def large(run_id: UUID, keepsake: Keepsake) -> str:
    """The address of what the stage shows of a keepsake."""
    return str(shown(run_id)[str(keepsake.memory_id)]["large"])


def test_the_stage_gets_the_largest_picture_there_is_and_never_a_second_one() -> None:
    run = make_run(1, letters=1, case=make_case())
    photo = Keepsake.objects.get(kind=Keepsake.Kind.PHOTO)
    letter = Keepsake.objects.get(kind=Keepsake.Kind.LETTER)
    whole = f"/pictures/{photo.picture_id}"
    assert large(run.pk, photo) == whole
    assert shown(run.pk)[str(photo.memory_id)]["picture"] == f"/pictures/{photo.thumb_id}"
    # The words of a letter are no picture: its sheet is.
    sheet = f"/pictures/{letter.thumb_id}"
    assert large(run.pk, letter) == sheet

    fence = claim(run.pk)
    assert fence
    take_turn(fence)  # the letter's first pass: it is the newer of the two
    letter.refresh_from_db()
    assert letter.level == 1
    assert sheet != large(run.pk, letter) == f"/pictures/{letter.thumb_id}"
    assert large(run.pk, photo) == whole
    while photo.level == 0:
        take_turn(fence)
        photo.refresh_from_db()
    assert whole != large(run.pk, photo) == f"/pictures/{photo.picture_id}"
    assert large(run.pk, letter) == "None"


def test_who_sees_no_pictures_gets_no_address_of_one() -> None:
    run = make_run(1, pace=600)
    assert [item["large"] for item in shown(run.pk, pictures=False).values()] == [None]
