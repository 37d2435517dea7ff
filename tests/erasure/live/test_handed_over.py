"""Who follows a night that is handed over, taken over and left: the stream obeys what holds now."""

import pytest

from clinic.accounts.models import Role, User
from clinic.calendar.models import Resource
from clinic.people.changes import change_roles, set_active
from erasure.runs import handover
from erasure.runs.models import Run
from tests.erasure.live.test_app import quick
from tests.erasure.runs.nights import doctor_of, technician_of
from tests.factories import make_run, make_technician, make_user
from tests.serving import Stream, ask, cookie_of, serving

pytestmark = pytest.mark.django_db(transaction=True)


def handed_over() -> tuple[Run, User]:
    run, other = make_run(1), make_technician()
    handover.offer(run.pk, other.pk, by=technician_of(run))
    handover.accept(run.pk, by=other)
    return run, other


def test_an_offer_opens_no_stream_and_its_acceptance_does() -> None:
    run, other = make_run(1), make_technician()
    cookie = cookie_of(other)
    handover.offer(run.pk, other.pk, by=technician_of(run))
    with serving(quick()) as port:
        assert ask(port, f"/live/{run.pk}/", cookie).status == 404
        handover.accept(run.pk, by=other)
        with Stream(port, run.pk, cookie, "?after=1") as stream:
            (told, *_more) = stream.take(2)
    assert told.data["kind"] == "handover-offered"


@pytest.mark.parametrize("how", ["closed", "role", "team"])
def test_z8_who_took_over_and_loses_it_loses_the_stream(how: str) -> None:
    run, other = handed_over()
    boss = make_user(Role.ADMINISTRATOR)
    with serving(quick()) as port, Stream(port, run.pk, cookie_of(other), f"?after={last(run)}") as stream:
        if how == "closed":
            set_active(other, False, by=boss)
        elif how == "role":
            change_roles(other, {Role.RECEPTIONIST}, by=boss)
        else:
            run.procedure.booking.resources.remove(Resource.objects.get(user=other))
        told = list(stream.events())
    assert (told[-1].event, told[-1].data) == ("end", {"why": "revoked"})


def test_a_take_over_takes_the_controls_and_not_the_sight() -> None:
    run, other = handed_over()
    with serving(quick()) as port, Stream(port, run.pk, cookie_of(other), f"?after={last(run)}") as stream:
        handover.take_over(run.pk, by=doctor_of(run))
        handover.hand_back(run.pk, by=doctor_of(run))
        assert [told.data["kind"] for told in stream.take(2)] == ["taken-over", "handed-back"]


def last(run: Run) -> int:
    return Run.objects.values_list("last_seq", flat=True).get(pk=run.pk)
