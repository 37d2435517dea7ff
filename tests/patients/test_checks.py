"""System checks for the decoder's process and the keys."""

import pytest
from pytest_django import Settings

from clinic import durable
from patients.checks import decoder_is_confined, keys_are_read_back
from patients.imaging import decoder_process


def test_where_memory_is_limited_and_hidden_nothing_is_said() -> None:
    assert decoder_is_confined() == []


def test_each_missing_limit_of_the_decoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_process, "LIMITS_MEMORY", False)
    assert [warning.id for warning in decoder_is_confined()] == ["patients.W001"]
    monkeypatch.setattr(decoder_process, "HIDES_MEMORY", False)
    assert [warning.id for warning in decoder_is_confined()] == ["patients.W001", "patients.W002"]


def test_it_is_named_that_a_key_is_read_back_from_memory(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keys_are_read_back() == []
    monkeypatch.setattr(durable, "CAN_FORGET", False)
    assert [warning.id for warning in keys_are_read_back()] == ["patients.W003"]
    settings.LACUNA_KEYS = "database"  # then no file of ours holds a key
    assert keys_are_read_back() == []
