"""What stays in a browser when somebody has signed out: nothing of what they read."""

import pytest

from clinic.accounts.models import Role
from tests.browser.browsing import open_house
from tests.factories import make_case, make_doctor, make_keepsake, make_memory, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def test_h3_back_after_signing_out_shows_nothing() -> None:
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"), subject_name="Clementine Kruczynski")
    make_keepsake(make_memory(case))
    seen_by = make_doctor()
    with open_house() as house:
        doctor = house.visitor(seen_by)
        for path in (f"/files/{case.pk}/", f"/files/{case.pk}/review/", "/files/"):
            doctor.go(path)
            assert "Joel Barish" in doctor.page.content()
        doctor.press("Log out")
        for _step in range(4):
            doctor.page.go_back()
            shown = doctor.page.content()
            assert [word for word in ("Joel", "Barish", "Clementine", "/pictures/") if word in shown] == []
        assert house.complaints() == []
