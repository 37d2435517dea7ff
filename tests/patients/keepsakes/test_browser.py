"""The upload page's script in a real browser: broken connections, reloads, canceling, and keyboard use."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import APIResponse, Browser, Page, Response, Route, expect

from patients.cases.models import Case
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.staging import Writer, begin_upload
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import read
from tests.browser.browsing import (
    PHONE,
    OpenSite,
    Visitor,
    chromium,
    in_thread,
    open_pages,
    wait_until_true,
)
from tests.browser.test_access import violations_at_both_sizes
from tests.factories import jpeg, make_case
from tests.patients.imaging.media import recording
from tests.patients.imaging.pictures import saved, scene
from tests.processes import until

__all__ = ["chromium"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

MEGABYTE = 1024 * 1024
# Zeros after the end of a JPEG are harmless. The script sends pieces of 8 MB, so this takes three requests.
PHOTO = jpeg((800, 600)) + bytes(20 * MEGABYTE)
ARRIVED = "1 arrived and sealed"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A new file for each test, because the script recognizes a file by its name, size and time."""
    path = tmp_path / "chosen" / "beach.jpg"
    path.parent.mkdir()
    path.write_bytes(PHOTO)
    return path


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def site(case: Case, chromium: Browser) -> Iterator[OpenSite]:
    with open_pages(chromium) as site:
        yield site


@pytest.fixture
def patient(site: OpenSite, case: Case) -> Visitor:
    visitor = site.visitor(case.patient, viewport=PHONE, has_touch=True)
    visitor.go("/me/keepsakes/")
    return visitor


def distinct_photo(seed: int) -> bytes:
    """A photo that looks like no other with another `seed`."""
    return saved(scene(320, 240).rotate(35 * seed, expand=True))


def choose(page: Page, photo: Path) -> None:
    page.locator("#files").set_input_files(photo)


def offsets(page: Page) -> list[int]:
    """A list to which the offset of each piece is added when it is sent."""
    seen: list[int] = []

    def note(request: object) -> None:
        if request.method == "PATCH":  # type: ignore[attr-defined]
            seen.append(int(request.headers["upload-offset"]))  # type: ignore[attr-defined]

    page.on("request", note)
    return seen


def until_on(page: Page, happened: Callable[[], bool], what: str) -> None:
    """Wait as `until` does, and call Playwright each time: only in a call it handles routes and events."""
    until(lambda: page.evaluate("1") == 1 and happened(), what)


def cut_second_piece(page: Page, *, times: int) -> None:
    """Reset the connection when the second piece is sent, `times` times."""
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


def test_an_upload_resumes_after_the_connection_was_reset(patient: Visitor, photo: Path) -> None:
    page = patient.page
    cut_second_piece(page, times=2)
    seen = offsets(page)
    choose(page, photo)
    expect(page.locator("#sum")).to_have_text(ARRIVED)
    expect(page.locator("#brought .contact-sheet li")).to_have_count(1)
    expect(page.locator("#bar")).to_contain_text("1 keepsake saved")
    assert seen[0] == 0
    assert seen.count(seen[1]) == 3  # twice reset, then accepted
    assert 0 < seen[1] <= 8 * MEGABYTE
    assert in_thread(original) == PHOTO
    forgive_cuts(patient)
    assert patient.complaints == []


def test_an_upload_resumes_after_the_tab_was_closed_and_on_another_device(
    site: OpenSite, patient: Visitor, case: Case, photo: Path
) -> None:
    page = patient.page
    cut_second_piece(page, times=99)
    seen = offsets(page)
    choose(page, photo)
    until_on(page, lambda: len(seen) > 1, "the second piece was sent")
    page.close()
    other = site.visitor(case.patient, viewport=PHONE)
    other.go("/me/keepsakes/")
    expect(other.page.locator("#half-way")).to_contain_text("beach.jpg")
    expect(other.page.locator("#half-way")).to_contain_text("8 MB of 20 MB")
    seen = offsets(other.page)
    choose(other.page, photo)
    expect(other.page.locator("#sum")).to_have_text(ARRIVED)
    expect(other.page.locator("#half-way")).to_have_count(0)
    assert seen[0] == 8 * MEGABYTE
    assert in_thread(original) == PHOTO
    assert other.complaints == []


def test_what_is_half_way_can_be_thrown_away(patient: Visitor, case: Case) -> None:
    page = patient.page

    def begin() -> None:
        upload = begin_upload(case, by=case.patient, length=MEGABYTE, filename="beach.jpg")
        with closing(Writer(upload)) as writer:
            writer.write(jpeg())
            writer.pause()

    in_thread(begin)
    patient.go("/me/keepsakes/")
    assert violations_at_both_sizes(page, Axe()) == []
    with page.expect_response(deleted):
        page.get_by_role("button", name="Throw away: beach.jpg").click()
    expect(page.locator("#half-way")).to_have_count(0)
    assert not in_thread(Upload.objects.exists)


def test_three_windows_that_send_leave_connections_for_pages(
    site: OpenSite, patient: Visitor, tmp_path: Path
) -> None:
    """Two files at once in each of three windows would take all six connections of a browser to a host."""
    held: list[Route] = []
    let_through: list[bool] = []

    def handle(route: Route) -> None:
        if route.request.method != "PATCH" or let_through:
            route.continue_()
        else:
            held.append(route)

    patient.page.context.route("**/upload/*", handle)
    pages = [patient.page, *(patient.page.context.new_page() for _window in range(2))]
    for number, page in enumerate(pages):
        page.goto(f"{site.address}/me/keepsakes/")
        files = [tmp_path / f"{number}-{name}.jpg" for name in ("one", "two")]
        for shade, file in enumerate(files):
            file.write_bytes(jpeg((40 + number, 30 + shade)))
        page.locator("#files").set_input_files(files)
    until_on(pages[0], lambda: in_thread(Upload.objects.count) == 6, "all six are announced")
    patient.page.context.new_page().goto(f"{site.address}/me/")
    assert len(held) == 2
    let_through.append(True)
    for route in held:
        route.continue_()
    for page in pages:
        expect(page.locator("#sum")).to_have_text("2 arrived and sealed")
    assert patient.complaints == []


def test_a_keepsake_that_arrives_while_the_list_is_fetched_is_listed_too(
    patient: Visitor, tmp_path: Path
) -> None:
    page = patient.page
    delayed: list[tuple[Route, APIResponse]] = []

    def handle(route: Route) -> None:
        if delayed:
            route.continue_()
        else:
            # This list has one keepsake. The page gets it only after the second has arrived.
            delayed.append((route, route.fetch()))

    page.route(lambda url: url.endswith("/me/keepsakes/"), handle)
    for number in (1, 2):
        small = tmp_path / f"{number}.jpg"
        small.write_bytes(jpeg((300 + number, 200)))
        choose(page, small)
        expect(page.locator("#sum")).to_contain_text(f"{number} arrived")
        until_on(page, lambda: bool(delayed), "the list is fetched")
    route, answer = delayed[0]
    route.fulfill(response=answer)
    expect(page.locator("#brought .contact-sheet li")).to_have_count(2)
    assert patient.complaints == []


def deleted(answer: Response) -> bool:
    return answer.request.method == "DELETE" and answer.status == 204


def test_a_canceled_upload_leaves_nothing(patient: Visitor, case: Case, photo: Path) -> None:
    page = patient.page
    delayed: list[Route] = []

    def handle(route: Route) -> None:
        later = route.request.method == "PATCH" and int(route.request.headers["upload-offset"]) > 0
        if later:
            delayed.append(route)  # never answered, as on a slow connection
        else:
            route.continue_()

    page.route("**/upload/*", handle)
    choose(page, photo)
    until_on(page, lambda: bool(delayed), "the second piece is on its way")
    # A route is answered only while this thread waits inside Playwright: the deletion must be awaited there.
    with page.expect_response(deleted):
        page.get_by_role("button", name="Cancel: beach.jpg").click()
    expect(page.get_by_role("alert")).to_have_text("canceled, nothing of it was kept")
    assert not in_thread(Upload.objects.exists)
    assert set(in_thread(lambda: list(key_store().ids()))) == {case.pk}
    page.unroute("**/upload/*")


def test_typed_text_survives_an_upload_and_the_page_works_by_keyboard(patient: Visitor, photo: Path) -> None:
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


def drop(page: Page, *, files: list[Path] | None = None, text: str = "") -> None:
    """Drop files, folders or words on the page, as from another program."""
    data = {
        "items": [{"mimeType": "text/plain", "data": text}] if text else [],
        "files": [str(path) for path in files or []],
        "dragOperationsMask": 1,
    }
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 300, "data": data})
    session.detach()


def test_a_recording_that_is_too_large_is_refused_before_a_byte_is_sent(
    patient: Visitor, tmp_path: Path
) -> None:
    page = patient.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/upload/" in request.url else None)
    path = tmp_path / "voice.wav"
    path.write_bytes(recording("wav", "pcm_s16le", seconds=1))
    os.truncate(path, 2 * 1024**3 + 1)
    expect(page.locator("#bring")).to_contain_text("Films up to 4 GB, recordings up to 2 GB, pictures")
    choose(page, path)
    expect(page.get_by_role("alert")).to_contain_text("This file is larger than 2 GB.")
    archive = tmp_path / "photos.zip"
    archive.write_bytes(b"PK\x03\x04" + bytes(9 * MEGABYTE))
    choose(page, archive)
    expect(page.get_by_role("alert").nth(1)).to_contain_text("Archives are not taken.")
    assert [url.rpartition("/upload/")[2] for url in asked] == [""], (
        "the archive was announced, and nothing else was sent"
    )
    expect(page.locator(".bring-item button")).to_have_count(0)
    patient.expect_complaint("422")
    assert patient.complaints == []


def test_a_file_that_was_changed_on_the_disk_is_named_as_such(patient: Visitor, photo: Path) -> None:
    page = patient.page
    cut_second_piece(page, times=99)
    seen = offsets(page)
    choose(page, photo)
    until_on(page, lambda: len(seen) > 1, "the second piece was sent")
    with page.expect_response(deleted):
        photo.write_bytes(PHOTO + b"more")
        expect(page.get_by_role("alert")).to_contain_text("changed or moved after you chose it")
    assert not in_thread(Upload.objects.exists)


def test_all_that_was_stopped_is_tried_again_at_once(patient: Visitor, tmp_path: Path) -> None:
    page = patient.page
    files = [tmp_path / f"{shade}.jpg" for shade in range(3)]
    for shade, file in enumerate(files):
        file.write_bytes(jpeg((60 + 20 * shade, 50)))
    full = [2]

    def handle(route: Route) -> None:
        if route.request.method == "POST" and full[0]:
            full[0] -= 1
            route.fulfill(status=507, json={"error": "There is no room."})
        else:
            route.continue_()

    page.route("**/upload/", handle)
    page.locator("#files").set_input_files(files)
    expect(page.locator("#sum")).to_have_text("1 of 3 arrived and sealed, 2 stopped")
    expect(page.get_by_role("alert").first).to_have_text("There is no room.")
    assert violations_at_both_sizes(page, Axe()) == []
    page.get_by_role("button", name="Try all again").tap()
    expect(page.locator("#sum")).to_have_text("3 arrived and sealed")
    expect(page.get_by_role("button", name="Try all again")).to_be_hidden()
    expect(page.locator(".bring-item:not(.is-alike)")).to_have_count(0)


def test_a_folder_and_words_are_dropped_and_pasted(patient: Visitor, tmp_path: Path) -> None:
    page = patient.page
    folder = tmp_path / "Montauk"
    (folder / "2004" / "February").mkdir(parents=True)
    places = ["a.jpg", "2004/b.jpg", "2004/February/c.jpg"]
    for number, place in enumerate(places):
        (folder / place).write_bytes(distinct_photo(number))
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "2004" / "thesis.docx").write_bytes(b"x")
    drop(page, files=[folder])
    expect(page.locator("#sum")).to_have_text("3 arrived and sealed")
    expect(page.locator("#left-out")).to_contain_text("1")
    names = in_thread(lambda: sorted(one.read().filename for one in Keepsake.objects.all()))
    assert names == ["a.jpg", "b.jpg", "c.jpg"]
    drop(page, text="Dear you,")
    expect(page.locator("#words")).to_have_value("Dear you,")
    page.locator("#words").blur()
    page.evaluate(
        """() => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text/plain", "I kept the shell.");
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
        }"""
    )
    expect(page.locator("#words")).to_have_value("Dear you,\n\nI kept the shell.")
    assert patient.complaints == []


# Stands in for navigator.wakeLock, which a browser without a screen does not have, and counts the locks.
SCREEN = """
window.screenLocks = { taken: 0, held: [] };
Object.defineProperty(navigator, "wakeLock", { value: { async request() {
  const lock = new EventTarget();
  lock.release = () => {
    screenLocks.held = screenLocks.held.filter((other) => other !== lock);
    lock.dispatchEvent(new Event("release"));
  };
  screenLocks.taken += 1;
  screenLocks.held.push(lock);
  return lock;
} } });
"""


def test_the_screen_stays_on_while_something_is_sent(site: OpenSite, case: Case, photo: Path) -> None:
    patient = site.visitor(case.patient, viewport=PHONE)
    page = patient.page
    page.add_init_script(SCREEN)
    patient.go("/me/keepsakes/")
    held: list[Route] = []

    def handle(route: Route) -> None:
        if route.request.method == "PATCH" and not held:
            held.append(route)
        else:
            route.continue_()

    page.route("**/upload/*", handle)
    choose(page, photo)
    until_on(page, lambda: bool(held), "it is being sent")
    assert page.evaluate("[screenLocks.taken, screenLocks.held.length]") == [1, 1]
    # When a page is hidden, the browser releases its lock. Then the page is shown again.
    page.evaluate("screenLocks.held[0].release()")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    wait_until_true(page, "screenLocks.taken === 2 && screenLocks.held.length === 1")
    held[0].continue_()
    expect(page.locator("#sum")).to_have_text(ARRIVED)
    wait_until_true(page, "screenLocks.held.length === 0")


def test_the_very_same_file_is_sent_twice_only_if_that_is_meant(patient: Visitor, tmp_path: Path) -> None:
    page = patient.page
    (tmp_path / "one.jpg").write_bytes(distinct_photo(1))
    choose(page, tmp_path / "one.jpg")
    expect(page.locator("#sum")).to_have_text(ARRIVED)
    patient.go("/me/keepsakes/")
    pieces = offsets(page)
    choose(page, tmp_path / "one.jpg")
    expect(page.get_by_role("alert")).to_have_text("You have brought this very file already.")
    assert pieces == []
    page.get_by_role("button", name="Send it all the same: one.jpg").tap()
    expect(page.locator("#sum")).to_have_text(ARRIVED)
    expect(page.locator("#brought .contact-sheet li")).to_have_count(2)


def test_what_looks_like_another_keepsake_is_pointed_out(patient: Visitor, tmp_path: Path) -> None:
    page = patient.page
    for name, data in (
        ("one.jpg", distinct_photo(1)),
        ("again.jpg", distinct_photo(1) + bytes(9)),
        ("other.jpg", distinct_photo(2)),
    ):
        (tmp_path / name).write_bytes(data)
        choose(page, tmp_path / name)
        until_on(page, lambda: page.locator(".bring-item progress").count() == 0, "it has arrived")
    expect(page.locator(".bring-item")).to_have_count(1)
    expect(page.locator(".bring-item")).to_contain_text("again.jpg")
    expect(page.locator(".bring-item")).to_contain_text("looks like one that you brought already")
    expect(page.locator("#brought").get_by_text("looks like another")).to_have_count(2)
    assert violations_at_both_sizes(page, Axe()) == []
    page.get_by_role("link", name="Compare: again.jpg").tap()
    expect(page.locator(".notice")).to_contain_text("Another keepsake of yours looks like this one.")
    assert patient.complaints == []
