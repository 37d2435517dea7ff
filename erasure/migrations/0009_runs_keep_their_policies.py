"""Each run has the presence checks and the intervals of calls that it began with.

For those begun before this release that is what the environment said, as it applied to all of them; the interval of
presence checks is the procedure's own if it has one.
"""

import math
import os

from django.db import migrations, models
from django.db.models import OuterRef, Subquery

# The column of the run, the variable of earlier releases, its default, and that of the demonstration.
COLUMNS = (
    ("presence_minutes", "LACUNA_PRESENCE_MINUTES", 20.0, 0.0),
    ("presence_grace_seconds", "LACUNA_PRESENCE_GRACE_SECONDS", 90.0, 90.0),
    ("presence_strength", "LACUNA_PRESENCE_STRENGTH", 30.0, 30.0),
    ("call_again_seconds", "LACUNA_CALL_AGAIN_SECONDS", 60.0, 60.0),
    ("call_escalate_seconds", "LACUNA_CALL_ESCALATE_SECONDS", 180.0, 180.0),
)


def applied(variable, default, in_demonstration):
    try:
        said = float(os.environ.get(variable) or "nan")
    except ValueError:
        said = math.nan
    if math.isfinite(said):
        return said
    demonstration = os.environ.get("LACUNA_DEMO", "").strip().lower() in {"1", "yes", "true", "on"}
    return in_demonstration if demonstration else default


def write(apps, schema_editor):
    runs, procedures = (
        apps.get_model("erasure", "Run").objects,
        apps.get_model("erasure", "Procedure").objects,
    )
    runs.update(**{column: applied(*rest) for column, *rest in COLUMNS})
    own = procedures.filter(pk=OuterRef("procedure")).values("presence_minutes")
    with_own = runs.filter(procedure__presence_minutes__isnull=False)
    runs.filter(pk__in=with_own.values("pk")).update(presence_minutes=Subquery(own))


class Migration(migrations.Migration):
    dependencies = [
        ("erasure", "0008_stopped_nights_spend_their_consent"),
        ("patients", "0010_signatures_keep_their_cooling_off"),
    ]

    operations = [
        *(
            migrations.AddField("run", column, models.FloatField(default=default), preserve_default=False)
            for column, _variable, default, _demonstration in COLUMNS
        ),
        migrations.RunPython(write, migrations.RunPython.noop),
    ]
