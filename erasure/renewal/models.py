"""The processes that may remember what they showed, and which of them a finished run wants renewed."""

from django.db import models
from django.utils import timezone


class ServerProcess(models.Model):
    """A web server, a worker or a supervisor. It has a row before it reads anything of a case."""

    kind = models.CharField(max_length=20)  # as in its command line: "web", "work", "supervise", ...
    machine = models.CharField(max_length=120)
    pid = models.PositiveIntegerField()
    # When the kernel started it, so that a number that is used again is not mistaken. "" where it is unknown.
    born = models.CharField(max_length=40, blank=True)
    # Whether a parent replaces it when it is asked to (erasure/operations/process_tree.py).
    renewable = models.BooleanField()
    since = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)  # when its machine last found it alive
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["machine", "pid", "born"], name="one_row_for_each_process"),
        ]
        indexes = [models.Index(fields=["ended_at"], name="processes_that_live")]

    def __str__(self) -> str:
        return f"{self.kind}-{self.pid}-{self.machine}"


class Renewal(models.Model):
    """A finished run whose keys are gone wants every process renewed that began before `asked_at`."""

    run = models.OneToOneField("erasure.Run", on_delete=models.PROTECT, related_name="renewal")
    # The newest process that had begun by then: the order of rows, unlike clocks, is one for all machines.
    last_process = models.BigIntegerField()
    asked_at = models.DateTimeField()  # by the database's clock
