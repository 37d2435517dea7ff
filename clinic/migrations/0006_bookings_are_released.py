"""A booking whose purpose is over before its end is released: its hours stay, its people and things are free."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("clinic", "0005_cache_table_beside_redis")]

    operations = [
        migrations.AddField("booking", "released_at", models.DateTimeField(blank=True, null=True)),
    ]
