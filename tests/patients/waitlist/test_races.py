"""Answers at once: one offer has one end, and one time one patient, on both databases."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

import pytest
from django.db import connection

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.calendar.models import Reservation
from clinic.outgoing.models import OutgoingMessage
from erasure.runs.run_actions import after
from patients.appointments.booking import (
    CannotBook,
    book_appointment,
    cancel_appointment,
    hold_appointment,
)
from patients.appointments.models import Appointment
from patients.waitlist.models import WaitlistEntry, WaitlistOffer
from patients.waitlist.offers import OfferOver, accept, decline
from patients.waitlist.supervisor_work import expire_due, process_changed_spans
from tests.appointments import make_appointment, make_team, make_template
from tests.factories import make_case, make_user
from tests.threads import at_once
from tests.waitlist import cancel_and_offer, in_days, let_answer_time_pass, make_waiting, open_offer

pytestmark = pytest.mark.django_db(transaction=True)
State = WaitlistOffer.State


def answers(offer: WaitlistOffer, people: Sequence[User]) -> list[str]:
    """Answer an offer for several people one after another, yes and no in turn. Return what each was told."""
    told = []
    for number, person in enumerate(people):
        try:
            (decline if number % 2 else accept)(offer, by=person)
            told.append("")
        except OfferOver as refusal:
            told.append(str(refusal))
    return told


def test_fifty_answers_to_one_offer_have_one_winner() -> None:
    """Ten threads answer five times each, for the patient and the desk. Each thread has one connection."""
    entry = make_waiting()
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=make_team()))
    offer, patient, desk = open_offer(entry), entry.case.patient, make_user(Role.RECEPTIONIST)
    first, second = (patient, desk, patient, desk, patient), (desk, patient, desk, patient, desk)
    works = [partial(answers, offer, people) for people in [first, second] * 5]
    returned, _refused = at_once(*works, pauses=(0, 0.002))
    told = Counter(one for each in returned for one in each)
    assert sum(told.values()) == 50, connection.vendor
    offer.refresh_from_db()
    booked = Appointment.objects.filter(case=entry.case).count()
    if offer.state == State.ACCEPTED:
        assert (booked, Reservation.objects.count()) == (1, 4)
        assert told == {"": 30, "This time was accepted: it is booked.": 20}
        told_by_mail = OutgoingMessage.objects.filter(event="appointment-booked", case=entry.case_id)
        assert told_by_mail.filter(audience="patient").count() == 1
    else:
        assert (offer.state, booked, Reservation.objects.count()) == (State.DECLINED, 0, 0)
        assert told == {"": 20, "This time was declined. It is offered to others.": 30}
    ends = Entry.objects.filter(action__in=["waitlist.accepted", "waitlist.declined"])
    assert [one.action for one in ends] == [f"waitlist.{offer.state}"]


def test_fifty_clients_and_one_time_have_one_winner() -> None:
    """The patient to whom it is offered accepts, while the desk tries to book it 49 times for others."""
    entry, team = make_waiting(), make_team()
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=team))
    offer, desk, template = open_offer(entry), make_user(Role.RECEPTIONIST), make_template()
    others = [make_case() for _ in range(7)]

    def book_for_seven() -> int:
        won = 0
        for case in others:
            try:
                held = hold_appointment(case, template, resources=team, starts_at=in_days(5), by=desk)
                book_appointment(held, by=desk)
                won += 1
            except CannotBook:
                continue
        return won

    returned, _refused = at_once(partial(accept, offer, by=entry.case.patient), *[book_for_seven] * 7)
    assert sum(one for one in returned if isinstance(one, int)) == 0
    assert Appointment.objects.get(status="booked").case == entry.case
    assert Reservation.objects.count() == 4


@pytest.mark.parametrize("attempt", range(2))
def test_an_answer_and_the_expiry_have_one_truth(attempt: int) -> None:
    entry = make_waiting()
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=make_team()))
    offer, patient = open_offer(entry), entry.case.patient
    WaitlistOffer.objects.filter(pk=offer.pk).update(expires_at=after(0.2))  # while they are at it
    _returned, refused = at_once(
        *([partial(accept, offer, by=patient)] * 3 + [expire_due] * 3),
        refusal=OfferOver,
        pauses=(0.12, 0.18, 0.2, 0.22),
    )
    offer.refresh_from_db()
    booked = Appointment.objects.filter(case=entry.case).count()
    assert (offer.state, booked) in {(State.ACCEPTED, 1), (State.EXPIRED, 0), (State.OPEN, 0)}
    if offer.state != State.ACCEPTED:
        assert all("time to answer is over" in str(one) for one in refused)
        let_answer_time_pass(offer)
        expire_due()
        assert Reservation.objects.count() == 0
    else:
        assert refused == []


def test_an_offer_that_runs_out_and_a_booking_of_its_time_have_one_winner() -> None:
    entry, team = make_waiting(), make_team()
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=team))
    offer, desk = open_offer(entry), make_user(Role.RECEPTIONIST)
    other, template = make_case(), make_template()
    let_answer_time_pass(offer)

    def book() -> Appointment:
        held = hold_appointment(other, template, resources=team, starts_at=in_days(5), by=desk)
        return book_appointment(held, by=desk)

    returned, refused = at_once(
        book, partial(accept, offer, by=entry.case.patient), expire_due, refusal=OfferOver
    )
    assert len(returned) + len(refused) == 3
    (row,) = Appointment.objects.filter(status="booked")
    assert row.case == other
    assert Reservation.objects.count() == 4
    offer.refresh_from_db()
    assert offer.state == State.EXPIRED


def test_supervisors_and_the_desk_at_once_give_a_time_to_one() -> None:
    entries, team = [make_waiting() for _ in range(4)], make_team()
    visit = make_appointment(starts_at=in_days(5), team=team)
    desk, other, template = make_user(Role.RECEPTIONIST), make_case(), make_template()
    cancel_appointment(visit, reason="clinic", by=desk)

    def book() -> None:
        held = hold_appointment(other, template, resources=team, starts_at=in_days(5), by=desk)
        book_appointment(held, by=desk)

    _returned, refused = at_once(*([process_changed_spans] * 4), book, refusal=CannotBook)
    offers = list(WaitlistOffer.objects.all())
    assert len(offers) == len(refused)  # either the first on the list has it, or the desk was faster
    assert Reservation.objects.count() == 4
    if offers:
        assert offers[0].entry == entries[0]
    assert WaitlistEntry.objects.waiting().count() == 4
