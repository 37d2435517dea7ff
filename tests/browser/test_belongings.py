"""On a phone: a patient takes back their consent and their things, has them destroyed, and watches it."""

import io
from pathlib import Path

import pytest
import pyzipper
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from clinic.accounts.models import Role
from erasure.destructions.models import Destruction
from erasure.jobs.supervisor import destroy_due
from patients.cases.models import Case
from patients.vault.models import StoredObject
from tests.browser.browsing import PHONE, in_thread, open_pages
from tests.browser.test_access import violations
from tests.factories import PASSPHRASE, jpeg, make_case, make_keepsake, make_memory, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

SEAL = "heron quince lantern 1978"  # the password of the archive


def make_belongings() -> tuple[Case, bytes]:
    """A case with two memories, one of them of childhood, and the bytes of the first photograph."""
    patient = make_user(Role.PATIENT, name="Joel Barish")
    case = make_case(patient, subject_name="Clementine Kruczynski")
    picture = jpeg()
    make_keepsake(make_memory(case, "Montauk in winter", "2003-02-01"), picture, caption="On the ice")
    make_keepsake(make_memory(case, "The kitchen table", "1978-05-01", zone="childhood"))
    return case, picture


@pytest.mark.parametrize("language", ["en", "vi"])
def test_what_is_left_is_taken_home_destroyed_and_certified(
    chromium: Browser, language: str, tmp_path: Path
) -> None:
    case, picture = make_belongings()
    axe = Axe()
    with open_pages(chromium) as site:
        visitor = site.visitor(case.patient, viewport=PHONE, locale=language)
        page = visitor.page
        visitor.go("/me/withdraw/")
        visitor.take_screenshots(f"withdraw-{language}")
        assert violations(page, axe) == []
        page.locator("main form button[type=submit]").click()
        page.wait_for_url("**/me/")
        visitor.take_screenshots(f"after-{language}")
        page.locator("a[href='/me/belongings/']").click()
        page.wait_for_url("**/me/belongings/")
        visitor.take_screenshots(f"belongings-{language}")
        assert violations(page, axe) == []

        page.locator("[name=everything]").check()
        page.locator("button[value=take]").click()
        page.wait_for_url("**/choose/")
        assert violations(page, axe) == []
        page.locator("[name=passphrase]").fill(PASSPHRASE)
        page.locator("[name=seal]").fill(SEAL)
        page.locator("[name=seal_again]").fill(SEAL)
        visitor.take_screenshots(f"take-{language}")
        with page.expect_download() as download:
            page.locator("main form button[type=submit]").click()
        check_archive(Path(download.value.path()).read_bytes(), picture)

        visitor.go("/me/belongings/")
        page.locator("[name=everything]").check()
        page.locator("button[value=destroy]").click()
        page.wait_for_url("**/choose/")
        visitor.take_screenshots(f"destroy-{language}")
        assert violations(page, axe) == []
        page.locator("[name=when][value=now]").check()
        page.locator("[name=passphrase]").fill(PASSPHRASE)
        page.locator("main form button[type=submit]").click()
        page.wait_for_url("**/me/destructions/**")
        visitor.take_screenshots(f"destruction-{language}")
        in_thread(destroy_due)
        page.wait_for_selector("a[href^='/certificates/']")  # the page updates itself
        visitor.take_screenshots(f"destroyed-{language}")
        assert violations(page, axe) == []
        page.locator("a[href^='/certificates/']").click()
        page.wait_for_selector(".sheet")
        visitor.take_screenshots(f"certificate-{language}")
        assert violations(page, axe) == []
        assert "Clementine" not in page.content()
        visitor.go("/me/belongings/")
        visitor.take_screenshots(f"nothing-{language}")
        # The pages of the open case, and that of remainders, still answer without an error.
        for path in ("/me/keepsakes/", "/me/consent/", "/me/intake/", "/me/memories/new/", "/me/left/"):
            answer = page.goto(site.address + path)
            assert answer
            assert answer.status == 200, path
        assert site.complaints() == []
    left = in_thread(lambda: StoredObject.objects.filter(case=case).exclude(state="destroyed").count())
    assert left == 0
    assert in_thread(lambda: Destruction.objects.get().outcome) == "complete"


def check_archive(data: bytes, picture: bytes) -> None:
    """Open the archive with a library that is not Lacuna's: it has an index and the uploaded bytes."""
    with pyzipper.AESZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        assert names == ["index.html", "files/0001.jpg", "files/0002.jpg"]
        with pytest.raises(RuntimeError, match="password"):
            archive.read("index.html")
        archive.setpassword(SEAL.encode())
        index = archive.read("index.html").decode()
        assert "Montauk in winter" in index
        assert "On the ice" in index
        assert picture in {archive.read(name) for name in names[1:]}
