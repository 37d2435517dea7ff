"""What stands above all else on the patient's own page. Higher rooms register what they have to say."""

from collections.abc import Callable
from dataclasses import dataclass

from clinic.accounts.models import User


@dataclass(frozen=True)
class Notice:
    """One thing that waits for the patient: what it is, and where (`url`) they answer (`label`)."""

    text: str
    url: str
    label: str


Speaker = Callable[[User], Notice | None]
_speakers: dict[str, Speaker] = {}


def register_notice(name: str, speaker: Speaker) -> None:
    """Let a higher room speak to a patient. Call it from AppConfig.ready; the same name replaces."""
    _speakers[name] = speaker


def notices_for(patient: User) -> list[Notice]:
    """All that waits for this patient, in the order in which the rooms registered."""
    return [notice for speaker in _speakers.values() if (notice := speaker(patient)) is not None]
