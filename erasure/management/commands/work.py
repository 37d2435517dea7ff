"""`manage.py work`: the task engine's own worker, with the house's manners."""

import logging
from argparse import ArgumentParser

from django_tasks_db.management.commands import db_worker


class Command(db_worker.Command):
    help = "Work on runs as the task engine asks for it; silent unless something fails."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        # Its reloader defaults to DEBUG and leaves tasks half done; its start-up delay is for herds.
        parser.set_defaults(reload=False, startup_delay=False, interval=0.1)

    def configure_logging(self, verbosity: int) -> None:
        """Say what goes wrong, not each task that goes right."""
        for name in ("django.tasks", "django_tasks", "django_tasks_db"):
            logging.getLogger(name).setLevel(logging.ERROR if verbosity < 2 else logging.DEBUG)
