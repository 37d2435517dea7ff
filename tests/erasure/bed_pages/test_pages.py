"""The page for the bed and its controls, without a script and with one."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from erasure.bed_pages.status import bed_status, time_of_day
from erasure.bed_pages.views import parse_tap_time
from erasure.bedside.models import BedTap, BedToken
from erasure.procedures.models import Procedure
from erasure.runs import control
from erasure.runs.models import DoctorCall, Run
from patients.consent.signing import withdraw
from tests.browser.watching import STILL, do_memory, finish_run
from tests.erasure.bedside.beds import at_the_bed, bed_url, signed_in
from tests.erasure.runs.nights import doctor_of, technician_of
from tests.factories import make_case, make_keepsake, make_memory, make_procedure, make_run, shift_hours

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"Accept": "application/json"}


def make_night() -> Procedure:
    case = make_case()
    make_keepsake(make_memory(case))
    return make_procedure(case)


def now_page(client: Client, procedure: Procedure) -> dict[str, object]:
    answer = client.get(bed_url(procedure, "bed-now"), headers=JSON)
    assert answer.status_code == 200
    found: dict[str, object] = answer.json()
    return found


def test_the_page_says_how_the_night_goes() -> None:
    procedure = make_night()
    client = at_the_bed(procedure)
    before = now_page(client, procedure)
    assert (before["state"], before["begun"]) == ("before", False)
    assert f"It is booked from {time_of_day(procedure.booking.starts_at)} on." in str(before["html"])


def test_the_page_counts_what_is_gone_and_says_why_the_night_is_paused() -> None:
    run = make_run(2, pace=STILL)
    client = at_the_bed(run.procedure)
    assert "0 of 2 memories are gone." in str(now_page(client, run.procedure)["html"])
    do_memory(run)
    shown = now_page(client, run.procedure)
    assert (shown["state"], shown["begun"]) == ("running", True)
    assert "1 of 2 memories are gone." in str(shown["html"])
    control.call_doctor(run.pk, by=None)
    assert "The doctor has been called." in str(now_page(client, run.procedure)["html"])
    control.pause(run.pk, by=technician_of(run))
    shown = now_page(client, run.procedure)
    assert shown["state"] == "paused"
    assert "Nothing is being destroyed." in str(shown["html"])
    control.safe_word(run.pk, by=run.procedure.case.patient)
    said = Run.objects.select_related("safe_word").get().safe_word
    assert f"The safe word was said at {time_of_day(said.said_at)}." in str(
        now_page(client, run.procedure)["html"]
    )
    finish_run_after_safe_word(run)
    assert bed_status(run.procedure).state == "over"


def finish_run_after_safe_word(run: Run) -> None:
    control.lift_safe_word(run.pk, by=doctor_of(run), words="Go on.")
    finish_run(run)


def test_the_page_names_nobody_and_nothing_that_is_erased() -> None:
    run = make_run(1)
    page = at_the_bed(run.procedure).get(bed_url(run.procedure)).content.decode()
    hidden = [
        run.procedure.case.read().subject_name,
        run.procedure.case.patient.name,
        run.procedure.case.reference,
        "Photo 0",
        technician_of(run).short_name,
    ]
    assert [word for word in hidden if word in page] == []
    assert "Safe word" in page


def test_the_script_is_told_that_a_tap_arrived_and_when() -> None:
    run = make_run(1)
    client, tap = at_the_bed(run.procedure), uuid4()
    at = timezone.now() - timedelta(minutes=3)
    fields = {"tap": str(tap), "at": at.isoformat()}
    answer = client.post(bed_url(run.procedure, "bed-safe-word"), fields, headers=JSON)
    row = BedTap.objects.get()
    text = f"It arrived at {time_of_day(row.arrived_at)}. The night is paused."
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "text": text})
    assert (row.tap, row.tapped_at) == (tap, at)
    again = client.post(bed_url(run.procedure, "bed-safe-word"), fields, headers=JSON)
    assert (again.json()["text"], BedTap.objects.count()) == (text, 1)


def test_a_tap_that_is_sent_again_after_the_night_went_on_does_not_say_that_it_is_paused() -> None:
    run = make_run(1)
    client, fields = at_the_bed(run.procedure), {"tap": str(uuid4())}
    client.post(bed_url(run.procedure, "bed-safe-word"), fields, headers=JSON)
    control.lift_safe_word(run.pk, by=doctor_of(run), words="Go on.")
    answer = client.post(bed_url(run.procedure, "bed-safe-word"), fields, headers=JSON)
    arrived = time_of_day(BedTap.objects.get().arrived_at)
    text = f"It arrived at {arrived}. The night is not paused any more."
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "text": text})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tap": "nonsense", "at": "yesterday"},
        {"tap": "", "at": "2026-02-30T00:00:00Z"},
        {"tap": "\x00", "at": "2026-11-30T02:14:00"},
        {"tap": "1" * 5000, "at": "9" * 5000},
        {"tap": str(UUID(int=5)), "at": "1970-01-01T00:00:00Z"},
    ],
)
def test_a_tap_counts_whatever_its_id_and_its_clock_say(fields: dict[str, str]) -> None:
    run = make_run(1)
    answer = at_the_bed(run.procedure).post(bed_url(run.procedure, "bed-safe-word"), fields, headers=JSON)
    assert answer.status_code == 200
    assert (Run.objects.get().state, BedTap.objects.get().tapped_at) == (Run.State.PAUSED, None)


def test_a_time_counts_if_it_is_of_about_now() -> None:
    now = timezone.now()
    assert parse_tap_time(now.isoformat()) == now
    assert parse_tap_time((now - timedelta(hours=47)).isoformat()) == now - timedelta(hours=47)
    assert parse_tap_time((now - timedelta(hours=49)).isoformat()) is None
    assert parse_tap_time((now + timedelta(hours=49)).isoformat()) is None
    assert parse_tap_time(datetime(2026, 11, 30).isoformat()) is None


def test_before_and_after_the_night_there_is_nothing_to_stop() -> None:
    procedure = make_night()
    client = at_the_bed(procedure)
    for name in ("bed-safe-word", "bed-pause", "bed-call-doctor"):
        answer = client.post(bed_url(procedure, name), headers=JSON)
        assert (answer.status_code, answer.json()["ok"]) == (409, False)
        assert answer.json()["text"] == "The night has not begun, so there is nothing to stop."
    assert not BedTap.objects.exists()


def test_the_patients_pause_and_call_say_what_happened() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    said = [
        client.post(bed_url(run.procedure, name), headers=JSON).json()["text"]
        for name in ("bed-pause", "bed-pause", "bed-call-doctor", "bed-call-doctor")
    ]
    assert said == [
        "Paused.",
        "It was paused already.",
        "The doctor has been called.",
        "The doctor was called already, and is called again until somebody answers.",
    ]
    run.refresh_from_db()
    assert (run.why, run.held_by, DoctorCall.objects.count()) == ("patient", run.procedure.case.patient, 1)


def test_without_a_script_the_page_says_it_after_the_redirect() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    page = client.post(bed_url(run.procedure, "bed-safe-word"), follow=True).content.decode()
    arrived = BedTap.objects.get().arrived_at
    assert f"<p>It arrived at {time_of_day(arrived)}. The night is paused.</p>" in page
    assert "The safe word was said at" in page


def test_a_page_without_a_script_has_an_id_for_its_tap_of_its_own() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    ids = {
        client.get(bed_url(run.procedure)).content.decode().split('name="tap" value="')[1][:36]
        for _ in range(2)
    }
    assert len({UUID(one) for one in ids}) == 2


def test_a_kept_tap_has_the_same_key_after_the_page_is_opened_anew_and_another_for_another_patient() -> None:
    run, other = make_run(1), make_run(1)

    def key(procedure: Procedure) -> str:
        page = at_the_bed(procedure).get(bed_url(procedure)).content.decode()
        found: str = page.split('data-kept-key="')[1].split('"')[0]
        return found

    assert key(run.procedure) == key(run.procedure) != key(other.procedure)
    assert len(bytes.fromhex(key(run.procedure))) == 32


def test_no_cache_stores_an_answer() -> None:
    run = make_run(1)
    client = at_the_bed(run.procedure)
    for name in ("bed", "bed-now"):
        assert "no-store" in client.get(bed_url(run.procedure, name))["Cache-Control"]


def test_the_page_before_the_night_says_when_it_opens() -> None:
    procedure = make_night()
    shift_hours(procedure, timedelta(hours=5))
    page = signed_in(procedure.case.patient).get(bed_url(procedure)).content.decode()
    assert "The page for the bed opens one hour before the night." in page
    assert "Open the page for the bed</button>" not in page


def test_the_portal_leads_to_the_page_from_the_booking_to_the_certificate() -> None:
    procedure = make_night()
    client = signed_in(procedure.case.patient)
    assert f'href="{bed_url(procedure)}"' in client.get("/me/").content.decode()
    shift_hours(procedure, timedelta(hours=-9))
    assert f'href="{bed_url(procedure)}"' not in client.get("/me/").content.decode()


def test_the_portal_of_somebody_whose_consent_is_withdrawn_does_not_lead_there() -> None:
    procedure = make_night()
    withdraw(procedure.case, by=procedure.case.patient)
    page = signed_in(procedure.case.patient).get("/me/", follow=True).content.decode()
    assert bed_url(procedure) not in page


def test_a_form_with_an_older_csrf_token_is_refused_and_the_page_can_fetch_a_fresh_one() -> None:
    run = make_run(1)
    value = at_the_bed(run.procedure).cookies
    client = Client(enforce_csrf_checks=True)
    client.cookies = value
    client.cookies.pop(settings.CSRF_COOKIE_NAME, None)
    refused = client.post(bed_url(run.procedure, "bed-safe-word"), headers=JSON)
    assert refused.status_code in {401, 403}
    assert Run.objects.get().state == Run.State.RUNNING
    fresh = now_page(client, run.procedure)["csrf"]
    answer = client.post(
        bed_url(run.procedure, "bed-safe-word"), {"csrfmiddlewaretoken": fresh}, headers=JSON
    )
    assert (answer.status_code, Run.objects.get().state) == (200, Run.State.PAUSED)
    assert BedToken.objects.filter(ended_at__isnull=True).count() == 1
