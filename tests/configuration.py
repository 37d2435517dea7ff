"""Changes the clinic's settings in tests, by rows that every process of the test reads."""

import math

from clinic.configuration import values
from clinic.configuration.models import SettingChange, SettingsVersion
from clinic.configuration.registry import setting_of

# The defaults in tests where they differ: a procedure may start right after the consent.
TEST_DEFAULTS = {"cooling-off-hours": 0}


class TestCache(values.Cache):
    """A cache that never asks the database, so that a page takes the same queries in a slow test."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__(check_seconds=math.inf)
        self.know({})

    def know(self, decided: dict[str, float | str]) -> None:
        self._loaded = values._Loaded(-1, TEST_DEFAULTS | decided, math.inf)


def configure(**chosen: float | str) -> None:
    """Change settings, by their keys with underscores: `configure(pace_seconds=0.5)`.

    It writes no audit entry and checks no bounds: some tests need intervals that no clinic could use.
    """
    version, _new = SettingsVersion.objects.get_or_create(pk=1)
    version.number += 1
    version.save()
    for name, value in chosen.items():
        setting = setting_of(name.replace("_", "-"))
        assert setting, name
        SettingChange.objects.create(
            key=setting.key, number=version.number, value=value, before=setting.default, reason="a test"
        )
    if isinstance(values.cache, TestCache):
        values.cache.know(dict(SettingChange.objects.in_force().values_list("key", "value")))


def configure_unless_done(**chosen: float | str) -> None:
    """Change those of the settings that the test has not changed itself."""
    changed = set(SettingChange.objects.values_list("key", flat=True))
    unchanged = {name: value for name, value in chosen.items() if name.replace("_", "-") not in changed}
    if unchanged:
        configure(**unchanged)
