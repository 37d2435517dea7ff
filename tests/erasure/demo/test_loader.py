"""Loads a short version of the demonstration as a whole, and lets its night begin."""

from collections import Counter
from dataclasses import replace

import pytest
from django.conf import settings as django_settings

from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from erasure.demo import loader, story
from erasure.demo.people_and_rooms import PEOPLE
from erasure.jobs.worker import advance
from erasure.runs.models import Hold, Run, Step
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from tests.factories import publish_first_texts

pytestmark = pytest.mark.django_db(transaction=True)
KEYS = {"house-on-the-beach", "glove", "sister-letter", "grandmothers-house", "terms", "machine"}


@pytest.fixture
def short_story(transactional_db: None, monkeypatch: pytest.MonkeyPatch, settings: django_settings) -> None:
    settings.LACUNA_PACE_SECONDS = 0
    chosen = [memory for memory in story.MEMORIES if memory.key in KEYS]
    trimmed = [replace(memory, links=tuple(key for key in memory.links if key in KEYS)) for memory in chosen]
    monkeypatch.setattr(loader, "MEMORIES", tuple(trimmed))
    publish_first_texts()  # the migration published them; the flush after another test removed them


def test_the_night_begins_and_meets_its_resistance(short_story: None) -> None:
    progress: list[str] = []
    run = loader.load_demonstration(progress.append)
    assert Entry.objects.order_by("index").first().action == "demo.loaded"  # type: ignore[union-attr]
    assert {user.email for user in loader.User.objects.all()} == {person.email for person in PEOPLE}
    assert Memory.objects.filter(case=run.procedure.case, zone="childhood").count() == 1
    assert Memory.objects.filter(case=run.procedure.case, fate="protected").count() == 1
    assert Keepsake.objects.filter(case=run.procedure.case).count() == 7
    assert any("7 of 7" in line for line in progress)
    taken = Counter(row.read().taken for row in Keepsake.objects.filter(kind="photo"))
    assert taken == {"2003-12-06T16:40:17": 2, "1979-08-01T12:00:00": 1}
    assert Keepsake.objects.get(kind="recording").read().seconds > 8
    assert [row.read().pages for row in Keepsake.objects.filter(kind="letter") if row.form == "pages"] == [2]

    assert verify_log().problems == []  # its rows are as its log says
    advance(run.pk)
    hold = Hold.objects.get()
    assert hold.step.memory.read().title == "The house that was nobody's"
    assert hold.step.state == Step.State.HELD
    run.refresh_from_db()
    assert run.state == Run.State.RUNNING
    assert set(run.steps.exclude(pk=hold.step_id).values_list("state", flat=True)) == {Step.State.DESTROYED}
