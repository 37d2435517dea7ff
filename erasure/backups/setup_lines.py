"""The lines of the set-up page on backups and drills."""

from collections.abc import Sequence

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.setup.checklist import Line, register_lines
from erasure.backups.models import BACKUP_STALE, DRILL_STALE, Backup, Drill


def backup_lines() -> Sequence[Line]:
    """Return whether there is a backup of the last week, and a drill of the last month that held."""
    backup = Backup.objects.filter(made_at__gt=timezone.now() - BACKUP_STALE).exists()
    drill = Drill.objects.filter(held_at__gt=timezone.now() - DRILL_STALE).first()
    url, label = reverse("erasure:backups"), _("Backups")
    return [
        Line(
            "backup",
            _("A backup in the last week"),
            _("On the server: manage.py backup DIR, best every night (docs/backups.md)."),
            backup,
            url=url,
            label=label,
        ),
        Line(
            "drill",
            _("A drill in the last month"),
            _(
                "It restores a backup as a trial and shows that what was erased stays closed. On the server: "
                "manage.py drill DIR"
            ),
            drill is not None and drill.result != Drill.Result.BROKEN,
            url=url,
            label=label,
        ),
    ]


register_lines("backups", backup_lines)
