"""Mails about doctor calls wait in the queue of all mail: a notice is not claimed any more."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("erasure", "0009_runs_keep_their_policies")]

    operations = [
        migrations.RemoveIndex("callnotice", "notice_unsent"),
        migrations.RemoveField("callnotice", "taken_until"),
    ]
