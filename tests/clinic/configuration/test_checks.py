"""The start-up check of environment variables that nothing reads any more."""

from pathlib import Path

import pytest
from django.conf import settings

from clinic.checks import set_in_vain
from clinic.configuration.registry import settings_in
from erasure.operations import startup

FORMER_VARIABLES = sorted(setting.formerly for setting in settings_in() if setting.formerly)


def test_no_former_variable_is_read_and_each_is_in_the_changelog() -> None:
    assert len(FORMER_VARIABLES) == 9
    base = Path(settings.BASE_DIR)
    read = base.joinpath("clinic/settings.py").read_text() + base.joinpath("docs/settings.md").read_text()
    changes = base.joinpath("CHANGELOG.md").read_text()
    for name in FORMER_VARIABLES:
        assert name not in read
        assert name in changes


@pytest.mark.parametrize("name", FORMER_VARIABLES)
def test_a_variable_that_is_still_set_is_named_with_what_to_do(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set_in_vain() == []
    monkeypatch.setenv(name, "")
    (sentence,) = set_in_vain()
    assert sentence.startswith(f"{name} is set, but nothing reads it any more")
    assert "on the page Settings" in sentence


@pytest.mark.django_db
def test_a_variable_that_is_still_set_is_logged_at_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    monkeypatch.setattr(startup, "check_redis", stop)
    monkeypatch.setenv("LACUNA_PACE_SECONDS", "60")
    with pytest.raises(Stop):
        startup.prepare()
    assert [message for message in caplog.messages if message.startswith("LACUNA_PACE_SECONDS is set")]
