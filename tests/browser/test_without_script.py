"""What a person without JavaScript can do: bring things, and hold the night."""

import re
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import expect

from erasure.runs.models import Run
from patients.keepsakes.models import Keepsake
from tests.browser.browsing import Visitor, apart, open_house
from tests.browser.watching import a_pass, a_run_with_a_copy
from tests.factories import PASSPHRASE, make_case, make_run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

STILL = 3600.0  # seconds a memory takes: no second pass comes while the test looks


@pytest.fixture(autouse=True)
def real_passphrases(settings: django_settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]


def test_files_and_words_come_in_by_a_plain_form(best_photos: Path, tmp_path: Path) -> None:
    case = make_case()
    wrong = tmp_path / "song.jpg"
    wrong.write_bytes(b"ID3\x04" + bytes(900))
    with open_house() as house:
        patient = house.visitor(case.patient, java_script_enabled=False)
        page = patient.page
        patient.go("/me/keepsakes/")
        chosen = [best_photos / "IMG_5195.HEIC", wrong, best_photos / "landscape_8.jpg"]
        page.locator("#files").set_input_files(chosen)
        page.get_by_text("Describe it in words").click()
        page.locator("#words").fill("The shell. It smelled of salt for a year.")
        patient.press("Send what I chose")
        expect(page).to_have_url(f"{house.address}/me/keepsakes/")
        expect(page.locator("#messages")).to_contain_text("3 keepsakes came in.")
        refusal = page.locator("#messages .notice--alarm")
        expect(refusal).to_contain_text("says one thing and its content another")
        things = page.locator(".contact-sheet a[href^='/me/keepsakes/']")
        expect(things).to_have_count(3)
        things.last.click()
        page.locator("[name=spot][value='4']").check(force=True)
        page.locator("[name=memory]").select_option("new")
        page.locator("details:has([name=new-title]) > summary").click()
        page.locator("[name=new-title]").fill("The shell on the sill")
        page.locator("[name=new-intensity][value='3']").check(force=True)
        patient.press("Save")
        expect(page.locator("#messages")).to_contain_text("Saved.")
        expect(page.get_by_role("link", name="The shell on the sill").last).to_be_visible()
        assert house.complaints() == []
    focused = [row.read().focus for row in Keepsake.objects.filter(case=case, memory__isnull=False)]
    assert focused == [[0.5, 0.5]]


def acts(someone: Visitor, name: str, state: str) -> None:
    """Press a control and read the state it leads to."""
    someone.press(name, exact=False)
    expect(someone.page.locator("#session")).to_have_attribute("data-state", state)


def test_the_night_is_held_and_ended_by_plain_forms() -> None:
    run = make_run(3, pace=STILL)
    doctor, sleeper = run.procedure.booked_by, run.procedure.case.patient
    with open_house() as house:
        patient = house.visitor(sleeper, java_script_enabled=False)
        someone = house.visitor(doctor, java_script_enabled=False)
        for visitor in (patient, someone):
            visitor.go(f"/sessions/{run.pk}/")
            expect(visitor.page.locator("#session")).to_have_attribute("data-state", "running")
        acts(patient, "Pause", "paused")
        someone.page.reload()  # it would look again by itself, after a quarter of a minute
        someone.page.get_by_label("The patient agrees").check()
        acts(someone, "Resume", "running")
        first = someone.page.get_by_role("link", name=re.compile("Photo 0")).or_(
            someone.page.get_by_role("button", name=re.compile("Photo 0"))
        )
        first.click()
        expect(someone.page.locator("#about [data-part=title]")).to_have_text("Photo 0")
        acts(someone, "Protect this", "running")
        expect(someone.page.locator('[data-count="protected"]')).to_have_text("1")
        acts(someone, "Abort procedure", "paused")
        page = someone.page
        page.get_by_label("Your passphrase, to be sure it is you").fill("not this one")
        someone.press("End the session")
        expect(page.locator("#messages")).to_contain_text("That is not your passphrase.")
        page.get_by_label("Your passphrase, to be sure it is you").fill(PASSPHRASE)
        someone.press("End the session")
        expect(page.locator("#messages")).to_contain_text("The session has been ended.")
        assert house.complaints() == []
    assert apart(lambda: Run.objects.get(pk=run.pk).why) == Run.Why.ABORT


def test_a_copy_is_decided_on_and_a_safe_word_lifted_by_plain_forms() -> None:
    run = a_run_with_a_copy(2)
    a_pass(run)
    doctor = run.procedure.booked_by
    with open_house() as house:
        someone = house.visitor(doctor, java_script_enabled=False)
        page = someone.page
        someone.go(f"/sessions/{run.pk}/")
        acts(someone, "Safe word said", "paused")
        someone.press("Look and decide")
        expect(page.locator(".likeness-picture img[src$='/blurred']")).to_have_count(2)
        page.get_by_label("See both sharp. Why?").select_option("compare")
        someone.press("Show both")
        expect(page.locator(".likeness-picture img[src$='/blurred']")).to_have_count(0)
        page.get_by_label("in doubt, nothing is erased").check()
        someone.press("Go on: what follows?")
        expect(page.locator(".follows")).to_have_text(
            "Memory 2 and the copy in childhood stay; the night is then partial."
        )
        someone.press("Yes, I decide so")
        expect(page.locator("#messages")).to_contain_text("Decided. The session stays paused.")
        someone.press("I have spoken with the patient")
        page.get_by_label("What did the patient say?").fill("Go on, but slower.")
        page.get_by_label("I have spoken with the patient").check()
        someone.press("Let the night go on")
        expect(page.locator("#messages")).to_contain_text("Resumed.")
        assert house.complaints() == []
    assert apart(lambda: Run.objects.get(pk=run.pk).safe_words.get().read().words) == "Go on, but slower."
