"""Removing memories."""

import pytest

from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.keepsakes.removal import remove_memory
from patients.memories.models import Memory
from tests.factories import make_case, make_memory

pytestmark = pytest.mark.django_db


def test_a_memory_of_a_locked_map_cannot_be_removed() -> None:
    memory = make_memory(make_case())
    Case.objects.filter(pk=memory.case_id).update(stage=Case.Stage.MAPPED)
    with pytest.raises(CaseLocked, match="locked"):
        remove_memory(memory, by=memory.case.patient)
    assert Memory.objects.get(pk=memory.pk).read().title == "A day"
