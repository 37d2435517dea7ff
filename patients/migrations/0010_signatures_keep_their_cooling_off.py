"""Each signature has the cooling-off period under which it was signed.

For those signed before this release that is what the environment said, as it applied to all of them.
"""

import math
import os

from django.core.validators import MinValueValidator
from django.db import migrations, models

VARIABLE, DEFAULT, IN_DEMONSTRATION = "LACUNA_COOLING_OFF_HOURS", 72.0, 0.0


def hours():
    try:
        said = float(os.environ.get(VARIABLE) or "nan")
    except ValueError:
        said = math.nan
    if math.isfinite(said) and said >= 0:
        return said
    demonstration = os.environ.get("LACUNA_DEMO", "").strip().lower() in {"1", "yes", "true", "on"}
    return IN_DEMONSTRATION if demonstration else DEFAULT


def write(apps, schema_editor):
    signatures = apps.get_model("patients", "Signature").objects
    signatures.filter(text__kind="procedure").update(cooling_off_hours=hours())


class Migration(migrations.Migration):
    dependencies = [("patients", "0009_drafts")]

    operations = [
        migrations.AddField(
            "signature",
            "cooling_off_hours",
            models.FloatField(default=0, validators=[MinValueValidator(0)]),
        ),
        migrations.RunPython(write, migrations.RunPython.noop),
    ]
