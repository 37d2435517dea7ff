"""At most one storage consent of a case is in force. Its `map` is NULL, which no earlier constraint compared.

Of several in force the newest stays. Each older one is marked as superseded when the newest was signed, as
signing does it. Nothing is deleted.
"""

from django.db import migrations, models


def supersede_older(apps, schema_editor):
    signatures = apps.get_model("patients", "Signature").objects
    in_force = signatures.filter(map__isnull=True, withdrawn_at__isnull=True, superseded_at__isnull=True)
    newest = {}
    for signature in in_force.order_by("case_id", "-signed_at", "pk").iterator():
        kept = newest.setdefault(signature.case_id, signature)
        if kept.pk != signature.pk:
            signatures.filter(pk=signature.pk).update(superseded_at=kept.signed_at)


class Migration(migrations.Migration):
    dependencies = [("patients", "0005_held_keys")]

    operations = [
        migrations.RunPython(supersede_older, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="signature",
            constraint=models.UniqueConstraint(
                condition=models.Q(map__isnull=True, withdrawn_at__isnull=True, superseded_at__isnull=True),
                fields=("case",),
                name="one_storage_consent_in_force",
            ),
        ),
    ]
