"""The calendar in a browser: bookings are dragged, or moved by keyboard, and come back if that is refused."""

from datetime import date, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, expect

from clinic.accounts.models import Role
from clinic.calendar.models import Booking
from tests.browser.browsing import PHONE, open_pages
from tests.browser.keyboard import Keyboard
from tests.browser.test_access import violations
from tests.factories import make_room, make_user
from tests.nights import book_night

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

DAY = date(2030, 2, 12)  # a Tuesday, in the week that begins on Sunday the 10th


def drawn(page: Page, booking: Booking) -> Locator:
    return page.locator(
        f"#calendar-drawing .ec-event:not(.ec-ghost, .ec-preview) button[data-id='{booking.pk}']"
    ).first


def hours_of(booking: Booking) -> tuple[str, str]:
    """The booking's hours as the database has them now, as the clinic's clocks show them."""
    row = Booking.objects.get(pk=booking.pk)
    start, end = timezone.localtime(row.starts_at), timezone.localtime(row.ends_at)
    return f"{start:%d %H:%M}", f"{end:%d %H:%M}"


def drag(page: Page, booking: Booking, days: int, slots: float = 0, *, edge: bool = False) -> None:
    """Drag a booking by columns and by half hours; `edge`: its lower edge."""
    box = drawn(page, booking).bounding_box()
    column = page.locator(".ec-col-head").nth(1).bounding_box()
    assert box
    assert column
    x, y = box["x"] + box["width"] / 2, box["y"] + (box["height"] - 2 if edge else 20)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 5, y + 5)
    page.mouse.move(x + days * column["width"], y + slots * 20, steps=8)
    page.mouse.up()


def test_dragging_a_booking_names_a_clash_moves_it_and_can_be_undone(chromium: Browser) -> None:
    room = make_room()
    night = book_night(DAY, room).booking
    book_night(DAY + timedelta(days=1), room)
    with open_pages(chromium) as site:
        visitor = site.visitor(make_user(Role.RECEPTIONIST))
        page, message = visitor.page, visitor.page.locator("#calendar-says")
        visitor.go(f"/calendar/?view=week&date={DAY.isoformat()}")
        visitor.take_screenshots("calendar-week")
        page.set_viewport_size({"width": 1440, "height": 1600})  # so that nothing scrolls while it is dragged
        before = drawn(page, night).bounding_box()
        drag(page, night, 1)
        expect(message).to_contain_text(f"{room.label} is taken from 13 Feb, 20:00 to 14 Feb, 04:00.")
        assert drawn(page, night).bounding_box() == before
        assert hours_of(night) == ("12 20:00", "13 04:00")
        visitor.expect_complaint("409 (Conflict)")
        drag(page, night, 2, -2)
        expect(message).to_have_text("Moved to 14 Feb, 19:00 to 15 Feb, 03:00.")
        expect(page.locator("#calendar-list")).to_contain_text("19:00 to 15 Feb, 03:00")
        visitor.take_screenshots("calendar-moved")
        page.get_by_role("button", name="Undo").click()
        expect(message).to_have_text("Moved to 12 Feb, 20:00 to 13 Feb, 04:00.")
        assert hours_of(night) == ("12 20:00", "13 04:00")
        drag(page, night, 0, 2, edge=True)
        expect(message).to_have_text("Moved to 12 Feb, 20:00 to 13 Feb, 05:00.")
        # Somebody else was faster: the undo is refused, and the page shows how it is now.
        other = Booking.objects.get(pk=night.pk)
        Booking.objects.filter(pk=night.pk).update(ends_at=other.ends_at + timedelta(hours=1))
        page.get_by_role("button", name="Undo").click()
        expect(message).to_contain_text("it is from 12 Feb, 20:00 to 13 Feb, 06:00 now")
        visitor.expect_complaint("409 (Conflict)")
        for view in ("day", "month", "resources", "list"):
            visitor.go(f"/calendar/?view={view}&date={DAY.isoformat()}")
            expect(page.locator("#calendar-list")).to_contain_text("20:00 to 13 Feb, 06:00")
            if view != "list":
                expect(drawn(page, night)).to_be_visible()
            visitor.take_screenshots(f"calendar-{view}")
            assert violations(page, Axe()) == []
        visitor.go(f"/calendar/sheet/?date={DAY.isoformat()}")
        visitor.take_screenshots("calendar-sheet")
        assert site.complaints() == []


def test_a_booking_is_moved_by_keyboard_alone(chromium: Browser) -> None:
    night = book_night(DAY).booking
    with open_pages(chromium) as site:
        visitor = site.visitor(make_user(Role.RECEPTIONIST))
        keyboard, page = Keyboard(visitor), visitor.page
        keyboard.go(f"/calendar/?view=week&date={DAY.isoformat()}")
        keyboard.press(drawn(page, night))
        keyboard.expect_announced(
            "Picked up: 12 Feb, 20:00 to 13 Feb, 04:00. Arrows move it, Shift and arrows move its end. "
            "Enter puts it down, Escape puts it back."
        )
        for key, heard in {
            "ArrowDown": "12 Feb, 20:15 to 13 Feb, 04:15",
            "ArrowRight": "13 Feb, 20:15 to 14 Feb, 04:15",
            "Shift+ArrowUp": "13 Feb, 20:15 to 14 Feb, 04:00",
            "Escape": "Put back: 12 Feb, 20:00 to 13 Feb, 04:00.",
        }.items():
            page.keyboard.press(key)
            keyboard.expect_announced(heard)
            keyboard.expect_focus_on(drawn(page, night))
        assert hours_of(night) == ("12 20:00", "13 04:00")
        for key in ("Enter", "ArrowUp", "ArrowLeft", "Enter"):
            page.keyboard.press(key)
        expect(page.locator("#calendar-says")).to_have_text("Moved to 11 Feb, 19:45 to 12 Feb, 03:45.")
        keyboard.expect_focus_on(drawn(page, night))
        assert hours_of(night) == ("11 19:45", "12 03:45")
        keyboard.expect_focus_never_lost()
        page.set_viewport_size(PHONE)
        assert not drawn(page, night).is_visible()
        assert site.complaints() == []
