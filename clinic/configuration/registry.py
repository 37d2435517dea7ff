"""The registry of settings that a clinic changes in the browser: default, bounds, unit, who may change each.

Each package states its own settings in its configuration.py, because it knows what they govern.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django import forms
from django.core.validators import RegexValidator
from django.db import models
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import Role

Value = float | str
V = TypeVar("V", float, str)


class Section(models.TextChoices):
    """The sections of the settings. Each has a page of its own."""

    CLINIC = "clinic", _("The clinic")
    POLICIES = "policies", _("Policies")


@dataclass(frozen=True, kw_only=True)
class Setting(Generic[V]):
    """One thing that a clinic decides.

    key: its name in the database, in forms and in the audit log. default: in force until somebody decides.
    formerly: the environment variable of earlier releases. changed_by: the roles that may change it.
    """

    key: str
    section: Section
    label: str | Promise
    help_text: str | Promise = ""
    default: V
    formerly: str = ""
    changed_by: frozenset[str] = frozenset({Role.ADMINISTRATOR})

    @abstractmethod
    def field(self) -> forms.Field:
        """Return the form field, which checks the bounds."""

    @abstractmethod
    def to_stored(self, cleaned: Any) -> V:
        """Return the cleaned value of the form field as it is stored."""

    @abstractmethod
    def words(self, value: V) -> str:
        """Return a value as text with its unit; "" if it is empty."""

    def checked(self, value: Value) -> V:
        """Return a value as it is stored. Errors: ValidationError if it is out of bounds."""
        return self.to_stored(self.field().clean(value))


@dataclass(frozen=True, kw_only=True)
class NumberSetting(Setting[float]):
    """A number from `lowest` to `highest`. unit: its symbol. whole: whether it has no decimals."""

    lowest: float
    highest: float
    unit: str | Promise = ""
    whole: bool = False

    def field(self) -> forms.Field:
        bounds = {"help": self.help_text, "lowest": self.lowest, "highest": self.highest}
        label = f"{self.label} ({self.unit})" if self.unit else str(self.label)
        help_text = _("%(help)s From %(lowest)s to %(highest)s.") % bounds
        if self.whole:
            lowest, highest = int(self.lowest), int(self.highest)
            return forms.IntegerField(label=label, help_text=help_text, min_value=lowest, max_value=highest)
        return forms.FloatField(
            label=label, help_text=help_text, min_value=self.lowest, max_value=self.highest
        )

    def to_stored(self, cleaned: Any) -> float:
        return int(cleaned) if float(cleaned).is_integer() else float(cleaned)

    def words(self, value: float) -> str:
        return f"{number_format(value)} {self.unit}".strip()

    def __post_init__(self) -> None:
        if not self.lowest <= self.default <= self.highest or not math.isfinite(self.highest):
            raise ValueError(f"the default of {self.key} is out of its bounds")


@dataclass(frozen=True, kw_only=True)
class TextSetting(Setting[str]):
    """A text. rows: lines of its field. pattern: a regular expression for it. refusal: its error message."""

    max_length: int
    required: bool = False
    rows: int = 1
    pattern: str = ""
    refusal: str | Promise = ""

    def field(self) -> forms.Field:
        is_multiline = self.rows > 1
        return forms.CharField(
            label=str(self.label),
            help_text=str(self.help_text),
            max_length=self.max_length,
            required=self.required,
            widget=forms.Textarea(attrs={"rows": self.rows}) if is_multiline else forms.TextInput(),
            validators=[RegexValidator(self.pattern, str(self.refusal))] if self.pattern else [],
        )

    def to_stored(self, cleaned: Any) -> str:
        return str(cleaned).replace("\r\n", "\n").replace("\r", "\n").strip()

    def words(self, value: str) -> str:
        return value


_settings: dict[str, Setting[Any]] = {}
S = TypeVar("S", bound=Setting[Any])


def register(setting: S) -> S:
    """Add a setting and return it. Call it in a package's configuration.py (clinic/registration.py).

    Errors: ValueError if there is another one of this key.
    """
    if _settings.setdefault(setting.key, setting) != setting:
        raise ValueError(f"the setting {setting.key} is registered twice")
    return setting


def setting_of(key: str) -> Setting[Any] | None:
    """Return the setting with this key; None if no package has it any more."""
    return _settings.get(key)


def settings_in(section: Section | None = None) -> Sequence[Setting[Any]]:
    """Return the settings of a section (None: all), in the order in which their packages registered them."""
    return [one for one in _settings.values() if section is None or one.section == section]
