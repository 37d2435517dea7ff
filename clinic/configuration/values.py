"""Reads settings from a cache in the process, which compares its version with the database every two seconds.

So every web server, worker and supervisor sees a change within two seconds. The process that made it sees it
at once.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from clinic.configuration.models import SettingChange, SettingsVersion
from clinic.configuration.registry import Setting

CHECK_SECONDS = 2.0
V = TypeVar("V", float, str)


@dataclass(frozen=True)
class _Loaded:
    """The loaded settings. checked_at: when this was last the newest version, by the cache's clock."""

    version: int
    values: Mapping[str, Any]
    checked_at: float


class Cache:
    """The settings in force. A refresh takes one query if nothing changed, else two."""

    def __init__(
        self, check_seconds: float = CHECK_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.check_seconds, self.clock = check_seconds, clock
        self._loaded = _Loaded(-1, {}, -math.inf)

    def value(self, setting: Setting[V]) -> V:
        """Return the value in force of a setting, or its default if nobody has decided."""
        loaded = self._loaded
        if self.clock() - loaded.checked_at >= self.check_seconds:
            loaded = self._loaded = self._refreshed(loaded)
        value: V = loaded.values.get(setting.key, setting.default)
        return value

    def forget(self) -> None:
        """Load all settings again at the next call of `value`."""
        self._loaded = _Loaded(-1, {}, -math.inf)

    def _refreshed(self, loaded: _Loaded) -> _Loaded:
        now = self.clock()
        # The version is read before the values. If these are newer, the next check loads them again.
        version = SettingsVersion.objects.values_list("number", flat=True).first() or 0
        if version == loaded.version:
            return _Loaded(version, loaded.values, now)
        return _Loaded(version, dict(SettingChange.objects.in_force().values_list("key", "value")), now)


cache = Cache()


def forget() -> None:
    """Empty the cache of this process."""
    cache.forget()


def value_of(setting: Setting[V]) -> V:
    """Return the value in force. For what is signed, booked or started already, read the value in its row."""
    return cache.value(setting)
