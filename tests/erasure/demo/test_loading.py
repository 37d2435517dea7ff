"""The demonstration comes in through the same doors as everyone: a short story of it, whole."""

import pytest
from django.conf import settings as django_settings

from clinic.audit.models import Entry
from erasure.demo import loading, story
from erasure.demo.people import CAST
from erasure.runs.models import Hold, Run, Step
from erasure.runs.worker import advance
from patients.consent.models import ConsentText
from patients.consent.texts import publish_first_texts
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory

pytestmark = pytest.mark.django_db(transaction=True)
KEYS = {"house-on-the-beach", "glove", "sister-letter", "grandmothers-house", "terms", "machine"}


@pytest.fixture
def short_story(transactional_db: None, monkeypatch: pytest.MonkeyPatch, settings: django_settings) -> None:
    settings.LACUNA_PACE_SECONDS = 0
    moments = tuple(moment for moment in story.MOMENTS if moment.key in KEYS)
    kept = {moment.key for moment in moments}
    trimmed = [
        type(moment)(**{**vars(moment), "links": tuple(key for key in moment.links if key in kept)})
        for moment in moments
    ]
    monkeypatch.setattr(loading, "MOMENTS", tuple(trimmed))
    publish_first_texts(ConsentText)  # the flush after another test took what the migration had published


def test_the_night_begins_and_meets_its_resistance(short_story: None) -> None:
    told: list[str] = []
    run = loading.load(told.append)
    assert Entry.objects.order_by("index").first().action == "demo.loaded"  # type: ignore[union-attr]
    assert {user.email for user in loading.User.objects.all()} == {part.email for part in CAST}
    assert Memory.objects.filter(case=run.procedure.case, zone="childhood").count() == 1
    assert Memory.objects.filter(case=run.procedure.case, fate="protected").count() == 1
    assert Keepsake.objects.filter(case=run.procedure.case).count() == 7
    assert any("7 of 7" in line for line in told)
    assert Keepsake.objects.get(kind="recording").read().seconds > 8
    assert [row.read().pages for row in Keepsake.objects.filter(kind="letter") if row.form == "pages"] == [2]

    advance(run.pk)
    hold = Hold.objects.get()
    assert hold.step.memory.read().title == "The house that was nobody's"
    assert hold.step.state == Step.State.HELD
    run.refresh_from_db()
    assert run.state == Run.State.RUNNING
    assert set(run.steps.exclude(pk=hold.step_id).values_list("state", flat=True)) == {Step.State.DESTROYED}
