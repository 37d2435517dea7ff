"""System check for environment variables that became settings in the browser."""

import os
from typing import Any

from django.core.checks import CheckMessage, Warning, register

from clinic.checks import ENVIRONMENT
from clinic.configuration.registry import settings_in


@register(ENVIRONMENT)
def no_setting_in_the_environment(**kwargs: Any) -> list[CheckMessage]:
    """Warn about each variable of an earlier release that is still set: it has no effect."""
    return [
        Warning(
            f"{setting.formerly} is set, but nothing reads it any more: this is decided in the browser now, "
            "on the page Settings. Look there whether it is as you want it, and take the variable away.",
            id="clinic.W002",
        )
        for setting in settings_in()
        if setting.formerly and setting.formerly in os.environ
    ]
