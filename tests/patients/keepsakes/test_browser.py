"""The upload page's script in a real browser: cut lines, reloads, changed minds, and keyboards."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import APIResponse, Page, Response, Route, expect

from patients.cases.models import Case
from patients.keepsakes.models import Upload
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import read
from tests.browser.browsing import PHONE, OpenHouse, Visitor, apart, open_house
from tests.factories import jpeg, make_case
from tests.house import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.processes]

MEGABYTE = 1024 * 1024
# Zeros after its end are harmless in a JPEG. The script sends pieces of 8 MB: this takes three requests.
PHOTO = jpeg((800, 600)) + bytes(20 * MEGABYTE)
ARRIVED = "1 arrived and sealed"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A file of its own, because a file is known again by its name, size and time."""
    path = tmp_path / "chosen" / "beach.jpg"
    path.parent.mkdir()
    path.write_bytes(PHOTO)
    return path


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def opened(case: Case) -> Iterator[OpenHouse]:
    with open_house() as house:
        yield house


@pytest.fixture
def patient(opened: OpenHouse, case: Case) -> Visitor:
    someone = opened.visitor(case.patient, viewport=PHONE)
    someone.go("/me/keepsakes/")
    return someone


def choose(page: Page, photo: Path) -> None:
    page.locator("#files").set_input_files(photo)


def offsets(page: Page) -> list[int]:
    """From now on, where each piece that is sent begins."""
    seen: list[int] = []

    def note(request: object) -> None:
        if request.method == "PATCH":  # type: ignore[attr-defined]
            seen.append(int(request.headers["upload-offset"]))  # type: ignore[attr-defined]

    page.on("request", note)
    return seen


def cut_second_piece(page: Page, *, times: int) -> None:
    """Hang up on the second piece, `times` times."""
    left = [times]

    def handle(route: Route) -> None:
        request = route.request
        if request.method == "PATCH" and int(request.headers["upload-offset"]) > 0 and left[0] > 0:
            left[0] -= 1
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/upload/*", handle)


def original() -> bytes:
    return read(StoredObject.objects.get(role=StoredObject.Role.ORIGINAL, state=StoredObject.State.LIVE))


def forgive_cuts(patient: Visitor) -> None:
    patient.complaints[:] = [said for said in patient.complaints if "ERR_CONNECTION_RESET" not in said]


def test_a_cut_line_goes_on_by_itself(patient: Visitor, photo: Path) -> None:
    page = patient.page
    cut_second_piece(page, times=2)
    seen = offsets(page)
    choose(page, photo)
    expect(page.locator("#sum")).to_have_text(ARRIVED)
    expect(page.locator("#brought .contact-sheet li")).to_have_count(1)
    expect(page.locator("#bar")).to_contain_text("1 keepsake saved")
    assert seen[0] == 0
    assert seen.count(seen[1]) == 3  # twice hung up on, then taken
    assert 0 < seen[1] <= 8 * MEGABYTE
    assert apart(original) == PHOTO
    forgive_cuts(patient)
    assert patient.complaints == []


def test_after_a_reload_it_goes_on_where_it_stood(patient: Visitor, photo: Path) -> None:
    page = patient.page
    cut_second_piece(page, times=99)
    seen = offsets(page)
    choose(page, photo)
    until(lambda: page.evaluate("1") == 1 and len(seen) > 1, "the second piece was sent")
    page.reload()
    expect(page.locator(".notice")).to_contain_text("beach.jpg")
    assert apart(lambda: Upload.objects.filter(keepsake__isnull=True).count()) == 1
    page.unroute("**/upload/*")
    seen.clear()
    choose(page, photo)
    expect(page.locator("#sum")).to_have_text(ARRIVED)
    expect(page.locator(".notice")).to_have_count(0)
    assert seen[0] > 0
    assert apart(original) == PHOTO
    remembered = page.evaluate("Object.keys(sessionStorage)")
    assert [key for key in remembered if key.startswith("upload:")] == []
    forgive_cuts(patient)
    assert patient.complaints == []


def test_what_arrives_while_the_list_is_fetched_is_listed_too(patient: Visitor, tmp_path: Path) -> None:
    page = patient.page
    held: list[tuple[Route, APIResponse]] = []

    def handle(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))  # made when one had arrived, delivered when two have

    page.route(lambda url: url.endswith("/me/keepsakes/"), handle)
    for number in (1, 2):
        small = tmp_path / f"{number}.jpg"
        small.write_bytes(jpeg((300 + number, 200)))
        choose(page, small)
        expect(page.locator("#sum")).to_contain_text(f"{number} arrived")
        until(lambda: page.evaluate("1") == 1 and bool(held), "the list is fetched")
    route, answer = held[0]
    route.fulfill(response=answer)
    expect(page.locator("#brought .contact-sheet li")).to_have_count(2)
    assert patient.complaints == []


def deleted(answer: Response) -> bool:
    return answer.request.method == "DELETE" and answer.status == 204


def test_a_changed_mind_leaves_nothing(patient: Visitor, case: Case, photo: Path) -> None:
    page = patient.page
    held: list[Route] = []

    def handle(route: Route) -> None:
        later = route.request.method == "PATCH" and int(route.request.headers["upload-offset"]) > 0
        if later:
            held.append(route)  # never answered: the line is slow
        else:
            route.continue_()

    page.route("**/upload/*", handle)
    choose(page, photo)
    until(lambda: page.evaluate("1") == 1 and bool(held), "the second piece is on its way")
    # A route is answered only while this thread waits inside Playwright: the deletion must be awaited there.
    with page.expect_response(deleted):
        page.get_by_role("button", name="Cancel: beach.jpg").click()
    expect(page.get_by_role("alert")).to_have_text("canceled, nothing of it was kept")
    assert not apart(Upload.objects.exists)
    assert set(apart(lambda: list(key_store().ids()))) == {case.pk}
    page.unroute("**/upload/*")


def test_words_being_typed_survive_what_arrives_and_all_of_it_works_by_keyboard(
    patient: Visitor, photo: Path
) -> None:
    page = patient.page
    page.locator("#files").focus()
    ring = page.locator("label[for=files]").evaluate("label => getComputedStyle(label).outlineStyle")
    assert ring == "solid"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # opens "Describe it in words"
    page.keyboard.press("Tab")
    page.keyboard.type("Dear you, I kept the shell.")
    choose(page, photo)
    expect(page.locator("#sum")).to_have_text(ARRIVED)
    expect(page.locator("#brought .contact-sheet li")).to_have_count(1)
    expect(page.locator("#words")).to_have_value("Dear you, I kept the shell.")
    page.locator("#words").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#sum")).to_have_text("2 arrived and sealed")
    expect(page.locator("#brought .contact-sheet li")).to_have_count(2)
    assert patient.complaints == []
