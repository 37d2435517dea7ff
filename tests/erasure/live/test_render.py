"""The places of copies in the stream's events."""

import pytest

from erasure.live.render import places_of_copies
from erasure.runs.models import Event, Hold
from tests.erasure.runs.test_resistance import make_held

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_held_copy_is_in_the_memory_where_it_was_found() -> None:
    run = make_held(copies=2)
    events = list(Event.objects.filter(run=run))
    places = {str(item.pk): str(item.copy.memory_id) for item in Hold.objects.all()}
    assert len(set(places.values())) == 2
    assert places_of_copies(events) == places
    assert places_of_copies([event for event in events if event.kind != "held"]) == {}
