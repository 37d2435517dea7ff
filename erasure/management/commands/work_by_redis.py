"""`manage.py work_by_redis`: a worker that Redis wakes, as `work` is one that the database wakes."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Work on runs as Redis asks for it (LACUNA_REDIS); silent unless something fails."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.REDIS_URL:
            raise CommandError("LACUNA_REDIS is not set. Run: manage.py work")
        from erasure.task_queue.redis_worker import work  # without Redis there is no queue to import it for

        work()
