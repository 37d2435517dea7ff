"""What the clinic decides about the files that patients bring."""

from django.utils.translation import gettext_lazy as _

from clinic.configuration.registry import NumberSetting, Section, register

# Object storage takes 5 GiB in one request, and the vault stores a file in one (patients/vault/s3.py).
LARGEST_GIGABYTES = 4.9

FILM_GIGABYTES = register(
    NumberSetting(
        key="film-gigabytes",
        section=Section.POLICIES,
        label=_("Largest film that patients may bring"),
        help_text=_("A telephone makes a gigabyte in about three minutes."),
        default=4,
        lowest=0.1,
        highest=LARGEST_GIGABYTES,
        unit="GB",
        formerly="LACUNA_VIDEO_MAX_BYTES",
    )
)
RECORDING_GIGABYTES = register(
    NumberSetting(
        key="recording-gigabytes",
        section=Section.POLICIES,
        label=_("Largest recording that patients may bring"),
        help_text=_("An hour of uncompressed sound has about 0.6 GB."),
        default=2,
        lowest=0.1,
        highest=LARGEST_GIGABYTES,
        unit="GB",
    )
)
