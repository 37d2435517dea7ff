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
from erasure.destructions.models import Destruction
from erasure.runs.models import Run
from erasure.verification.checks import BEYOND, NAMES, verify
from erasure.verification.confine import StillWrites, confine, confine_database
from erasure.verification.places import Findings
from erasure.verification.process import NotVerified, report, verify_in_subprocess
from erasure.verification.result_texts import describe_result
from patients.vault.keys import KeyStoreDamaged


class Command(BaseCommand):
    help = (
        "Check every place where something that a finished run or destruction destroyed could have "
        "survived. A separate "
        "process does this. It has no root key and cannot write. Its result is recorded in the audit log."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "run", type=UUID, help="the id of the run or destruction, as in the address of its page"
        )
        parser.add_argument(
            "--unrecorded",
            action="store_true",
            help="check in this process and record nothing, for users who may not write to the database",
        )
        parser.add_argument(
            "--json", action="store_true", help="like --unrecorded, but print one line of JSON"
        )

    def handle(self, *args: Any, run: UUID, unrecorded: bool, json: bool, **options: Any) -> None:
        try:
            if json or unrecorded:
                database, confined = confine_database(), confine()
                hit("verifying")
                found = replace(self.check_run(run), confined=confined, database=database)
            else:
                found = self.verify_and_record(run)
        except Destruction.DoesNotExist as error:
            raise CommandError("There is no run or destruction with this id.") from error
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
            self.stdout.write(f"{name}{looked}: {describe_result(place.result, place.where or place.why)}")
        self.stdout.write(f"Kept from writing by {found.confined}; the database is {found.database}.")
        if not found.clean:
            raise CommandError("Something is left.")

    def finished_work(self, work_id: UUID) -> Run | Destruction:
        """Return the run or destruction. Errors: Destruction.DoesNotExist; CommandError if unfinished."""
        run = Run.objects.select_related("procedure").filter(pk=work_id).first()
        if run is not None and run.state != Run.State.FINISHED:
            raise CommandError("This run is not finished, so there is nothing to verify yet.")
        if run is not None:
            return run
        destruction = Destruction.objects.get(pk=work_id)
        if destruction.state != Destruction.State.FINISHED:
            raise CommandError("This destruction is not finished, so there is nothing to verify yet.")
        return destruction

    def check_run(self, run: UUID) -> Findings:
        """Verify a run or destruction in this process. Errors: as `verify` and `finished_work`."""
        return verify(self.finished_work(run))

    def verify_and_record(self, run: UUID) -> Findings:
        """Verify a run or destruction in a confined process and record the result in this one.

        Each verification is recorded: an auditor must see what is found after the certificate, and nobody may
        repeat a verification unnoticed until the result pleases.
        Errors: as `finished_work`; NotVerified, which is recorded too.
        """
        work = self.finished_work(run)
        try:
            found = verify_in_subprocess(run)
        except NotVerified as failure:
            self.record_result(work, f"{work.noun}.unverified-by-hand", {"why": failure.why})
            raise
        self.record_result(work, f"{work.noun}.verified-by-hand", found.figures())
        return found

    @transaction.atomic
    def record_result(self, work: Run | Destruction, action: str, details: Mapping[str, Detail]) -> None:
        subject = f"{work.noun}:{work.pk}"
        record(Act(action, subject, "system:operator", case=work.case_id, run=work.pk, details=details))
