"""Random sequences of offers, answers, expiries, cancellations and changed hours keep the list's rules."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from clinic.accounts.models import Role
from clinic.availability.changes import add_exception, end_exception
from clinic.availability.models import AvailabilityException
from clinic.calendar.models import Booking, Reservation
from patients.appointments.booking import (
    CannotBook,
    book_appointment,
    cancel_appointment,
    hold_appointment,
)
from patients.appointments.models import Appointment
from patients.waitlist.entries import CannotWait, ask_for_earlier, move_up
from patients.waitlist.models import WaitlistEntry, WaitlistEntryQuerySet, WaitlistOffer
from patients.waitlist.offers import OfferOver, accept, decline
from patients.waitlist.supervisor_work import expire_due, offer_all_free_times
from tests.appointments import make_team, make_template
from tests.factories import make_case, make_user
from tests.waitlist import in_days, let_answer_time_pass, let_supervisor_work, make_waiting

PATIENTS = 4
HOURS = st.integers(9, 11)
WHO = st.integers(0, PATIENTS - 1)
State = WaitlistOffer.State


class Waitlist(RuleBasedStateMachine):
    """One team, a few hours of one day, and four patients."""

    @initialize()
    def open_clinic(self) -> None:
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.team, self.template = make_team(), make_template(minutes=60)
        self.desk, self.admin = make_user(Role.RECEPTIONIST), make_user(Role.ADMINISTRATOR)
        self.cases = [make_case() for _ in range(PATIENTS)]
        self.add_hours(None, timezone.now(), in_days(89), adds=False)
        for one in self.team:
            self.add_hours(one, in_days(5, 9), in_days(5, 12), adds=True)

    def add_hours(self, whom: object, start: datetime, end: datetime, *, adds: bool) -> None:
        add_exception(whom, adds=adds, starts_at=start, ends_at=end, reason="So", by=self.admin)  # type: ignore[arg-type]

    def teardown(self) -> None:
        if hasattr(self, "outer"):
            transaction.set_rollback(True)
            self.outer.__exit__(None, None, None)

    @rule(who=WHO)
    def wait(self, who: int) -> None:
        try:
            make_waiting(self.cases[who], self.template, by=self.desk)
        except CannotWait:
            assert self.waiting().filter(case=self.cases[who], kind="appointment").exists()

    @rule(who=WHO)
    def ask_for_earlier(self, who: int) -> None:
        row = Appointment.objects.booked().filter(case=self.cases[who]).first()
        if row:
            try:
                ask_for_earlier(row, by=self.cases[who].patient)
            except CannotWait:
                assert self.waiting().filter(appointment=row).exists()

    @rule(who=WHO, hour=HOURS)
    def book(self, who: int, hour: int) -> None:
        """The desk books for a patient, whether they wait or not."""
        try:
            held = hold_appointment(
                self.cases[who],
                self.template,
                resources=self.team,
                starts_at=in_days(5, hour),
                by=self.desk,
            )
            book_appointment(held, by=self.desk)
        except CannotBook:
            return
        assert not self.waiting().filter(case=self.cases[who], kind="appointment").exists()

    @rule(hour=HOURS)
    def cancel(self, hour: int) -> None:
        row = Appointment.objects.booked().filter(booking__starts_at=in_days(5, hour)).first()
        if row:
            cancel_appointment(row, reason="clinic", by=self.desk)

    @rule(order=st.randoms(use_true_random=False))
    def move_up(self, order: Random) -> None:
        rows = list(self.waiting().in_order())
        if rows:
            row = rows[order.randrange(len(rows))]
            move_up(row, reason="So", by=self.desk)
            assert self.waiting().in_order().first() == row

    @rule()
    def let_supervisor_work(self) -> None:
        self.check_order(let_supervisor_work)

    @rule()
    def offer(self) -> None:
        self.check_order(lambda: offer_all_free_times(by=self.desk))

    def check_order(self, work: Callable[[], object]) -> None:
        """Do the work, and check that whoever got an offer was before all whom the time suited as well."""
        let_supervisor_work()
        before = set(WaitlistOffer.objects.values_list("pk", flat=True))
        order = [row.pk for row in self.waiting().exclude(case__waitlist_offers__state="open").in_order()]
        work()
        new = WaitlistOffer.objects.exclude(pk__in=before).select_related("entry", "booking")
        made = {row.entry_id: row for row in new}
        for_new = [pk for pk in order if WaitlistEntry.objects.get(pk=pk).kind == "appointment"]
        no_offer_yet = [
            pk for pk in for_new if not WaitlistOffer.objects.filter(entry=pk, pk__in=before).exists()
        ]
        # The same times suit all of these. So the first of them have the new offers.
        alike = [pk for pk in no_offer_yet if not self.has_something_else(pk)]
        count = sum(pk in made for pk in alike)
        assert {pk for pk in alike if pk in made} == set(alike[:count])

    def has_something_else(self, entry: UUID) -> bool:
        """Whether the patient of an entry has an appointment, or another entry."""
        case = WaitlistEntry.objects.get(pk=entry).case_id
        return Appointment.objects.booked().filter(case=case).exists() or (
            self.waiting().filter(case=case).count() > 1
        )

    @precondition(lambda self: WaitlistOffer.objects.open().exists())
    @rule(yes=st.booleans())
    def answer(self, yes: bool) -> None:
        offer = WaitlistOffer.objects.open().select_related("case__patient", "booking").first()
        assert offer
        try:
            (accept if yes else decline)(offer, by=offer.case.patient)
        except OfferOver:
            offer.refresh_from_db()
            assert offer.state == State.TAKEN_BACK or offer.expires_at <= timezone.now()
            return
        booked = Appointment.objects.booked().filter(
            case=offer.case, booking__starts_at=offer.booking.starts_at
        )
        assert booked.exists() == yes

    @precondition(lambda self: WaitlistOffer.objects.open().exists())
    @rule(ended=st.booleans())
    def let_time_pass(self, ended: bool) -> None:
        """The time to answer is over; the supervisor has seen it, or not yet."""
        offer = WaitlistOffer.objects.open().select_related("booking").first()
        assert offer
        let_answer_time_pass(offer)
        if ended:
            assert expire_due() >= 1

    @rule()
    def extend_hours(self) -> None:
        end = in_days(5, 12 + Appointment.objects.count() % 3)
        for one in self.team:
            self.add_hours(one, in_days(5, 11), end + timedelta(hours=1), adds=True)

    @rule()
    def change_illness(self) -> None:
        """The doctor falls ill, or is well again."""
        away = AvailabilityException.objects.filter(
            resource=self.team[0], adds=False, ended_at=None, ends_at__gt=timezone.now()
        ).first()
        if away:
            end_exception(away.pk, resource=self.team[0], by=self.admin)
        else:
            self.add_hours(self.team[0], in_days(5, 10), in_days(5, 11), adds=False)
            let_supervisor_work()
            expire_due()
            for row in WaitlistOffer.objects.open().select_related("booking"):
                assert not row.booking.starts_at < in_days(5, 11) < row.booking.ends_at

    @staticmethod
    def waiting() -> WaitlistEntryQuerySet:
        return WaitlistEntry.objects.waiting()

    @invariant()
    def nobody_is_booked_twice(self) -> None:
        if not hasattr(self, "team"):
            return
        taken = Booking.objects.filter(canceled_at=None)
        hours = Counter(taken.values_list("starts_at", flat=True))
        assert all(count == 1 for count in hours.values()), hours
        held = Reservation.objects.values("booking").distinct().count()
        assert held == taken.count()

    @invariant()
    def nobody_has_two_offers(self) -> None:
        if not hasattr(self, "team"):
            return
        open_ones = Counter(WaitlistOffer.objects.open().values_list("case", flat=True))
        assert all(count == 1 for count in open_ones.values())
        ended = WaitlistOffer.objects.open().exclude(entry__ended_at=None)
        assert not ended.exists()
        # A time that is held belongs to an open offer, or is not held any more.
        over = WaitlistOffer.objects.exclude(state=State.OPEN)
        assert not over.filter(booking__canceled_at=None).exists()


@pytest.mark.django_db
def test_random_sequences_keep_the_rules_of_the_waitlist() -> None:
    run_state_machine_as_test(
        Waitlist,
        settings=settings(
            max_examples=8,
            stateful_step_count=16,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
