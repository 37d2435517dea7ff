"""The page header: the clinic's telephone number for patients."""

import pytest
from django.test import Client

from tests.configuration import configure
from tests.factories import make_case

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("phone", "shown"), [("212-555-0142", True), ("", False)])
def test_patients_see_the_telephone_number_if_one_is_set(phone: str, shown: bool, client: Client) -> None:
    configure(clinic_telephone=phone)
    client.force_login(make_case().patient)
    page = client.get("/me/").content.decode()
    assert ('href="tel:2125550142"' in page) is shown
