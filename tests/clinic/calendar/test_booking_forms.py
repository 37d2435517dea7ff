"""Times that the clocks show twice, or skip, in the forms that book."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django import forms

from clinic.calendar.booking_forms import add_moments, moment_shown


def test_a_time_is_the_moment_at_which_the_clocks_show_it() -> None:
    assert moment_shown(date(2027, 2, 14), time(22, 15)) == datetime(2027, 2, 15, 3, 15, tzinfo=UTC)


def test_of_a_time_that_occurs_twice_either_can_be_chosen() -> None:
    first, second = (moment_shown(date(2027, 11, 7), time(1, 30), late=late) for late in (False, True))
    assert first is not None
    assert second is not None
    assert second - first == timedelta(hours=1)


def test_a_time_that_the_clocks_skip_is_no_moment() -> None:
    for late in (False, True):
        assert moment_shown(date(2027, 3, 14), time(2, 0), late=late) is None
        assert moment_shown(date(2027, 3, 14), time(3, 0), late=late) is not None


class HoursForm(forms.Form):
    day = forms.DateField()
    begins = forms.TimeField()
    ends = forms.TimeField()


@pytest.mark.parametrize(
    ("day", "begins", "ends", "errors"),
    [
        ("2027-03-14", "01:00", "03:00", {}),
        ("2027-03-14", "02:00", "03:00", {"begins": ["skipped"]}),
        ("2027-03-14", "02:00", "02:30", {"begins": ["skipped"], "ends": ["skipped"]}),
    ],
)
def test_a_time_that_the_clocks_skip_is_an_error_of_its_field(
    day: str, begins: str, ends: str, errors: dict[str, list[str]]
) -> None:
    form = HoursForm({"day": day, "begins": begins, "ends": ends})
    assert form.is_valid()
    data = form.cleaned_data
    assert add_moments(form, data, data["day"], "skipped") is not bool(errors)
    assert form.errors == errors


def test_of_times_that_occur_twice_the_longest_span_is_meant() -> None:
    form = HoursForm({"day": "2027-11-07", "begins": "01:00", "ends": "01:30"})
    assert form.is_valid()
    data = form.cleaned_data
    assert add_moments(form, data, data["day"], "skipped")
    assert data["ends_at"] - data["begins_at"] == timedelta(minutes=90)
