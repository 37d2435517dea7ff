"""The moved clock of tests: the process, stored defaults and the database agree on it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from clinic.accounts.models import User
from tests.clock import MovedClock
from tests.factories import make_request

pytestmark = pytest.mark.django_db

TOLERANCE = timedelta(seconds=60)  # for the time that passes between two looks at a clock


@pytest.mark.parametrize("moment", [datetime(2032, 2, 8, 13, tzinfo=UTC), datetime(2004, 2, 14, tzinfo=UTC)])
def test_process_defaults_and_database_have_the_same_time(
    moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = MovedClock(monkeypatch)
    clock.set_to(moment)
    request = make_request()
    User.objects.create_user("a@lacuna.example", "", name="A")
    database = User.objects.annotate(at=Now()).get().at
    for shown in (timezone.now(), request.created_at, database):
        assert moment <= shown < moment + TOLERANCE, shown


def test_the_clocks_go_on_and_are_right_again_after_the_test() -> None:
    real = timezone.now()
    with pytest.MonkeyPatch.context() as patch:
        clock = MovedClock(patch)
        clock.set_to(real + timedelta(days=9))
        first = timezone.now()
        assert first < timezone.now()
    assert real <= timezone.now() < real + TOLERANCE
    assert make_request().created_at < real + TOLERANCE
