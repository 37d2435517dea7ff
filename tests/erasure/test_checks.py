"""System checks for the verifier's process and for the processes of an installation."""

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


def test_a_verifier_that_could_remove_a_file_gives_a_warning(no_landlock: None) -> None:
    (warning,) = verifier_is_confined()
    assert warning.id == "erasure.W001"
    assert "could rename or remove one" in warning.msg


def test_without_proc_the_verifier_says_that_it_could_not_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "PROC", tmp_path)
    assert "erasure.W002" in [warning.id for warning in verifier_is_confined()]
    places = [look(SimpleNamespace()) for look in (cores, swap)]  # type: ignore[arg-type]
    assert [(place.result, place.why) for place in places] == [("not-checkable", "no-proc")] * 2


def test_children_that_outlive_a_killed_parent_give_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert children_end_with_their_parent() == []
    monkeypatch.setattr(process_tree, "ENDS_WITH_PARENT", False)
    assert [warning.id for warning in children_end_with_their_parent()] == ["erasure.W003"]


def test_lacking_lists_warnings_in_order_without_silenced_ones(
    no_landlock: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_tree, "ENDS_WITH_PARENT", False)
    sentences = lacking()
    assert [sentence[:31] for sentence in sentences] == [
        "This system has no Landlock (Li",
        "This system does not end proces",
    ]
    settings.SILENCED_SYSTEM_CHECKS = [*settings.SILENCED_SYSTEM_CHECKS, "erasure.W001"]
    assert lacking() == sentences[1:]
