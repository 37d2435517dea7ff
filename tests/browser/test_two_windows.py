"""W2 in a browser: two windows of one person, and the clinic beside them; by keyboard, and on a phone."""

import pytest
from playwright.sync_api import Browser, Page, expect

from clinic.accounts.models import Role
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.memories.writing import write_memory
from tests.browser.browsing import DESK, PHONE, Visitor, in_thread, open_pages, wait_until_true
from tests.factories import make_case, make_doctor, make_keepsake, make_memory, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

LOCALES = ["en-US", "vi-VN"]


def second_window(visitor: Visitor, path: str) -> Page:
    """Open a page in another window of the same browser."""
    page = visitor.page.context.new_page()
    page.goto(visitor.address + path)
    return page


def save(page: Page) -> None:
    page.locator("button.button--primary[type=submit]").first.click()
    page.wait_for_load_state()


def expect_focus(page: Page, selector: str) -> None:
    """Wait until an element of `selector` has the focus: a form is sent only once its words are kept."""
    expect(page.locator(f":is({selector}):focus")).to_have_count(1)


@pytest.mark.parametrize("locale", LOCALES)
def test_w2_a_second_window_shows_what_the_first_has_saved(locale: str, chromium: Browser) -> None:
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"))
    memory = make_memory(case, "The ice")
    path = f"/me/memories/{memory.pk}/"
    with open_pages(chromium) as site:
        patient = site.visitor(case.patient, locale=locale)
        patient.go(path)
        expect(patient.page.locator("html")).to_have_attribute("lang", locale[:2])
        older = second_window(patient, path)
        patient.page.locator("#id_title").fill("The frozen Charles")
        patient.page.locator("#id_place").fill("Boston")
        save(patient.page)

        older.locator("#id_title").fill("Ice")
        older.locator("#id_story").fill("We lay down on it.")
        save(older)
        expect_focus(older, ".error-summary--changed")  # the summary is read first
        expect(older.locator(".conflict")).to_have_count(1)
        expect(older.locator(".conflict-now")).to_have_text("The frozen Charles")
        expect(older.locator("#id_title")).to_have_value("Ice")
        expect(older.locator("#id_story")).to_have_value("We lay down on it.")
        expect(older.locator("#id_place")).to_have_value("Boston")
        assert in_thread(lambda: Memory.objects.get().read().title) == "The frozen Charles"
        patient.page = older
        patient.take_screenshots("two-windows-memory")
        for size in (DESK, PHONE):
            older.set_viewport_size(size)
            wait_until_true(older, "document.documentElement.scrollWidth <= innerWidth")

        older.keyboard.press("Tab")  # the summary's line leads to the field
        older.keyboard.press("Enter")
        older.keyboard.press("Tab")
        expect_focus(older, "#id_title, [name=title-choice]")
        save(older)
        expect_focus(older, "[name=title-choice]")  # the browser asks for the choice
        older.keyboard.press("Space")
        save(older)
        older.wait_for_url("**/me/keepsakes/**")
        fields = in_thread(lambda: Memory.objects.get().read())
        assert (fields.title, fields.place, fields.story) == ("Ice", "Boston", "We lay down on it.")
        assert site.complaints() == []


@pytest.mark.parametrize("locale", LOCALES)
def test_w2_the_bench_shows_what_the_patient_has_written_meanwhile(locale: str, chromium: Browser) -> None:
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"))
    memory = make_memory(case, "The ice")
    make_keepsake(memory)
    person = make_doctor()
    with open_pages(chromium) as site:
        doctor = site.visitor(person, locale=locale)
        doctor.go(f"/files/{case.pk}/map/?at={memory.pk}")
        write = {"title": "The frozen Charles"}
        in_thread(lambda: write_memory(case, write, {}, memory=memory, by=case.patient))
        doctor.page.locator("#id_title").fill("Ice")
        doctor.page.locator("#id_reaction").fill("Laughs.")
        doctor.page.locator(".bench-memory form .button--primary").first.click()
        expect(doctor.page.locator(".conflict-now")).to_have_text("The frozen Charles")
        expect(doctor.page.locator(".error-summary--changed")).to_contain_text("Joel Barish")
        expect(doctor.page.locator("#id_reaction")).to_have_value("Laughs.")
        doctor.take_screenshots("two-windows-bench")
        doctor.page.locator("[name=title-choice][value=now]").check()
        doctor.page.locator(".bench-memory form .button--primary").first.click()
        expect(doctor.page.locator(".conflict")).to_have_count(0)
        fields = in_thread(lambda: Memory.objects.get().read())
        assert (fields.title, fields.reaction) == ("The frozen Charles", "Laughs.")
        doctor.expect_complaint("409 (Conflict)")
        assert site.complaints() == []


def test_w2_without_script_a_choice_can_be_made_for_the_spot_too(chromium: Browser) -> None:
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"))
    keepsake = make_keepsake(make_memory(case))
    path = f"/me/keepsakes/{keepsake.pk}/"
    with open_pages(chromium) as site:
        patient = site.visitor(case.patient, java_script_enabled=False)
        patient.go(path)
        older = second_window(patient, path)
        patient.page.locator("[name=spot][value='4']").check(force=True)
        patient.page.locator("#id_caption").fill("On the ice")
        save(patient.page)
        older.locator("[name=spot][value='0']").check(force=True)
        older.locator("#id_caption").fill("Ice")
        save(older)
        expect(older.locator(".conflict")).to_have_count(2)
        patient.page = older
        patient.take_screenshots("two-windows-keepsake")
        older.locator("[name=spot-choice][value=now]").check()
        older.locator("[name=caption-choice][value=mine]").check()
        save(older)
        older.wait_for_url("**/me/keepsakes/**")
        fields = in_thread(lambda: Keepsake.objects.get().read())
        assert (fields.caption, fields.focus) == ("Ice", [0.5, 0.5])


@pytest.mark.parametrize("locale", LOCALES)
def test_w2_words_for_what_is_gone_are_shown_to_be_copied(locale: str, chromium: Browser) -> None:
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"))
    memory = make_memory(case, "The ice")
    path = f"/me/memories/{memory.pk}/"
    with open_pages(chromium) as site:
        patient = site.visitor(case.patient, locale=locale)
        patient.go(path)
        older = second_window(patient, path)
        patient.page.locator(".take-back summary").click()
        patient.page.locator(".take-back .button--danger").click()
        patient.page.wait_for_url("**/me/keepsakes/")
        older.locator("#id_story").fill("We lay down on it.\nIt was cold.")
        save(older)
        expect_focus(older, ".error-summary--changed")
        expect(older.locator(".typed")).to_contain_text("It was cold.")
        patient.page = older
        patient.take_screenshots("two-windows-gone")
        assert site.complaints() == []
