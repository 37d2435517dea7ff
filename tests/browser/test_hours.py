"""The front desk enters hours and an absence, and books the next free night, by keyboard alone."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from clinic.accounts.models import Role
from clinic.availability.models import AvailabilityException, WorkingHours
from clinic.calendar.models import Resource
from erasure.procedures.models import Procedure
from patients.cases.models import Case
from tests.browser.browsing import open_installation
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

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.timeout(300)]


def make_agreed() -> Case:
    case = make_case()
    make_keepsake(make_memory(case))
    make_signed(case)
    return case


def tab_to(page: Page, label: str) -> None:
    """Press Tab until the element of this label, or with this text, has the focus."""
    for _ in range(120):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "() => { const one = document.activeElement;"
            " const label = one.labels?.[0]?.textContent ?? one.textContent; return label.trim(); }"
        )
        if found.startswith(label):
            return
    raise AssertionError(f"Tab never reaches {label}")


def test_hours_absences_and_the_next_free_night_by_keyboard() -> None:
    case, desk = make_agreed(), make_user(Role.RECEPTIONIST)
    doctor, technician, room = make_doctor(), make_technician(), make_room()
    resource = Resource.objects.get(user=technician)
    with open_installation() as site:
        visitor = site.visitor(desk)
        page = visitor.page
        visitor.go("/hours/")
        visitor.take_screenshots("hours")
        visitor.go(f"/hours/{resource.pk}/")
        for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"):
            tab_to(page, day)
            page.keyboard.type("20-6")
        tab_to(page, "Why?")
        page.keyboard.type("contract")
        page.keyboard.press("Enter")
        expect(page.locator("#messages")).to_contain_text("The hours are saved.")
        tomorrow = timezone.localdate() + timedelta(days=1)
        tab_to(page, "First day")
        page.keyboard.type(f"{tomorrow:%m%d%Y}")
        tab_to(page, "Why?")
        page.keyboard.type("a course")
        page.keyboard.press("Enter")
        expect(page.locator("#messages")).to_contain_text("Entered.")
        visitor.take_screenshots("hours-of-one")

        visitor.go(f"/files/{case.pk}/book/")
        page.get_by_label("Where").select_option("clinic")
        offers = page.locator(".offers a")
        expect(offers.first).to_be_visible()
        visitor.take_screenshots("book-offers")
        offers.first.focus()
        page.keyboard.press("Enter")
        visitor.take_screenshots("book-filled")
        page.get_by_role("button", name="Book the night").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#messages")).to_contain_text("The night is booked.")

        own = site.visitor(technician)
        own.go("/hours/mine/")
        expect(own.page.locator("main")).to_contain_text("20:00–06:00")
        own.take_screenshots("my-hours")
        assert site.complaints() == []
    assert WorkingHours.objects.count() == 7
    assert AvailabilityException.objects.get().reason == "a course"
    booking = Procedure.objects.get(case=case).booking
    assert set(booking.resources.all()) == {*Resource.objects.filter(user__in=[doctor, technician]), room}
    assert timezone.localtime(booking.starts_at).hour == 20
