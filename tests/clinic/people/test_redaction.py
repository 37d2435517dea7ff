"""What the logs of the house do not show."""

import logging
import logging.config

import pytest
from django.conf import settings
from django.test import Client

from clinic.accounts.models import Role
from tests.factories import make_user


@pytest.mark.django_db
def test_a_refused_page_is_one_line_and_a_fault_has_its_traceback(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.config.dictConfig(settings.LOGGING)  # its handler writes to what is captured now
    client.force_login(make_user(Role.TECHNICIAN))
    assert client.get("/audit/").status_code == 403
    assert [line.split(" ", 2)[2] for line in capsys.readouterr().err.splitlines()] == [
        "WARNING django.request Forbidden (Permission denied): /audit/"
    ]
    try:
        raise ValueError("invitation /invitation/c0ffee/")
    except ValueError:
        logging.getLogger("lacuna").exception("a fault")
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "/invitation/[ ]" in said
    assert "c0ffee" not in said
