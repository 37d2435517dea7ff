"""What the server's log shows of refused requests and of errors."""

import logging
import logging.config

import pytest
from django.conf import settings
from django.test import Client

from clinic.accounts.models import Role
from tests.factories import make_user


@pytest.mark.django_db
def test_a_refusal_is_one_line_and_an_error_has_a_traceback(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.config.dictConfig(settings.LOGGING)  # so that the handler writes to the captured stderr
    client.force_login(make_user(Role.TECHNICIAN))
    assert client.get("/audit/").status_code == 403
    assert [line.split(" ", 2)[2] for line in capsys.readouterr().err.splitlines()] == [
        "WARNING django.request Forbidden (Permission denied): /audit/"
    ]
    try:
        raise ValueError("invitation /invitation/c0ffee/")
    except ValueError:
        logging.getLogger("lacuna").exception("a fault")
    output = capsys.readouterr().err
    assert "Traceback" in output
    assert "/invitation/[ ]" in output
    assert "c0ffee" not in output
