"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role
from erasure.runs.relations import CALLED_ADMINISTRATOR, OFFERED_TECHNICIAN
from patients.cases.relations import BOOKED_TEAM, BOOKED_TECHNICIAN, OWN

DOCTOR = roles(Role.DOCTOR)
PARTICIPANTS = roles(*BOOKED_TEAM, OWN)
WATCHERS = roles(*PARTICIPANTS, Role.AUDITOR)

register(
    {
        "erasure:start": Row(BOOKED_TEAM, BOOKED_TEAM),
        "erasure:session": Row(WATCHERS, quiet=True),
        "erasure:state": Row(WATCHERS, quiet=True),
        "erasure:live": Row(WATCHERS, quiet=True),
        "erasure:map-css": Row(WATCHERS, quiet=True),
        "erasure:wall": Row(roles(*BOOKED_TEAM, Role.AUDITOR), quiet=True),
        "erasure:replay": Row(WATCHERS),
        "erasure:pause": Row((), PARTICIPANTS),
        "erasure:resume": Row((), BOOKED_TEAM),
        "erasure:protect": Row((), PARTICIPANTS),
        "erasure:call-doctor": Row((), PARTICIPANTS),
        "erasure:acknowledge": Row((), DOCTOR),
        "erasure:call": Row(roles(*BOOKED_TEAM, CALLED_ADMINISTRATOR)),
        "erasure:call-seen": Row((), roles(CALLED_ADMINISTRATOR)),
        "erasure:abort": Row((), BOOKED_TEAM),
        "erasure:abort-finish": Row((), BOOKED_TEAM),
        "erasure:decide": Row(DOCTOR, DOCTOR),
        "erasure:decide-damaged": Row((), DOCTOR),
        "erasure:look": Row((), DOCTOR),
        "erasure:safe-word": Row((), PARTICIPANTS),
        "erasure:lift-safe-word": Row(DOCTOR, DOCTOR),
        "erasure:presence": Row((), BOOKED_TEAM),
        "erasure:here": Row((), PARTICIPANTS),
        "erasure:handover": Row(roles(*BOOKED_TEAM, OFFERED_TECHNICIAN)),
        "erasure:handover-offer": Row((), BOOKED_TEAM),
        "erasure:handover-accept": Row((), roles(BOOKED_TECHNICIAN, OFFERED_TECHNICIAN)),
        "erasure:handover-decline": Row((), roles(*BOOKED_TEAM, OFFERED_TECHNICIAN)),
        "erasure:take-over": Row((), DOCTOR),
        "erasure:hand-back": Row((), DOCTOR),
    }
)
