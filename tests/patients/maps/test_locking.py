"""What stands in the way of locking a map."""

import pytest

from erasure.runs.worker import advance
from patients.maps.locking import CannotLock, lock_map
from tests.factories import make_doctor, make_run

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_map_whose_words_are_gone_is_locked_already() -> None:
    run = make_run(memories=1)
    advance(run.pk)
    with pytest.raises(CannotLock) as refusal:
        lock_map(run.procedure.case, by=make_doctor())
    assert refusal.value.obstacles == ["The map is locked already."]
