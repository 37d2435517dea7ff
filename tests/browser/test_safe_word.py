"""A safe word, and the patient's own pause: no key lifts them."""

import pytest
from playwright.sync_api import Browser, Page, expect

from clinic.accounts.models import User
from erasure.runs import control
from erasure.runs.models import Run
from tests.browser.watching import STILL, at_session, served, watched
from tests.erasure.runs.nights import technician_of
from tests.factories import make_run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


RESUME = """async (url) => {
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const headers = { Accept: "application/json", "X-CSRFToken": token };
  return (await (await fetch(url, { method: "POST", headers })).json()).text;
}"""


def state(page: Page, word: str, text: str) -> None:
    expect(page.locator("#session")).to_have_attribute("data-state", word)
    expect(page.locator("#state")).to_have_text(text)


def test_after_a_safe_word_the_space_bar_does_nothing_and_the_doctor_lifts_it(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    technician: User = technician_of(run)
    with served(chromium) as house:
        page, doctors = at_session(house, run, technician), at_session(house, run)
        page.get_by_role("button", name="Safe word said").click()
        for one in (page, doctors):
            state(one, "paused", "Paused")
            expect(one.locator('[data-alarm="safe-word"]')).to_contain_text("The safe word was said")
            expect(one.locator('form[data-control="resume"]')).to_have_count(0)
            one.locator("#main").focus()
            one.keyboard.press("Space")
        expect(page.locator('[data-alarm="safe-word"]')).to_contain_text("Only a doctor lets the night go on")
        expect(page.get_by_role("link", name="I have spoken with the patient")).to_have_count(0)
        # A page that has not heard yet is refused with a sentence.
        said = page.evaluate(RESUME, f"/sessions/{run.pk}/resume/")
        assert said.startswith("The safe word was said. Only a doctor")
        house.visitors[0].forgive("409 (Conflict)")
        state(page, "paused", "Paused")
        doctors.get_by_role("link", name="I have spoken with the patient").click()
        sheet = doctors.locator("#sheet")
        expect(sheet.get_by_role("heading", name="After the safe word")).to_be_focused()
        words = sheet.get_by_label("What did the patient say?")
        words.fill("Go on, but slower. ")
        words.press("Space")
        state(doctors, "paused", "Paused")
        sheet.get_by_label("I have spoken with the patient").check()
        sheet.get_by_role("button", name="Let the night go on").click()
        for one in (page, doctors):
            state(one, "running", "Erasing")
            expect(one.locator('[data-alarm="safe-word"]')).to_have_count(0)
        expect(page.locator('form[data-control="resume"]')).to_have_count(1)
        assert run.safe_words.get().read().words == "Go on, but slower."


def test_the_patients_pause_is_not_lifted_by_the_space_bar(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        control.pause(run.pk, by=run.procedure.case.patient, why=Run.Why.PATIENT)
        state(page, "paused", "Paused")
        agrees = page.get_by_label("The patient agrees")
        expect(agrees).to_be_visible()
        page.locator("#main").focus()
        page.keyboard.press("Space")
        page.get_by_role("button", name="Resume").click()
        state(page, "paused", "Paused")
        agrees.check()
        page.get_by_role("button", name="Resume").click()
        state(page, "running", "Erasing")
