"""`manage.py work_by_redis`: a worker that takes tasks from Redis; `work` takes them from the database."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from erasure.renewal.processes import add_process


class Command(BaseCommand):
    help = (
        "Execute tasks from Redis (LACUNA_REDIS), which work on runs. Prints nothing unless something fails."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.REDIS_URL:
            raise CommandError("LACUNA_REDIS is not set. Run: manage.py work")
        from erasure.task_queue.redis_worker import work  # imported only if Redis is configured

        add_process("work_by_redis")
        work()
