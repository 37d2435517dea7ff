"""The day board on a narrow screen: a list in which each booking has its name once."""

from datetime import date, time, timedelta

import pytest
from playwright.sync_api import Browser

from clinic.accounts.models import Role
from clinic.calendar.board import at_clock
from clinic.calendar.models import Resource
from erasure.procedures.booking import book_procedure
from erasure.procedures.models import Procedure
from tests.browser.browsing import DESK, PHONE, open_pages
from tests.factories import (
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_room,
    make_signed,
    make_technician,
    make_user,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

DAY = date(2030, 2, 13)


def book_from_day_into_night() -> str:
    """Book a procedure from the day block into the night block; return the patient's name on the board."""
    case = make_case()
    make_keepsake(make_memory(case))
    make_signed(case)
    doctor, start = make_doctor(), at_clock(DAY, time(19))
    book_procedure(
        case,
        place=Procedure.Place.CLINIC,
        resources=[*Resource.objects.filter(user__in=[doctor, make_technician()]), make_room()],
        starts_at=start,
        ends_at=start + timedelta(hours=6),
        pace_seconds=6,
        by=doctor,
    )
    return case.patient.short_name


def test_a_phone_shows_a_booking_once_and_a_desktop_in_both_blocks(chromium: Browser) -> None:
    name, desk = book_from_day_into_night(), make_user(Role.RECEPTIONIST)
    with open_pages(chromium) as site:
        visitor = site.visitor(desk)
        visitor.go(f"/today/?day={DAY.isoformat()}")
        page = visitor.page
        named = page.locator(".board").get_by_text(name, exact=True).filter(visible=True)
        again = page.get_by_text("goes on until 01:00").filter(visible=True)
        page.set_viewport_size(DESK)
        assert named.count() == 2
        page.set_viewport_size(PHONE)
        assert named.count() == 1
        assert again.count() == 1
        visitor.take_screenshots("day-board")
        assert site.complaints() == []
