"""The timeline of a case: consecutive entries of one day and one action are one line."""

from datetime import datetime, timedelta

from django.utils import timezone

from clinic.audit.models import Entry
from patients.case_file.timeline import milestones_of

NOON = timezone.make_aware(datetime(2026, 2, 9, 12))


def test_consecutive_entries_of_one_day_and_action_are_one_line() -> None:
    happened = (
        ("case.opened", 0),
        ("intake.answered", 1),
        ("intake.answered", 2),
        ("intake.answered", 3),
        ("consent.withdrawn", 4),
        ("intake.answered", 5),
        ("intake.answered", 13),
    )
    entries = [Entry(action=action, at=NOON + timedelta(hours=hours)) for action, hours in happened]
    assert [(line.when, str(line.text), line.state) for line in milestones_of(entries)] == [
        ("9 Feb, 12:00", "File opened.", "done"),
        ("9 Feb, 15:00", "Intake answered. 3 times.", "done"),
        ("9 Feb, 16:00", "Consent withdrawn.", "alarm"),
        ("9 Feb, 17:00", "Intake answered.", "done"),
        ("10 Feb, 01:00", "Intake answered.", "done"),
    ]
