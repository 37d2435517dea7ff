"""The whole path in a browser: from a visitor's request to a valid certificate, with real photos."""

import io
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import Page, expect

from clinic.accounts.models import Role, User
from clinic.calendar.bookings import book
from clinic.calendar.models import Booking, Resource
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.models import StoredObject
from tests.browser.browsing import OpenSite, Visitor, in_thread, open_installation
from tests.factories import make_doctor, make_room, make_technician, make_user, shift_hours
from tests.mail_server import Mailbox, mail_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

NAME, EMAIL, PASSPHRASE = "Nora Lindqvist", "nora@patient.example", "seven grey gulls at noon"
CONDITIONS = "Her blood pressure is taken before it begins."
LETTER = "Dear Tom, I kept the shell. I will not write again, and I have written this before."

# The memories: title, when, intensity, a checkbox to tick, and the names of their photos.
MEMORIES: tuple[tuple[str, str, int, str, tuple[str, ...]], ...] = (
    ("The harbor", "22 Oct 2008", 6, "", ("DSCN0010.jpg", "DSCN0021.jpg", "DSCN0042.jpg")),
    ("Snow at the gate", "14 Dec 2003", 8, "", ("Canon_PowerShot_S40.jpg",)),
    ("The first evening", "April 2001", 9, "", ("nikon-e950.jpg",)),
    ("The north road", "summer 2014", 4, "", ("jolla.jpg", "canon_hdr_NO.jpg")),
    ("The last winter", "about 2022", 7, "", ("HMD_Nokia_8.3_5G.jpg", "iphone_13_pro_max.HEIC")),
    ("The garden", "11 Apr 2021", 5, "", ("IMG_5195.HEIC", "iphone_hdr_YES.jpg")),
    ("Our cat", "Oct 2000", 3, "keep", ("kodak-dc210.jpg",)),
    (
        "Grandmother's town",
        "about 1985",
        2,
        "childhood",
        ("DudleyLeavittUtah.tiff", "landscape_3.jpg", "landscape_8.jpg", "portrait_6.jpg"),
    ),
)
UNSENT = ("The letter I never sent", "spring 2015", 10)
TARGETS = 7


@pytest.fixture
def staff(settings: django_settings) -> dict[str, User]:
    """Staff with real passphrases, and two rooms, one of which is booked tomorrow night."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    people = {"desk": make_user(Role.RECEPTIONIST), "doctor": make_doctor(), "technician": make_technician()}
    taken, _free = make_room(), make_room()
    night = timezone.localtime().replace(hour=21, minute=0, second=0, microsecond=0) + timedelta(days=1)
    Resource.objects.filter(pk=taken.pk).update(label="Room West")
    Resource.objects.exclude(pk=taken.pk).filter(kind=Resource.Kind.ROOM).update(label="Room East")
    book(
        kind=Booking.Kind.ERASURE,
        resources=[taken],
        starts_at=night,
        ends_at=night + timedelta(hours=4),
        by=people["desk"],
    )
    return people


def request_and_accept(site: OpenSite, desk: Visitor, mailbox: Mailbox) -> str:
    """A visitor requests an appointment and the front desk accepts; return the path of the invitation."""
    visitor = site.visitor()
    visitor.go("/")
    visitor.take_screenshots("door")
    visitor.go("/appointment/")
    visitor.page.get_by_label("Name").fill(NAME)
    visitor.page.get_by_label("E-mail address").fill(EMAIL)
    visitor.page.get_by_label("What would you like to tell us?").fill("I would rather not say yet.")
    visitor.take_screenshots("request")
    visitor.press("Send")
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Thank you. We have it.")
    visitor.take_screenshots("sent")
    desk.go("/requests/")
    expect(desk.page.get_by_text(NAME)).to_be_visible()
    desk.press("Accept and invite")
    expect(desk.page.get_by_text("accepted").first).to_be_visible()
    return mailbox.invitation_to(EMAIL)


def accept_invitation(patient: Visitor, invitation_url: str) -> None:
    patient.go(invitation_url)
    patient.page.get_by_label("A passphrase").fill(PASSPHRASE)
    patient.take_screenshots("invitation")
    patient.press("Come in")
    expect(patient.page).to_have_url(f"{patient.address}/me/")
    patient.take_screenshots("portal-new")


def answer_intake(patient: Visitor) -> None:
    """Answer the intake; what is typed is saved before any button is pressed."""
    page = patient.page
    patient.press("Go on")
    page.locator("[name=subject_name]").fill("Tom Varga")
    page.locator("[name=still][value=no]").check()
    expect(page.locator("[data-draft-status]")).not_to_be_empty()
    patient.take_screenshots("intake-who")
    page.reload()
    expect(page.locator("[name=subject_name]")).to_have_value("Tom Varga")
    for name in ("wish", "hope", "health"):
        patient.press("Save and go on")
        patient.take_screenshots(f"intake-{name}")
    page.get_by_label("My heart, or my blood pressure, is being treated").check()
    patient.press("Save and go on")
    page.get_by_label("What is being treated, and since when?").fill("High blood pressure, for ten years.")
    patient.take_screenshots("intake-health-more")
    patient.press("Save and go on")
    page.get_by_label("Who must not be told?").fill("My sister.")
    patient.take_screenshots("intake-circle")
    patient.press("Save and go on")
    page.locator("[name=name_1]").fill("The house by the sea")
    page.locator("[name=color_1]").select_option("blue")
    page.locator("[name=from_1]").fill("2001-01-01")
    page.locator("[name=to_1]").fill("2009-12-31")
    patient.take_screenshots("intake-chapters")
    patient.press("Save and go on")
    expect(page).to_have_url(f"{patient.address}/me/")


def sign_consent(patient: Visitor) -> None:
    patient.page.get_by_label("Your name, as your signature").fill(NAME)
    patient.page.get_by_label("Your passphrase, to be sure it is you").fill(PASSPHRASE)
    patient.press("Sign")
    expect(patient.page.locator("#messages")).to_contain_text("Signed.")


def upload_keepsakes(patient: Visitor, photos: list[Path], program: Path) -> None:
    """Upload all photos at once, a typed letter, and a file that is refused."""
    page = patient.page
    patient.go("/me/keepsakes/")
    patient.take_screenshots("keepsakes-empty")
    page.locator("#files").set_input_files(photos)
    expect(page.locator(".bring-item").first).to_be_visible()
    patient.take_screenshots("keepsakes-sending")
    things = page.locator(".contact-sheet a[href^='/me/keepsakes/']")
    expect(things).to_have_count(len(photos), timeout=60_000)
    page.get_by_text("Describe it in words").click()
    page.get_by_label("A letter, or what there is no picture of").fill(LETTER)
    page.get_by_role("button", name="Bring these words").click()
    expect(things).to_have_count(len(photos) + 1)
    page.locator("#files").set_input_files(program)
    expect(page.locator(".bring-item.is-failed")).to_contain_text("Programs are not taken")
    patient.expect_complaint("422")
    patient.take_screenshots("keepsakes-refused")
    expect(things).to_have_count(len(photos) + 1)


def photo_pages() -> dict[str, str]:
    """The path of each keepsake's page by its file name."""
    rows = Keepsake.objects.filter(gone_at__isnull=True)
    return {row.read().filename: f"/me/keepsakes/{row.pk}/" for row in rows}


def describe_memory(page: Page, title: str, when: str, intensity: int, tick: str) -> None:
    """Describe a new memory on the page of its first keepsake."""
    page.locator("[name=memory]").select_option("new")
    if not page.locator("[name=new-title]").is_visible():
        page.locator("details:has([name=new-title]) > summary").click()
    page.locator("[name=new-title]").fill(title)
    page.locator("[name=new-when]").fill(when)
    page.locator(f'[name="new-intensity"][value="{intensity}"]').check(force=True)
    if tick:
        page.locator(f'[name="new-{tick}"]').check()


def place_keepsakes(patient: Visitor) -> None:
    """Place every keepsake in a memory; the first one of each memory creates it."""
    page, pages = patient.page, in_thread(photo_pages)
    for title, when, intensity, tick, photos in MEMORIES:
        for at, photo in enumerate(photos):
            patient.go(pages[photo])
            if at == 0:
                describe_memory(page, title, when, intensity, tick)
                if title == "The harbor":
                    page.locator(".focus-picture").click(position={"x": 120, "y": 90})
                    expect(page.locator(".focus-mark")).to_be_visible()
                    patient.take_screenshots("keepsake")
            else:
                choice = page.locator("[name=memory] option", has_text=title)
                page.locator("[name=memory]").select_option(choice.get_attribute("value"))
            patient.press("Save")
            expect(page.locator("#messages")).to_contain_text("Saved.")
    patient.go(pages["letter.txt"])
    expect(page.get_by_text(LETTER)).to_be_visible()
    describe_memory(page, *UNSENT, "")
    patient.take_screenshots("keepsake-letter")
    patient.press("Save")
    page.get_by_role("link", name="The first evening").last.click()
    patient.take_screenshots("memory")
    page.go_back()
    patient.take_screenshots("keepsakes")


def review_intake(doctor: Visitor, case: Case) -> None:
    """The doctor reads the intake, what is alarming first, and clears the patient with conditions."""
    page = doctor.page
    doctor.go(f"/files/{case.pk}/")
    doctor.press("Review the intake")
    expect(page.locator(".alarming")).to_contain_text("High blood pressure, for ten years.")
    expect(page.locator(".alarming")).to_contain_text("My sister.")
    page.get_by_label("Cleared with conditions").check()
    page.get_by_label("Conditions, or why not").fill(CONDITIONS)
    expect(page.locator("[data-draft-status]")).not_to_be_empty()
    doctor.take_screenshots("intake-review")
    doctor.press("Record the review")
    expect(page.locator("#messages")).to_contain_text("Your review is recorded: cleared with conditions.")
    expect(page.locator("main")).to_contain_text(CONDITIONS)


def review_and_lock_map(doctor: Visitor, case: Case) -> None:
    """The doctor reviews all keepsakes, enters intensities, and locks the map."""
    page = doctor.page
    doctor.go(f"/files/{case.pk}/review/")
    doctor.take_screenshots("review")
    doctor.press("Accept all 17 that wait")
    expect(page.locator("#messages")).to_contain_text("17 keepsakes accepted.")
    doctor.go(f"/files/{case.pk}/map/")
    expect(page.locator("main")).to_contain_text(CONDITIONS)
    doctor.take_screenshots("bench")
    page.get_by_text("Look at it sharp").click()
    page.get_by_label("Why? This stays on record.").select_option("mapping")
    doctor.take_screenshots("bench-why")
    page.get_by_role("button", name="Show it").click()
    expect(page.get_by_text("Look at it sharp")).to_have_count(0)
    doctor.take_screenshots("bench-sharp")
    for intensity in (6, 7):
        page.locator(f'[name="intensity"][value="{intensity}"]').check(force=True)
        with page.expect_response(lambda answer: "/map/" in answer.url and answer.request.method == "POST"):
            page.get_by_role("button", name="Write down, and the next").click()
    doctor.press("Lock the map")
    expect(page.locator("#messages")).to_contain_text("The map is locked.")


def consent_to_procedure(patient: Visitor, case: Case) -> None:
    """The patient reads the text, answers the questions about it, and signs for this map."""
    page = patient.page
    patient.go("/me/")
    patient.take_screenshots("portal-mapped")
    patient.press("Go on")
    digest = in_thread(lambda: case.maps.get(unlocked_at__isnull=True).digest)
    expect(page.locator("main")).to_contain_text(digest[:12])
    expect(page.locator("main")).to_contain_text(CONDITIONS)
    page.get_by_label("stays gone, whatever I ask").check()
    page.get_by_label("at any moment, until the last key is gone").check()
    page.get_by_label("is kept", exact=True).check()
    page.get_by_label("If a copy is found outside my map").check()
    patient.take_screenshots("consent-procedure")
    sign_consent(patient)


def book_procedure(desk: Visitor, case: Case, staff: dict[str, User]) -> None:
    """Book the procedure: first with a room that is taken, then with a free one."""
    page = desk.page
    desk.go(f"/files/{case.pk}/book/")
    page.get_by_label("Where").select_option("clinic")
    page.get_by_label("Doctor").select_option(label=staff["doctor"].name)
    page.get_by_label(staff["technician"].name).check()
    page.get_by_label("Night of").fill((timezone.localdate() + timedelta(days=1)).isoformat())
    page.get_by_label("Begins").fill("20:00")
    page.get_by_label("Ends").fill("06:00")
    page.get_by_label("Room or home kit").select_option(label="Room West")
    desk.press("Book the night")
    expect(page.locator(".error-summary")).to_contain_text("Room West is taken from")
    desk.expect_complaint("409")
    page.get_by_label("Room or home kit").select_option(label="Room East")
    desk.take_screenshots("book")
    desk.press("Book the night")
    expect(page.locator("#messages")).to_contain_text("The night is booked.")


def run_procedure(doctor: Visitor, case: Case) -> Run:
    """The doctor starts the run, pauses it, protects a memory and resumes; then it runs to its end."""
    page = doctor.page
    # The evening comes: some minutes before its booked time a night can be started by hand.
    night = in_thread(lambda: Procedure.objects.select_related("booking").get(case=case))
    in_thread(lambda: shift_hours(night, timezone.now() + timedelta(minutes=20) - night.booking.starts_at))
    doctor.go(f"/files/{case.pk}/")
    doctor.press("Start now")
    doctor.press("Start now")
    expect(page.locator("html.script")).to_be_attached()
    expect(page.locator(".passes .is-done")).not_to_have_count(0)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#session")).to_have_attribute("data-state", "paused")
    first = page.get_by_role("button", name=re.compile("The first evening"))
    first.click()
    expect(page.locator("#about [data-part=title]")).to_have_text("The first evening")
    expect(page.locator(".panel")).to_contain_text(CONDITIONS)
    doctor.take_screenshots("session-paused")
    page.get_by_role("button", name="Protect this").click()
    expect(page.locator(".print.is-protected")).to_have_count(2)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#session")).to_have_attribute("data-state", re.compile("running|finished"))
    expect(page.locator("#state")).to_contain_text("Finished", timeout=60_000)
    expect(page.get_by_role("button", name=re.compile(r"Memory \d+, destroyed"))).to_have_count(TARGETS - 1)
    expect(page.get_by_role("link", name="Open the certificate")).to_be_visible(timeout=30_000)
    doctor.take_screenshots("session-finished")
    return in_thread(lambda: Run.objects.get(procedure__case=case))


def download_certificate(patient: Visitor, run: Run, target: Path) -> None:
    """The patient opens the certificate and downloads the signed statement."""
    page = patient.page
    patient.go("/me/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Good morning.")
    assert "Tom Varga" not in page.content()
    patient.take_screenshots("after")
    patient.press("Your certificate")
    patient.take_screenshots("certificate")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download the signed statement").click()
    waiting.value.save_as(target)


def test_from_a_request_to_a_valid_certificate(
    staff: dict[str, User], best_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = sorted(best_photos.iterdir())
    assert sorted(name for memory in MEMORIES for name in memory[4]) == [photo.name for photo in photos]
    program = tmp_path / "photo.jpg"
    program.write_bytes(b"MZ\x90\x00" + bytes(400))
    statement = tmp_path / "certificate.json"
    with (
        mail_server(tmp_path) as mailbox,
        open_installation(LACUNA_MAIL_HOST="127.0.0.1", LACUNA_MAIL_PORT=str(mailbox.port)) as site,
    ):
        desk, doctor, patient = site.visitor(), site.visitor(), site.visitor()
        desk.log_in(staff["desk"].email)
        accept_invitation(patient, request_and_accept(site, desk, mailbox))
        answer_intake(patient)
        patient.press("Go on")
        patient.take_screenshots("consent-storage")
        sign_consent(patient)
        patient.take_screenshots("portal-bring")
        upload_keepsakes(patient, photos, program)
        place_keepsakes(patient)
        patient.press("Done for today")
        expect(patient.page.locator("#messages")).to_contain_text("Thank you.")
        patient.take_screenshots("portal-waiting")
        case = in_thread(lambda: Case.objects.get(patient__email=EMAIL))
        doctor.log_in(staff["doctor"].email)
        review_intake(doctor, case)
        review_and_lock_map(doctor, case)
        consent_to_procedure(patient, case)
        book_procedure(desk, case, staff)
        run = run_procedure(doctor, case)
        download_certificate(patient, run, statement)
        assert sorted(set(site.complaints())) == []
    check_what_is_left(case, run)
    call_command("verify_certificate", str(statement))
    assert "The certificate holds" in capsys.readouterr().out
    out = io.StringIO()
    call_command("verify_audit", stdout=out)
    assert "The log is whole" in out.getvalue()


def check_what_is_left(case: Case, run: Run) -> None:
    """Assert that six memories are erased with all their objects, and that the others are intact."""
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    memories = Memory.objects.filter(case=case)
    assert memories.filter(fate=Memory.Fate.ERASED).count() == TARGETS - 1
    assert memories.filter(fate=Memory.Fate.PROTECTED).count() == 2
    live = StoredObject.objects.filter(case_id=case.pk, state=StoredObject.State.LIVE)
    erased = memories.filter(fate=Memory.Fate.ERASED).values("pk")
    assert not live.filter(memory__in=erased).exists()
    kept = Keepsake.objects.filter(case=case, gone_at__isnull=True).values_list("memory__zone", flat=True)
    assert sorted(kept) == ["childhood"] * 4 + ["map"] * 2
