"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from erasure.bedside.tokens import BED_PAGE
from patients.cases.relations import BOOKED_TEAM, OWN

AT_THE_BED = roles(OWN, BED_PAGE)

register(
    {
        "erasure:bed": Row(AT_THE_BED, quiet=True),
        "erasure:bed-now": Row(AT_THE_BED, quiet=True),
        "erasure:bed-live": Row(AT_THE_BED, quiet=True),
        "erasure:bed-safe-word": Row((), AT_THE_BED),
        "erasure:bed-pause": Row((), AT_THE_BED),
        "erasure:bed-call-doctor": Row((), AT_THE_BED),
        "erasure:bed-close": Row((), AT_THE_BED),
        "erasure:bed-open": Row((), roles(OWN)),
        "erasure:bed-word": Row((), roles(OWN)),
        "erasure:bed-end": Row((), BOOKED_TEAM),
    }
)
