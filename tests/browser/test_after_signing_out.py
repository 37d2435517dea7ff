"""After signing out, the browser's back button shows nothing of the pages that were read."""

import pytest
from playwright.sync_api import Browser

from clinic.accounts.models import Role
from tests.browser.browsing import open_pages
from tests.factories import make_case, make_doctor, make_keepsake, make_memory, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def test_h3_back_after_signing_out_shows_nothing(chromium: Browser) -> None:
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"), subject_name="Clementine Kruczynski")
    make_keepsake(make_memory(case))
    seen_by = make_doctor()
    with open_pages(chromium) as site:
        doctor = site.visitor(seen_by)
        for path in (f"/files/{case.pk}/", f"/files/{case.pk}/review/", "/files/"):
            doctor.go(path)
            assert "Joel Barish" in doctor.page.content()
        doctor.press("Log out")
        for _step in range(4):
            doctor.page.go_back()
            shown = doctor.page.content()
            assert [word for word in ("Joel", "Barish", "Clementine", "/pictures/") if word in shown] == []
        assert site.complaints() == []
