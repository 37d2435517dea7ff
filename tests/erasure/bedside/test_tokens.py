"""The token of the page for the bed: what it opens, until when, and what ends it."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.access.policy import TABLE
from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.people.changes import set_active
from erasure.bedside.models import BedToken
from erasure.bedside.tokens import MAX_TOKEN_AGE, OPENS_EARLY, cookie_name, digest_of, issue_token
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.runs.run_actions import NotNow
from patients.cases.models import Case
from patients.consent.signing import withdraw
from tests.browser.watching import finish_run
from tests.clinic.access.doors import OPEN, doors
from tests.clinic.access.test_matrix import Scene, paths, scene  # noqa: F401 - a fixture
from tests.erasure.bedside.beds import at_the_bed, bed_url, idle_out, open_bed, signed_in, works
from tests.erasure.runs.nights import doctor_of, technician_of
from tests.factories import (
    PASSPHRASE,
    make_case,
    make_keepsake,
    make_memory,
    make_procedure,
    make_run,
    make_user,
    shift_hours,
)

pytestmark = pytest.mark.django_db(transaction=True)

# What a pass of this kind opens: to add a URL here, change the decision too (docs/decisions/0028).
BED_READS = {"erasure:bed", "erasure:bed-now"}
BED_WRITES = {"erasure:bed-safe-word", "erasure:bed-pause", "erasure:bed-call-doctor", "erasure:bed-close"}


def make_night() -> Procedure:
    """A night that is booked for now, and has not begun."""
    case = make_case()
    make_keepsake(make_memory(case))
    return make_procedure(case)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_the_token_opens_nothing_but_the_page_for_the_bed(
    method: str,
    scene: Scene,  # noqa: F811
    settings: settings,
) -> None:
    """Every URL of the project answers as for somebody who is signed out, except those of the bed."""
    value = at_the_bed(Procedure.objects.get(pk=scene.run.procedure_id)).cookies[cookie_name()].value
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.clinic.access.doors.AnswerWithoutView"]
    client, nobody, opened = Client(), Client(), set()
    client.cookies[cookie_name()] = value  # a browser would send it to the bed's pages only
    for door, path in paths(scene):
        with_token, without = client.generic(method, path), nobody.generic(method, path)
        if (with_token.status_code, with_token.get("Location")) != (
            without.status_code,
            without.get("Location"),
        ):
            opened.add(door.name)
            reading = method in {"GET", "HEAD", "OPTIONS"}
            expected = BED_READS if reading else BED_WRITES
            assert with_token.status_code == (OPEN if door.name in expected else 405), (door.name, method)
    assert opened == BED_READS | BED_WRITES
    assert len(list(doors())) > 150


def test_only_these_rows_name_the_pass() -> None:
    named = {
        name
        for name, row in TABLE.items()
        for who in (row.read, row.write)
        if not isinstance(who, str) and any(rule.role == "bed page" for rule in who)
    }
    assert named == BED_READS | BED_WRITES | {"erasure:bed-live"}


def test_the_token_opens_no_other_night() -> None:
    mine, other = make_run(1), make_run(1)
    client = at_the_bed(mine.procedure)
    assert works(client, mine.procedure)
    assert not works(client, other.procedure)
    assert client.get(f"/bed/{uuid4()}/").status_code == 302


def test_the_cookie_is_sent_to_the_bed_only_and_read_by_no_script() -> None:
    client = open_bed(make_night())
    cookie = client.cookies[cookie_name()]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/bed/", True, "Strict")
    assert cookie["secure"] == ""
    assert cookie["max-age"] == int(MAX_TOKEN_AGE.total_seconds())


def test_over_https_the_cookie_is_secure(settings: settings) -> None:
    settings.SESSION_COOKIE_SECURE = True
    client = open_bed(make_night())
    cookie = client.cookies["__Secure-bed"]
    assert (cookie["path"], cookie["secure"]) == ("/bed/", True)


def test_only_the_digest_of_the_token_is_stored() -> None:
    client = open_bed(make_night())
    value, row = client.cookies[cookie_name()].value, BedToken.objects.get()
    assert row.digest == digest_of(value) != value
    assert value not in " ".join(str(field) for field in BedToken.objects.values_list().get())
    assert value not in str(list(Entry.objects.values_list()))


def test_it_works_after_the_session_has_ended_by_itself() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    assert works(client, run.procedure)
    assert client.post(bed_url(run.procedure, "bed-safe-word")).status_code == 302
    assert Run.objects.get().state == Run.State.PAUSED


def test_the_page_for_the_bed_keeps_no_sign_in_alive() -> None:
    client = open_bed(make_run(1).procedure)
    store = client.session
    store["seen"] -= 3600
    store.save()
    before = client.session.get_expiry_date()
    procedure = Procedure.objects.get()
    for name in ("bed", "bed-now"):
        assert client.get(bed_url(procedure, name)).status_code == 200
    client.post(bed_url(procedure, "bed-safe-word"))
    assert client.session.get_expiry_date() == before
    client.cookies.pop(cookie_name())
    client.post(bed_url(procedure, "bed-pause"))  # by the sign-in, so it is a use of the session
    assert client.session.get_expiry_date() > before


def test_opening_and_closing_are_recorded_with_the_patient() -> None:
    run = make_run(1)
    patient, client = run.procedure.case.patient, at_the_bed(run.procedure)
    client.post(bed_url(run.procedure, "bed-safe-word"))
    client.post(bed_url(run.procedure, "bed-call-doctor"))
    client.post(bed_url(run.procedure, "bed-close"))
    mine = Entry.objects.filter(actor=f"user:{patient.pk}").order_by("index")
    recorded = [
        (entry.action, entry.details.get("page") or entry.details.get("because"))
        for entry in mine
        if entry.action.startswith(("bed.", "run."))
    ]
    assert recorded == [
        ("bed.opened", None),
        ("run.paused", "bed"),
        ("run.doctor-called", "bed"),
        ("bed.safe-word", "bed"),
        ("bed.closed", "patient"),
    ]
    assert set(mine.filter(action__startswith="bed.").values_list("case", flat=True)) == {
        run.procedure.case_id
    }


def test_the_token_does_not_outlive_the_certificate() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    assert works(client, run.procedure)
    finish_run(run)
    assert not works(client, run.procedure)


def test_the_token_of_a_night_that_never_starts_ends_with_its_hours() -> None:
    procedure = make_night()
    client = at_the_bed(procedure)
    assert works(client, procedure)
    shift_hours(procedure, timedelta(hours=-9))
    assert not works(client, procedure)


def test_the_token_of_a_night_that_began_lasts_beyond_its_hours() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    shift_hours(run.procedure, timedelta(hours=-9))
    assert works(client, run.procedure)


def test_no_token_lasts_longer_than_the_maximum() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    BedToken.objects.update(opened_at=timezone.now() - MAX_TOKEN_AGE)
    assert not works(client, run.procedure)


def test_the_token_of_a_canceled_night_ends() -> None:
    procedure = make_night()
    client = at_the_bed(procedure)
    Procedure.objects.update(state=Procedure.State.CANCELED)
    assert not works(client, procedure)


def test_signing_out_everywhere_ends_the_token() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    run.procedure.case.patient.end_sessions()
    assert not works(client, run.procedure)


def test_another_passphrase_ends_the_token() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    elsewhere = signed_in(run.procedure.case.patient)
    fresh = "a quiet river under stones"
    fields = {"oldpassword": PASSPHRASE, "password1": fresh, "password2": fresh}
    assert elsewhere.post(reverse("account_change_password"), fields).status_code == 302
    assert not works(client, run.procedure)


def test_a_closed_account_ends_the_token() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    set_active(run.procedure.case.patient, False, by=make_user(Role.ADMINISTRATOR))
    assert not works(client, run.procedure)


def test_the_token_of_an_account_that_is_not_active_opens_nothing() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    User.objects.filter(pk=run.procedure.case.patient_id).update(is_active=False)
    assert not works(client, run.procedure)


def test_the_token_of_somebody_who_is_not_the_patient_any_more_opens_nothing() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    Case.objects.update(patient=make_user(Role.PATIENT))
    assert not works(client, run.procedure)


def test_only_the_patient_of_the_night_gets_a_token() -> None:
    procedure = make_night()
    with pytest.raises(NotNow, match="not yours"):
        issue_token(procedure.pk, by=make_user(Role.PATIENT))
    assert not BedToken.objects.exists()


def test_a_withdrawn_consent_ends_the_token() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    withdraw(run.procedure.case, by=run.procedure.case.patient)
    assert Case.objects.get().stage == Case.Stage.WITHDRAWN
    assert not works(client, run.procedure)


def test_signing_out_in_the_same_browser_ends_its_token_and_no_other() -> None:
    run = make_run(1)
    other = at_the_bed(run.procedure)
    client = open_bed(run.procedure)
    client.post(reverse("account_logout"))
    assert not works(client, run.procedure)
    assert works(other, run.procedure)
    assert Entry.objects.get(action="bed.closed").details == {"because": "signed-out"}


def test_the_patient_closes_the_page_of_this_browser_only() -> None:
    run = make_run(1)
    other, client = at_the_bed(run.procedure), at_the_bed(run.procedure)
    client.post(bed_url(run.procedure, "bed-close"))
    assert client.cookies[cookie_name()].value == ""
    assert works(other, run.procedure)
    assert BedToken.objects.filter(ended_at__isnull=False).count() == 1


def test_staff_close_all_pages_of_the_night_with_one_control() -> None:
    run = make_run(1)
    clients = [at_the_bed(run.procedure), at_the_bed(run.procedure)]
    technician = signed_in(technician_of(run))
    page = technician.get(reverse("erasure:session", args=[run.pk])).content.decode()
    assert "page for the bed is open on 2 devices" in page
    answer = technician.post(reverse("erasure:bed-end", args=[run.pk]), follow=True)
    assert "The pages for the bed are closed." in answer.content.decode()
    assert "page for the bed is open" not in answer.content.decode()
    assert [works(client, run.procedure) for client in clients] == [False, False]
    recorded = Entry.objects.filter(action="bed.closed").values_list("actor", "details")
    assert list(recorded) == [(f"user:{technician_of(run).pk}", {"because": "staff"})] * 2
    again = technician.post(reverse("erasure:bed-end", args=[run.pk]), follow=True)
    assert "No page for the bed was open." in again.content.decode()


def test_a_page_of_another_night_is_not_closed_by_staff() -> None:
    mine, other = make_run(1), make_run(1)
    client = at_the_bed(other.procedure)
    signed_in(doctor_of(mine)).post(reverse("erasure:bed-end", args=[mine.pk]))
    assert works(client, other.procedure)


def test_the_page_opens_from_an_hour_before_the_night_until_its_end() -> None:
    procedure = make_night()
    client = signed_in(procedure.case.patient)
    for later, opens in (
        (OPENS_EARLY + timedelta(minutes=1), False),
        (OPENS_EARLY - timedelta(minutes=1), True),
        (timedelta(hours=-9), False),
    ):
        shift_hours(procedure, later)
        page = client.get(bed_url(procedure)).content.decode()
        assert ("Open the page for the bed</button>" in page) == opens
        client.post(bed_url(procedure, "bed-open"))
        assert BedToken.objects.exists() == opens
        BedToken.objects.all().delete()
        client.cookies.pop(cookie_name(), None)
        shift_hours(procedure, -later)


def test_after_the_certificate_the_page_does_not_open() -> None:
    run = finish_run(make_run(1))
    client = signed_in(run.procedure.case.patient)
    assert "This night is over." in client.get(bed_url(run.procedure)).content.decode()
    client.post(bed_url(run.procedure, "bed-open"))
    assert not BedToken.objects.exists()


def test_in_a_browser_where_somebody_else_has_signed_in_the_token_shows_nothing() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    client.force_login(make_user(Role.PATIENT), backend=settings.AUTHENTICATION_BACKENDS[0])
    assert client.get(bed_url(run.procedure)).status_code == 404
    assert client.post(bed_url(run.procedure, "bed-safe-word")).status_code == 404
    assert Run.objects.get().state == Run.State.RUNNING


def test_an_open_page_of_the_patient_stops_the_night_though_somebody_else_has_signed_in() -> None:
    """Its forms carry the mark of the patient: the safe word must not depend on who signs in elsewhere."""
    run = make_run(1)
    client = at_the_bed(run.procedure)
    mark = client.get(bed_url(run.procedure)).content.decode().split('name="page_owner" value="')[1][:32]
    client.force_login(make_user(Role.PATIENT), backend=settings.AUTHENTICATION_BACKENDS[0])
    client.post(bed_url(run.procedure, "bed-safe-word"), {"page_owner": mark})
    assert Run.objects.get().state == Run.State.PAUSED
    assert Entry.objects.get(action="bed.safe-word").actor == f"user:{run.procedure.case.patient_id}"


def test_a_page_that_was_made_for_somebody_else_does_not_act_by_the_token() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    answer = client.post(bed_url(run.procedure, "bed-safe-word"), {"page_owner": "0" * 32})
    assert answer.status_code == 401
    assert Run.objects.get().state == Run.State.RUNNING


def test_the_denial_of_a_request_with_a_token_is_recorded_as_the_patients() -> None:
    run = make_run(1)
    client = Client(enforce_csrf_checks=True)
    client.cookies[cookie_name()] = at_the_bed(run.procedure).cookies[cookie_name()].value
    assert client.post(bed_url(run.procedure, "bed-safe-word")).status_code == 403
    entry = Entry.objects.get(action="access.denied")
    assert (entry.actor, entry.details["because"]) == (f"user:{run.procedure.case.patient_id}", "csrf")


def test_a_browser_without_the_token_and_without_a_sign_in_stops_nothing() -> None:
    run = make_run(1)
    idle = signed_in(run.procedure.case.patient)
    idle_out(idle)
    assert idle.post(bed_url(run.procedure, "bed-safe-word")).status_code == 302
    assert Run.objects.get().state == Run.State.RUNNING


def test_a_token_ends_for_a_reason() -> None:
    open_bed(make_night())
    with pytest.raises(IntegrityError, match="bed_token_ends_for_a_reason"), transaction.atomic():
        BedToken.objects.update(ended_at=timezone.now())
    with pytest.raises(IntegrityError, match="bed_token_ends_for_a_reason"), transaction.atomic():
        BedToken.objects.update(ended_because="staff")
