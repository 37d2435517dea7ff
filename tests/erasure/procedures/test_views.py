"""The pages that book, move, cancel and start a procedure."""

import re
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import django
import pytest
from django.conf import LazySettings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.calendar.bookings import book
from clinic.calendar.models import Booking, Reservation, Resource
from erasure.procedures.booking import CannotBook, book_procedure
from erasure.procedures.forms import HoursForm
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from patients.cases.models import Case
from patients.consent.models import Signature
from tests.edits import hidden_in
from tests.factories import (
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_procedure,
    make_room,
    make_signed,
    make_technician,
    make_user,
)

pytestmark = pytest.mark.django_db
DAY = date(2030, 2, 13)


@pytest.fixture
def case() -> Case:
    case = make_case()
    make_keepsake(make_memory(case))
    make_signed(case)
    return case


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_user(Role.RECEPTIONIST))
    return client


def team() -> list[Resource]:
    people = [make_doctor(), make_technician()]
    return [*(Resource.objects.get(user=person) for person in people), make_room()]


def booking_form(resources: list[Resource], **fields: str) -> dict[str, object]:
    doctor, technician, room = resources
    return {
        "place": "clinic",
        "doctor": str(doctor.pk),
        "technicians": [str(technician.pk)],
        "room": str(room.pk),
        "day": DAY.isoformat(),
        "begins": "20:00",
        "ends": "06:00",
        **fields,
    }


def book_room(room: Resource, hour: int, hours: int = 1) -> Booking:
    start = datetime(2030, 2, 14, hour, tzinfo=UTC)
    return book(
        kind="visit",
        resources=[room],
        starts_at=start,
        ends_at=start + timedelta(hours=hours),
        by=make_user(),
    )


def test_a_procedure_is_booked_across_midnight(desk: Client, case: Case) -> None:
    resources = team()
    answer = desk.post(reverse("erasure:book", args=[case.pk]), booking_form(resources))
    assert answer.status_code == 302
    booking = Procedure.objects.get(case=case).booking
    assert booking.starts_at == datetime(2030, 2, 14, 1, tzinfo=UTC)
    assert booking.ends_at == datetime(2030, 2, 14, 11, tzinfo=UTC)
    assert Reservation.objects.filter(booking=booking).count() == 3 * 40
    assert Case.objects.get(pk=case.pk).stage == Case.Stage.BOOKED
    assert Entry.objects.filter(action="procedure.booked", case=case.pk).count() == 1


def test_a_clash_is_named_and_answers_409(desk: Client, case: Case) -> None:
    resources = team()
    book_room(resources[2], 3, 2)
    answer = desk.post(reverse("erasure:book", args=[case.pk]), booking_form(resources))
    assert answer.status_code == 409
    shown = answer.content.decode()
    assert f"{resources[2].label} is taken from 13 Feb, 22:00 to 14 Feb, 00:00." in shown
    assert not Procedure.objects.exists()
    assert Reservation.objects.count() == 8
    assert f'value="{DAY.isoformat()}"' in shown


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"place": "home"}, "Choose one home kit."),
        ({"technicians": []}, "This field is required."),
        ({"day": "2030-02-30"}, "Enter a valid date."),
        ({"day": "9999-12-31"}, "No night can be booked that far away."),
        ({"day": "1970-01-01"}, "No night can be booked that far away."),
        ({"day": "2001-01-01"}, "This night is over already."),
        ({"begins": "04:00", "ends": "23:00"}, "A night has at most 16 hours."),
        ({"begins": "25:00"}, "Enter a valid time."),
        ({"room": "00000000-0000-4000-8000-000000000000"}, "Select a valid choice."),
        ({"doctor": "x"}, "Select a valid choice." if django.VERSION >= (6, 1) else "is not a valid"),
        ({"pace_seconds": "nan"}, "Enter a number."),
        ({"pace_seconds": "-1"}, "greater than or equal to 0"),
    ],
)
def test_invalid_values_are_refused_in_words(
    desk: Client, case: Case, fields: dict[str, str], words: str
) -> None:
    answer = desk.post(reverse("erasure:book", args=[case.pk]), booking_form(team(), **fields))
    assert answer.status_code in {409, 422}
    assert words in answer.content.decode()
    assert not Booking.objects.exists()


def test_an_empty_form_is_refused_in_words(desk: Client, case: Case) -> None:
    answer = desk.post(reverse("erasure:book", args=[case.pk]), {})
    assert answer.status_code == 422
    assert "7 things need another look." in answer.content.decode()


def test_without_consent_nothing_is_booked(desk: Client) -> None:
    case = make_case()
    answer = desk.post(reverse("erasure:book", args=[case.pk]), booking_form(team()))
    assert answer.status_code == 409
    assert "The patient has not agreed to a locked map yet." in answer.content.decode()


def test_cooling_off_is_required(desk: Client, case: Case, settings: LazySettings) -> None:
    Signature.objects.update(cooling_off_hours=72)
    tomorrow = timezone.localdate() + timedelta(days=1)
    data = booking_form(team(), day=tomorrow.isoformat())
    answer = desk.post(reverse("erasure:book", args=[case.pk]), data)
    assert "time the patient has to think it over" in answer.content.decode()


def test_nobody_is_on_the_team_twice_or_of_their_own_case(case: Case) -> None:
    doctor, technician, room = team()
    patient = Resource.objects.create(
        kind=Resource.Kind.TECHNICIAN, label=case.patient.name, user=case.patient
    )
    both = Resource.objects.create(kind=Resource.Kind.TECHNICIAN, label="Both", user=doctor.user)
    start = datetime(2030, 2, 14, 1, tzinfo=UTC)
    for resources, words in (
        ([doctor, patient, room], "One of these people is not available for this case."),
        ([doctor, both, room], "Nobody can be doctor and technician of one night."),
        ([doctor, technician], "Choose one room."),
        ([doctor, doctor, technician, room], "Choose one doctor."),
    ):
        with pytest.raises(CannotBook, match=words):
            book_procedure(
                case,
                place="clinic",
                resources=resources,
                starts_at=start,
                ends_at=start + timedelta(hours=8),
                by=make_user(),
            )
    assert not Booking.objects.exists()


def test_existing_bookings_are_shown_beside_the_form(desk: Client, case: Case) -> None:
    resources = team()
    book_room(resources[2], 3, 2)
    other = make_room()
    book_room(other, 3, 2)
    data = booking_form(resources)
    shown = desk.get(
        reverse("erasure:book", args=[case.pk]), data, headers={"HX-Request": "true"}
    ).content.decode()
    assert shown.lstrip().startswith('<div id="taken">')
    assert resources[2].label in shown
    assert other.label not in shown
    assert shown.count("Visit") == 1
    assert shown.count("board-chosen at-0 for-40") == 3
    whole = desk.get(reverse("erasure:book", args=[case.pk]), {"day": DAY.isoformat()}).content.decode()
    assert whole.count("at-8 for-8") == 2
    assert "error-summary" not in whole


def make_hours(day: str, begins: str, ends: str) -> HoursForm:
    return HoursForm({"day": day, "begins": begins, "ends": ends})


@pytest.mark.parametrize(
    ("day", "begins", "ends", "hours"),
    [
        ("2027-03-13", "20:00", "06:00", 9),  # the clocks go forward that night
        ("2027-11-06", "20:00", "06:00", 11),  # the clocks go back that night
        ("2028-02-28", "20:00", "06:00", 10),  # into a leap day
        ("2027-11-07", "01:30", "01:45", 1.25),  # from the first 01:30 to the second 01:45
        ("2030-02-13", "08:00", "20:00", 12),
    ],
)
def test_the_length_of_a_procedure_includes_clock_changes(
    day: str, begins: str, ends: str, hours: float
) -> None:
    form = make_hours(day, begins, ends)
    assert form.is_valid(), form.errors
    assert form.cleaned_data["ends_at"] - form.cleaned_data["begins_at"] == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("begins", "ends", "field"), [("02:30", "06:00", "begins"), ("20:00", "02:30", "ends")]
)
def test_a_time_that_the_clocks_skip_is_refused(begins: str, ends: str, field: str) -> None:
    form = make_hours("2027-03-14" if field == "begins" else "2027-03-13", begins, ends)
    assert not form.is_valid()
    assert form.errors[field] == ["The clocks go forward that night and leave this time out."]


def make_booked(case: Case) -> Procedure:
    return book_procedure(
        case,
        place="clinic",
        resources=team(),
        starts_at=datetime(2030, 2, 14, 1, tzinfo=UTC),
        ends_at=datetime(2030, 2, 14, 9, tzinfo=UTC),
        by=make_user(Role.DOCTOR),
    )


def move_form(procedure: Procedure, **fields: str) -> dict[str, str]:
    return {
        "day": "2030-02-13",
        "begins": "22:00",
        "ends": "06:00",
        "expected_start": procedure.booking.starts_at.isoformat(),
        "expected_end": procedure.booking.ends_at.isoformat(),
        **fields,
    }


def test_a_procedure_can_be_moved_to_hours_that_overlap_its_own(desk: Client, case: Case) -> None:
    procedure = make_booked(case)
    url = reverse("erasure:procedure-move", args=[procedure.pk])
    shown = desk.get(url).content.decode()
    assert 'name="expected_start" value="2030-02-14T01:00:00+00:00"' in shown
    assert desk.post(url, move_form(procedure)).status_code == 302
    booking = Booking.objects.get(pk=procedure.booking_id)
    assert booking.starts_at == datetime(2030, 2, 14, 3, tzinfo=UTC)
    entry = Entry.objects.get(action="procedure.moved")
    assert entry.details["to"] == "2030-02-14T03:00:00.000000Z"
    assert Reservation.objects.filter(booking=booking).count() == 3 * 32


def test_s3_a_stale_move_says_what_changed_and_moves_nothing(desk: Client, case: Case) -> None:
    procedure = make_booked(case)
    url = reverse("erasure:procedure-move", args=[procedure.pk])
    desk.post(url, move_form(procedure))
    answer = desk.post(url, move_form(procedure, begins="23:00"))
    assert answer.status_code == 409
    assert "it is from 13 Feb, 22:00 to 14 Feb, 06:00 now." in answer.content.decode()
    assert Booking.objects.get(pk=procedure.booking_id).starts_at == datetime(2030, 2, 14, 3, tzinfo=UTC)
    assert Entry.objects.filter(action="procedure.moved").count() == 1


def test_w2_an_end_that_was_moved_meanwhile_is_shown_first(desk: Client, case: Case) -> None:
    procedure = make_booked(case)
    url = reverse("erasure:procedure-move", args=[procedure.pk])
    begins = timezone.localtime(procedure.booking.starts_at).strftime("%H:%M")
    assert desk.post(url, move_form(procedure, begins=begins, ends="05:00")).status_code == 302
    answer = desk.post(url, move_form(procedure, begins=begins, ends="03:00"))
    assert answer.status_code == 409
    assert "to 14 Feb, 05:00 now." in answer.content.decode()
    ends_at = Booking.objects.get(pk=procedure.booking_id).ends_at
    assert timezone.localtime(ends_at).hour == 5
    again = {**move_form(procedure, begins=begins, ends="03:00"), **expected_in(answer)}
    assert desk.post(url, again).status_code == 302, "the page has said what is so now"


def expected_in(answer: HttpResponse) -> dict[str, str]:
    """The hidden inputs of the page that say at what time the night is."""
    page = answer.content.decode()
    return dict(re.findall(r'name="(expected_\w+)" value="([^"]*)"', page))


def test_w2_a_night_that_was_moved_meanwhile_is_not_canceled(desk: Client, case: Case) -> None:
    procedure = make_booked(case)
    url = reverse("erasure:procedure-cancel", args=[procedure.pk])
    older = hidden_in(desk.get(reverse("patients:case", args=[case.pk])), url)
    desk.post(reverse("erasure:procedure-move", args=[procedure.pk]), move_form(procedure))
    for seen in (older, {}):
        answer = desk.post(url, seen, follow=True)
        assert "it is from 13 Feb, 22:00 to 14 Feb, 06:00 now." in answer.content.decode()
        assert Procedure.objects.get(pk=procedure.pk).state == "booked"


def test_a_move_to_hours_that_are_taken_is_refused(desk: Client, case: Case) -> None:
    procedure = make_booked(case)
    room = procedure.booking.resources.get(kind="room")
    book_room(room, 10)
    answer = desk.post(reverse("erasure:procedure-move", args=[procedure.pk]), move_form(procedure))
    assert answer.status_code == 409
    assert f"{room.label} is taken from 14 Feb, 05:00 to 14 Feb, 06:00." in answer.content.decode()


@pytest.mark.parametrize("expected", ["", "yesterday", "9999-99-99"])
def test_a_move_without_the_expected_start_is_refused(desk: Client, case: Case, expected: str) -> None:
    procedure = make_booked(case)
    url = reverse("erasure:procedure-move", args=[procedure.pk])
    assert desk.post(url, move_form(procedure, expected_start=expected)).status_code == 422
    assert desk.post(url, move_form(procedure, expected_end=expected)).status_code == 422
    assert desk.post(url, {}).status_code == 422


def test_a_started_procedure_is_neither_moved_nor_canceled(desk: Client, case: Case) -> None:
    procedure = make_booked(case)
    Procedure.objects.filter(pk=procedure.pk).update(state=Procedure.State.STARTED)
    url = reverse("erasure:procedure-move", args=[procedure.pk])
    assert desk.post(url, move_form(procedure)).status_code == 409
    shown = desk.post(reverse("erasure:procedure-cancel", args=[procedure.pk]), follow=True).content.decode()
    assert "This procedure was started or canceled before." in shown
    assert Reservation.objects.count() == 3 * 32


def test_a_canceled_procedure_can_be_booked_again(desk: Client, case: Case) -> None:
    procedure = make_booked(case)
    url = reverse("erasure:procedure-cancel", args=[procedure.pk])
    desk.post(url, hidden_in(desk.get(reverse("patients:case", args=[case.pk])), url))
    assert not Reservation.objects.exists()
    assert Case.objects.get(pk=case.pk).stage == Case.Stage.CONSENTED
    case.refresh_from_db()
    make_booked(case)


def test_starting_needs_a_confirmation_and_happens_once(client: Client) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case, pace=120)
    client.force_login(make_user(Role.DOCTOR))
    url = reverse("erasure:start", args=[procedure.pk])
    assert "1 memory will be erased." in client.get(url).content.decode()
    assert client.post(url).status_code == 302
    assert Run.objects.count() == 1
    shown = client.post(url, follow=True).content.decode()
    assert "This procedure was started or canceled before." in shown
    assert Run.objects.count() == 1


@pytest.mark.parametrize("name", ["procedure-move", "procedure-cancel", "start"])
def test_an_unknown_procedure_is_not_found(client: Client, name: str) -> None:
    client.force_login(make_user(Role.DOCTOR))
    assert client.post(reverse(f"erasure:{name}", args=[uuid4()])).status_code == 404
