"""The waitlist in the week of 8 to 14 February: a time that a patient gives back is offered to who waits."""

from datetime import time

import pytest
from playwright.sync_api import Browser, expect

from clinic.accounts.models import Role, User
from clinic.availability.changes import add_exception
from clinic.calendar.board import at_clock
from patients.waitlist.models import WaitlistEntry, WaitlistOffer
from tests.browser.browsing import open_pages
from tests.browser.test_valentines_week import (
    FRIDAY,
    NAMES,
    SATURDAY,
    SUNDAY,
    Week,
    address_of,
    book_typed,
    cancel,
    case_of,
    close_the_day,
    day_and_time,
    make_staff,
    only_appointment,
    resource,
    send_mail,
)
from tests.clock import MovedClock
from tests.factories import make_case, make_user
from tests.waitlist import let_supervisor_work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

GIVES_BACK, WAITS, WAITS_TOO = NAMES[:3]


def put_on_waitlist(week: Week, name: str) -> None:
    """The desk puts a patient, who comes after work, on the list for a visit until Saturday."""
    desk = week.browser_of(week.desk)
    desk.go(f"/files/{case_of(name).pk}/")
    desk.press("Put on the waitlist")
    desk.page.get_by_label("What for").select_option(label="Visit")
    for box in desk.page.get_by_role("group", name="Days that suit").get_by_role("checkbox").all():
        box.check()
    desk.page.get_by_label("Not before").fill("15:30")
    desk.page.get_by_label("Over by").fill("16:15")
    desk.page.get_by_label("Until this day").fill(SATURDAY.isoformat())
    desk.press("Put on the waitlist")
    expect(desk.page.locator("#messages")).to_contain_text("The patient is on the waitlist.")


def answer_offer(week: Week, patient: User, button: str, message: str) -> None:
    """The patient finds the offer on their own page, and answers it."""
    visitor = week.browser_of(patient)
    visitor.go("/me/")
    expect(visitor.page.locator("#offer")).to_contain_text("A time has become free")
    visitor.press("Accept or decline it")
    visitor.press(button)
    expect(visitor.page.locator("#messages")).to_contain_text(message)


def test_a_time_that_is_given_back_goes_to_who_waits(
    chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first who waits declines, the second accepts. Each gets exactly the mails that are expected."""
    clock = MovedClock(monkeypatch)
    clock.set_to(at_clock(SUNDAY, time(8)))
    with open_pages(chromium) as site:
        week = make_staff(site, clock)
        patients = [
            make_case(make_user(Role.PATIENT, name=name, email=address_of(name))).patient
            for name in (GIVES_BACK, WAITS, WAITS_TOO)
        ]
        week.set_time(FRIDAY, "10:00")
        howard, paula = week.doctors
        add_exception(
            resource(howard),
            adds=False,
            starts_at=at_clock(FRIDAY, time(0)),
            ends_at=at_clock(SATURDAY, time(23)),
            reason="ill",
            by=week.administrator,
        )
        given_back = book_typed(week, GIVES_BACK, "Visit", SATURDAY, "15:30", paula, "Room East")
        send_mail()
        put_on_waitlist(week, WAITS)
        put_on_waitlist(week, WAITS_TOO)
        cancel(week, GIVES_BACK, "The patient asked for it")
        let_supervisor_work()
        week.expect_mail("waitlist-offered", patients[1])
        send_mail()
        assert WaitlistOffer.objects.open().get().entry.case == case_of(WAITS)
        answer_offer(week, patients[1], "No, thank you", "You stay on the waitlist.")
        let_supervisor_work()
        week.expect_mail("waitlist-offered", patients[2])
        send_mail()
        answer_offer(week, patients[2], "Yes, I take it", "The time is yours.")
        week.expect_mail("appointment-booked", patients[2])
        taken = only_appointment(WAITS_TOO)
        assert day_and_time(taken) == day_and_time(given_back) == "14 15:30"
        assert list(WaitlistEntry.objects.waiting()) == [WaitlistEntry.objects.get(case=case_of(WAITS))]
        close_the_day(week)
