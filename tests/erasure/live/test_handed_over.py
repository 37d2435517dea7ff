"""Who may follow a run that is handed over or taken over: the stream follows every change of rights."""

import pytest

from clinic.accounts.models import Role, User
from clinic.calendar.models import Resource
from clinic.people.changes import change_roles, set_active
from erasure.runs import handover
from erasure.runs.models import Run
from tests.erasure.live.test_app import make_live
from tests.erasure.runs.nights import doctor_of, technician_of
from tests.factories import make_run, make_technician, make_user
from tests.serving import Stream, ask, cookie_of, serving

pytestmark = pytest.mark.django_db(transaction=True)


def make_handed_over() -> tuple[Run, User]:
    """A run that a second technician has accepted, and this technician."""
    run, other = make_run(1), make_technician()
    handover.offer(run.pk, other.pk, by=technician_of(run))
    handover.accept(run.pk, by=other)
    return run, other


def test_an_offer_opens_no_stream_and_its_acceptance_does() -> None:
    run, other = make_run(1), make_technician()
    cookie = cookie_of(other)
    handover.offer(run.pk, other.pk, by=technician_of(run))
    with serving(make_live()) as port:
        assert ask(port, f"/live/{run.pk}/", cookie).status == 404
        handover.accept(run.pk, by=other)
        with Stream(port, run.pk, cookie, "?after=1") as stream:
            (received, _accepted) = stream.take(2)
    assert received.data["kind"] == "handover-offered"


@pytest.mark.parametrize("how", ["closed", "role", "team"])
def test_z8_a_technician_who_accepted_a_run_and_loses_access_loses_the_stream(how: str) -> None:
    run, other = make_handed_over()
    boss = make_user(Role.ADMINISTRATOR)
    with (
        serving(make_live()) as port,
        Stream(port, run.pk, cookie_of(other), f"?after={last_seq(run)}") as stream,
    ):
        if how == "closed":
            set_active(other, False, by=boss)
        elif how == "role":
            change_roles(other, {Role.RECEPTIONIST}, by=boss)
        else:
            run.procedure.booking.resources.remove(Resource.objects.get(user=other))
        received = list(stream.events())
    assert (received[-1].event, received[-1].data) == ("end", {"run": str(run.pk), "why": "revoked"})


def test_a_technician_receives_events_after_a_doctor_has_taken_over() -> None:
    run, other = make_handed_over()
    with (
        serving(make_live()) as port,
        Stream(port, run.pk, cookie_of(other), f"?after={last_seq(run)}") as stream,
    ):
        handover.take_over(run.pk, by=doctor_of(run))
        handover.hand_back(run.pk, by=doctor_of(run))
        assert [received.data["kind"] for received in stream.take(2)] == ["taken-over", "handed-back"]


def last_seq(run: Run) -> int:
    return Run.objects.values_list("last_seq", flat=True).get(pk=run.pk)
