"""A safe word and the patient's own pause are not ended by a key press."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from clinic.accounts.models import User
from erasure.runs import control
from erasure.runs.models import Run
from tests.browser.watching import STILL, at_session, served, watched
from tests.erasure.runs.nights import technician_of
from tests.factories import make_run
from tests.processes import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


RESUME = """async (url) => {
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const headers = { Accept: "application/json", "X-CSRFToken": token };
  return (await (await fetch(url, { method: "POST", headers })).json()).text;
}"""


def expect_state(page: Page, word: str, text: str) -> None:
    expect(page.locator("#session")).to_have_attribute("data-state", word)
    expect(page.locator("#state")).to_have_text(text)


def test_after_a_safe_word_the_space_bar_does_nothing_and_a_doctor_can_lift_it(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    technician: User = technician_of(run)
    with served(chromium) as site:
        page, doctor_page = at_session(site, run, technician), at_session(site, run)
        page.get_by_role("button", name="Safe word said").click()
        for one in (page, doctor_page):
            expect_state(one, "paused", "Paused")
            expect(one.locator('[data-alarm="safe-word"]')).to_contain_text("The safe word was said")
            expect(one.locator('form[data-control="resume"]')).to_have_count(0)
            one.locator("#main").focus()
            one.keyboard.press("Space")
        expect(page.locator('[data-alarm="safe-word"]')).to_contain_text("Only a doctor lets the night go on")
        expect(page.get_by_role("link", name="I have spoken with the patient")).to_have_count(0)
        # Resuming from an outdated page is refused with an explanation.
        text = page.evaluate(RESUME, f"/sessions/{run.pk}/resume/")
        assert text.startswith("The safe word was said. Only a doctor")
        site.visitors[0].expect_complaint("409 (Conflict)")
        expect_state(page, "paused", "Paused")
        doctor_page.get_by_role("link", name="I have spoken with the patient").click()
        sheet = doctor_page.locator("#sheet")
        expect(sheet.get_by_role("heading", name="After the safe word")).to_be_focused()
        words = sheet.get_by_label("What did the patient say?")
        words.fill("Go on, but slower. ")
        words.press("Space")
        expect_state(doctor_page, "paused", "Paused")
        # Nothing else keeps these words: closing the sheet asks first, and so does leaving the page.
        asked: list[str] = []
        doctor_page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
        words.press("Escape")
        expect(words).to_have_value(re.compile("^Go on, but slower"))
        assert asked == ["confirm"]
        doctor_page.evaluate("location.reload()")
        until(lambda: doctor_page.evaluate("1") and asked == ["confirm", "beforeunload"], "the page asks")
        expect(words).to_have_value(re.compile("^Go on, but slower"))
        sheet.get_by_label("I have spoken with the patient").check()
        sheet.get_by_role("button", name="Let the night go on").click()
        for one in (page, doctor_page):
            expect_state(one, "running", "Erasing")
            expect(one.locator('[data-alarm="safe-word"]')).to_have_count(0)
        expect(page.locator('form[data-control="resume"]')).to_have_count(1)
        assert run.safe_words.get().read().words == "Go on, but slower."


def test_the_space_bar_does_not_end_the_patients_pause(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        control.pause(run.pk, by=run.procedure.case.patient, why=Run.Why.PATIENT)
        expect_state(page, "paused", "Paused")
        agrees = page.get_by_label("The patient agrees")
        expect(agrees).to_be_visible()
        page.locator("#main").focus()
        page.keyboard.press("Space")
        page.get_by_role("button", name="Resume").click()
        expect_state(page, "paused", "Paused")
        agrees.check()
        page.get_by_role("button", name="Resume").click()
        expect_state(page, "running", "Erasing")
