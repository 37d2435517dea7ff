"""A patient and the clinic write to each other: on a phone by touch, in both languages, with nothing lost."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from clinic.accounts.models import Role
from patients.keepsakes.models import Keepsake
from patients.keepsakes.review import return_keepsake
from patients.messages.models import Message, MessageThread
from tests.browser.browsing import PHONE, OpenSite, Visitor, in_thread, open_pages
from tests.browser.test_access import violations
from tests.factories import make_case, make_doctor, make_keepsake, make_memory, make_user
from tests.messages import answer, ask

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.timeout(240)]

MINE = "/me/messages/"
QUESTION = "Darf ich? 👋 Có được mang bức tranh bộ xương không?"
SMALLEST = 44  # pixels of a target


def words_in(page: Page) -> Locator:
    return page.locator("textarea[name=words]")


def status_of(page: Page) -> Locator:
    return page.locator("[data-draft-status]")


def send(page: Page) -> None:
    """Press the button of the form for a message with a finger."""
    page.locator("form[data-draft] button[type=submit]").tap()


def on_phone(site: OpenSite, who: object, locale: str) -> Visitor:
    return site.visitor(who, viewport=PHONE, has_touch=True, is_mobile=True, locale=locale)  # type: ignore[arg-type]


def small_targets(page: Page) -> list[str]:
    """The links and buttons of the thread and its form that are too small for a finger."""
    return [
        str(one.inner_text())
        for one in page.locator("main button, main a.button, main .thread-answer, .header a.call").all()
        if one.is_visible() and (box := one.bounding_box()) and box["height"] < SMALLEST
    ]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the phone."""
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert isinstance(wide, int)
    return wide


@pytest.mark.parametrize("locale", ["en", "vi"])
def test_a_patient_writes_by_touch_is_answered_and_reads(chromium: Browser, locale: str) -> None:
    case, doctor = make_case(make_user(Role.PATIENT, name="Joel Barish")), make_doctor()
    keepsake = make_keepsake(make_memory(case), caption="On the frozen Charles")
    Keepsake.objects.filter(pk=keepsake.pk).update(review="waiting")
    return_keepsake(keepsake, "Who is beside you?", by=doctor)
    axe = Axe()
    with open_pages(chromium) as site:
        patient, clinic = on_phone(site, case.patient, locale), on_phone(site, doctor, locale)
        page, theirs = patient.page, clinic.page
        patient.go(f"/me/keepsakes/{keepsake.pk}/")
        expect(page.locator("html")).to_have_attribute("lang", locale)
        page.locator(f'a[href*="{keepsake.pk}#write"]').tap()
        expect(page.locator("input[name=keepsake]")).to_have_value(str(keepsake.pk))
        words_in(page).fill(QUESTION)
        expect(status_of(page)).not_to_be_empty()
        page.reload()
        expect(words_in(page)).to_have_value(QUESTION)
        assert violations(page, axe) == []
        send(page)
        expect(page.locator(".thread-message")).to_contain_text(QUESTION)
        expect(words_in(page)).to_have_value("")
        assert (small_targets(page), overflow(page)) == ([], 0)
        patient.take_screenshots(f"messages-mine-{locale}")

        clinic.go("/messages/")
        assert (violations(theirs, axe), overflow(theirs)) == ([], 0)
        clinic.take_screenshots(f"messages-inbox-{locale}")
        theirs.locator(f'a[href="/files/{case.pk}/messages/#new"]').tap()
        expect(theirs.locator(".thread-new")).to_be_visible()
        expect(theirs.locator(".thread-message")).to_contain_text("On the frozen Charles")
        assert (violations(theirs, axe), overflow(theirs)) == ([], 0)
        theirs.locator('button[name=person][value="me"]').tap()
        expect(theirs.locator('button[name=person][value="me"]')).to_have_count(0)
        words_in(theirs).fill("My sister, then it is fine.")
        clinic.take_screenshots(f"messages-case-{locale}")
        send(theirs)
        expect(theirs.locator(".thread-message")).to_have_count(2)

        patient.go("/me/")
        link = page.locator(f'.header a[href="{MINE}#new"]')
        expect(link.locator(".tag")).to_contain_text("1")
        assert (small_targets(page), overflow(page)) == ([], 0)
        patient.take_screenshots(f"messages-portal-{locale}")
        link.tap()
        expect(page.locator(".thread-new")).to_be_visible()
        expect(page.locator("#new")).to_contain_text("My sister, then it is fine.")
        expect(page.locator("#new")).to_be_in_viewport()
        assert violations(page, axe) == []
        patient.take_screenshots(f"messages-answered-{locale}")
        patient.go("/me/")
        expect(page.locator(f'.header a[href="{MINE}#new"] .tag')).to_have_count(0)
        clinic.go(f"/files/{case.pk}/messages/")
        expect(theirs.locator(".thread-message--mine")).to_contain_text(re.compile("read|đã đọc"))
        assert site.complaints() == []


def test_without_a_connection_nothing_is_sent_and_the_words_stay(chromium: Browser) -> None:
    case = make_case()
    with open_pages(chromium) as site:
        patient = on_phone(site, case.patient, "en")
        page = patient.page
        patient.go(MINE)
        page.context.set_offline(True)
        words_in(page).fill("In the tunnel")
        expect(status_of(page)).to_have_class(re.compile("is-unkept"))
        send(page)
        expect(words_in(page)).to_have_value("In the tunnel")
        page.context.set_offline(False)
        expect(page.locator("[data-draft-status].is-unkept")).to_have_count(0)
        assert in_thread(Message.objects.count) == 0
        send(page)
        expect(page.locator(".thread-message")).to_contain_text("In the tunnel")
        assert in_thread(Message.objects.count) == 1
        assert [text for text in site.complaints() if "ERR_INTERNET_DISCONNECTED" not in text] == []


def test_two_windows_send_what_each_shows_and_lose_nothing(chromium: Browser) -> None:
    case = make_case()
    with open_pages(chromium) as site:
        patient = on_phone(site, case.patient, "en")
        first, second = patient.page, patient.page.context.new_page()
        patient.go(MINE)
        second.goto(site.address + MINE)
        words_in(first).fill("From the first window")
        expect(status_of(first)).not_to_be_empty()
        words_in(second).fill("From the second window")
        expect(second.locator(".draft-changed")).to_contain_text("From the first window")
        send(first)
        expect(first.locator(".thread-message")).to_have_count(1)
        second.locator("[data-draft-mine]").tap()
        expect(second.locator(".draft-changed")).to_contain_text("saved or discarded in another window")
        second.locator("[data-draft-mine]").tap()
        expect(second.locator(".draft-changed")).to_have_count(0)
        expect(words_in(second)).to_have_value("From the second window")
        send(second)
        expect(second.locator(".thread-message")).to_have_count(2)
        for words in ("From the first window", "From the second window"):
            expect(second.locator(".thread")).to_contain_text(words)


def test_a_session_that_ended_keeps_the_words_until_the_next_sign_in(chromium: Browser) -> None:
    case = make_case()
    with open_pages(chromium) as site:
        patient = on_phone(site, case.patient, "en")
        page = patient.page
        patient.go(MINE)
        words_in(page).fill("Typed before it ended")
        expect(status_of(page)).not_to_be_empty()
        page.context.clear_cookies()
        again = on_phone(site, case.patient, "en")
        again.go(MINE)
        expect(words_in(again.page)).to_have_value("Typed before it ended")


def test_without_scripts_a_message_is_sent(chromium: Browser) -> None:
    case = make_case()
    ask(case)
    with open_pages(chromium) as site:
        patient = site.visitor(case.patient, viewport=PHONE, java_script_enabled=False)
        patient.go(MINE)
        words_in(patient.page).fill("Without scripts")
        patient.page.locator("form[data-draft] button[type=submit]").click()
        expect(patient.page.locator(".thread-message")).to_have_count(2)
        assert site.complaints() == []


def test_a_long_thread_opens_where_the_new_begins(chromium: Browser) -> None:
    case, doctor = make_case(), make_doctor()
    for n in range(30):
        ask(case, f"Question {n}")
        answer(case, f"Answer {n}", by=doctor)
    Message.objects.exclude(pk=Message.objects.latest("written_at").pk).update(
        opened_at=MessageThread.objects.get().last_at
    )
    with open_pages(chromium) as site:
        patient = on_phone(site, case.patient, "en")
        patient.go(f"{MINE}#new")
        expect(patient.page.locator(".thread-message")).to_have_count(50)
        expect(patient.page.locator("#new")).to_contain_text("Answer 29")
        expect(patient.page.locator("#new")).to_be_in_viewport()
        patient.page.locator("a[rel=prev]").tap()
        expect(patient.page.locator(".thread")).to_contain_text("Question 0")
        expect(patient.page.locator(".thread-message")).to_have_count(50)
