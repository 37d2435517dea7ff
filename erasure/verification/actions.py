"""What the log may say of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        # details: what each place gave, the process's bonds, as erasure/verification/places.py flattens them
        "run.verified": (_("Destruction verified"), "teal"),
        # details: why the verifier came to no end (a word), and the number of the attempt
        "run.unverified": (_("Verifier gave no answer"), "alarm"),
        # The same, by an operator after the certificate; a certificate speaks of the first alone.
        "run.verified-by-hand": (_("Destruction verified by hand"), "teal"),
        "run.unverified-by-hand": (_("Verifier started by hand gave no answer"), "alarm"),
    }
)
