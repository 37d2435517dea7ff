"""The settings of the demonstration's clinic: no waiting times, and a telephone number that nobody has.

They are stored as an administrator's changes are, not as other defaults. So the demonstration shows the same
pages, history and audit entries as any clinic, and its settings can be changed in the browser.
"""

from clinic.configuration.changes import change_settings
from clinic.configuration.configuration import ADDRESS, HOURS, TELEPHONE
from clinic.configuration.registry import Section, Value
from erasure.runs.configuration import PRESENCE_MINUTES
from patients.consent.configuration import COOLING_OFF_HOURS
from patients.maps.configuration import PACE_SECONDS

REASON = "This is the demonstration: one evening has to be enough."
CHOSEN: dict[Section, dict[str, Value]] = {
    Section.CLINIC: {
        TELEPHONE.key: "212-555-0142",
        ADDRESS.key: "Orchard Street, second floor\nNew York",
        HOURS.key: "Monday to Friday, 9 to 18 h\nNights by appointment",
    },
    Section.POLICIES: {COOLING_OFF_HOURS.key: 0, PRESENCE_MINUTES.key: 0, PACE_SECONDS.key: 6},
}


def change_settings_for_demonstration() -> None:
    """Write the settings of the demonstration, and confirm the defaults of the others in the sections."""
    for section, chosen in CHOSEN.items():
        change_settings(section, chosen, reason=REASON, by=None)
