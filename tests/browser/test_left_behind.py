"""On a phone: a patient goes through the left-behind list, with and without JavaScript."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from clinic.accounts.models import Role
from tests.browser.browsing import PHONE, open_pages
from tests.browser.test_access import violations
from tests.factories import make_case, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

TARGET = 44  # pixels: the least width and height of a target
# How many targets of the list are smaller.
SMALL_TARGETS = f"""() => [...document.querySelectorAll(".left-behind :is(summary, button)")].filter(
    one => one.getBoundingClientRect().height < {TARGET} || one.getBoundingClientRect().width < {TARGET}
).length"""
# How many places have words that lie under their button.
COVERED = """() => [...document.querySelectorAll(".left-behind > li")].filter(place => {
    const button = place.querySelector("button").getBoundingClientRect();
    const words = document.createRange();
    words.selectNodeContents(place.querySelector("summary"));
    return [...words.getClientRects()].some(
        line => line.right > button.left && line.top < button.bottom && line.bottom > button.top);
}).length"""


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_place_is_ticked_read_and_unticked(chromium: Browser, language: str) -> None:
    done, count, not_yet = {
        "en": ("Done", "1 of 28 done", "Not yet"),
        "vi": ("Đã xong", "Đã xong 1 trên 28", "Chưa xong"),
    }[language]
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"), subject_name="Clementine Kruczynski")
    with open_pages(chromium) as site:
        visitor = site.visitor(case.patient, viewport=PHONE, locale=language)
        page = visitor.page
        visitor.go("/me/")
        visitor.take_screenshots(f"portal-{language}")
        page.locator("a[href='/me/left-behind/']").click()
        page.wait_for_url("**/me/left-behind/")
        assert page.locator(".left-behind > li").count() == 28
        place = page.locator("#phone-pictures")
        place.get_by_role("button").click()
        page.wait_for_url("**/me/left-behind/#phone-pictures")
        expect(page.get_by_role("status").filter(has_text=count)).to_have_count(1)
        title = place.locator("summary > span").first.inner_text()
        expect(place.get_by_role("button")).to_have_accessible_name(f"{not_yet} {title}")
        place.locator("summary").click()
        expect(place.locator("details p")).to_be_visible()
        assert violations(page, Axe()) == []
        for number in range(28):
            page.locator(".left-behind details").nth(number).evaluate("one => one.open = true")
        assert page.evaluate(SMALL_TARGETS) == 0
        assert page.evaluate(COVERED) == 0
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        visitor.take_screenshots(f"left-behind-{language}")
        place.get_by_role("button").click()
        expect(place.get_by_role("button")).to_have_accessible_name(f"{done} {title}")
        assert site.complaints() == []


def test_a_place_is_ticked_and_unticked_without_javascript(chromium: Browser) -> None:
    patient = make_user(Role.PATIENT)
    with open_pages(chromium) as site:
        visitor = site.visitor(patient, viewport=PHONE, java_script_enabled=False)
        page = visitor.page
        visitor.go("/me/")
        visitor.take_screenshots("portal-without-javascript")
        visitor.go("/me/left-behind/")
        place = page.locator("#people-things")
        place.get_by_role("button").click()
        expect(page.get_by_text("1 of 28 done")).to_be_visible()
        expect(place.get_by_role("button")).to_be_in_viewport()
        place.get_by_role("button").click()
        expect(page.get_by_text("0 of 28 done")).to_be_visible()
        assert site.complaints() == []
