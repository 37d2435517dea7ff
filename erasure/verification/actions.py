"""Audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        # details: the result of each place and how the process was confined, flattened by `Findings.figures`
        "run.verified": (_("Destruction verified"), "teal"),
        # details: why the verifier gave no result (one word), and the number of the attempt
        "run.unverified": (_("Verifier gave no answer"), "alarm"),
        # The same, started by an operator after the certificate was issued. A certificate states only the
        # verification that was recorded before it.
        "run.verified-by-hand": (_("Destruction verified by hand"), "teal"),
        "run.unverified-by-hand": (_("Verifier started by hand gave no answer"), "alarm"),
        # The same of a destruction outside a night.
        "destruction.verified": (_("Destruction verified"), "teal"),
        "destruction.unverified": (_("Verifier gave no answer"), "alarm"),
        "destruction.verified-by-hand": (_("Destruction verified by hand"), "teal"),
        "destruction.unverified-by-hand": (_("Verifier started by hand gave no answer"), "alarm"),
    }
)
