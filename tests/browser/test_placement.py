"""Placing many keepsakes: with a thumb on a phone, with mouse and keyboard at a desk, without scripts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import translation
from playwright.sync_api import Browser, Locator, Page, expect

from erasure.demo.bringing import decode_own
from patients.cases.models import Case
from patients.keepsakes.ingest import create_keepsake
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.placement.views import PAGE_SIZE
from patients.vault.models import StoredObject
from patients.vault.objects import put
from tests.browser.browsing import DESK, PHONE, Visitor, in_thread, wait_until_true
from tests.browser.test_access import violations_at_both_sizes
from tests.browser.watching import served
from tests.factories import make_case
from tests.patients.placement.bringing import bring, bring_evening
from tests.photos import Photo

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

# A slow thumb, in seconds: to find a target and tap it, to swipe, and to look at a new page. The figures are
# chosen, not measured.
TAP, SWIPE, LOOK = 1.5, 1.5, 4.0
SWIPED = 400  # pixels that one swipe moves the page: half of a phone's height
FINGER = 24  # pixels: a target must be at least this wide and high (WCAG 2.2, 2.5.8)
# Seconds: a quarter of the five minutes within which sixty photographs are to be placed.
LIMIT = 75.0

EVENINGS = [datetime(2003, month, 14, 18, 5) for month in (2, 3, 5, 6, 8, 11)]


@dataclass
class Thumb:
    """A thumb on a phone. It counts what it does, and taps only what a thumb can hit."""

    page: Page
    taps: int = 0
    swipes: int = 0
    looks: int = 0

    @property
    def seconds(self) -> float:
        return self.taps * TAP + self.swipes * SWIPE + self.looks * LOOK

    def is_in_reach(self, target: Locator) -> bool:
        """Whether a finger would hit the target in its middle, and not something that covers it."""
        hit: bool = target.evaluate(
            """element => {
              const { left, top, width, height } = element.getBoundingClientRect();
              const there = document.elementFromPoint(left + width / 2, top + height / 2);
              return Boolean(there) && (element.contains(there) || there.contains(element));
            }"""
        )
        return hit

    def tap(self, target: Locator) -> None:
        """Swipe until the target is in reach, and tap it."""
        while not self.is_in_reach(target):
            box = target.bounding_box()
            assert box, "there is nothing to tap"
            before = self.page.evaluate("scrollY")
            self.page.evaluate("by => scrollBy(0, by)", SWIPED if box["y"] > 0 else -SWIPED)
            assert self.page.evaluate("scrollY") != before, "it cannot be reached by scrolling"
            self.swipes += 1
        box = target.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= FINGER, box
        self.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.taps += 1

    def tap_to_go(self, target: Locator) -> None:
        """Tap something that leads to another page, and look at that page."""
        with self.page.expect_navigation():
            self.tap(target)
        self.look()

    def look(self) -> None:
        """Look at a page that is new."""
        self.looks += 1


def upload(case: Case, name: str, *, taken: datetime | None = None, scene: str = "") -> Keepsake:
    """A small photo as a phone stores it, with its date in EXIF, decoded as an upload is."""
    when = f"{taken:%Y:%m:%d %H:%M:%S}" if taken else ""
    photo = Photo(f"{name}.jpg", (160, 120), "Apple", "iPhone", when, scene=scene).encode()
    original = put(photo, case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    return create_keepsake(original, by=case.patient, filename=f"{name}.jpg", decoded=decode_own(photo, name))


@pytest.fixture(params=["en", "vi"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    """The language of the phone."""
    with translation.override(request.param):
        yield request.param


def test_sixty_photographs_are_placed_with_one_thumb_in_under_75_seconds(
    chromium: Browser, language: str
) -> None:
    case = make_case()
    for evening, starts in enumerate(EVENINGS):
        for n in range(8):
            upload(case, f"evening-{evening}-{n}", taken=starts + timedelta(minutes=20 * n))
    for n in range(4):  # each is a copy without a date, as a messenger sends it
        upload(case, f"copy-{n}", scene=f"evening-{n}-0.jpg")
    for n in range(4):
        upload(case, f"twin-{n}", scene="twins")
    for n in range(4):
        upload(case, f"other-{n}")
    assert Keepsake.objects.filter(memory=None).count() == 60
    with served(chromium) as site:
        locale = {"en": "en-US", "vi": "vi-VN"}[language]
        visitor = site.visitor(case.patient, viewport=PHONE, has_touch=True, is_mobile=True, locale=locale)
        page, thumb = visitor.page, Thumb(visitor.page)
        visitor.go("/me/sheet/proposals/")
        thumb.look()
        visitor.take_screenshots(f"proposals-{language}")
        for _proposal in [*EVENINGS, "twins"]:
            thumb.tap_to_go(page.locator(".proposal button").first)
        expect(page.locator(".proposal")).to_have_count(0)
        # The four that are left are placed by hand.
        thumb.tap_to_go(page.locator("a.button--primary"))
        ticks = page.locator(".tick-print")
        expect(ticks).to_have_count(4)
        for n in range(4):
            thumb.tap(ticks.nth(n))
        visitor.take_screenshots(f"sheet-{language}")
        thumb.tap(page.locator("#place > summary"))
        thumb.tap_to_go(page.locator("#placement button[type=submit]"))
        expect(page.locator(".empty")).to_be_visible()
        visitor.go("/me/timeline/")
        visitor.take_screenshots(f"timeline-{language}")
    # One tap for each of seven proposals, one to the sheet, four ticks, one to open the form, one to save it.
    assert thumb.taps == 7 + 1 + 4 + 1 + 1
    assert thumb.swipes <= 3
    assert thumb.looks == 1 + 7 + 1 + 1
    assert thumb.seconds < LIMIT, thumb
    assert not Keepsake.objects.filter(memory=None).exists()
    by_memory = [memory.keepsakes.count() for memory in Memory.objects.filter(case=case)]
    assert sorted(by_memory) == [4, 4, 8, 8, 9, 9, 9, 9]
    evening = {"en": "9 photographs, 14 March 2003, evening", "vi": "9 bức ảnh, 14 tháng 3, 2003, buổi tối"}
    assert evening[language] in {memory.read().title for memory in Memory.objects.all()}


def ticked(page: Page) -> list[int]:
    """Where on the sheet the ticked keepsakes are: 0 is the first."""
    found: list[int] = page.evaluate(
        "[...document.querySelectorAll('#sheet input')].flatMap((box, i) => box.checked ? [i] : [])"
    )
    return found


def draw_frame(page: Page, first: Locator, last: Locator) -> None:
    """Draw a frame with the mouse, from the middle of one picture to the middle of another."""
    page.evaluate("scrollTo(0, 0)")
    start, end = first.bounding_box(), last.bounding_box()
    assert start
    assert end
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2, steps=4)
    expect(page.locator(".sheet-frame")).to_be_visible()
    page.mouse.up()


def choose_by_mouse(visitor: Visitor) -> None:
    """Tick with clicks, with Shift and with a frame. Untick all with the button."""
    page, pictures = visitor.page, visitor.page.locator(".tick-print")
    count = page.locator(".placement-count")
    pictures.nth(1).click()
    pictures.nth(4).click(modifiers=["Shift"])
    assert ticked(page) == [1, 2, 3, 4]
    expect(count).to_contain_text("4")
    pictures.nth(2).click()
    assert ticked(page) == [1, 3, 4]
    page.locator("[data-clear]").click()
    assert ticked(page) == []
    # Five pictures are in a row. The frame goes from the second of the first row to the fourth of the next.
    draw_frame(page, pictures.nth(1), pictures.nth(8))
    assert ticked(page) == [1, 2, 3, 6, 7, 8]
    expect(page.locator(".sheet-frame")).to_have_count(0)
    # Releasing the mouse button at the end of the frame was no click. The next click ticks.
    pictures.nth(0).click()
    assert ticked(page) == [0, 1, 2, 3, 6, 7, 8]
    page.locator("[data-clear]").click()


def choose_by_keyboard(page: Page) -> None:
    """Tick with the arrow keys, Space, Shift and Ctrl+A. Tab stops only at one picture and at its name."""
    boxes = page.locator("#sheet input")
    boxes.nth(0).focus()
    for key in ("Space", "ArrowRight", "Shift+ArrowRight", "ArrowDown", "Space"):
        page.keyboard.press(key)
    expect(boxes.nth(7)).to_be_focused()
    assert ticked(page) == [0, 1, 2, 7]
    page.keyboard.press("Home")
    expect(boxes.nth(0)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    expect(boxes.nth(0)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".tick-name").nth(0)).to_be_focused()
    page.keyboard.press("Tab")
    wait_until_true(page, "!document.activeElement.closest('#sheet')")
    boxes.nth(0).focus()
    page.keyboard.press("Control+a")
    assert len(ticked(page)) == boxes.count()


def test_keepsakes_are_ticked_by_mouse_and_keyboard_and_a_refused_form_keeps_everything(
    chromium: Browser,
) -> None:
    case = make_case()
    bring_evening(case, PAGE_SIZE, minutes=1)
    bring(case)
    with served(chromium) as site:
        visitor = site.visitor(case.patient)
        page = visitor.page
        visitor.go("/me/sheet/?show=loose")
        wait_until_true(page, "document.documentElement.classList.contains('is-live')")
        # Scrolling loads the next page of the sheet, and what is ticked stays ticked.
        page.locator(".tick-print").nth(0).click()
        page.locator(".tick").last.scroll_into_view_if_needed()
        expect(page.locator(".tick")).to_have_count(PAGE_SIZE + 1)
        expect(page.locator("#further")).to_have_count(0)
        assert ticked(page) == [0]
        page.evaluate("scrollTo(0, 0)")
        page.locator("[data-clear]").click()
        choose_by_mouse(visitor)
        choose_by_keyboard(page)
        # Ticking saves no draft.
        assert page.locator("[data-draft-status]").text_content() == ""
        page.locator("#place > summary").click()
        page.locator("[name=caption]").fill("On the ice")
        page.locator("[name=when]").fill("whenever")
        page.locator("#placement button[type=submit]").click()
        page.locator("#placement .error-summary").wait_for()
        visitor.expect_complaint("422 (Unprocessable")
        assert violations_at_both_sizes(page, Axe()) == []
        page.set_viewport_size(DESK)
        assert len(ticked(page)) == PAGE_SIZE + 1
        expect(page.locator("[name=caption]")).to_have_value("On the ice")
        page.locator("[name=when]").fill("winter 2004")
        page.locator("#placement button[type=submit]").click()
        page.wait_for_url("**placed=**")
        page.get_by_role("button", name="Undo").click()
        page.wait_for_url(lambda url: "placed" not in url)
        expect(page.locator(".messages")).to_contain_text("61 keepsakes are as they were.")
        assert in_thread(lambda: Memory.objects.count()) == 0
        for path in ("/me/sheet/proposals/", "/me/timeline/"):
            visitor.go(path)
            assert violations_at_both_sizes(page, Axe()) == [], path


def test_the_sheet_is_a_plain_form_without_scripts(chromium: Browser) -> None:
    case = make_case()
    bring_evening(case, 3)
    with served(chromium) as site:
        visitor = site.visitor(case.patient, viewport=PHONE, java_script_enabled=False)
        page = visitor.page
        visitor.go("/me/sheet/?show=loose")
        expect(page.locator(".placement-count")).to_be_hidden()
        for n in (0, 1):
            page.locator("#sheet input").nth(n).check()
        page.locator("#place > summary").click()
        page.locator("[name=title]").fill("The evening")
        page.locator("#placement button[type=submit]").click()
        expect(page.locator(".undo")).to_contain_text("2 keepsakes changed.")
        assert in_thread(lambda: [memory.keepsakes.count() for memory in Memory.objects.all()]) == [2]
