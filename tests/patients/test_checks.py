"""The system checks of the patients app: limits of the decoder process, and reading keys back from disk."""

import pytest
from pytest_django import Settings

from clinic import durable
from patients.checks import decoder_is_confined, keys_are_read_back
from patients.imaging import decoder_process


def test_there_is_no_warning_if_memory_is_limited_and_hidden() -> None:
    assert decoder_is_confined() == []


def test_each_missing_limit_of_the_decoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_process, "LIMITS_MEMORY", False)
    assert [warning.id for warning in decoder_is_confined()] == ["patients.W001"]
    monkeypatch.setattr(decoder_process, "HIDES_MEMORY", False)
    assert [warning.id for warning in decoder_is_confined()] == ["patients.W001", "patients.W002"]


def test_there_is_a_warning_if_keys_are_read_back_from_the_page_cache(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keys_are_read_back() == []
    monkeypatch.setattr(durable, "CAN_FORGET", False)
    assert [warning.id for warning in keys_are_read_back()] == ["patients.W003"]
    settings.LACUNA_KEYS = "database"  # then keys are not stored in files
    assert keys_are_read_back() == []
