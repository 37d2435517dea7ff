"""The controls of the session page in a real browser, with a real server and worker."""

import re
import time
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, Route, expect

from clinic.accounts.models import Role, User
from erasure.runs.models import CallNotice, DoctorCall, PresenceCheck, Run
from patients.keepsakes.models import Keepsake
from patients.vault.objects import storage
from tests.browser.browsing import OpenSite, Visitor, in_thread, open_installation
from tests.configuration import configure
from tests.erasure.runs.nights import doctor_of, technician_of
from tests.factories import PASSPHRASE, make_run, make_technician, make_user
from tests.processes import until, until_certified

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.processes]

# Presses the first button of a form twice; returns how it looks after the next frame was painted.
PRESS = """name => new Promise((done) => {
  const button = document.querySelector(`form[data-control="${name}"] button`);
  const began = performance.now();
  button.click();
  requestAnimationFrame(() => requestAnimationFrame(() => {
    const took = performance.now() - began;
    button.click();
    done({ took, label: button.textContent.trim(), disabled: button.disabled });
  }));
})"""


def at_session(site: OpenSite, run: Run, person: User) -> Visitor:
    """A visitor with the session page open and its script running."""
    visitor = site.visitor(person)
    visitor.go(f"/sessions/{run.pk}/")
    expect(visitor.page.locator("html.script")).to_be_attached()
    return visitor


def expect_control(page: Page, name: str) -> None:
    expect(page.locator(f'form[data-control="{name}"]')).to_have_count(1)


def test_pause_reacts_at_once_and_shows_when_it_took_effect(chromium: Browser) -> None:
    run = make_run(2, pace=120)
    technician, other = technician_of(run), doctor_of(run)
    with open_installation(chromium) as site:
        technician_visitor, doctor_visitor = at_session(site, run, technician), at_session(site, run, other)
        page = technician_visitor.page
        in_thread(
            lambda: until(lambda: Run.objects.get(pk=run.pk).steps.filter(level__gte=1).exists(), "a pass")
        )
        sent: list[str] = []

        def slowly(route: Route) -> None:
            sent.append(route.request.url)
            time.sleep(1)
            route.continue_()

        page.route("**/pause/", slowly)
        pressed = page.evaluate(PRESS, "pause")
        assert (pressed["label"], pressed["disabled"]) == ("Pausing…Space", True)
        assert pressed["took"] < 200
        assert page.locator("#session").get_attribute("data-state") == "running", "no answer has come yet"
        took_effect = re.compile(r"^Paused after pass \d+ of 13 at \d\d:\d\d:\d\d$")
        for visitor in (technician_visitor, doctor_visitor):
            expect(visitor.page.locator("#held b")).to_have_text(took_effect)
        assert len(sent) == 1, "pressed twice, sent once"
        paused_run = in_thread(lambda: Run.objects.get(pk=run.pk))
        assert (paused_run.state, paused_run.held_by_id) == (Run.State.PAUSED, technician.pk)
        technician_visitor.take_screenshots("paused")

        # Pausing again in another tab has no effect and is explained.
        answer = doctor_visitor.page.evaluate(
            """async () => {
              const form = document.querySelector('form[data-control="pause"]');
              const body = new URLSearchParams(new FormData(form));
              const reply = await fetch(form.action,
                { method: "POST", body, headers: { Accept: "application/json" } });
              return reply.json();
            }"""
        )
        assert (answer["ok"], answer["changed"]) == (True, False)
        assert answer["text"].startswith("It was paused already: after pass")

        # Without an answer the page says so, and the control can be used again.
        page.route("**/resume/", lambda route: route.abort())
        page.locator('form[data-control="resume"] button').click()
        expect(page.locator("#answer")).to_have_text(
            "No answer. It is not certain that it took effect. You can press again."
        )
        technician_visitor.expect_complaint("ERR_FAILED")
        page.unroute("**/resume/")
        page.locator('form[data-control="resume"] button').click()
        expect(page.locator("#session")).to_have_attribute("data-state", "running")
        expect(page.locator("#answer")).to_be_hidden()
        assert site.complaints() == []


def test_a_call_is_repeated_escalated_and_answered(chromium: Browser) -> None:
    configure(call_again_seconds=2, call_escalate_seconds=5)
    run = make_run(1, pace=600)
    boss = make_user(Role.ADMINISTRATOR)
    technician, doctor = technician_of(run), doctor_of(run)
    with open_installation(chromium) as site:
        technician_visitor, doctor_visitor = (
            at_session(site, run, technician),
            at_session(site, run, doctor),
        )
        technician_visitor.page.keyboard.press("d")
        alarm = doctor_visitor.page.locator('[data-alarm="doctor"]')
        expect(alarm).to_contain_text(re.compile(r"Nobody has answered since \d\d:\d\d:\d\d\."))
        expect(alarm.locator(".waiting")).to_have_text(re.compile(r"^Unanswered for 0 min \d\d s$"))
        for visitor in (technician_visitor, doctor_visitor):
            expect(visitor.page.locator('[data-alarm="doctor"]')).to_contain_text(
                "All doctors and the administrators have been called."
            )
        told = technician_visitor.page.locator('[data-alarm="doctor"] .told')
        told.locator("summary").click()
        expect(told.locator("li").first).to_contain_text(f"{doctor.short_name}, called")
        technician_visitor.take_screenshots("called")
        doctor_visitor.page.get_by_role("button", name="I am coming").click()
        for visitor in (technician_visitor, doctor_visitor):
            expect(visitor.page.locator('[data-alarm="doctor"]')).to_have_count(0)
        assert site.complaints() == []
    call = DoctorCall.objects.get()
    assert call.acknowledged_by == doctor
    assert CallNotice.objects.filter(call=call, kind="escalated", user=boss).count() == 1
    assert CallNotice.objects.filter(call=call, kind="again", user=doctor).exists()


def test_a_missed_presence_check_pauses_and_calls_the_doctor(chromium: Browser) -> None:
    configure(presence_minutes=0.05, presence_grace_seconds=20)
    run = make_run(1, pace=600)
    technician, doctor = technician_of(run), doctor_of(run)
    with open_installation(chromium) as site:
        technician_visitor, doctor_visitor = (
            at_session(site, run, technician),
            at_session(site, run, doctor),
        )
        here = technician_visitor.page.get_by_role("button", name="I am here")
        expect(here).to_be_visible()
        expect(doctor_visitor.page.locator('[data-alarm="presence"]')).to_be_visible()
        assert doctor_visitor.page.get_by_role("button", name="I am here").count() == 0
        technician_visitor.take_screenshots("presence")
        here.click()
        expect(technician_visitor.page.locator("#log")).to_contain_text("Somebody of the team is there.")
        # The next presence check is not answered.
        expect(doctor_visitor.page.locator("#session")).to_have_attribute("data-state", "paused")
        expect(doctor_visitor.page.locator('[data-alarm="doctor"]')).to_contain_text(
            "Nobody of the team answered."
        )
        expect(doctor_visitor.page.locator('[data-alarm="presence"]')).to_have_count(0)
        assert site.complaints() == []
    assert PresenceCheck.objects.filter(answered_by=technician).exists()
    assert PresenceCheck.objects.filter(missed_at__isnull=False).count() == 1
    assert DoctorCall.objects.get().why == "presence"


def test_a_run_is_handed_over_and_a_doctor_takes_over_and_hands_back(chromium: Browser) -> None:
    run, other = make_run(1, pace=600), make_technician()
    technician, doctor = technician_of(run), doctor_of(run)
    with open_installation(chromium) as site:
        technician_visitor = at_session(site, run, technician)
        responsible = technician_visitor.page.locator('[data-night="responsible"]')
        expect(responsible).to_have_text(technician.short_name)
        expect(technician_visitor.page.locator('[data-night="here"]')).to_have_text(technician.short_name)
        technician_visitor.page.locator("#night summary").click()
        technician_visitor.press("Hand over…")
        technician_visitor.take_screenshots("handover")
        technician_visitor.page.locator("#handover-to").select_option(label=other.name)
        technician_visitor.press("Ask them")
        expect_control(technician_visitor.page, "handover_decline")
        other_visitor = site.visitor(other)
        other_visitor.go(f"/sessions/{run.pk}/handover/")
        other_visitor.press("I take it")
        expect(other_visitor.page.locator("html.script")).to_be_attached()
        for visitor in (technician_visitor, other_visitor):
            expect(visitor.page.locator('[data-night="responsible"]')).to_have_text(other.short_name)

        doctor_visitor = at_session(site, run, doctor)
        doctor_visitor.press("Take over")
        expect(doctor_visitor.page.locator('[data-night="in_charge"]')).to_have_text(doctor.short_name)
        expect(other_visitor.page.locator('[data-night="in_charge"]')).to_have_text(doctor.short_name)
        expect_control(doctor_visitor.page, "hand_back")
        expect_control(other_visitor.page, "pause")
        expect(other_visitor.page.locator('form[data-control="resume"]')).to_have_count(0)
        expect(other_visitor.page.locator('form[data-control="protect"]')).to_have_count(0)
        doctor_visitor.take_screenshots("taken-over")
        doctor_visitor.press("Hand back to the team")
        expect_control(other_visitor.page, "protect")
        expect_control(doctor_visitor.page, "take_over")
        assert site.complaints() == []
    assert Run.objects.get().responsible == other


def test_abort_pauses_at_once_asks_for_the_passphrase_and_closes_by_escape(
    settings: settings, chromium: Browser
) -> None:
    # The server process uses the default hasher.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    run = make_run(1, pace=600)
    doctor = doctor_of(run)
    with open_installation(chromium) as site:
        doctor_visitor = at_session(site, run, doctor)
        page = doctor_visitor.page
        page.locator('form[data-control="abort"] button').focus()
        page.keyboard.press("Enter")
        dialog = page.locator("#ending")
        expect(dialog.locator("select")).to_be_focused()
        expect(page.locator("#session")).to_have_attribute("data-state", "paused")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(page.locator('form[data-control="resume"] button')).to_be_focused()
        page.locator('form[data-control="abort"] button').focus()
        page.keyboard.press("Enter")
        dialog.locator("[type=password]").fill("not mine")
        page.get_by_role("button", name="End the session").click()
        expect(dialog.locator("[data-part=refusal]")).to_contain_text("That is not your passphrase.")
        expect(dialog.locator("[type=password]")).to_be_focused()
        doctor_visitor.expect_complaint("400 (Bad Request)")
        doctor_visitor.take_screenshots("abort")
        dialog.locator("[type=password]").fill(PASSPHRASE)
        page.keyboard.press("Enter")
        expect(page.locator("#session")).to_have_attribute("data-state", "aborted")
        expect(dialog).to_be_hidden()
        assert site.complaints() == []


def test_a_damaged_keepsake_is_shown_at_once_and_the_doctor_decides(chromium: Browser) -> None:
    run = make_run(2)
    keepsake = Keepsake.objects.get(memory=run.steps.get(position=1).memory)
    assert keepsake.picture
    path = Path(storage().path(keepsake.picture.blob))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    people = technician_of(run), doctor_of(run)
    with open_installation(chromium) as site:
        team, doctor = (at_session(site, run, person) for person in people)
        for visitor in (team, doctor):
            alarm = visitor.page.locator('[data-alarm="damaged"]')
            expect(alarm).to_contain_text("[1] cannot be read")
            expect(visitor.page.locator("#state")).to_contain_text("Paused")
            expect(visitor.page.locator(".log")).to_contain_text("cannot be read: it is damaged")
        team.take_screenshots("damaged-technician")
        doctor.take_screenshots("damaged-doctor")
        expect(team.page.get_by_role("button", name="Destroy it as it is")).to_have_count(0)
        doctor.page.get_by_role("button", name="Destroy it as it is").click()
        for visitor in (team, doctor):
            expect(visitor.page.locator('[data-alarm="damaged"]')).to_have_count(0)
        in_thread(lambda: until_certified(run))
        expect(team.page.locator("#state")).to_contain_text("Finished")
        # The request for the damaged picture fails with 422. The certificate ends the technician's access, so
        # their page may be answered with 404 when it is loaded anew.
        left = f"/sessions/{run.pk}/: Failed to load resource: the server responded with a status of 404"
        assert [said for said in team.complaints if "status of 422" not in said and left not in said] == []
        assert [said for said in doctor.complaints if "status of 422" not in said] == []
