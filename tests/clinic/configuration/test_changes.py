"""Changing settings: who, when, from, to and why; the bounds; what the database refuses."""

import pytest
from django.db import IntegrityError, transaction

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.configuration.changes import SettingRefused, change_settings, stored_values, undecided
from clinic.configuration.configuration import ADDRESS, NAME, TELEPHONE
from clinic.configuration.models import SettingChange, SettingsVersion
from clinic.configuration.registry import NumberSetting, Section, settings_in
from patients.consent.configuration import COOLING_OFF_HOURS
from patients.maps.configuration import PACE_SECONDS
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_a_change_is_a_row_and_an_audit_entry() -> None:
    by = make_user(Role.ADMINISTRATOR)
    assert change_settings(Section.POLICIES, {COOLING_OFF_HOURS.key: 96.0}, reason=" longer ", by=by) == 1
    make_change = SettingChange.objects.get(key=COOLING_OFF_HOURS.key)
    assert (make_change.before, make_change.value, make_change.by, make_change.reason, make_change.kept) == (
        72,
        96,
        by,
        "longer",
        False,
    )
    entry = Entry.objects.get(action="setting.changed")
    assert (entry.subject, entry.actor, entry.reason) == ("settings:policies", f"user:{by.pk}", "longer")
    assert entry.details == {"setting": "cooling-off-hours", "from": "72", "to": "96"}


def test_undecided_settings_are_recorded_once_as_kept() -> None:
    by = make_user(Role.ADMINISTRATOR)
    assert undecided(Section.POLICIES) == [one.key for one in settings_in(Section.POLICIES)]
    assert change_settings(Section.POLICIES, {}, reason="", by=by) == 0
    assert undecided(Section.POLICIES) == []
    kept, policies = SettingChange.objects.filter(kept=True), len(settings_in(Section.POLICIES))
    assert kept.count() == policies > 5
    assert all(make_change.before == make_change.value for make_change in kept)
    assert Entry.objects.filter(action="setting.kept").count() == policies
    assert change_settings(Section.POLICIES, {}, reason="", by=by) == 0
    assert SettingChange.objects.count() == policies
    assert SettingsVersion.objects.get().number == 1


def test_the_log_has_no_text_that_may_name_somebody() -> None:
    by = make_user(Role.ADMINISTRATOR)
    change_settings(Section.CLINIC, {ADDRESS.key: "c/o Howard\nNew York"}, reason="we moved", by=by)
    assert Entry.objects.get(action="setting.changed").details == {"setting": "clinic-address"}


def test_a_text_is_stored_with_the_same_line_ends_from_every_browser() -> None:
    by = make_user(Role.ADMINISTRATOR)
    change_settings(Section.CLINIC, {ADDRESS.key: "one\r\ntwo"}, reason="we moved", by=by)
    assert change_settings(Section.CLINIC, {ADDRESS.key: "one\ntwo"}, reason="again", by=by) == 0
    assert stored_values(Section.CLINIC)[ADDRESS.key] == "one\ntwo"


def test_a_change_needs_a_reason() -> None:
    by = make_user(Role.ADMINISTRATOR)
    with pytest.raises(SettingRefused, match="Please say why"):
        change_settings(Section.CLINIC, {NAME.key: "Lacuna North"}, reason="  ", by=by)
    assert not SettingChange.objects.exists()


@pytest.mark.parametrize("role", [Role.DOCTOR, Role.RECEPTIONIST, Role.AUDITOR])
def test_only_an_administrator_changes_a_setting(role: str) -> None:
    with pytest.raises(SettingRefused, match="You may not change this"):
        change_settings(Section.CLINIC, {NAME.key: "Lacuna North"}, reason="mine", by=make_user(role))
    assert not SettingChange.objects.exists()


@pytest.mark.parametrize(
    "setting", [one for one in settings_in() if isinstance(one, NumberSetting)], ids=lambda one: one.key
)
def test_a_number_has_to_be_in_its_bounds(setting: NumberSetting) -> None:
    by, section = make_user(Role.ADMINISTRATOR), setting.section
    for value in (setting.lowest - 1, setting.highest + 1, float("nan"), float("inf")):
        with pytest.raises(SettingRefused):
            change_settings(section, {setting.key: value}, reason="out of bounds", by=by)
    for value in (setting.lowest, setting.highest):
        change_settings(section, {setting.key: value}, reason="as far as it goes", by=by)
        assert stored_values(section)[setting.key] == value


@pytest.mark.parametrize("telephone", ["call Mary", "+", "0" * 41, "212\n555", "javascript:alert(1)"])
def test_an_invalid_telephone_number_is_refused(telephone: str) -> None:
    with pytest.raises(SettingRefused, match=r"^Telephone: "):
        change_settings(
            Section.CLINIC, {TELEPHONE.key: telephone}, reason="x", by=make_user(Role.ADMINISTRATOR)
        )


def test_a_default_out_of_its_bounds_cannot_be_registered() -> None:
    with pytest.raises(ValueError, match="out of its bounds"):
        NumberSetting(key="x", section=Section.POLICIES, label="x", default=11, lowest=0, highest=10)


def make_change(**more: object) -> SettingChange:
    return SettingChange(
        **{"key": "pace-seconds", "number": 1, "value": 1, "before": 2, "reason": "x", **more}
    )


@pytest.mark.parametrize(
    ("other", "constraint"),
    [({}, "setting_changed_once_in_version"), ({"number": 2, "reason": ""}, "setting_change_has_reason")],
)
def test_the_database_refuses_two_changes_of_one_version_and_a_change_without_a_reason(
    other: dict[str, object], constraint: str
) -> None:
    make_change().save()
    with pytest.raises(IntegrityError, match=f"{constraint}|clinic_settingchange.key"), transaction.atomic():
        make_change(**other).save()
    assert SettingChange.objects.count() == 1


def test_the_database_has_one_version_only() -> None:
    SettingsVersion.objects.create(pk=1)
    with pytest.raises(IntegrityError, match="one_settings_version"), transaction.atomic():
        SettingsVersion.objects.create(pk=2)
    assert SettingsVersion.objects.count() == 1


def test_the_change_with_the_highest_number_applies_whatever_its_time() -> None:
    make_change(number=1, value=5, key=PACE_SECONDS.key).save()
    make_change(number=2, value=6, key=PACE_SECONDS.key, at="2001-01-01T00:00:00Z").save()
    assert stored_values(Section.POLICIES)[PACE_SECONDS.key] == 6
