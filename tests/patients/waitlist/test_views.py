"""The pages of the waitlist: the desk's list and forms, the patient's offer, file, portal and board."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from clinic.accounts.models import Role, User
from clinic.audit.comparisons import COMPARISONS
from clinic.audit.models import Entry
from clinic.outgoing.models import OutgoingMessage
from clinic.seasons.models import Season
from patients.appointments.models import Appointment
from patients.cases.models import Case
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction
from patients.waitlist.entries import ask_for_earlier, put_on_waitlist
from patients.waitlist.models import EVERY_DAY, WaitlistEntry, WaitlistOffer
from tests.appointments import make_appointment, make_team, make_template
from tests.configuration import configure
from tests.edits import edit, hidden_in
from tests.factories import make_case, make_user
from tests.nights import book_night
from tests.outgoing import deliver
from tests.patients.crowd import crowd_of_cases
from tests.plans import analyze, queries, whole_reads
from tests.waitlist import ANY_TIME, in_days, let_answer_time_pass, make_offer, make_waiting, open_offer

pytestmark = pytest.mark.django_db
State = WaitlistOffer.State
LIST = "/waitlist/"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(answer: object) -> str:
    """The text of a page, in one line."""
    page = answer.content.decode()  # type: ignore[attr-defined]
    return re.sub(r"\s+", " ", strip_tags(page.partition("<main")[2]))


def page_after(client: Client, answer: object) -> str:
    """What the page says to which an answer redirects, with its messages."""
    page = client.get(answer["Location"]).content.decode()  # type: ignore[index]
    return re.sub(r"\s+", " ", strip_tags(page.partition("<body")[2]))


@pytest.fixture
def clerk() -> User:
    return make_user(Role.RECEPTIONIST)


@pytest.fixture
def desk(clerk: User) -> Client:
    return signed_in(clerk)


def url(name: str, row: object) -> str:
    return reverse(f"patients:waitlist-{name}", args=[row.pk])  # type: ignore[attr-defined]


def test_the_desk_puts_a_patient_on_the_list(desk: Client) -> None:
    case, template = make_case(), make_template()
    page = url("new", case)
    assert page in desk.get(reverse("patients:case", args=[case.pk])).content.decode()
    data = {
        "what": str(template.pk),
        "days": ["0", "4"],
        "from_clock": "09:00",
        "until_clock": "12:00",
        "last_day": in_days(30).date().isoformat(),
        "note": "Please call first.",
    }
    answer = edit(desk, page, data)
    assert answer.status_code == 302
    row = WaitlistEntry.objects.get()
    assert (row.kind, row.weekdays, row.weekday_numbers) == ("appointment", 0b10001, [0, 4])
    assert row.read().note == "Please call first."
    shown = text(desk.get(LIST))
    assert f"{case.patient.name}" in shown
    assert "Mon, Fri; not before 09:00; over by 12:00; until" in shown
    assert "1 place on the list" in shown
    again = edit(desk, page, data)
    assert (again.status_code, "on the waitlist already" in text(again)) == (409, True)
    assert "Talk" in text(desk.get(reverse("patients:case", args=[case.pk])))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"what": "x"}, "Select a valid choice"),
        ({"days": []}, "choose at least one day"),
        ({"days": ["9"]}, "Select a valid choice"),
        ({"from_clock": "12:00", "until_clock": "09:00"}, "The end must be after the start."),
        ({"first_day": "2031-02-02", "last_day": "2031-02-01"}, "must not be before the first"),
        ({"from_clock": "noon"}, "Enter a valid time"),
        ({"note": "x" * 501}, "at most 500 characters"),
    ],
)
def test_bad_input_is_refused_in_words(desk: Client, change: dict[str, object], words: str) -> None:
    case, template = make_case(), make_template()
    data = {"what": str(template.pk), "days": ["0"], **change}
    answer = desk.post(url("new", case), data)
    assert answer.status_code == 422
    assert words in text(answer)
    assert not WaitlistEntry.objects.exists()


def test_nights_are_waited_for_at_home_or_in_the_clinic(desk: Client) -> None:
    case = make_case()
    desk.post(url("new", case), {"what": "night:home", "days": ["5"]})
    row = WaitlistEntry.objects.get()
    assert (row.kind, row.place) == ("night", "home")
    assert "A night, at the patient&#x27;s home" in desk.get(LIST).content.decode()
    booked = book_night(timezone.localdate() + timedelta(days=9)).case
    desk.post(url("new", booked), {"what": "night:home", "days": ["5"]})
    assert WaitlistEntry.objects.filter(case=booked).get().kind == "earlier-night"


def test_wishes_are_changed_unless_somebody_was_faster(desk: Client, clerk: User) -> None:
    row = make_waiting(note="One", by=clerk)
    page = url("entry", row)
    basis = hidden_in(desk.get(page))
    data = {"days": [str(day) for day in range(7)], "note": "Two"}
    assert edit(desk, page, data).status_code == 302
    answer = desk.post(page, {**basis, **data, "note": "Three"})
    assert answer.status_code == 409
    assert "Changed meanwhile" in text(answer)
    assert WaitlistEntry.objects.get().read().note == "Two"
    assert "Nothing was changed" in page_after(desk, edit(desk, page, data))
    assert edit(desk, page, {**data, "days": []}).status_code == 422


def test_moving_up_and_taking_off_are_refused_on_an_older_page(desk: Client) -> None:
    first, second = make_waiting(), make_waiting()
    page = desk.get(url("entry", second))
    hidden = hidden_in(page, url("up", second))
    answer = desk.post(url("up", second), {**hidden, "reason": ""})
    assert "Please say why" in page_after(desk, answer)
    answer = desk.post(url("up", second), {**hidden, "reason": "In need"})
    assert "This place is the first now." in page_after(desk, answer)
    names = [row.case.patient.name for row in (second, first)]
    shown = text(desk.get(LIST))
    assert shown.index(names[0]) < shown.index(names[1])
    for name in ("up", "end"):
        answer = desk.post(url(name, second), {**hidden, "reason": "In need"})
        assert "Somebody has changed the list meanwhile" in page_after(desk, answer)
    hidden = hidden_in(desk.get(url("entry", second)), url("end", second))
    assert "Taken off the waitlist." in page_after(desk, desk.post(url("end", second), hidden))
    gone = desk.get(url("entry", second))
    assert "the desk took it off" in text(gone)
    assert "Save" not in text(gone)
    assert "not on the waitlist any more" in page_after(desk, desk.post(url("end", second), hidden))
    assert "not on the waitlist any more" in page_after(
        desk, desk.post(url("entry", second), {"days": ["0"]})
    )


def test_the_desk_offers_and_answers_for_who_calls(desk: Client) -> None:
    make_team()
    row = make_waiting()
    answer = desk.post(reverse("patients:waitlist-go-through"))
    assert "1 time is offered" in page_after(desk, answer)
    assert "No free time suits anybody" in page_after(
        desk, desk.post(reverse("patients:waitlist-go-through"))
    )
    offer = open_offer(row)
    assert "Please accept or decline." in page_after(desk, desk.post(url("answer", offer)))
    assert "Declined." in page_after(desk, desk.post(url("answer", offer), {"do": "decline"}))
    assert "was declined" in page_after(desk, desk.post(url("answer", offer), {"do": "accept"}))
    desk.post(reverse("patients:waitlist-go-through"))
    assert "It is booked" in page_after(desk, desk.post(url("answer", open_offer(row)), {"do": "accept"}))
    assert Appointment.objects.get(case=row.case).status == "booked"
    assert "declined," in text(desk.get(url("entry", row)))


def test_the_patient_accepts_on_their_page(desk: Client) -> None:
    case = make_case()
    offer = make_offer(case)
    patient = signed_in(case.patient)
    page = url("offer", offer)
    portal = patient.get(reverse("patients:portal")).content.decode()
    assert page in portal
    shown = patient.get(page)
    assert "We hold it for you until" in text(shown)
    assert shown["Cache-Control"].find("no-store") >= 0
    other = make_case()
    assert signed_in(other.patient).get(page).status_code == 404
    assert signed_in(other.patient).post(page, {"do": "accept"}).status_code == 404
    assert "Please accept or decline." in page_after(patient, patient.post(page, {"do": "both"}))
    answer = patient.post(page, {"do": "accept"})
    assert "The time is yours. It is booked." in page_after(patient, answer)
    assert Appointment.objects.get(case=case).status == "booked"
    assert "This time was accepted" in text(patient.get(page))
    assert page not in patient.get(reverse("patients:portal")).content.decode()
    assert "was accepted" in page_after(patient, patient.post(page, {"do": "decline"}))


def test_a_patient_reads_what_became_of_an_offer() -> None:
    case = make_case()
    offer = make_offer(case)
    patient = signed_in(case.patient)
    let_answer_time_pass(offer, 24 * 41)
    assert "not held for you any more. You stay on the waitlist." in text(patient.get(url("offer", offer)))
    assert url("offer", offer) not in patient.get(reverse("patients:portal")).content.decode()
    answer = patient.post(url("offer", offer), {"do": "accept"})
    assert "The time to answer is over" in page_after(patient, answer)
    second = make_case()
    declined = make_offer(second)
    client = signed_in(second.patient)
    assert "Thank you for telling us" in page_after(
        client, client.post(url("offer", declined), {"do": "decline"})
    )
    assert "This time was declined." in text(client.get(url("offer", declined)))


def test_one_tap_asks_for_an_earlier_time_and_another_takes_it_back() -> None:
    visit = make_appointment(starts_at=in_days(20))
    patient = signed_in(visit.case.patient)
    ask = reverse("patients:waitlist-earlier", args=[visit.pk])
    assert "Tell me of an earlier time" in text(patient.get(reverse("patients:portal")))
    assert "We tell you by mail" in page_after(patient, patient.post(ask, {"do": "ask"}))
    assert "already" in page_after(patient, patient.post(ask, {"do": "ask"}))
    assert "Not needed any more" in text(patient.get(reverse("patients:portal")))
    assert "We do not look" in page_after(patient, patient.post(ask, {"do": "take-back"}))
    assert WaitlistEntry.objects.get().ended_because == "taken-back"
    assert "There is no such answer." in page_after(patient, patient.post(ask))
    stranger = signed_in(make_case().patient)
    assert stranger.post(ask, {"do": "ask"}).status_code == 404
    configure(waitlist_open=0)
    assert "Tell me of an earlier time" not in text(patient.get(reverse("patients:portal")))
    assert "closed at the moment" in page_after(patient, patient.post(ask, {"do": "ask"}))


def test_one_tap_asks_for_an_earlier_night() -> None:
    night = book_night(timezone.localdate() + timedelta(days=9))
    patient = signed_in(night.case.patient)
    ask = reverse("patients:waitlist-earlier-night")
    assert "Tell me of an earlier night" in text(patient.get(reverse("patients:portal")))
    patient.post(ask, {"do": "ask"})
    assert WaitlistEntry.objects.waiting().get().kind == "earlier-night"
    assert "when an earlier night becomes free" in text(patient.get(reverse("patients:portal")))
    patient.post(ask, {"do": "take-back"})
    assert not WaitlistEntry.objects.waiting().exists()
    assert signed_in(make_user(Role.PATIENT)).post(ask, {"do": "ask"}).status_code == 410


def test_the_mail_is_in_the_patients_language_and_leads_to_their_page(mailoutbox: list) -> None:  # type: ignore[type-arg]
    case = make_case()
    User.objects.filter(pk=case.patient_id).update(language="vi")
    offer = make_offer(Case.objects.get(pk=case.pk))
    deliver()
    (mail,) = [one for one in mailoutbox if "waitlist" in one.body or url("offer", offer) in one.body]
    assert mail.subject == "Một giờ hẹn vừa trống"
    assert url("offer", offer) in mail.body
    assert "Clementine" not in mail.body


def test_an_offer_whose_mail_fails_stands_on_the_board(desk: Client) -> None:
    case = make_case()
    offer = make_offer(case)
    assert "was not delivered" not in text(desk.get(reverse("today")))
    OutgoingMessage.objects.filter(event="waitlist-offered").update(status="failed", reason="address")
    board = desk.get(reverse("today"))
    assert "was not delivered. Call by" in text(board)
    assert url("entry", offer.entry) in board.content.decode()
    technician = signed_in(make_user(Role.TECHNICIAN))
    assert "was not delivered" not in text(technician.get(reverse("today")))
    OutgoingMessage.objects.filter(event="waitlist-offered").update(status="queued")
    WaitlistOffer.objects.update(made_at=timezone.now() - timedelta(minutes=20))
    assert "was not delivered" in text(desk.get(reverse("today")))
    OutgoingMessage.objects.filter(event="waitlist-offered").update(status="sent")
    assert "was not delivered" not in text(desk.get(reverse("today")))


def test_the_calendar_shows_that_a_time_is_offered(desk: Client) -> None:
    case = make_case()
    offer = make_offer(case)
    day = timezone.localdate(offer.booking.starts_at).isoformat()
    assert "offered from the waitlist" in text(desk.get(f"{reverse('today')}?day={day}"))


def test_nobody_sees_or_counts_their_own_place() -> None:
    own = make_user(Role.DOCTOR, Role.PATIENT, name="Howard Own")
    make_waiting(make_case(own))
    other = make_waiting()
    shown = text(signed_in(own).get(LIST))
    assert "1 place on the list" in shown
    assert other.case.patient.name in shown
    assert "Howard Own" not in shown
    assert "2 places on the list" in text(signed_in(make_user(Role.DOCTOR)).get(LIST))


def test_filters_by_template_kind_and_season(desk: Client, clerk: User) -> None:
    talk, other = make_template(), make_template("Another talk")
    today = timezone.localdate()
    season = Season.objects.create(
        name="Valentine", first=today + timedelta(days=5), last=today + timedelta(days=9), waitlist_open=True
    )
    early = make_waiting(None, talk, last_day=today + timedelta(days=2))
    within = make_waiting(None, talk, first_day=today + timedelta(days=8))
    elsewhere = make_waiting(None, other)
    visit = make_appointment(starts_at=in_days(20), name="Third")
    earlier = ask_for_earlier(visit, by=visit.case.patient)
    night = put_on_waitlist(make_case(), None, wishes=ANY_TIME, place="home", by=clerk)

    def shown(**query: str) -> set[WaitlistEntry]:
        page = desk.get(LIST, query).content.decode()
        return {row for row in WaitlistEntry.objects.all() if f'id="entry-{row.pk}"' in page}

    assert shown() == {early, within, elsewhere, earlier, night}
    assert shown(what=str(talk.pk)) == {early, within}
    assert shown(what="earlier") == {earlier}
    assert shown(what="night") == {night}
    assert shown(season=str(season.pk)) == {within, elsewhere, earlier, night}
    assert shown(what=str(talk.pk), season=str(season.pk)) == {within}
    for odd in ("x", "\0", "'"):
        assert len(shown(what=odd, season=odd, after=odd)) == 5
    assert "Nobody waits for that." in text(desk.get(LIST, {"what": "earlier-night"}))


def test_a_long_list_is_read_by_its_index_with_the_same_queries(desk: Client, clerk: User) -> None:
    template = make_template()

    def add(number: int) -> list[WaitlistEntry]:
        return WaitlistEntry.objects.bulk_create(
            WaitlistEntry(
                case=case,
                kind="appointment",
                template=template,
                weekdays=EVERY_DAY,
                made_by=clerk,
                order_at=timezone.now() + timedelta(seconds=n),
            )
            for n, case in enumerate(crowd_of_cases(number))
        )

    make_waiting()
    desk.get(LIST)
    with CaptureQueriesContext(connection) as one:
        desk.get(LIST)
    rows = add(160)
    WaitlistEntry.objects.filter(pk__in=[row.pk for row in rows[80:]]).update(
        ended_at=timezone.now(), ended_because="removed"
    )
    analyze()
    with CaptureQueriesContext(connection) as many:
        page = desk.get(LIST)
    assert len(one) == len(many)
    assert "81 places on the list" in text(page)
    assert page.content.decode().count('id="entry-') == 25
    for query in ("", f"?after={rows[50].pk}", f"?before={rows[50].pk}", f"?what={template.pk}"):
        with queries() as asked:
            desk.get(LIST + query)
        found = [
            one
            for each in asked
            if "LIMIT" in each[0]
            for one in whole_reads(
                each,
                {"patients_waitlistentry"},
                ordered_by={"waitlist_in_order", "waitlist_by_kind", "waitlist_by_template"},
            )
        ]
        assert found == [], query


def test_rows_are_as_the_log_says_until_somebody_changes_them_past_it(desk: Client) -> None:
    offer = make_offer(make_case())
    desk.post(url("answer", offer), {"do": "decline"})
    make_waiting()

    def found(rows: str) -> list[str]:
        return list(COMPARISONS[rows](Entry.objects.count()))

    assert found("places on the waitlist") == []
    assert found("offers of the waitlist") == []
    WaitlistOffer.objects.update(state="accepted")
    (words,) = found("offers of the waitlist")
    assert words.endswith(": state.")
    WaitlistEntry.objects.filter(pk=offer.entry_id).update(ended_at=timezone.now(), ended_because="booked")
    (words,) = found("places on the waitlist")
    assert words.endswith(": ended.")


def test_the_note_ends_with_the_file(desk: Client) -> None:
    row = make_waiting(note="Ring twice", template=make_template("After", kind="follow-up"))
    assert "Ring twice" in text(desk.get(LIST))
    stored = StoredObject.objects.filter(pk=row.case_id)
    mark_for_destruction(stored, "test")
    destroy(stored)
    assert "Ring twice" not in text(desk.get(LIST))
    assert desk.get(url("entry", row)).status_code == 200
    answer = edit(desk, url("entry", row), {"days": ["0"], "note": "New words"})
    assert "no words can be kept" in page_after(desk, answer)
