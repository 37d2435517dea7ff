"""The audit log: what was done, by whom, to what. Entries are never changed or deleted (triggers.py)."""

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models

from clinic.audit.merkle import Frontier


class EntryQuerySet(models.QuerySet["Entry"]):
    def visible_to(self, user: AbstractBaseUser) -> "EntryQuerySet":
        """Return the entries that `user` may read: all but those of cases in which they are the patient."""
        own = get_user_model().objects.filter(pk=user.pk, cases__isnull=False)
        return self.exclude(case__in=own.values("cases"))


class Entry(models.Model):
    """One line of the log; leaf `index` of the Merkle tree.

    Has opaque ids, sizes, the actor and a reason. Never a name, a caption or a hash of content: an entry
    stays when the thing it describes has been erased.
    """

    index = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    action = models.CharField(max_length=60, db_index=True)
    # "user:<uuid>", "system:worker", "system:supervisor", "visitor"
    actor = models.CharField(max_length=60, db_index=True)
    # "<noun>:<id>", for example "step:6f0c..." or "url:patients:case"
    subject = models.CharField(max_length=120, db_index=True)
    case = models.UUIDField(null=True, db_index=True)
    run = models.UUIDField(null=True, db_index=True)
    details = models.JSONField(default=dict)
    reason = models.CharField(max_length=500, blank=True)
    address = models.CharField(max_length=45, blank=True)
    leaf = models.BinaryField(max_length=32)

    objects = EntryQuerySet.as_manager()

    class Meta:
        ordering = ["index"]
        # In the order of the page that shows the log (clinic/oversight).
        indexes = [
            models.Index(fields=["action", "-index"], name="entries_of_action"),
            models.Index(fields=["actor", "-index"], name="entries_of_actor"),
        ]


class TreeHead(models.Model):
    """The only row of its table: size and frontier of the log. A transaction that records locks it last."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    size = models.BigIntegerField(default=0)
    # The roots of the perfect subtrees from left to right, hex: enough to append in O(log n).
    frontier = models.JSONField(default=list)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_tree_head")]

    def as_frontier(self) -> Frontier:
        """Return the tree as a `Frontier`. Errors: ValueError if size and frontier contradict each other."""
        return Frontier(self.size, tuple(bytes.fromhex(peak) for peak in self.frontier))


class Checkpoint(models.Model):
    """A signed statement of the log's size and root (C2SP signed note). Also a file in LACUNA_WITNESS_DIR."""

    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    note = models.TextField()
    reason = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        ordering = ["size", "id"]


class Delivery(models.Model):
    """Records that a checkpoint was mailed to an outside address, so that it is not mailed there again."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="deliveries")
    address = models.EmailField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["checkpoint", "address"], name="checkpoint_sent_once")]


class Subtree(models.Model):
    """The root of one full block of entries: a cache, so that a proof need not read all of a long log.

    Computed from the entries with each daily checkpoint, export and certificate. verify_log compares it with
    the entries, and every proof is checked against the checkpoint's root before it is given out.
    """

    block = models.BigIntegerField(primary_key=True)  # of the entries [block * BLOCK, (block + 1) * BLOCK)
    root = models.BinaryField(max_length=32)

    class Meta:
        ordering = ["block"]
