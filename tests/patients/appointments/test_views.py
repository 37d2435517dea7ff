"""The pages of appointments: what the front desk does, who may do it, the board, the file and the portal."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clinic.access.policy import allowed
from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.availability.changes import add_exception
from clinic.calendar.board import Span
from clinic.calendar.models import Booking, Resource
from clinic.outgoing.models import OutgoingMessage
from patients.appointments.board_entries import needs, panel
from patients.appointments.booking import appointment_mark
from patients.appointments.models import Appointment, AppointmentTemplate, DeskTask
from patients.appointments.on_pages import on_file, upcoming_of
from patients.appointments.states import mark_no_show
from patients.cases.models import Case
from tests.appointments import make_appointment, make_held, make_team, make_template
from tests.configuration import configure
from tests.edits import hidden_in
from tests.factories import make_case, make_user
from tests.outgoing import queued

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
NINE = datetime(2031, 2, 13, 14, tzinfo=UTC)


@pytest.fixture
def case() -> Case:
    return make_case()


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def clerk() -> User:
    return make_user(Role.RECEPTIONIST)


@pytest.fixture
def desk(clerk: User) -> Client:
    return signed_in(clerk)


def text(answer: HttpResponse) -> str:
    return " ".join(unescape(answer.content.decode()).split())


def new_url(case: Case, template: AppointmentTemplate | None = None) -> str:
    url = reverse("patients:appointment-new", args=[case.pk])
    return f"{url}?template={template.pk}" if template else url


def url_of(what: str, row: Appointment) -> str:
    return reverse(f"patients:appointment-{what}", args=[row.pk])


def expected_in(answer: HttpResponse) -> dict[str, str]:
    """The hours that a page to move an appointment was made for."""
    return dict(re.findall(r'name="(expected_\w+)"\s+value="([^"]+)"', answer.content.decode()))


def first_offer(answer: HttpResponse) -> dict[str, str]:
    """The fields that the button of the first offer sends."""
    page = answer.content.decode()
    offers = page[page.index('class="offers"') :]
    form = offers[offers.index("<form") : offers.index("</form>")]
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
    return {name: value for name, value in fields if name != "csrfmiddlewaretoken"}


def test_the_front_desk_books_moves_and_follows_an_appointment_through_its_day(
    desk: Client, case: Case
) -> None:
    team, template = make_team(), make_template(preparation_en="Come rested.")
    assert "Talk, 30 min" in text(desk.get(new_url(case)))
    page = desk.get(new_url(case, template))
    assert page.content.decode().count("to </button>") == 0
    assert f"{team[0].label}, {team[1].label}" in text(page)
    held = desk.post(new_url(case), first_offer(page), follow=True)
    row = Appointment.objects.with_booking().get()
    until = timezone.localtime(row.booking.held_until).strftime("%H:%M")
    assert f"Held until {until}. Nothing is booked yet." in text(held)
    assert "Come rested." in text(held)
    booked = desk.post(url_of("book", row), {"do": "book"}, follow=True)
    assert "The appointment is booked." in text(booked)
    assert "Talk" in text(booked)
    assert desk.get(url_of("book", row)).status_code == 302, "it is booked already"
    # Moved to the next offer, with a reason.
    page = desk.get(url_of("move", row))
    query = re.search(r'href="(\?day=[^"]+)#hours"', unescape(page.content.decode()))
    assert query
    filled = desk.get(url_of("move", row) + query[1])
    sent = {**expected_in(filled), "reason": "patient", "words": "The train."}
    for name in ("day", "begins", "ends"):
        value = re.search(rf'name="{name}"\s+value="([^"]+)"', filled.content.decode())
        assert value, name
        sent[name] = value[1]
    moved = desk.post(url_of("move", row), sent, follow=True)
    assert "is moved, and everybody concerned is told" in text(moved)
    assert Appointment.objects.get().sequence == 1
    assert "appointment-moved" in queued()
    assert "The train." not in text(moved), "the desk does not read sealed words"
    # The day has come.
    now = timezone.now()
    Booking.objects.update(starts_at=now - timedelta(minutes=5), ends_at=now + timedelta(minutes=25))
    for do, words in (("arrived", "arrived"), ("in_progress", "in the room"), ("completed", "done")):
        board = desk.get(reverse("today"))
        form = hidden_in(board, url_of("state", row))
        answer = desk.post(url_of("state", row), {**form, "do": do}, follow=True)
        assert answer.redirect_chain[-1][0].startswith(reverse("today"))
        assert f"Entered: {words}." in text(answer)
    assert Appointment.objects.get().status == "completed"
    # Another one did not come.
    other = make_appointment(make_case(), name="Second")
    form = hidden_in(desk.get(reverse("today")), url_of("state", other))
    board = desk.post(url_of("state", other), {**form, "do": "no_show"}, follow=True)
    assert "Did not come on " in text(board)
    file = desk.get(reverse("patients:case", args=[other.case_id]))
    assert "Did not come on " in text(file)
    close = reverse("patients:desk-task-close", args=[DeskTask.objects.get().pk])
    assert "Closed." in text(desk.post(close, follow=True))
    assert "Somebody has answered this already." in text(desk.post(close, follow=True))
    assert "Did not come on " not in text(desk.get(reverse("today")))


def test_a_lost_hold_is_told_with_new_offers(desk: Client, case: Case, clerk: User) -> None:
    team, template = make_team(), make_template()
    row = make_held(case, starts_at=NINE, team=team, by=clerk)
    Booking.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    assert "The ten minutes are over. Nobody has taken the time yet" in text(desk.get(url_of("book", row)))
    make_held(starts_at=NINE, team=team)
    answer = desk.post(url_of("book", row), {"do": "book"}, follow=True)
    assert answer.redirect_chain == [(new_url(case, template), 302)]
    assert "the time is given to somebody else" in text(answer)
    assert first_offer(answer)["template"] == str(template.pk)
    assert "is not held any more" in text(desk.get(url_of("book", row), follow=True))
    again = make_held(case, starts_at=NINE + HOUR, team=team, by=clerk)
    given = desk.post(url_of("book", again), {"do": "give-up"}, follow=True)
    assert "The time is free again." in text(given)
    assert not Booking.objects.filter(appointment=again, canceled_at=None).exists()


def test_typed_times_that_are_wrong_are_refused_in_sentences(desk: Client, case: Case) -> None:
    (doctor, room), template = make_team(), make_template()
    sent = {"template": str(template.pk), "day": "2031-02-13", "begins": "09:00"}
    sent |= {"doctors": str(doctor.pk), "room": str(room.pk)}
    for wrong, words, status in (
        ({"day": "2020-02-13"}, "This time is over already.", 422),
        ({"day": "2300-02-13"}, "Nothing can be booked that far away.", 422),
        ({"day": "2031-03-09", "begins": "02:30"}, "The clocks go forward that day", 422),
        ({"begins": "nine"}, "valid time", 422),
        ({"doctors": ""}, "Doctor", 422),
        ({"room": "x"}, "Room", 422),
    ):
        answer = desk.post(new_url(case), {**sent, **wrong})
        assert (answer.status_code, words in text(answer)) == (status, True), wrong
    make_appointment(team=[doctor, room], starts_at=NINE)
    answer = desk.post(new_url(case), sent)
    assert answer.status_code == 409
    assert f"{room.label} is taken from 13 Feb, 09:00 to 13 Feb, 09:30." in text(answer)
    for gone in ("x", "", str(case.pk)):
        answer = desk.post(new_url(case), {**sent, "template": gone})
        assert answer.status_code == (409 if gone else 200)
    template.in_use = False
    template.save()
    assert "This template cannot be used any more." in text(desk.post(new_url(case), sent))
    assert Appointment.objects.count() == 1


def test_only_the_front_desk_books_during_an_absence(desk: Client, case: Case, clerk: User) -> None:
    (doctor, room), template = make_team(), make_template()
    add_exception(doctor, adds=False, starts_at=NINE - HOUR, ends_at=NINE + HOUR, reason="ill", by=clerk)
    sent = {"template": str(template.pk), "day": "2031-02-13", "begins": "09:00"}
    sent |= {"doctors": str(doctor.pk), "room": str(room.pk)}
    asked = desk.post(new_url(case), sent)
    assert asked.status_code == 409
    token = re.search(r'name="confirmed"\s+value="([0-9a-f]+)"', asked.content.decode())
    assert token
    refused = signed_in(make_user(Role.DOCTOR)).post(new_url(case), {**sent, "confirmed": token[1]})
    assert refused.status_code == 409
    assert "The front desk can book it even so." in text(refused)
    assert 'name="confirmed" value' not in refused.content.decode()
    assert desk.post(new_url(case), {**sent, "confirmed": token[1]}).status_code == 302
    assert Entry.objects.get(action="appointment.held").details["outside_hours"] == 1


def move_form(row: Appointment, day: str, reason: str = "patient", **more: str) -> dict[str, str]:
    expected = {
        f"expected_{name}": moment.astimezone(UTC).isoformat()
        for name, moment in (("start", row.booking.starts_at), ("end", row.booking.ends_at))
    }
    return {"day": day, "begins": "09:00", "ends": "09:30", "reason": reason, **expected, **more}


def test_above_the_limit_a_doctor_or_an_administrator_moves(desk: Client, case: Case) -> None:
    configure(moves_per_patient=0)
    row = make_appointment(case, starts_at=NINE)
    url, sent = url_of("move", row), move_form(row, "2031-02-14")
    refused = desk.post(url, sent)
    assert refused.status_code == 409
    assert "were moved 0 times already." in text(refused)
    assert "A doctor or an administrator can move it even so." in text(refused)
    administrator = signed_in(make_user(Role.ADMINISTRATOR))
    page = administrator.get(url)
    assert case.reference in text(page)
    assert case.patient.name not in text(page)
    asked = administrator.post(url, sent)
    token = re.search(r'name="confirmed_limit"\s+value="([0-9a-f]+)"', asked.content.decode())
    assert token
    assert desk.post(url, {**sent, "confirmed_limit": token[1]}).status_code == 409
    assert administrator.post(url, {**sent, "confirmed_limit": token[1]}).url == reverse("today")
    assert Appointment.objects.get().sequence == 1


def test_a_page_from_before_a_move_is_refused_and_shows_the_present_hours(desk: Client, case: Case) -> None:
    row = make_appointment(case, starts_at=NINE)
    sent = move_form(row, "2031-02-14", "staff", words="My words")
    cancel = hidden_in(desk.get(url_of("cancel", row)), url_of("cancel", row))
    assert desk.post(url_of("move", row), sent).status_code == 302
    stale = desk.post(url_of("move", row), {**sent, "day": "2031-02-15"})
    assert stale.status_code == 409
    assert "My words" in text(stale)
    assert "now from 14 February 2031, 09:00" in text(stale)
    again = {**sent, **expected_in(stale), "day": "2031-02-15"}
    assert desk.post(url_of("move", row), again).status_code == 302
    refused = desk.post(url_of("cancel", row), {**cancel, "reason": "patient", "words": "Never again"})
    assert refused.status_code == 409
    assert "Never again" in text(refused)
    assert "15 Feb, 09:00" in text(refused)
    cancel = hidden_in(refused, url_of("cancel", row))
    assert desk.post(url_of("cancel", row), {**cancel, "reason": ""}).status_code == 422
    done = desk.post(url_of("cancel", row), {**cancel, "reason": "patient"}, follow=True)
    assert "is canceled, and everybody concerned is told" in text(done)
    assert "not expected any more: canceled" in text(desk.post(url_of("move", row), sent))
    for wrong, words in (
        ({"ends": "08:00"}, "The end must be after the start."),
        ({"ends": "18:00"}, "An appointment has at most 8 hours."),
        ({"day": "2020-01-01"}, "This time is over already."),
    ):
        answer = desk.post(url_of("move", row), {**sent, **wrong})
        assert (answer.status_code, words in text(answer)) == (422, True)


def test_an_unknown_state_or_one_from_an_old_page_is_refused(desk: Client, clerk: User) -> None:
    row = make_appointment()
    seen = appointment_mark(row)
    assert "There is no such state." in text(desk.post(url_of("state", row), {"do": "fly"}, follow=True))
    desk.post(url_of("state", row), {"do": "arrived", "seen": seen, "back": "file"})
    stale = desk.post(url_of("state", row), {"do": "undo", "seen": seen, "back": "file"}, follow=True)
    assert "Somebody changed it meanwhile." in text(stale)
    assert Appointment.objects.get().status == "arrived"
    form = hidden_in(desk.get(reverse("patients:case", args=[row.case_id])), url_of("state", row))
    desk.post(url_of("state", row), {**form, "do": "undo"})
    assert Appointment.objects.get().status == "booked"


@pytest.mark.parametrize(
    ("role", "reads", "enters", "books", "moves"),
    [
        (Role.RECEPTIONIST, True, True, True, True),
        (Role.DOCTOR, True, True, True, True),
        (Role.TECHNICIAN, False, True, False, False),
        (Role.ADMINISTRATOR, False, False, False, True),
        (Role.AUDITOR, False, False, False, False),
        (Role.PATIENT, False, False, False, False),
    ],
)
def test_each_role_reads_enters_states_books_and_moves_only_what_it_may(
    role: str, reads: bool, enters: bool, books: bool, moves: bool
) -> None:
    row = make_appointment()
    person = make_user(role)
    kwargs = {"appointment": row.pk}

    def may(name: str, method: str = "POST") -> bool:
        return allowed(person, f"patients:appointment-{name}", kwargs, method).allowed

    assert (may("book", "GET"), may("state"), may("book"), may("move")) == (reads, enters, books, moves)
    assert may("cancel") is books
    templates = allowed(person, "patients:appointment-templates", {}, "GET").allowed
    assert templates is (role == Role.ADMINISTRATOR)
    Case.objects.filter(pk=row.case_id).update(patient=person)
    assert not may("state"), "nobody works on their own case"


def test_the_board_shows_each_what_they_may_see(desk: Client, case: Case) -> None:
    mapping = make_appointment(case, name="Mapping", kind="mapping")
    held = make_held(make_case(), name="Held one", starts_at=timezone.now())
    board = text(desk.get(reverse("today")))
    assert case.patient.name in board
    assert "Mapping, expected" in board
    assert "Held one, held" in board
    assert url_of("state", held) not in board, "what is only held has no states"
    assert url_of("state", mapping) in board
    administrator = text(signed_in(make_user(Role.ADMINISTRATOR)).get(reverse("today")))
    assert case.patient.name not in administrator
    assert url_of("move", mapping) in administrator
    assert case.reference in administrator
    own = signed_in(make_user(Role.RECEPTIONIST, Role.PATIENT))
    Case.objects.filter(pk=case.pk).update(patient=User.objects.get(pk=own.session["_auth_user_id"]))
    board = text(own.get(reverse("today")))
    assert url_of("state", mapping) not in board, "nobody reads of their own case as staff"
    auditor = text(signed_in(make_user(Role.AUDITOR)).get(reverse("today")))
    assert url_of("state", mapping) not in auditor


def test_what_nobody_entered_yesterday_waits_on_the_board(desk: Client) -> None:
    row = make_appointment(starts_at=timezone.now() - 26 * HOUR)
    assert "Say whether they came." in text(desk.get(reverse("today")))
    form = hidden_in(desk.get(reverse("patients:case", args=[row.case_id])), url_of("state", row))
    desk.post(url_of("state", row), {**form, "do": "no_show"})
    board = text(desk.get(reverse("today")))
    assert "Say whether they came." not in board
    assert "Did not come on " in board


def test_a_follow_up_leads_to_its_template_from_its_day_on(desk: Client, case: Case, clerk: User) -> None:
    template = make_template("After", kind="follow-up")
    make_team()
    due = timezone.localdate() + timedelta(days=21)
    DeskTask.objects.create(case=case, kind="follow-up", template=template, due=due)
    board = desk.get(reverse("today"))
    assert "Book “After” by " in text(board)
    assert new_url(case, template) in unescape(board.content.decode())
    page = desk.get(new_url(case, template))
    assert "This follow-up is due from " in text(page)
    assert first_offer(page)["day"] >= due.isoformat()
    Case.objects.filter(pk=case.pk).update(stage="closed")
    assert "Talk" not in text(desk.get(new_url(case))), "after its end a case has only follow-ups"


def test_nothing_is_offered_and_it_is_said_why(desk: Client, case: Case, clerk: User) -> None:
    template = make_template()
    assert "There are not enough people or rooms for this: doctor, room." in text(
        desk.get(new_url(case, template))
    )
    doctor, _room = make_team()
    now = timezone.now()
    add_exception(doctor, adds=False, starts_at=now, ends_at=now + 700 * 24 * HOUR, reason="away", by=clerk)
    assert "In the next 90 days they are never all free" in text(desk.get(new_url(case, template)))
    AppointmentTemplate.objects.update(in_use=False)
    assert "There is no template in use." in text(desk.get(new_url(case)))


def test_offers_begin_on_the_day_that_is_asked_for(desk: Client, case: Case) -> None:
    template = make_template()
    make_team()
    later = (timezone.localdate() + timedelta(days=30)).isoformat()
    assert first_offer(desk.get(f"{new_url(case, template)}&from={later}"))["day"] == later
    for odd in ("x", "0001-01-01", "2020-01-01"):
        day = first_offer(desk.get(f"{new_url(case, template)}&from={odd}"))["day"]
        assert timezone.localdate().isoformat() <= day < later


def test_the_patient_reads_when_where_and_how_to_prepare(case: Case, clerk: User) -> None:
    row = make_appointment(
        case, starts_at=NINE, preparation_en="Come rested.", preparation_vi="Xin ngủ đủ giấc.", by=clerk
    )
    make_appointment(case, by=clerk, name="Over", starts_at=timezone.now() - 26 * HOUR)
    room = row.booking.resources.get(kind=Resource.Kind.ROOM)
    portal = text(signed_in(case.patient).get(reverse("patients:portal")))
    assert "Thursday 13 February 2031, 09:00 to 09:30" in portal
    assert f"Visit, {room.label}" in portal
    assert "Come rested." in portal
    assert portal.count("09:00 to 09:30") == 1
    assert portal.count("<li> <b>") == 1
    case.patient.language = "vi"
    case.patient.save()
    client = signed_in(case.patient)
    client.cookies["django_language"] = "vi"
    assert "Xin ngủ đủ giấc." in text(client.get(reverse("patients:portal")))
    assert "13 February" not in text(signed_in(make_case().patient).get(reverse("patients:portal")))
    Case.objects.filter(pk=case.pk).update(stage="closed")
    client.cookies["django_language"] = "en"
    assert f"Visit, {room.label}" in text(client.get(reverse("patients:portal")))


def test_the_team_reads_the_sealed_words_on_the_file(case: Case, clerk: User, desk: Client) -> None:
    row = make_appointment(case, starts_at=NINE)
    desk.post(url_of("move", row), move_form(row, "2031-02-14", "patient", words="The train."))
    url = reverse("patients:case", args=[case.pk])
    assert "The patient asked for it: The train." in text(signed_in(make_user(Role.DOCTOR)).get(url))
    page = text(desk.get(url))
    assert "The patient asked for it" in page
    assert "The train." not in page


def test_board_and_file_take_the_same_number_of_queries_for_many_appointments(
    desk: Client, case: Case, clerk: User
) -> None:
    def queries(url: str) -> int:
        with CaptureQueriesContext(connection) as found:
            assert desk.get(url).status_code == 200
        return len(found)

    file = reverse("patients:case", args=[case.pk])
    mark_no_show(make_appointment(case, by=clerk, name="0"), by=clerk)
    make_appointment(case, by=clerk, name="1", starts_at=NINE)
    make_appointment(by=clerk)
    few = queries(reverse("today")), queries(file)
    for number in range(3):
        mark_no_show(make_appointment(case, by=clerk, name=f"0{number}"), by=clerk)
        make_appointment(case, by=clerk, name="1", starts_at=NINE + (number + 1) * HOUR)
        make_appointment(by=clerk)
    assert (queries(reverse("today")), queries(file)) == few
    assert OutgoingMessage.objects.exists()


@pytest.mark.only_on("sqlite")
def test_no_list_reads_the_whole_table(case: Case, clerk: User) -> None:
    make_appointment(case, by=clerk)
    span = Span(timezone.now() - HOUR, timezone.now() + HOUR)
    with CaptureQueriesContext(connection) as found:
        panel(span, clerk)
        needs(span, clerk)
        on_file(case, clerk, content=False)
        upcoming_of(case.patient)
    asked = [one["sql"] for one in found if re.search(r'FROM "patients_(appointment|desktask)"', one["sql"])]
    assert len(asked) >= 6
    for sql in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = [row[-1] for row in cursor.fetchall()]
        assert not [line for line in plan if line.startswith("SCAN") and "USING INDEX" not in line], plan
