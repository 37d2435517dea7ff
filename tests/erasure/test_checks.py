"""System checks for the verifier's process and for the processes of a house."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from pytest_django import Settings

from clinic.checks import lacking
from erasure.checks import children_end_with_their_parent, verifier_is_confined
from erasure.operations import process_tree
from erasure.verification import confine, machine
from erasure.verification.machine import cores, swap


@pytest.fixture
def no_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confine, "landlock_version", lambda: 0)


def test_a_verifier_that_could_remove_a_file_is_named(no_landlock: None) -> None:
    (warning,) = verifier_is_confined()
    assert warning.id == "erasure.W001"
    assert "could rename or remove one" in warning.msg


def test_without_proc_a_verification_says_that_it_could_not_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "PROC", tmp_path)
    assert "erasure.W002" in [warning.id for warning in verifier_is_confined()]
    places = [look(SimpleNamespace()) for look in (cores, swap)]  # type: ignore[arg-type]
    assert [(place.result, place.why) for place in places] == [("not-checkable", "no-proc")] * 2


def test_it_is_named_where_children_outlive_a_killed_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert children_end_with_their_parent() == []
    monkeypatch.setattr(process_tree, "ENDS_WITH_PARENT", False)
    assert [warning.id for warning in children_end_with_their_parent()] == ["erasure.W003"]


def test_what_is_lacking_is_told_in_order_and_not_if_it_is_silenced(
    no_landlock: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_tree, "ENDS_WITH_PARENT", False)
    told = lacking()
    assert [sentence[:31] for sentence in told] == [
        "This system has no Landlock (Li",
        "This system does not end proces",
    ]
    settings.SILENCED_SYSTEM_CHECKS = [*settings.SILENCED_SYSTEM_CHECKS, "erasure.W001"]
    assert lacking() == told[1:]
