"""Trials of the mail server; and whoever is doctor or technician already can be booked."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

KINDS = ("doctor", "technician")


def make_people_bookable(apps, schema_editor):
    """Give each open account with the role a resource. Of two namesakes the second gets a number."""
    User, Resource = apps.get_model("clinic", "User"), apps.get_model("clinic", "Resource")
    for kind in KINDS:
        taken = set(Resource.objects.filter(kind=kind).values_list("label", flat=True))
        people = User.objects.filter(is_active=True, grants__role=kind).exclude(resources__kind=kind)
        for person in people.order_by("joined_at", "pk"):
            label, number = person.name[:80], 1
            while label in taken:
                number += 1
                label = f"{person.name[:74]} ({number})"
            taken.add(label)
            Resource.objects.create(kind=kind, label=label, user=person)


class Migration(migrations.Migration):
    dependencies = [("clinic", "0007_names_in_one_form")]

    operations = [
        migrations.CreateModel(
            name="MailTrial",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("server", models.CharField(max_length=300)),
                ("sent", models.BooleanField()),
                ("refusal", models.CharField(blank=True, max_length=300)),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["-pk"]},
        ),
        migrations.RunPython(make_people_bookable, migrations.RunPython.noop),
    ]
