"""The clinic's busiest week, Sunday 8 to Saturday 14 February, walked by its people in the real pages.

The clocks of the clinic stand in February 2032, whose days fall on the weekdays of 2004: the server is a
thread of this process, and both clocks that it reads are moved (tests/clock.py). A day is one function below.
What happens to many patients in the same way is done in the browser for one or two of them, and for the
others by Django's client with the same pages.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import combinations

import pytest
from django.conf import settings
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Locator, expect

from clinic.accounts.models import Role, User
from clinic.availability.changes import change_week
from clinic.calendar.board import at_clock
from clinic.calendar.models import PLACES, Booking, Reservation, Resource, quarters
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.recipients import people_of
from erasure.procedures.mails import REMINDERS as NIGHT_REMINDERS
from erasure.procedures.models import Procedure
from patients.appointments.booking import appointment_mark
from patients.appointments.mails import REMINDERS as APPOINTMENT_REMINDERS
from patients.appointments.models import Appointment, AppointmentTemplate, DeskTask
from patients.cases.models import Case
from patients.requests.models import AppointmentRequest
from patients.requests.tickets import new_ticket
from tests.appointments import make_first_templates
from tests.browser.browsing import PHONE, OpenSite, Visitor, open_pages, session_of
from tests.browser.keyboard import Keyboard
from tests.browser.test_calendar import drag, drawn
from tests.clock import MovedClock
from tests.factories import PASSPHRASE, make_case, make_keepsake, make_memory, make_signed, make_user
from tests.outgoing import deliver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

SUNDAY, MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY = (date(2032, 2, day) for day in range(8, 15))
FIRST_NAMES = ("Joel", "Theresa", "Rob", "Carrie", "Frank", "Naomi", "Train", "Eric", "Bobbi", "Rollie")
FAMILY_NAMES = ("Barish", "Winters", "Sprague", "Tran", "Okafor", "Lindqvist")
NAMES = [f"{first} {last}" for last in FAMILY_NAMES for first in FIRST_NAMES]  # of the 60 who ask
BY_DAY = (("09:00", "17:00"),)
BY_DAY_AND_NIGHT = (*BY_DAY, ("20:00", "06:00"))
REMINDERS = (*APPOINTMENT_REMINDERS, *NIGHT_REMINDERS)
Status = Appointment.Status


def address_of(name: str) -> str:
    return f"{name.replace(' ', '.').lower()}@patient.example"


@dataclass
class Week:
    """The clinic in this week: its people, each with one browser, and the mails its patients must get.

    expected_mails: how many mails were to be sent so far, by address and event. people: the browser of each
    person, by the address of the account. asked: how many people have asked for an appointment.
    """

    site: OpenSite
    clock: MovedClock
    desk: User
    administrator: User
    doctors: list[User]
    technicians: list[User]
    expected_mails: Counter[tuple[str, str]] = field(default_factory=Counter)
    people: dict[str, Visitor] = field(default_factory=dict)
    asked: int = 0

    def set_time(self, day: date, clock: str) -> None:
        """Send the mail that is due, set the clocks, and sign everybody in anew, as after two idle hours."""
        send_mail()
        for visitor in self.people.values():
            visitor.page.goto("about:blank")
        self.clock.set_to(at_clock(day, time.fromisoformat(clock)))
        for email, visitor in self.people.items():
            value = session_of(User.objects.get(email=email))
            cookie = {"name": settings.SESSION_COOKIE_NAME, "value": value}
            visitor.page.context.add_cookies([{**cookie, "url": visitor.address}])

    def browser_of(self, user: User, **options: object) -> Visitor:
        """The browser of a person, opened on first use."""
        if user.email not in self.people:
            self.people[user.email] = self.site.visitor(user, **options)
        return self.people[user.email]

    def client(self, user: User) -> Client:
        """Django's client, signed in."""
        client = Client()
        client.force_login(user)
        return client

    def expect_mail(self, event: str, *people: str | User) -> None:
        """Note that a mail on `event` is to be sent to these patients, given by name or as users."""
        for person in people:
            self.expected_mails[person.email if isinstance(person, User) else address_of(person), event] += 1


def resource(user: User) -> Resource:
    return Resource.objects.get(user=user)


def place(label: str) -> Resource:
    return Resource.objects.get(label=label)


def template(name: str) -> AppointmentTemplate:
    return AppointmentTemplate.objects.get(name=name)


def case_of(name: str) -> Case:
    return Case.objects.select_related("patient").get(patient__email=address_of(name))


def only_appointment(name: str) -> Appointment:
    """The one appointment of a patient that is expected."""
    return Appointment.objects.with_booking().get(case=case_of(name), status=Status.BOOKED)


def day_and_time(appointment: Appointment) -> str:
    """The day and the time at which an appointment begins, as the database has it: "13 09:00"."""
    row = Booking.objects.get(pk=appointment.booking_id)
    return f"{timezone.localtime(row.starts_at):%d %H:%M}"


def make_staff(site: OpenSite, clock: MovedClock) -> Week:
    """The people of the clinic with their hours, three rooms, and the templates of a new installation."""
    make_first_templates()
    administrator = make_user(Role.ADMINISTRATOR, name="Hollis Mierzwiak")
    doctors = [make_user(Role.DOCTOR, name=name) for name in ("Howard Mierzwiak", "Paula Kerr")]
    technicians = [
        make_user(Role.TECHNICIAN, name=name) for name in ("Stan Fink", "Patrick Wertz", "Lily Moss")
    ]
    for kind, users in ((Resource.Kind.DOCTOR, doctors), (Resource.Kind.TECHNICIAN, technicians)):
        for user in users:
            spans = BY_DAY if user.name.startswith(("Howard", "Stan")) else BY_DAY_AND_NIGHT
            change_week(
                Resource.objects.create(kind=kind, label=user.name, user=user),
                {day: [tuple(map(time.fromisoformat, span)) for span in spans] for day in range(6)},
                valid_from=SUNDAY,
                reason="as every week",
                by=administrator,
            )
    for label in ("Room East", "Room West", "Theater"):
        Resource.objects.create(kind=Resource.Kind.ROOM, label=label)
    desk = make_user(Role.RECEPTIONIST, name="Mary Svevo")
    return Week(site, clock, desk, administrator, doctors, technicians)


# --- What several days do ---


def send_mail() -> None:
    """Send all that is due, as the supervisor does twice a second."""
    while deliver():
        pass


def ask(week: Week, count: int) -> list[str]:
    """So many visitors send the public form, each from a network of their own. Return their names."""
    names = NAMES[week.asked : week.asked + count]
    for at, name in enumerate(names, week.asked):
        fields = {"name": name, "email": address_of(name), "phone": f"555 01{at:02d}", "message": "Soon."}
        answer = Client(REMOTE_ADDR=f"198.51.{at}.7").post(
            "/appointment/", {**fields, "ticket": new_ticket()}
        )
        assert answer.status_code == 302
    week.asked += count
    week.expect_mail("request-received", *names)
    return names


def answer_together(desk: Visitor, names: Sequence[str], decision: str, reason: str = "") -> None:
    """Tick the requests of these people in the inbox and answer all of them."""
    page = desk.page
    for name in names:
        request_row(desk, name).get_by_role("checkbox").check()
    page.get_by_label("A word to all of them").fill(reason)
    desk.press(f"{decision} all ticked")
    answered = f"{len(names)} request" + ("s are" if len(names) > 1 else " is")
    expect(page.locator("#messages")).to_contain_text(f"{answered} answered.")


def request_row(desk: Visitor, name: str) -> Locator:
    heading = desk.page.get_by_role("heading", name=name, exact=True)
    return desk.page.locator("#requests li[id^=request-]").filter(has=heading)


def accept_together(week: Week, names: Sequence[str]) -> None:
    """The desk opens the inbox and accepts these people."""
    desk = week.browser_of(week.desk)
    desk.go("/requests/")
    answer_together(desk, names, "Accept")
    week.expect_mail("request-accepted", *names)


def come_in(names: Sequence[str]) -> None:
    """These people open the link in their mail and choose a passphrase."""
    for name in names:
        answer = Client().post(invitation_to(name), {"name": name, "passphrase": PASSPHRASE})
        assert answer.status_code == 302


def bring_keepsakes(names: Sequence[str]) -> None:
    """These people have answered the intake and brought a thing: their memories can be mapped."""
    for name in names:
        case = case_of(name)
        make_keepsake(make_memory(case))
        Case.objects.filter(pk=case.pk).update(stage=Case.Stage.REVIEW)


def invitation_to(name: str) -> str:
    """The path of the link in the one mail that invites this person."""
    bodies = [str(one.body) for one in mail.outbox if one.to == [address_of(name)]]
    (found,) = re.findall(r"http://[^/]+(/invitation/\S+)", "\n".join(bodies))
    return found


def book_typed(week: Week, name: str, what: str, day: date, clock: str, who: User, room: str) -> Appointment:
    """The desk types a time and books it, by Django's client."""
    case, client = case_of(name), week.client(week.desk)
    team = {"doctors" if who.has_role(Role.DOCTOR) else "technicians": str(resource(who).pk)}
    form = {"template": str(template(what).pk), "day": day.isoformat(), "begins": clock, **team}
    held = client.post(f"/files/{case.pk}/appointment/", {**form, "room": str(place(room).pk)})
    assert held.status_code == 302, held.content.decode()
    assert client.post(held["Location"], {"do": "book"}).status_code == 302
    week.expect_mail("appointment-booked", case.patient)
    return only_appointment(name)


def book_offered(week: Week, name: str, what: str, day: date) -> Appointment:
    """The desk books the first time that is offered from `day` on, in the browser."""
    desk, case = week.browser_of(week.desk), case_of(name)
    page = desk.page
    desk.go(f"/files/{case.pk}/")
    desk.press("Book an appointment")
    page.get_by_role("link", name=re.compile(f"^{what}, ")).click()
    page.get_by_label("From another day").fill(day.isoformat())
    desk.press("Show times")
    offer = page.locator("form.offer").first
    when, team = offer.get_by_role("button").inner_text(), offer.locator(".quiet").inner_text()
    offer.get_by_role("button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(when)
    expect(page.locator(".page-head")).to_contain_text("Nothing is booked yet.")
    desk.press("Book it")
    expect(page.locator("#messages")).to_contain_text("The appointment is booked.")
    week.expect_mail("appointment-booked", case.patient)
    booked = only_appointment(name)
    assert sorted(team.split(", ")) == sorted(one.label for one in booked.booking.resources.all())
    assert timezone.localdate(booked.booking.starts_at) >= day
    return booked


def cancel(week: Week, name: str, reason: str, words: str = "") -> Appointment:
    """The desk cancels the patient's appointment on their file, in the browser."""
    desk, row = week.browser_of(week.desk), only_appointment(name)
    desk.go(f"/files/{row.case_id}/")
    desk.page.locator(f"#appointment-{row.pk}").get_by_role("link", name="Cancel it").click()
    desk.page.get_by_label("Why?").select_option(label=reason)
    desk.page.get_by_label("In a sentence").fill(words)
    desk.press("Cancel it, and tell everybody")
    expect(desk.page.locator("#messages")).to_contain_text("The appointment is canceled")
    expect(desk.page.locator(f"#appointment-{row.pk}")).to_contain_text("canceled")
    week.expect_mail("appointment-cancelled", row.case.patient)
    return row


def set_states(week: Week, by: User, name: str, *states: str) -> None:
    """A person enters the states of a patient's appointment, by Django's client with the board's mark."""
    client, open_states = week.client(by), (Status.BOOKED, Status.ARRIVED, Status.IN_PROGRESS)
    for state in states:
        row = Appointment.objects.with_booking().get(case=case_of(name), status__in=open_states)
        fields = {"do": state, "seen": appointment_mark(row), "back": "board"}
        assert client.post(f"/appointments/{row.pk}/state/", fields).status_code == 302
        row.refresh_from_db()
        assert row.status == state


def tap(visitor: Visitor, appointment: Appointment, button: str) -> None:
    """Press a button of an appointment on the board."""
    visitor.page.locator(f"#appointment-{appointment.pk}").get_by_role("button", name=button).click()
    visitor.page.wait_for_load_state()


def lanes(visitor: Visitor, day: date) -> dict[str, int]:
    """How many bookings of `day` the board shows in each lane."""
    visitor.go(f"/today/?day={day.isoformat()}&by=state")
    heads = visitor.page.locator(".lane > h2").all_inner_texts()
    found = (re.fullmatch(r"(.+?)\s+(\d+)", head) for head in heads)
    return {one[1]: int(one[2]) for one in found if one}


def lane_counts(expected: int = 0, running: int = 0, overdue: int = 0, done: int = 0) -> dict[str, int]:
    lane = {"Expected": expected, "Arrived, in the room": 0, "Running": running, "Overdue": overdue}
    return {**lane, "Done": done}


# --- What holds after every day ---


def close_the_day(week: Week) -> None:
    """Send the mail, and look at what the database holds."""
    send_mail()
    check_bookings()
    check_mails(week)
    assert sorted(set(week.site.complaints())) == []


def check_bookings() -> None:
    """Nobody and nothing is booked twice, and exactly what is booked is reserved."""
    assert not Reservation.objects.filter(booking__canceled_at__isnull=False).exists()
    rows = list(Booking.objects.in_force().prefetch_related("resources", "appointment", "procedure"))
    for one, other in combinations(rows, 2):
        if one.starts_at < other.occupied_until and other.starts_at < one.occupied_until:
            assert not set(one.resources.all()) & set(other.resources.all()), (one.pk, other.pk)
            assert patient_of(one) != patient_of(other)
    for row in rows:
        if row.released_at is None:
            wanted = {(one.pk, at) for one in row.resources.all() for at in reserved_quarters(row, one)}
            assert set(Reservation.objects.filter(booking=row).values_list("resource", "quarter")) == wanted


def patient_of(booking: Booking) -> User:
    holder = booking.appointment if hasattr(booking, "appointment") else booking.procedure
    return holder.case.patient


def reserved_quarters(booking: Booking, thing: Resource) -> Iterator[datetime]:
    before, after = (booking.buffer_before, booking.buffer_after) if thing.kind in PLACES else (0, 0)
    return quarters(booking.starts_at - timedelta(minutes=before), booking.ends_at + timedelta(minutes=after))


def check_mails(week: Week) -> None:
    """Every patient got one mail for each thing that happened to them, and no other beside reminders."""
    rows = OutgoingMessage.objects.filter(audience="patient").exclude(event__in=REMINDERS)
    assert set(rows.exclude(status="cancelled").values_list("status", flat=True)) == {"sent"}
    sent = list(rows.filter(status="sent").values_list("recipient", "event"))
    people = people_of(recipient for recipient, _event in sent)
    assert Counter((people[recipient].address, event) for recipient, event in sent) == week.expected_mails
    assert not OutgoingMessage.objects.filter(status="failed").exists()


# --- The days ---


def sunday(week: Week) -> None:
    """24 people ask. The desk answers: one with a word, one is held, one declined, 18 and 3 at a stroke."""
    week.set_time(SUNDAY, "10:00")
    desk = week.people[week.desk.email] = week.site.visitor()
    desk.log_in(week.desk.email)
    expect(desk.page).to_have_url(f"{desk.address}/today/")
    ask_by_hand(week)
    names = NAMES[:3] + ask(week, 21)
    week.set_time(SUNDAY, "16:00")
    desk.go("/today/")
    desk.press("Requests")
    expect(desk.page.locator("#requests")).to_contain_text("Waiting for an answer: 24 requests")
    desk.take_screenshots("week-requests")
    for name, word, button, state in (
        (names[0], "We keep Tuesday for you.", "Accept and invite", "accepted"),
        (names[1], "", "Hold", "held"),
        (names[2], "We are full before Easter.", "Decline", "declined"),
    ):
        row = request_row(desk, name)
        row.get_by_label("A word to the visitor").fill(word)
        row.get_by_role("button", name=button, exact=True).click()
        expect(row.locator(".tag")).to_have_text(state)
        week.expect_mail(f"request-{state}", name)
    answer_together(desk, names[3:21], "Accept")
    answer_together(desk, names[21:], "Decline", "Please ask again in March.")
    week.expect_mail("request-accepted", *names[3:21])
    week.expect_mail("request-declined", *names[21:])
    expect(desk.page.locator("#requests")).to_contain_text("Waiting for an answer: 1 request")
    close_the_day(week)
    visitor = week.site.visitor()
    visitor.go(invitation_to(names[0]))
    visitor.page.get_by_label("A passphrase").fill(PASSPHRASE)
    visitor.press("Come in")
    expect(visitor.page).to_have_url(f"{visitor.address}/me/")
    come_in(names[3:21])
    bring_keepsakes([NAMES[at] for at in MAPPED])
    assert Case.objects.filter(patient__email__in=map(address_of, names)).count() == 19


def ask_by_hand(week: Week) -> None:
    """Two visitors fill in the public form; a third one calls, and the desk fills it in for them."""
    desk = week.browser_of(week.desk)
    desk.go("/requests/")
    desk.press("Request for a caller")
    callers = {NAMES[0]: week.site.visitor(), NAMES[1]: week.site.visitor(), NAMES[2]: desk}
    for name, visitor in callers.items():
        if visitor is not desk:
            visitor.go("/appointment/")
        visitor.page.get_by_label("Name").fill(name)
        visitor.page.get_by_label("E-mail address").fill(address_of(name))
        visitor.page.get_by_label("What would you like to tell us?").fill("I cannot sleep.")
        visitor.press("Send")
        expect(visitor.page.locator("#messages")).to_contain_text("number")
    week.asked = len(callers)
    week.expect_mail("request-received", *callers)


# What the desk books on Monday: the patient's place in NAMES, what, when, with whom (their place among the
# doctors or technicians of the week), and where.
PLAN = (
    (4, "Visit", TUESDAY, "13:00", 0, "Room East"),
    (5, "Visit", TUESDAY, "14:00", 1, "Room West"),
    (6, "Visit", WEDNESDAY, "09:00", 0, "Room East"),
    (7, "Visit", WEDNESDAY, "10:00", 1, "Room East"),
    (8, "Mapping visit", WEDNESDAY, "09:00", 0, "Room West"),
    (9, "Mapping visit", WEDNESDAY, "13:00", 1, "Room West"),
    (10, "Visit", THURSDAY, "10:00", 0, "Room East"),
    (11, "Visit", THURSDAY, "11:00", 0, "Room East"),
    (12, "Mapping visit", THURSDAY, "10:00", 2, "Room West"),
    (13, "Visit", FRIDAY, "09:00", 1, "Room East"),
    (14, "Visit", FRIDAY, "10:00", 0, "Room East"),
    (15, "Mapping visit", FRIDAY, "13:00", 0, "Room West"),
    (16, "Visit", SATURDAY, "09:00", 1, "Room East"),
)

MAPPED = (8, 9, 12, 15, 17, 18, 19)  # who comes for a mapping visit, by their place in NAMES


def monday(week: Week) -> None:
    """Twelve more ask. The desk books 17 appointments, four of them from offered times."""
    week.set_time(MONDAY, "09:00")
    names = ask(week, 12)
    accept_together(week, names[:10])
    answer_together(week.browser_of(week.desk), names[10:], "Decline")
    week.expect_mail("request-declined", *names[10:])
    for at, what, day, clock, who, room in PLAN:
        people = week.doctors if what == "Visit" else week.technicians
        book_typed(week, NAMES[at], what, day, clock, people[who], room)
    first = book_offered(week, NAMES[0], "Visit", TUESDAY)
    second = book_offered(week, NAMES[3], "Visit", TUESDAY)
    third = book_offered(week, NAMES[17], "Mapping visit", TUESDAY)
    fourth = book_offered(week, NAMES[18], "Mapping visit", WEDNESDAY)
    assert [day_and_time(one) for one in (first, second, third, fourth)] == [
        "10 09:00",
        "10 09:00",
        "10 09:00",
        "11 09:00",
    ]
    patient = week.browser_of(case_of(NAMES[0]).patient)
    patient.go("/me/")
    expect(patient.page.locator("#appointments")).to_contain_text("09:00 to 09:45")
    close_the_day(week)
    come_in(names[:10])
    assert lanes(week.browser_of(week.desk), TUESDAY) == lane_counts(expected=5)


def tuesday(week: Week) -> None:
    """Visits take place. One booking is dragged to another day, one is moved by form, one is canceled."""
    week.set_time(TUESDAY, "08:55")
    accept_together(week, ask(week, 8))
    desk, doctor = week.browser_of(week.desk), week.browser_of(week.doctors[0])
    first = only_appointment(NAMES[0])
    desk.go("/today/")
    tap(desk, first, "Arrived")
    expect(desk.page.locator("#messages")).to_contain_text("Entered: arrived.")
    week.set_time(TUESDAY, "09:02")
    doctor.go("/today/")
    tap(doctor, first, "In the room")
    assert lanes(desk, TUESDAY) == {**lane_counts(expected=4), "Running": 1}
    drag_to_friday(week)
    move_by_form(week)
    gone = cancel(week, NAMES[8], "The patient is ill", "A cold.")
    assert not Reservation.objects.filter(booking=gone.booking).exists()
    # The time is free again: another patient gets it.
    again = book_typed(week, NAMES[8], "Mapping visit", SATURDAY, "11:00", week.technicians[0], "Room West")
    assert day_and_time(again) == "14 11:00"
    other = book_typed(week, NAMES[19], "Mapping visit", WEDNESDAY, "09:00", week.technicians[0], "Room West")
    assert set(other.booking.resources.all()) == set(gone.booking.resources.all())
    week.set_time(TUESDAY, "16:00")
    doctor.go("/today/")
    tap(doctor, first, "Done")
    set_states(week, week.technicians[2], NAMES[17], "in_progress", "completed")
    for name in (NAMES[3], NAMES[4], NAMES[5]):
        set_states(week, week.desk, name, "arrived", "completed")
    assert lanes(desk, TUESDAY) == lane_counts(done=5)
    close_the_day(week)


def drag_to_friday(week: Week) -> None:
    """The desk drags a mapping visit: onto Thursday it is refused in words, onto Friday it moves."""
    desk, row = week.browser_of(week.desk), only_appointment(NAMES[18])
    page, says = desk.page, desk.page.locator("#calendar-says")
    desk.go(f"/calendar/?view=week&date={TUESDAY.isoformat()}")
    page.set_viewport_size({"width": 1440, "height": 1600})
    desk.take_screenshots("week-calendar")
    drag(page, row.booking, 1)
    expect(says).to_contain_text("Lily Moss is taken from 12 Feb, 10:00 to 12 Feb, 11:30.")
    desk.expect_complaint("409 (Conflict)")
    assert day_and_time(row) == "11 09:00"
    drag(page, row.booking, 2)
    expect(says).to_have_text("Moved to 13 Feb, 09:00 to 10:30.")
    assert day_and_time(row) == "13 09:00"
    week.expect_mail("appointment-moved", row.case.patient)


def move_by_form(week: Week) -> None:
    """A patient asks for Saturday; the desk moves the mapping visit on the file."""
    desk, row = week.browser_of(week.desk), only_appointment(NAMES[9])
    page = desk.page
    desk.go(f"/files/{row.case_id}/")
    page.locator(f"#appointment-{row.pk}").get_by_role("link", name="Move it").click()
    page.get_by_label("Day").fill(SATURDAY.isoformat())
    page.get_by_label("Begins").fill("14:00")
    page.get_by_label("Ends").fill("15:30")
    page.get_by_label("Why?").select_option(label="The patient asked for it")
    desk.press("Move it, and tell everybody")
    expect(page.locator("#messages")).to_contain_text("The appointment is moved")
    assert day_and_time(row) == "14 14:00"
    week.expect_mail("appointment-moved", row.case.patient)


def wednesday(week: Week) -> None:
    """The desk has only a keyboard."""
    week.set_time(WEDNESDAY, "08:30")
    names = ask(week, 6)
    week.set_time(WEDNESDAY, "09:02")
    visitor = week.site.visitor()
    keyboard, page = Keyboard(visitor), visitor.page
    keyboard.go("/account/login/")
    type_into(keyboard, page.locator("[name=login]"), week.desk.email)
    type_into(keyboard, page.locator("[name=password]"), PASSPHRASE)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{visitor.address}/today/")
    arrived = page.locator(f"#do-arrived-{only_appointment(NAMES[6]).pk}")
    keyboard.press(arrived, most=90)
    expect(page.locator("#messages")).to_contain_text("Entered: arrived.")
    answer_by_keyboard(week, keyboard, names)
    book_by_keyboard(week, keyboard, NAMES[20])
    move_by_keyboard(week, keyboard, only_appointment(NAMES[16]))
    cancel_by_keyboard(week, keyboard, NAMES[15])
    page.context.close()
    week.set_time(WEDNESDAY, "16:30")
    set_states(week, week.doctors[0], NAMES[6], "completed")
    set_states(week, week.doctors[1], NAMES[7], "arrived", "completed")
    set_states(week, week.technicians[0], NAMES[19], "arrived", "in_progress", "completed")
    set_states(week, week.desk, NAMES[20], "arrived", "completed")
    assert lanes(week.browser_of(week.desk), WEDNESDAY) == lane_counts(done=4)
    close_the_day(week)


def type_into(keyboard: Keyboard, target: Locator, text: str) -> None:
    keyboard.tab_to(target, most=90)
    keyboard.page.keyboard.type(text)


def answer_by_keyboard(week: Week, keyboard: Keyboard, names: Sequence[str]) -> None:
    """Invite the visitor who was held on Sunday, and three of those who asked today."""
    visitor, page = keyboard.visitor, keyboard.page
    keyboard.press(page.get_by_role("link", name="Requests", exact=True))
    held = request_row(visitor, NAMES[1])
    type_into(keyboard, held.get_by_label("A word to the visitor"), "A place is free now.")
    keyboard.press(held.get_by_role("button", name="Accept and invite"))
    expect(held.locator(".tag")).to_have_text("accepted")
    for name in names[:3]:
        keyboard.press(request_row(visitor, name).get_by_role("checkbox"), "Space", most=90)
    keyboard.press(page.get_by_role("button", name="Accept all ticked"), most=90)
    expect(page.locator("#messages")).to_contain_text("3 requests are answered.")
    week.expect_mail("request-accepted", NAMES[1], *names[:3])


def open_file_by_keyboard(keyboard: Keyboard, name: str) -> None:
    """Find a file by the patient's name."""
    page = keyboard.page
    keyboard.press(page.get_by_role("link", name="Files", exact=True))
    type_into(keyboard, page.locator("#name"), name)
    page.keyboard.press("Enter")
    keyboard.press(page.locator("main").get_by_role("link", name=name))
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def book_by_keyboard(week: Week, keyboard: Keyboard, name: str) -> None:
    """Book the first visit that is offered."""
    page = keyboard.page
    open_file_by_keyboard(keyboard, name)
    keyboard.press(page.get_by_role("link", name="Book an appointment"), most=90)
    keyboard.press(page.get_by_role("link", name=re.compile("^Visit, ")))
    keyboard.press(page.locator("form.offer button").first)
    keyboard.press(page.get_by_role("button", name="Book it"))
    expect(page.locator("#messages")).to_contain_text("The appointment is booked.")
    week.expect_mail("appointment-booked", case_of(name).patient)
    assert day_and_time(only_appointment(name)) == "11 10:00"


def move_by_keyboard(week: Week, keyboard: Keyboard, row: Appointment) -> None:
    """Find a booking in the calendar, pick it up, and put it down an hour later."""
    page = keyboard.page
    keyboard.press(page.get_by_role("link", name="Calendar", exact=True), most=90)
    expect(drawn(page, row.booking)).to_be_visible()
    keyboard.tab_to(page.locator("#calendar-drawing button[tabindex='0']"))
    for _booking in range(40):
        if drawn(page, row.booking).evaluate("one => one === document.activeElement"):
            break
        page.keyboard.press("ArrowRight")
    for key in ("Enter", *["ArrowDown"] * 4, "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#calendar-says")).to_have_text("Moved to 14 Feb, 10:00 to 10:45.")
    expect(drawn(page, row.booking)).to_be_focused()
    assert day_and_time(row) == "14 10:00"
    week.expect_mail("appointment-moved", row.case.patient)


def cancel_by_keyboard(week: Week, keyboard: Keyboard, name: str) -> None:
    page, row = keyboard.page, only_appointment(name)
    open_file_by_keyboard(keyboard, name)
    keyboard.press(page.get_by_role("link", name="Cancel it"), most=90)
    keyboard.choose(page.get_by_label("Why?"), "patient")
    keyboard.press(page.get_by_role("button", name="Cancel it, and tell everybody"))
    expect(page.locator("#messages")).to_contain_text("The appointment is canceled")
    assert not Reservation.objects.filter(booking=row.booking).exists()
    week.expect_mail("appointment-cancelled", row.case.patient)


def thursday(week: Week) -> None:
    """A doctor is ill until Friday. The desk gives one patient another doctor and two another day."""
    week.set_time(THURSDAY, "08:00")
    waiting = list(AppointmentRequest.objects.waiting().order_by("created_at").values_list("name", flat=True))
    accept_together(week, [*waiting, *ask(week, 4)])
    enter_absence(week)
    desk, howard = week.browser_of(week.desk), resource(week.doctors[0])
    desk.go(f"/hours/{howard.pk}/")
    expect(desk.page.locator(".notice--amber li")).to_have_count(3)
    desk.take_screenshots("week-ill-doctor")
    desk.page.locator(".notice--amber").get_by_role("link").first.click()
    expect(desk.page.get_by_role("heading", level=1)).to_have_text(NAMES[10])
    cancel(week, NAMES[10], "Somebody of the team cannot come")
    other_visit = book_offered(week, NAMES[10], "Visit", THURSDAY)
    assert resource(week.doctors[1]) in other_visit.booking.resources.all()
    assert day_and_time(other_visit) == "12 09:00"
    for name in (NAMES[11], NAMES[14]):
        move_to_offer(week, name)
    desk.go(f"/hours/{howard.pk}/")
    expect(desk.page.locator(".notice--amber")).to_have_count(0)
    book_night(week)
    week.set_time(THURSDAY, "16:00")
    set_states(week, week.doctors[1], NAMES[10], "arrived", "completed")
    set_states(week, week.technicians[2], NAMES[12], "arrived", "completed")
    assert lanes(desk, THURSDAY) == lane_counts(done=2)
    close_the_day(week)


def enter_absence(week: Week) -> None:
    """The administrator enters it, and the page says what is in the way; so does the doctor's own."""
    administrator, doctor = week.browser_of(week.administrator), week.browser_of(week.doctors[0])
    page = administrator.page
    administrator.go("/hours/")
    administrator.press(week.doctors[0].name)
    page.get_by_label("away: holiday, illness, training").check()
    page.get_by_label("First day").fill(THURSDAY.isoformat())
    page.get_by_label("Last day").fill(FRIDAY.isoformat())
    away = page.locator("form").filter(has=page.get_by_role("button", name="Enter it"))
    away.get_by_label("Why?").fill("ill")
    administrator.press("Enter it")
    expect(page.locator("#messages")).to_contain_text("Entered. What is booked already stays booked.")
    expect(page.locator(".notice--amber li")).to_have_count(3)
    doctor.go("/today/")
    doctor.press("My hours")
    expect(doctor.page.locator(".notice--amber li")).to_have_count(3)


def move_to_offer(week: Week, name: str) -> None:
    """The desk takes the first time at which the same people are free."""
    desk, row = week.browser_of(week.desk), only_appointment(name)
    page = desk.page
    desk.go(f"/files/{row.case_id}/")
    page.locator(f"#appointment-{row.pk}").get_by_role("link", name="Move it").click()
    offer = page.locator(".offers li a").first
    assert "14" in offer.inner_text()
    offer.click()
    expect(page.get_by_label("Day")).to_have_value(SATURDAY.isoformat())
    page.get_by_label("Why?").select_option(label="Somebody of the team cannot come")
    desk.press("Move it, and tell everybody")
    expect(page.locator("#messages")).to_contain_text("The appointment is moved")
    week.expect_mail("appointment-moved", row.case.patient)
    assert day_and_time(row).startswith("14 ")


def case_of_night() -> Case:
    """The case whose night is booked in this week. Its map is locked and signed."""
    return Case.objects.select_related("patient").get(patient__name="Clementine Kruczynski")


def book_night(week: Week) -> None:
    """The desk books the night of Friday the 13th."""
    desk, case = week.browser_of(week.desk), case_of_night()
    page = desk.page
    desk.go(f"/files/{case.pk}/")
    desk.press("Book the night")
    page.get_by_label("Where").select_option("clinic")
    page.get_by_label("Doctor").select_option(label=week.doctors[1].name)
    page.get_by_label(week.technicians[1].name).check()
    page.get_by_label("Room or home kit").select_option(label="Theater")
    page.get_by_label("Night of").fill(FRIDAY.isoformat())
    page.get_by_label("Begins").fill("20:00")
    page.get_by_label("Ends").fill("06:00")
    desk.press("Book the night")
    expect(page.locator("#messages")).to_contain_text("The night is booked.")
    week.expect_mail("night-booked", case.patient)


def friday(week: Week) -> None:
    """A patient does not come and gets a new time. The night is moved to Valentine's Day."""
    week.set_time(FRIDAY, "09:20")
    accept_together(week, ask(week, 4))
    desk, missed = week.browser_of(week.desk), only_appointment(NAMES[13])
    assert lanes(desk, FRIDAY) == lane_counts(expected=1, overdue=2)
    phone = week.site.visitor(week.desk, viewport=PHONE, has_touch=True)
    phone.go("/today/")
    phone.take_screenshots("week-phone")
    button = phone.page.locator(f"#appointment-{missed.pk}").get_by_role("button", name="Did not come")
    button.tap()
    expect(phone.page.locator("#messages")).to_contain_text("Entered: did not come.")
    phone.page.context.close()
    desk.go("/today/")
    task = desk.page.locator(".entries--wide li", has_text="Did not come on 13 Feb, 09:00: call.")
    task.get_by_role("link").click()
    again = book_offered(week, NAMES[13], "Visit", SATURDAY)
    assert DeskTask.objects.get(appointment=missed).answer == DeskTask.Answer.BOOKED
    desk.go("/today/")
    expect(desk.page.locator(".entries--wide li", has_text="Did not come")).to_have_count(0)
    assert day_and_time(again).startswith("14 ")
    move_night(week)
    technician, mapped = week.browser_of(week.technicians[2]), only_appointment(NAMES[18])
    technician.go("/today/")
    tap(technician, mapped, "In the room")
    week.set_time(FRIDAY, "10:25")
    technician.go("/today/")
    tap(technician, mapped, "Done")
    expect(technician.page.locator("#messages")).to_contain_text("Entered: done.")
    assert lanes(desk, FRIDAY) == lane_counts(done=2)
    close_the_day(week)


def move_night(week: Week) -> None:
    desk, night = (
        week.browser_of(week.desk),
        Procedure.objects.select_related("booking").get(case=case_of_night()),
    )
    page = desk.page
    desk.go(f"/files/{night.case_id}/")
    desk.press("Move it")
    page.get_by_label("Night of").fill(SATURDAY.isoformat())
    desk.press("Move the night")
    expect(page.locator("#messages")).to_contain_text("The night is moved.")
    night.booking.refresh_from_db()
    assert night.booking.starts_at == at_clock(SATURDAY, time(20))
    week.expect_mail("night-moved", case_of_night().patient)


def saturday(week: Week) -> None:
    """The last two ask. All who are expected come, and the night waits for its hour."""
    week.set_time(SATURDAY, "08:30")
    names = ask(week, 2)
    accept_together(week, names[:1])
    answer_together(week.browser_of(week.desk), names[1:], "Decline")
    week.expect_mail("request-declined", names[1])
    desk = week.browser_of(week.desk)
    assert lanes(desk, SATURDAY) == lane_counts(expected=7)
    week.set_time(SATURDAY, "16:00")
    for name in (NAMES[8], NAMES[9], NAMES[11], NAMES[13], NAMES[14], NAMES[16]):
        set_states(week, week.desk, name, "arrived", "completed")
    assert lanes(desk, SATURDAY) == lane_counts(expected=1, done=6)
    close_the_day(week)
    reminders = OutgoingMessage.objects.filter(
        recipient=f"user:{case_of(NAMES[16]).patient_id}", event__in=REMINDERS, status="sent"
    )
    assert sorted(reminders.values_list("event", flat=True)) == [
        "appointment-in-three-days",
        "appointment-tomorrow",
    ]


def test_the_week_of_valentines_day(
    chromium: Browser, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = MovedClock(monkeypatch)
    clock.set_to(at_clock(SUNDAY, time(8)))
    with open_pages(chromium) as site:
        week = make_staff(site, clock)
        case = make_case(make_user(Role.PATIENT, name="Clementine Kruczynski"), subject_name="Joel")
        make_keepsake(make_memory(case))
        make_signed(case, by=week.doctors[1])
        week.expect_mail("consent-signed", case.patient)
        for day in (sunday, monday, tuesday, wednesday, thursday, friday, saturday):
            day(week)
    states = AppointmentRequest.objects.values_list("state", flat=True)
    assert Counter(states) == {"accepted": 53, "declined": 7}
    appointments = Counter(Appointment.objects.values_list("status", flat=True))
    assert appointments == {"completed": 18, "cancelled": 3, "no_show": 1}
    assert not DeskTask.objects.open().exists()
    call_command("verify_audit")
    assert "The log is whole" in capsys.readouterr().out
