"""The supervisor's rounds where two of them run at once, and what it throws away."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from erasure.jobs import supervisor
from erasure.jobs.supervisor import forget_old_tasks, wake_due
from erasure.jobs.tasks import enqueue_run
from erasure.runs.lease import claim
from erasure.runs.models import Run
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_worker_is_asked_once_for_each_night_that_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [make_run(1), make_run(1)]
    asked: list[UUID] = []
    monkeypatch.setattr(supervisor, "enqueue_run", asked.append)
    assert wake_due() == 2
    assert sorted(asked) == sorted(run.pk for run in runs)


def claim_all() -> None:
    for run in Run.objects.all():
        claim(run.pk)


@pytest.mark.parametrize("meanwhile", [wake_due, claim_all], ids=["another supervisor", "a worker"])
def test_nobody_is_asked_for_a_night_that_another_has_seen_to(
    meanwhile: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between this supervisor's look and its turn another one asked, or a worker came."""
    make_run(1)
    make_run(1)
    asked: list[UUID] = []

    def ask(run_id: UUID) -> None:
        asked.append(run_id)
        if len(asked) == 1:
            meanwhile()

    monkeypatch.setattr(supervisor, "enqueue_run", ask)
    assert wake_due() == 1
    assert len(asked) == len(set(asked))


def test_the_engines_rows_are_forgotten_when_they_are_old_and_not_before() -> None:
    now = timezone.now()
    old, new = now - timedelta(minutes=6), now - timedelta(minutes=1)
    for _row in range(5):
        enqueue_run(uuid4())
    waiting, at_work, done, lost, forgotten = DBTaskResult.objects.values_list("pk", flat=True)
    for row, started, finished in [
        (at_work, new, None),
        (done, new, now),
        (lost, old, None),
        (forgotten, old, old),
    ]:
        DBTaskResult.objects.filter(pk=row).update(started_at=started, finished_at=finished)
    DBTaskResult.objects.filter(pk=waiting).update(enqueued_at=old)
    forget_old_tasks()
    assert set(DBTaskResult.objects.values_list("pk", flat=True)) == {waiting, at_work, done}
