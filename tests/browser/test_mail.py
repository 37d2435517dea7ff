"""The front desk finds mail that was not delivered, and tries it again, with a real mail server."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from clinic.accounts.models import Role
from clinic.outgoing.models import OutgoingMessage
from patients.maps.locking import lock_map
from patients.requests.numbers import request_number
from tests.browser.browsing import in_thread, open_installation
from tests.browser.test_access import violations_at_both_sizes
from tests.factories import make_case, make_doctor, make_keepsake, make_memory, make_request, make_user
from tests.mail_server import mail_server
from tests.processes import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
ADDRESS = "joel@lacuna.example"


def test_mail_that_was_refused_is_found_and_tried_again_by_keyboard(tmp_path: Path) -> None:
    doctor = make_doctor()
    case = make_case(make_user(Role.PATIENT, name="Nadia Quill", email="nadia@lacuna.example"))
    make_keepsake(make_memory(case))
    desk, admin = make_user(Role.RECEPTIONIST), make_user(Role.ADMINISTRATOR)
    with mail_server(tmp_path) as mailbox:
        mailbox.refused |= {ADDRESS: "550 nobody here", "nadia@lacuna.example": "451 not now"}
        request = make_request("Joel Barish", email=ADDRESS)
        lock_map(case, by=doctor)
        with open_installation(LACUNA_MAIL_HOST="127.0.0.1", LACUNA_MAIL_PORT=str(mailbox.port)) as site:
            tried = OutgoingMessage.objects.filter(attempts=1)
            until(lambda: in_thread(lambda: tried.exclude(status="sending").count()) == 2, "both are tried")
            boss = site.visitor(admin)
            boss.go("/mail/")
            boss.take_screenshots("mail-administrator")
            assert violations_at_both_sizes(boss.page, Axe()) == []
            expect(boss.page.locator("main")).to_contain_text(request_number(request.pk))
            expect(boss.page.locator("main")).not_to_contain_text("Joel")
            person = site.visitor(desk)
            person.go("/mail/")
            person.take_screenshots("mail-desk")
            expect(person.page.locator("main")).to_contain_text("The mail server knows no such address.")
            person.go("/files/")
            mailbox.refused.clear()
            person.page.get_by_role("navigation").get_by_role("link", name="Mail", exact=True).focus()
            person.page.keyboard.press("Enter")
            again = person.page.get_by_role("button", name=re.compile("^Try again.*Request received"))
            again.focus()
            person.page.keyboard.press("Enter")
            expect(person.page.locator("#messages")).to_contain_text("it is tried again now")
            until(lambda: len(mailbox.messages) == 1, "it arrives")
            assert request_number(request.pk) in mailbox.to(ADDRESS)
            reader = site.visitor(doctor)
            reader.go(f"/files/{case.pk}/")
            reader.take_screenshots("mail-file")
            expect(reader.page.locator("main")).to_contain_text("Map ready to be signed")
            assert sorted(set(site.complaints())) == []
