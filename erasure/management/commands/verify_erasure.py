from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import Error, transaction

from clinic.audit.canonical import Detail
from clinic.audit.record import Act, LogBroken, record
from clinic.failpoints import hit
from erasure.runs.models import Run
from erasure.verification.checks import BEYOND, NAMES, verify_run
from erasure.verification.confine import StillWrites, confine, confine_database
from erasure.verification.places import Findings
from erasure.verification.process import NotVerified, report, verify_apart
from erasure.verification.result_texts import told
from patients.vault.keys import KeyStoreDamaged


class Command(BaseCommand):
    help = (
        "Look through every place where something of a finished run could have survived. A process of its "
        "own does it, without the root key, which gives up writing before it begins; what it says is "
        "recorded."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=UUID, help="the run's id, as in the address of its session page")
        parser.add_argument(
            "--unrecorded",
            action="store_true",
            help="look in this very process and record nothing: for whoever may not write to the database",
        )
        parser.add_argument("--json", action="store_true", help="unrecorded, one line of JSON for programs")

    def handle(self, *args: Any, run: UUID, unrecorded: bool, json: bool, **options: Any) -> None:
        try:
            if json or unrecorded:
                database, confined = confine_database(), confine()
                hit("verifying")
                found = replace(self.look(run), confined=confined, database=database)
            else:
                found = self.recorded(run)
        except Run.DoesNotExist as error:
            raise CommandError("There is no run with this id.") from error
        except StillWrites as error:
            raise CommandError(f"Not verified: this process could still write: {error}.") from error
        except (KeyStoreDamaged, OSError, Error, NotVerified, LogBroken) as error:
            raise CommandError(f"Not verified: {error}") from error
        if json:
            self.stdout.write(report(found, run))
            return
        for place in found.places:
            name = NAMES.get(place.name, BEYOND.get(place.name, place.name))
            looked = f" ({place.looked_for})" if place.looked_for else ""
            self.stdout.write(f"{name}{looked}: {told(place.result, place.where or place.why)}")
        self.stdout.write(f"Held from writing by {found.confined}; the database is {found.database}.")
        if not found.clean:
            raise CommandError("Something is left.")

    def finished(self, run: UUID) -> Run:
        """Errors: Run.DoesNotExist; CommandError where it goes on still."""
        row = Run.objects.select_related("procedure").get(pk=run)
        if row.state != Run.State.FINISHED:
            raise CommandError("This run is not finished, so there is nothing to verify yet.")
        return row

    def look(self, run: UUID) -> Findings:
        """What is found after a run. Errors: as `verify_run` and `finished`."""
        return verify_run(self.finished(run))

    def recorded(self, run: UUID) -> Findings:
        """Have a confined process look, and record what it says: this one may write, and looks at nothing.

        A finding after the certificate is what an auditor must not miss, and looking until it pleases would
        leave no trace otherwise. Errors: as `finished`; NotVerified, which is recorded too.
        """
        row = self.finished(run)
        try:
            found = verify_apart(run)
        except NotVerified as failure:
            self.say(row, "run.unverified-by-hand", {"why": failure.why})
            raise
        self.say(row, "run.verified-by-hand", found.figures())
        return found

    @transaction.atomic
    def say(self, run: Run, action: str, details: Mapping[str, Detail]) -> None:
        case = run.procedure.case_id
        record(Act(action, f"run:{run.pk}", "system:operator", case=case, run=run.pk, details=details))
