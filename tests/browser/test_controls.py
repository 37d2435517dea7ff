"""The controls of a night in a real browser, on a house of real processes."""

import re
import time
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Page, Route, expect

from clinic.accounts.models import Role, User
from erasure.runs.models import CallNotice, DoctorCall, PresenceCheck, Run
from patients.keepsakes.models import Keepsake
from patients.vault.objects import storage
from tests.browser.browsing import OpenHouse, Visitor, apart, open_house
from tests.erasure.runs.nights import doctor_of, technician_of
from tests.factories import PASSPHRASE, make_run, make_technician, make_user
from tests.house import until, until_certified

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.processes]

# Presses the first button of a form and says what it looks like when the next picture is painted.
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


def at_session(house: OpenHouse, run: Run, person: User) -> Visitor:
    """Somebody with the page of a session open and its script running."""
    visitor = house.visitor(person)
    visitor.go(f"/sessions/{run.pk}/")
    expect(visitor.page.locator("html.script")).to_be_attached()
    return visitor


def shows(page: Page, name: str) -> None:
    expect(page.locator(f'form[data-control="{name}"]')).to_have_count(1)


def test_pause_answers_at_once_and_says_when_it_truly_took_effect() -> None:
    run = make_run(2, pace=120)
    technician, other = technician_of(run), doctor_of(run)
    with open_house() as house:
        one, two = at_session(house, run, technician), at_session(house, run, other)
        page = one.page
        apart(lambda: until(lambda: Run.objects.get(pk=run.pk).steps.filter(level__gte=1).exists(), "a pass"))
        asked: list[str] = []

        def slowly(route: Route) -> None:
            asked.append(route.request.url)
            time.sleep(1)
            route.continue_()

        page.route("**/pause/", slowly)
        pressed = page.evaluate(PRESS, "pause")
        assert (pressed["label"], pressed["disabled"]) == ("Pausing…Space", True)
        assert pressed["took"] < 200
        assert page.locator("#session").get_attribute("data-state") == "running", "nothing is guessed"
        said = re.compile(r"^Paused after pass \d+ of 13 at \d\d:\d\d:\d\d$")
        for visitor in (one, two):
            expect(visitor.page.locator("#held b")).to_have_text(said)
        assert len(asked) == 1, "pressed twice, sent once"
        held = apart(lambda: Run.objects.get(pk=run.pk))
        assert (held.state, held.held_by_id) == (Run.State.PAUSED, technician.pk)
        one.look("paused")

        # The same in another tab that has not heard yet: one effect, and a plain sentence.
        answer = two.page.evaluate(
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

        # Without an answer nobody claims anything, and the control can be used again.
        page.route("**/resume/", lambda route: route.abort())
        page.locator('form[data-control="resume"] button').click()
        expect(page.locator("#answer")).to_have_text(
            "No answer. It is not certain that it took effect. You can press again."
        )
        one.forgive("ERR_FAILED")
        page.unroute("**/resume/")
        page.locator('form[data-control="resume"] button').click()
        expect(page.locator("#session")).to_have_attribute("data-state", "running")
        expect(page.locator("#answer")).to_be_hidden()
        assert house.complaints() == []


def test_a_call_is_repeated_escalated_and_answered() -> None:
    run = make_run(1, pace=600)
    boss = make_user(Role.ADMINISTRATOR)
    technician, doctor = technician_of(run), doctor_of(run)
    pace = {"LACUNA_CALL_AGAIN_SECONDS": "2", "LACUNA_CALL_ESCALATE_SECONDS": "5"}
    with open_house(**pace) as house:
        one, two = at_session(house, run, technician), at_session(house, run, doctor)
        one.page.keyboard.press("d")
        alarm = two.page.locator('[data-alarm="doctor"]')
        expect(alarm).to_contain_text(re.compile(r"Nobody has answered since \d\d:\d\d:\d\d\."))
        expect(alarm.locator(".waiting")).to_have_text(re.compile(r"^Unanswered for 0 min \d\d s$"))
        for visitor in (one, two):
            expect(visitor.page.locator('[data-alarm="doctor"]')).to_contain_text(
                "All doctors and the administrators have been called."
            )
        told = one.page.locator('[data-alarm="doctor"] .told')
        told.locator("summary").click()
        expect(told.locator("li").first).to_contain_text(f"{doctor.short_name}, called")
        one.look("called")
        two.page.get_by_role("button", name="I am coming").click()
        for visitor in (one, two):
            expect(visitor.page.locator('[data-alarm="doctor"]')).to_have_count(0)
        assert house.complaints() == []
    call = DoctorCall.objects.get()
    assert call.acknowledged_by == doctor
    assert CallNotice.objects.filter(call=call, kind="escalated", user=boss).count() == 1
    assert CallNotice.objects.filter(call=call, kind="again", user=doctor).exists()


def test_nobody_there_pauses_and_calls_the_doctor() -> None:
    run = make_run(1, pace=600)
    technician, doctor = technician_of(run), doctor_of(run)
    policy = {"LACUNA_PRESENCE_MINUTES": "0.05", "LACUNA_PRESENCE_GRACE_SECONDS": "20"}
    with open_house(**policy) as house:
        one, two = at_session(house, run, technician), at_session(house, run, doctor)
        here = one.page.get_by_role("button", name="I am here")
        expect(here).to_be_visible()
        expect(two.page.locator('[data-alarm="presence"]')).to_be_visible()
        assert two.page.get_by_role("button", name="I am here").count() == 0
        one.look("presence")
        here.click()
        expect(one.page.locator("#log")).to_contain_text("Somebody of the team is there.")
        # Asked again, and this time left alone.
        expect(two.page.locator("#session")).to_have_attribute("data-state", "paused")
        expect(two.page.locator('[data-alarm="doctor"]')).to_contain_text("Nobody of the team answered.")
        expect(two.page.locator('[data-alarm="presence"]')).to_have_count(0)
        assert house.complaints() == []
    assert PresenceCheck.objects.filter(answered_by=technician).exists()
    assert PresenceCheck.objects.filter(missed_at__isnull=False).count() == 1
    assert DoctorCall.objects.get().why == "presence"


def test_the_night_is_handed_over_and_a_doctor_takes_over_and_gives_back() -> None:
    run, other = make_run(1, pace=600), make_technician()
    technician, doctor = technician_of(run), doctor_of(run)
    with open_house() as house:
        one = at_session(house, run, technician)
        responsible = one.page.locator('[data-night="responsible"]')
        expect(responsible).to_have_text(technician.short_name)
        expect(one.page.locator('[data-night="here"]')).to_have_text(technician.short_name)
        one.page.locator("#night summary").click()
        one.press("Hand over…")
        one.look("handover")
        one.page.locator("#handover-to").select_option(label=other.name)
        one.press("Ask them")
        shows(one.page, "handover_decline")
        second = house.visitor(other)
        second.go(f"/sessions/{run.pk}/handover/")
        second.press("I take it")
        expect(second.page.locator("html.script")).to_be_attached()
        for visitor in (one, second):
            expect(visitor.page.locator('[data-night="responsible"]')).to_have_text(other.short_name)

        three = at_session(house, run, doctor)
        three.press("Take over")
        expect(three.page.locator('[data-night="in_charge"]')).to_have_text(doctor.short_name)
        expect(second.page.locator('[data-night="in_charge"]')).to_have_text(doctor.short_name)
        shows(three.page, "hand_back")
        shows(second.page, "pause")
        expect(second.page.locator('form[data-control="resume"]')).to_have_count(0)
        expect(second.page.locator('form[data-control="protect"]')).to_have_count(0)
        three.look("taken-over")
        three.press("Hand back to the team")
        shows(second.page, "protect")
        shows(three.page, "take_over")
        assert house.complaints() == []
    assert Run.objects.get().responsible == other


def test_abort_pauses_at_once_asks_and_can_be_left_by_escape(settings: settings) -> None:
    # The house checks passphrases as it does anywhere.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    run = make_run(1, pace=600)
    doctor = doctor_of(run)
    with open_house() as house:
        one = at_session(house, run, doctor)
        page = one.page
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
        one.forgive("400 (Bad Request)")
        one.look("abort")
        dialog.locator("[type=password]").fill(PASSPHRASE)
        page.keyboard.press("Enter")
        expect(page.locator("#session")).to_have_attribute("data-state", "aborted")
        expect(dialog).to_be_hidden()
        assert house.complaints() == []


def test_a_damaged_keepsake_is_said_at_once_and_the_doctor_decides() -> None:
    run = make_run(2)
    keepsake = Keepsake.objects.get(memory=run.steps.get(position=1).memory)
    assert keepsake.picture
    path = Path(storage().path(keepsake.picture.blob))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    people = technician_of(run), doctor_of(run)
    with open_house() as house:
        team, doctor = (at_session(house, run, person) for person in people)
        for visitor in (team, doctor):
            alarm = visitor.page.locator('[data-alarm="damaged"]')
            expect(alarm).to_contain_text("[1] cannot be read")
            expect(visitor.page.locator("#state")).to_contain_text("Paused")
            expect(visitor.page.locator(".log")).to_contain_text("cannot be read: it is damaged")
        team.look("damaged-technician")
        doctor.look("damaged-doctor")
        expect(team.page.get_by_role("button", name="Destroy it as it is")).to_have_count(0)
        doctor.page.get_by_role("button", name="Destroy it as it is").click()
        for visitor in (team, doctor):
            expect(visitor.page.locator('[data-alarm="damaged"]')).to_have_count(0)
        apart(lambda: until_certified(run))
        expect(team.page.locator("#state")).to_contain_text("Finished")
        # The damaged picture is asked for and cannot be shown.
        assert [said for said in [*team.complaints, *doctor.complaints] if "status of 422" not in said] == []
