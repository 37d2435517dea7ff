"""Without JavaScript people can upload keepsakes and control a session."""

import re
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Browser, expect

from erasure.runs.models import Run
from patients.keepsakes.models import Keepsake
from tests.browser.browsing import Visitor, in_thread, open_pages
from tests.browser.watching import STILL, do_pass, make_run_with_copy
from tests.factories import PASSPHRASE, make_case, make_run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture(autouse=True)
def real_passphrases(settings: django_settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]


def test_files_and_text_can_be_uploaded_by_a_plain_form(
    best_photos: Path, tmp_path: Path, chromium: Browser
) -> None:
    case = make_case()
    wrong = tmp_path / "song.jpg"
    wrong.write_bytes(b"This page could not be found.")
    with open_pages(chromium) as site:
        patient = site.visitor(case.patient, java_script_enabled=False)
        page = patient.page
        patient.go("/me/keepsakes/")
        chosen = [best_photos / "IMG_5195.HEIC", wrong, best_photos / "landscape_8.jpg"]
        page.locator("#files").set_input_files(chosen)
        page.get_by_text("Describe it in words").click()
        page.locator("#words").fill("The shell. It smelled of salt for a year.")
        patient.press("Send what I chose")
        expect(page).to_have_url(f"{site.address}/me/keepsakes/")
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
        assert site.complaints() == []
    focused = [row.read().focus for row in Keepsake.objects.filter(case=case, memory__isnull=False)]
    assert focused == [[0.5, 0.5]]


def press_control(visitor: Visitor, name: str, state: str) -> None:
    """Press a control and check the state after it."""
    visitor.press(name, exact=False)
    expect(visitor.page.locator("#session")).to_have_attribute("data-state", state)


def test_a_run_is_paused_and_ended_by_plain_forms(chromium: Browser) -> None:
    run = make_run(3, pace=STILL)
    doctor, patient_user = run.procedure.booked_by, run.procedure.case.patient
    with open_pages(chromium) as site:
        patient = site.visitor(patient_user, java_script_enabled=False)
        staff = site.visitor(doctor, java_script_enabled=False)
        for visitor in (patient, staff):
            visitor.go(f"/sessions/{run.pk}/")
            expect(visitor.page.locator("#session")).to_have_attribute("data-state", "running")
        press_control(patient, "Pause", "paused")
        staff.page.reload()  # the page would reload itself only after 15 seconds
        staff.page.get_by_label("The patient agrees").check()
        press_control(staff, "Resume", "running")
        first = staff.page.get_by_role("link", name=re.compile("Photo 0")).or_(
            staff.page.get_by_role("button", name=re.compile("Photo 0"))
        )
        first.click()
        expect(staff.page.locator("#about [data-part=title]")).to_have_text("Photo 0")
        press_control(staff, "Protect this", "running")
        expect(staff.page.locator('[data-count="protected"]')).to_have_text("1")
        press_control(staff, "Abort procedure", "paused")
        page = staff.page
        page.get_by_label("Your passphrase, to be sure it is you").fill("not this one")
        staff.press("End the session")
        expect(page.locator("#messages")).to_contain_text("That is not your passphrase.")
        page.get_by_label("Your passphrase, to be sure it is you").fill(PASSPHRASE)
        staff.press("End the session")
        expect(page.locator("#messages")).to_contain_text("The session has been ended.")
        assert site.complaints() == []
    assert in_thread(lambda: Run.objects.get(pk=run.pk).why) == Run.Why.ABORT


def test_a_copy_is_decided_and_a_safe_word_lifted_by_plain_forms(chromium: Browser) -> None:
    run = make_run_with_copy(2)
    do_pass(run)
    doctor = run.procedure.booked_by
    with open_pages(chromium) as site:
        staff = site.visitor(doctor, java_script_enabled=False)
        page = staff.page
        staff.go(f"/sessions/{run.pk}/")
        press_control(staff, "Safe word said", "paused")
        staff.press("Look and decide")
        expect(page.locator(".likeness-picture img[src$='/blurred']")).to_have_count(2)
        page.get_by_label("See both sharp. Why?").select_option("compare")
        staff.press("Show both")
        expect(page.locator(".likeness-picture img[src$='/blurred']")).to_have_count(0)
        page.get_by_label("in doubt, nothing is erased").check()
        staff.press("Go on: what follows?")
        expect(page.locator(".follows")).to_have_text(
            "Memory 2 and the copy in childhood stay; the night is then partial."
        )
        staff.press("Yes, I decide so")
        expect(page.locator("#messages")).to_contain_text("Decided. The session stays paused.")
        staff.press("I have spoken with the patient")
        page.get_by_label("What did the patient say?").fill("Go on, but slower.")
        page.get_by_label("I have spoken with the patient").check()
        staff.press("Let the night go on")
        expect(page.locator("#messages")).to_contain_text("Resumed.")
        assert site.complaints() == []
    assert in_thread(lambda: Run.objects.get(pk=run.pk).safe_words.get().read().words) == "Go on, but slower."
