"""A patient reads the list on a phone, signs beside a witness after a change, and takes the paper."""

import io
from pathlib import Path

import pikepdf
import pytest
from playwright.sync_api import Browser, expect

from patients.cases.models import Case
from patients.consent.models import Signature
from patients.memories.models import Memory
from tests.browser.browsing import PHONE, in_thread, open_pages
from tests.configuration import configure
from tests.factories import PASSPHRASE, make_memory
from tests.patients.consent_papers.lists import lock, make_listed, rewrite, unlock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

FORM = "form[action='/me/consent/sign/']"


def change_the_map(case: Case) -> None:
    """The clinic opens the map, changes a title and adds a memory, and locks it again."""
    unlock(case)
    river = next(row for row in Memory.objects.filter(case=case) if row.read().title == "The frozen river")
    rewrite(river, title="The frozen lake")
    make_memory(case, "The last evening", "2004-03-01")
    lock(case)


@pytest.mark.parametrize("language", ["en", "vi"])
def test_what_is_signed_is_what_was_seen(chromium: Browser, language: str) -> None:
    configure(consent_witnesses=1)
    case = make_listed(name="Nguyễn Ánh")
    with open_pages(chromium) as house:
        patient = house.visitor(case.patient, viewport=PHONE, has_touch=True, locale=language)
        page = patient.page
        patient.go("/me/consent/")
        expect(page.locator("html")).to_have_attribute("lang", language)
        for title in ("The frozen river", "Valentine", "The drum lesson", "The kitchen table"):
            expect(page.locator("main")).to_contain_text(title)
        expect(page.locator(".contact-sheet img")).to_have_count(5)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

        for name, value in (("gone", "stays"), ("stop", "until"), ("kept", "kept")):
            page.locator(f"[name={name}][value={value}]").check()
        page.locator("[name=name]").fill("阮映")
        page.locator("[name=witness]").fill("Patrick Wertz")
        page.locator("[name=witness_present]").check()
        page.locator("[name=passphrase]").fill(PASSPHRASE)
        in_thread(lambda: change_the_map(case))
        page.locator(f"{FORM} [type=submit]").tap()

        changed = page.locator("section[aria-labelledby=changed]")
        expect(changed).to_contain_text("The last evening")
        expect(changed.locator("s")).to_contain_text("The frozen river")
        expect(changed).to_contain_text("The frozen lake")
        expect(page.locator("[name=name]")).to_have_value("阮映")
        expect(page.locator("[name=witness]")).to_have_value("Patrick Wertz")
        expect(page.locator("[name=witness_present]")).to_be_checked()
        page.locator("[name=passphrase]").fill(PASSPHRASE)
        page.locator(f"{FORM} [type=submit]").tap()
        page.wait_for_url("**/me/")

        patient.go("/me/consent/")
        with page.expect_download() as download:
            page.locator("a[href^='/me/consent/papers/']").tap()
        paper = Path(download.value.path()).read_bytes()
        with pikepdf.open(io.BytesIO(paper)) as file:
            assert str(file.Root.Lang) == language
            assert set(file.attachments) == {"list.json", "signed.json"}
        page.locator("footer a[href='/me/withdraw/']").tap()
        page.wait_for_url("**/me/withdraw/")
    signature = Signature.objects.in_force().get(map__isnull=False)
    assert (signature.case, signature.witnessed) == (case, True)
