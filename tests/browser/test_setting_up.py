"""An empty installation, set up as the README says, in which a night is booked in the end."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import expect
from pytest_django import Settings

from clinic.accounts.models import User
from erasure.procedures.models import Procedure
from patients.cases.models import Case
from tests.browser import test_whole_path as whole_path
from tests.browser.browsing import OpenSite, Visitor, in_thread, open_installation
from tests.factories import PASSPHRASE
from tests.mail_server import Mailbox, mail_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.timeout(300)]

HOWARD = "howard@lacuna.example"
STAFF = {
    "Howard Mierzwiak": ("howard.m@lacuna.example", "doctor"),
    "Stan Fink": ("stan@lacuna.example", "technician"),
    "Mary Svevo": ("mary@lacuna.example", "front desk"),
}
LETTER = "Dear Tom, I kept the shell. I will not write again."


@pytest.fixture
def first_administrator(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """What the operator types: `manage.py first_administrator`, with the answers in the environment."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    for name, value in {"EMAIL": HOWARD, "NAME": "Howard M.", "PASSPHRASE": PASSPHRASE}.items():
        monkeypatch.setenv(f"LACUNA_ADMINISTRATOR_{name}", value)
    call_command("first_administrator")


def set_up(administrator: Visitor, mailbox: Mailbox) -> None:
    """Work through the page Set-up until nothing is missing that a night needs."""
    page = administrator.page
    administrator.log_in(HOWARD)
    expect(page.get_by_role("heading", level=1)).to_have_text("Set-up")
    expect(page.locator(".page-head")).to_contain_text("5 things are missing")
    administrator.take_screenshots("set-up-empty")
    administrator.press("Send me a message")
    expect(page.locator("#messages")).to_contain_text(f"took a message to {HOWARD}")
    assert "You tried it out" in mailbox.to(HOWARD)
    page.locator("#place").get_by_role("link", name="Rooms and kits").click()
    administrator.take_screenshots("places-empty")
    page.get_by_label("Name").fill("Night room")
    administrator.press("Add it")
    expect(page.get_by_role("cell", name="Night room", exact=True)).to_be_visible()
    administrator.take_screenshots("places")
    say_who_the_clinic_is(administrator)
    confirm_the_policies(administrator)
    for name, (address, role) in STAFF.items():
        administrator.go("/people/")
        page.get_by_label("Name").fill(name)
        page.get_by_label("E-mail address").fill(address)
        page.get_by_label("Role").select_option(label=role)
        administrator.press("Send the invitation")
        expect(page.locator("#messages")).to_contain_text("The invitation is queued. It leaves in a moment.")


def say_who_the_clinic_is(administrator: Visitor) -> None:
    """Give name, address, telephone and hours; the front page has them at once, and the line is done."""
    page = administrator.page
    administrator.go("/setup/")
    page.locator("#clinic").get_by_role("link", name="Settings of the clinic").click()
    page.get_by_label("Name of the clinic").fill("Lacuna North")
    page.get_by_label("Address").fill("Pier 4\nMontauk")
    page.get_by_label("Telephone").fill("call Mary")
    page.get_by_label("Opening hours").fill("Monday to Friday, 9 to 18 h")
    page.get_by_label("Your words on the front page").fill("We are few, and we take our time.")
    page.get_by_label("Why?").fill("first set-up")
    administrator.press("Save, or confirm as it is")
    expect(page.locator(".error-summary")).to_contain_text("Please write digits")
    administrator.expect_complaint("422 (Unprocessable Entity)")
    administrator.take_screenshots("settings-refused")
    page.get_by_label("Telephone").fill("212-555-0142")
    administrator.press("Save, or confirm as it is")
    expect(page.locator("#messages")).to_contain_text("Saved: 5 settings were changed.")
    administrator.take_screenshots("settings-clinic")
    administrator.go("/setup/")
    expect(page.locator("section:has(#done) #clinic")).to_be_visible()


def confirm_the_policies(administrator: Visitor) -> None:
    """Look at the policies, change one with a reason, and so confirm the others as they are."""
    page = administrator.page
    page.locator("#policies").get_by_role("link", name="Policies").click()
    administrator.take_screenshots("settings-policies")
    page.get_by_label("Time to think it over").fill("96")
    page.get_by_label("Why?").fill("We give everybody four days.")
    administrator.press("Save, or confirm as it is")
    expect(page.locator("#messages")).to_contain_text("Saved: 1 setting was changed.")
    page.get_by_role("link", name="History").click()
    expect(page.locator(".entries")).to_contain_text("From 72 h to 96 h")
    expect(page.locator(".entries")).to_contain_text("We give everybody four days.")
    administrator.take_screenshots("settings-history")
    administrator.go("/setup/")
    expect(page.locator("section:has(#done) #policies")).to_be_visible()


def accept_invitation(site: OpenSite, mailbox: Mailbox, name: str) -> Visitor:
    """Open the link in the mail, choose a passphrase, and come in."""
    address, _role = STAFF[name]
    person = site.visitor()
    person.go(mailbox.invitation_to(address))
    person.page.get_by_label("A passphrase").fill(PASSPHRASE)
    person.press("Come in")
    expect(person.page).to_have_url(f"{person.address}/today/")
    return person


def bring_a_letter(patient: Visitor) -> None:
    """Bring one letter in words, and tell of the memory that it holds."""
    page = patient.page
    patient.go("/me/keepsakes/")
    page.get_by_text("Describe it in words").click()
    page.get_by_label("A letter, or what there is no picture of").fill(LETTER)
    page.get_by_role("button", name="Bring these words").click()
    thing = page.locator(".contact-sheet a[href^='/me/keepsakes/']")
    expect(thing).to_have_count(1)
    patient.go(thing.get_attribute("href") or "")
    whole_path.describe_memory(page, "The letter I never sent", "spring 2015", 7, "")
    patient.press("Save")
    expect(page.locator("#messages")).to_contain_text("Saved.")
    patient.press("Done for today")


def review_and_lock(doctor: Visitor, case: Case) -> None:
    page = doctor.page
    doctor.go(f"/files/{case.pk}/review/")
    page.get_by_role("button", name=re.compile("^Accept")).first.click()
    expect(page.locator("#messages")).not_to_be_empty()
    doctor.go(f"/files/{case.pk}/map/")
    doctor.press("Lock the map")
    expect(page.locator("#messages")).to_contain_text("The map is locked.")


def book(desk: Visitor, case: Case) -> None:
    """Book a night after the time to think it over, with the people and the room there are."""
    page = desk.page
    desk.go(f"/files/{case.pk}/book/")
    page.get_by_label("Where").select_option("clinic")
    page.get_by_label("Doctor").select_option(label="Howard Mierzwiak")
    page.get_by_label("Stan Fink").check()
    page.get_by_label("Room or home kit").select_option(label="Night room")
    page.get_by_label("Night of").fill((timezone.localdate() + timedelta(days=5)).isoformat())
    page.get_by_label("Begins").fill("20:00")
    page.get_by_label("Ends").fill("06:00")
    desk.press("Book the night")
    expect(page.locator("#messages")).to_contain_text("The night is booked.")


def test_an_empty_installation_is_set_up_and_books_a_night(first_administrator: None, tmp_path: Path) -> None:
    with (
        mail_server(tmp_path) as mailbox,
        open_installation(
            LACUNA_MAIL_HOST="127.0.0.1", LACUNA_MAIL_PORT=str(mailbox.port), as_installed=True
        ) as site,
    ):
        administrator = site.visitor()
        set_up(administrator, mailbox)
        doctor, _technician, desk = (accept_invitation(site, mailbox, name) for name in STAFF)
        administrator.go("/setup/")
        expect(administrator.page.locator(".page-head")).to_contain_text("Nights can be booked.")
        administrator.take_screenshots("set-up-done")
        request_and_accept(site, desk)
        patient = site.visitor()
        whole_path.accept_invitation(patient, mailbox.invitation_to(whole_path.EMAIL))
        whole_path.answer_intake(patient)
        patient.press("Go on")
        whole_path.sign_consent(patient)
        bring_a_letter(patient)
        case = in_thread(lambda: Case.objects.get(patient__email=whole_path.EMAIL))
        whole_path.review_intake(doctor, case)
        review_and_lock(doctor, case)
        whole_path.consent_to_procedure(patient, case)
        book(desk, case)
        assert sorted(set(site.complaints())) == []
    procedure = Procedure.objects.get(case=case)
    assert procedure.state == Procedure.State.BOOKED
    assert {one.label for one in procedure.booking.resources.all()} == {
        "Howard Mierzwiak",
        "Stan Fink",
        "Night room",
    }
    assert User.objects.count() == 5
    assert procedure.consent.cooling_off_hours == 96


def request_and_accept(site: OpenSite, desk: Visitor) -> None:
    """A visitor asks for an appointment, and the front desk invites them."""
    visitor = site.visitor()
    visitor.go("/")
    front = visitor.page.locator(".front-words")
    expect(front).to_contain_text("Lacuna North")
    expect(front).to_contain_text("We are few, and we take our time.")
    expect(front.get_by_role("link", name="212-555-0142")).to_be_visible()
    visitor.take_screenshots("front-page")
    visitor.go("/appointment/")
    visitor.page.get_by_label("Name").fill(whole_path.NAME)
    visitor.page.get_by_label("E-mail address").fill(whole_path.EMAIL)
    visitor.page.get_by_label("What would you like to tell us?").fill("I would rather not say yet.")
    visitor.press("Send")
    desk.go("/requests/")
    desk.press("Accept and invite")
    expect(desk.page.get_by_text("accepted").first).to_be_visible()
