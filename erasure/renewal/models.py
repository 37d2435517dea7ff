"""The processes that may still have patients' data in memory, and the requests to replace them."""

from django.db import models
from django.utils import timezone


class ServerProcess(models.Model):
    """A web server, a worker or a supervisor. It adds its row before it reads any data of a case."""

    kind = models.CharField(max_length=20)  # as in its command line: "web", "work", "supervise", ...
    machine = models.CharField(max_length=120)
    pid = models.PositiveIntegerField()
    # When the kernel started it: tells it from a later process with the same number. "" if that is unknown.
    born = models.CharField(max_length=40, blank=True)
    # Whether certificates wait for its end: it has a parent that replaces it on request
    # (erasure/operations/process_tree.py), or it ends by itself.
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
    """The request of a finished run or destruction to replace every process begun before `asked_at`.

    Its keys are gone by then.
    """

    # Exactly one of the two.
    run = models.OneToOneField("erasure.Run", on_delete=models.PROTECT, null=True, related_name="renewal")
    destruction = models.OneToOneField(
        "erasure.Destruction", on_delete=models.PROTECT, null=True, related_name="renewal"
    )
    # The id of the newest process at that time. Ids have one order on all machines, unlike clocks.
    last_process = models.BigIntegerField()
    asked_at = models.DateTimeField()  # by the database's clock

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(run__isnull=True) ^ models.Q(destruction__isnull=True),
                name="renewal_of_one",
            )
        ]
