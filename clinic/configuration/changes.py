"""Changes settings: the rows, the version by which every process notices, and the audit entries."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.configuration import values
from clinic.configuration.models import SettingChange, SettingsVersion
from clinic.configuration.registry import NumberSetting, Section, Setting, Value, settings_in


class SettingRefused(Exception):
    """Nothing was changed. The message is a sentence for the user."""


def lock_settings() -> SettingsVersion:
    """Lock the settings until the end of the transaction, and return their version."""
    SettingsVersion.objects.get_or_create(pk=1)
    return SettingsVersion.objects.select_for_update().get(pk=1)


def stored_values(section: Section) -> dict[str, Value]:
    """Return the values in force in a section, by key, from the database. To change them, lock them first."""
    decided = dict(SettingChange.objects.in_force().values_list("key", "value"))
    return {one.key: decided.get(one.key, one.default) for one in settings_in(section)}


def undecided(section: Section) -> list[str]:
    """Return the keys of a section on which nobody has decided: they were neither changed nor confirmed."""
    decided = set(SettingChange.objects.values_list("key", flat=True).distinct())
    return [one.key for one in settings_in(section) if one.key not in decided]


@transaction.atomic
def change_settings(section: Section, chosen: Mapping[str, Value], *, reason: str, by: User | None) -> int:
    """Change the settings of a section, and return how many have another value now.

    Settings that keep their value are confirmed (kept), if nobody had decided on them before. chosen: the new
    values by key; others keep theirs. by: None for the demonstration's loader. Errors: SettingRefused.
    """
    version = lock_settings()
    values_before, undecided_keys = stored_values(section), set(undecided(section))
    number = version.number + 1
    rows, acts = [], []
    for setting in settings_in(section):
        before = values_before[setting.key]
        value = _checked(setting, chosen.get(setting.key, before))
        kept = value == before
        if kept and setting.key not in undecided_keys:
            continue
        _check_allowed(setting, by)
        if not kept and not reason.strip():
            raise SettingRefused(_("Please say why."))
        rows.append(
            SettingChange(
                key=setting.key,
                number=number,
                value=value,
                before=before,
                kept=kept,
                by=by,
                at=timezone.now(),
                reason="" if kept else reason.strip(),
            )
        )
        acts.append(
            Act(
                "setting.kept" if kept else "setting.changed",
                f"settings:{section}",
                actor=actor_of(by, "operator"),
                reason="" if kept else reason.strip(),
                details=_details(setting, before, value),
            )
        )
    if rows:
        SettingChange.objects.bulk_create(rows)
        version.number = number
        version.save(update_fields=["number"])
        record(*acts)
        transaction.on_commit(values.forget)
    return sum(not row.kept for row in rows)


def _checked(setting: Setting[Any], value: Value) -> Value:
    try:
        checked: Value = setting.checked(value)
    except ValidationError as error:
        raise SettingRefused(f"{setting.label}: {' '.join(error.messages)}") from error
    return checked


def _check_allowed(setting: Setting[Any], by: User | None) -> None:
    if by is not None and not by.has_role(*setting.changed_by):
        raise SettingRefused(_("You may not change this."))


def _details(setting: Setting[Any], before: Value, value: Value) -> dict[str, str]:
    """Return the details for the audit log. Values of texts are left out, because they may name people."""
    details = {"setting": setting.key}
    if isinstance(setting, NumberSetting):
        details |= {"from": str(before), "to": str(value)}
    return details
