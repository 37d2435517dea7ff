from argparse import ArgumentParser
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from clinic.points import reached
from erasure.runs.models import Run
from erasure.verification.checks import BEYOND, NAMES, verify_run
from erasure.verification.confine import StillWrites, confine, confine_database
from erasure.verification.places import Findings
from erasure.verification.process import report
from erasure.verification.words import told
from patients.vault.keys import KeyStoreDamaged


class Command(BaseCommand):
    help = (
        "Look through every place where something of a finished run could have survived. "
        "Works without the root key and gives up writing before it begins."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=UUID, help="the run's id, as in the address of its session page")
        parser.add_argument("--json", action="store_true", help="one line of JSON, as the runner reads it")

    def handle(self, *args: Any, run: UUID, json: bool, **options: Any) -> None:
        try:
            database, confined = confine_database(), confine()
            reached("verifying")
            found = replace(self.look(run), confined=confined, database=database)
        except Run.DoesNotExist as error:
            raise CommandError("There is no run with this id.") from error
        except StillWrites as error:
            raise CommandError(f"Not verified: this process could still write: {error}.") from error
        except (KeyStoreDamaged, OSError, Error) as error:
            raise CommandError(f"Not verified: {error}") from error
        if json:
            self.stdout.write(report(found, run))
            return
        for place in found.places:
            name = NAMES.get(place.name, BEYOND.get(place.name, place.name))
            looked = f" ({place.looked_for})" if place.looked_for else ""
            self.stdout.write(f"{name}{looked}: {told(place.result, place.where or place.why)}")
        self.stdout.write(f"Held from writing by {confined}; the database is {database}.")
        if not found.clean:
            raise CommandError("Something is left.")

    def look(self, run: UUID) -> Findings:
        """What is found after a run. Errors: as `verify_run`; CommandError where it goes on still."""
        row = Run.objects.select_related("procedure").get(pk=run)
        if row.state != Run.State.FINISHED:
            raise CommandError("This run is not finished, so there is nothing to verify yet.")
        return verify_run(row)
