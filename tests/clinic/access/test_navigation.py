"""The header: places one may go to, and whom to call."""

import pytest
from django.conf import settings as django_settings
from django.test import Client

from tests.factories import make_case

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("phone", "shown"), [("212-555-0142", True), ("", False)])
def test_patients_are_told_whom_to_call_where_there_is_a_number(
    phone: str, shown: bool, client: Client, settings: django_settings
) -> None:
    settings.LACUNA_CLINIC_PHONE = phone
    client.force_login(make_case().patient)
    page = client.get("/me/").content.decode()
    assert ('href="tel:212-555-0142"' in page) is shown
