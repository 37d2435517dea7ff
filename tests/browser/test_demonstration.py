"""The demonstration in a browser: a click signs in, the bar changes the person, the session fits."""

import re
from datetime import timedelta
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from clinic.audit.record import Act, record
from erasure.demo.people_and_rooms import create_people_and_rooms
from erasure.runs.models import Hold, Run
from tests.browser.browsing import PHONE, OpenSite, open_installation, wait_until_true
from tests.browser.test_access import violations_at_both_sizes
from tests.browser.test_next_person import stored
from tests.browser.watching import do_pass, doctor_of, make_run_with_copy

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

# Pixels: of the bar, and of the session page without it.
BAR, HEADER, PADDING = 44, 52, 20
REMEMBERED = "words of the first person"


def make_demonstration() -> Run:
    """A database of the demonstration with its people, and a night that waits at a copy for a long time."""
    with transaction.atomic():
        record(Act("demo.loaded", "house:demonstration", actor="system:demo"))
        create_people_and_rooms()
    run = make_run_with_copy()
    do_pass(run)
    Hold.objects.update(found_at=timezone.now() + timedelta(hours=1))  # so that only people decide
    return run


@pytest.mark.timeout(300)
def test_one_click_signs_in_and_the_bar_changes_the_person() -> None:
    run = make_demonstration()
    doctor, address = doctor_of(run), reverse("erasure:session", args=[run.pk])
    with open_installation(LACUNA_DEMO="1") as site:
        page = site.visitor().page
        page.goto(f"{site.address}/account/login/")
        assert violations_at_both_sizes(page, Axe()) == []
        page.get_by_role("button", name=re.compile("^Stan Fink")).click()
        page.wait_for_url("**/today/")
        change_by_keyboard(page)
        check_on_a_phone(page)
        check_beside_the_session(site, doctor, address)
        assert site.complaints() == []


def change_by_keyboard(page: Page) -> None:
    """The bar is the second stop of the Tab key, and nothing of the first person is left for the second."""
    page.evaluate("words => (localStorage.words = sessionStorage.words = words)", REMEMBERED)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".demo-bar summary")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name=re.compile("^Howard Mierzwiak"))).to_be_focused()
    page.get_by_role("button", name=re.compile("^Ines House")).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".demo-bar summary")).to_contain_text("You are Ines House")
    assert REMEMBERED not in stored(page)
    expect(page.locator(".demo-panel")).not_to_be_visible()


def check_on_a_phone(page: Page) -> None:
    """The bar has one line, and its panel scrolls in itself."""
    page.set_viewport_size(PHONE)
    assert page.locator(".demo-bar").evaluate("bar => bar.offsetHeight") == BAR
    page.locator(".demo-bar summary").click()
    assert violations_at_both_sizes(page, Axe()) == []
    page.set_viewport_size(PHONE)
    last = page.get_by_role("button", name=re.compile("^Lotte Brine"))
    last.focus()
    box = last.bounding_box()
    assert box is not None
    assert (box["height"] >= BAR, box["y"] + box["height"] <= PHONE["height"]) == (True, True), box
    wait_until_true(page, f"document.documentElement.scrollWidth === {PHONE['width']}")


def check_beside_the_session(site: OpenSite, doctor: object, address: str) -> None:
    """At 1280x800 every control of a night with an alarm is in sight below the bar."""
    page = site.visitor(doctor, viewport={"width": 1280, "height": 800}).page  # type: ignore[arg-type]
    page.goto(site.address + address)
    page.locator("html.script").wait_for(state="attached")
    expect(page.locator(".demo-bar")).to_be_visible()
    for name in (
        "Look and decide",
        "Pause",
        "Protect this",
        "Call the doctor",
        "Take over",
        "Abort procedure",
    ):
        role: Literal["link", "button"] = "link" if name == "Look and decide" else "button"
        box = page.locator(".panel").get_by_role(role, name=re.compile(name)).first.bounding_box()
        assert box is not None
        assert (box["height"] >= BAR, box["y"] + box["height"] <= 800) == (True, True), (name, box)
    assert page.locator(".panel").evaluate("panel => panel.scrollTop") == 0
    # What the panel shows begins and ends where it does without the bar, whatever alarms there are.
    box = page.locator(".panel > :first-child").bounding_box()
    assert box is not None
    assert box["y"] == HEADER + PADDING
    assert page.locator("main").evaluate("main => main.getBoundingClientRect().bottom") == 800
