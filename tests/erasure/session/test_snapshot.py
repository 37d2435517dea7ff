"""The snapshot of a session, read from the database."""

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
    """The memories of the snapshot by id."""
    return {item["id"]: item for item in snapshot(run_id, Viewer(None, pictures=pictures))["memories"]}


def large_picture_of(run_id: UUID, keepsake: Keepsake) -> str:
    """The URL of the picture of a keepsake that the stage shows."""
    return str(shown(run_id)[str(keepsake.memory_id)]["large"])


def test_the_stage_shows_the_largest_picture_of_a_keepsake() -> None:
    run = make_run(1, letters=1, case=make_case())
    photo = Keepsake.objects.get(kind=Keepsake.Kind.PHOTO)
    letter = Keepsake.objects.get(kind=Keepsake.Kind.LETTER)
    whole = f"/pictures/{photo.picture_id}"
    assert large_picture_of(run.pk, photo) == whole
    assert shown(run.pk)[str(photo.memory_id)]["picture"] == f"/pictures/{photo.thumb_id}"
    # A letter's text is no picture, so the stage shows the picture of its page.
    sheet = f"/pictures/{letter.thumb_id}"
    assert large_picture_of(run.pk, letter) == sheet

    fence = claim(run.pk)
    assert fence
    take_turn(fence)  # the letter's first pass: it is the newer of the two
    letter.refresh_from_db()
    assert letter.level == 1
    assert large_picture_of(run.pk, letter) == f"/pictures/{letter.thumb_id}"
    assert large_picture_of(run.pk, letter) != sheet
    assert large_picture_of(run.pk, photo) == whole
    while photo.level == 0:
        take_turn(fence)
        photo.refresh_from_db()
    assert large_picture_of(run.pk, photo) == f"/pictures/{photo.picture_id}"
    assert large_picture_of(run.pk, photo) != whole
    assert large_picture_of(run.pk, letter) == "None"


def test_viewers_without_pictures_get_no_picture_urls() -> None:
    run = make_run(1, pace=600)
    assert [item["large"] for item in shown(run.pk, pictures=False).values()] == [None]
