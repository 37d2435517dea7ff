"""The record: what was done, by whom, to what. Rows are only ever added."""

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models

from clinic.audit.merkle import Frontier


class EntryQuerySet(models.QuerySet["Entry"]):
    def visible_to(self, user: AbstractBaseUser) -> "EntryQuerySet":
        """What `user` may read: nobody audits a case in which they are the patient."""
        own = get_user_model().objects.filter(pk=user.pk, cases__isnull=False)
        return self.exclude(case__in=own.values("cases"))


class Entry(models.Model):
    """One line of the log; leaf `index` of the Merkle tree.

    Carries opaque ids, sizes, the actor and a reason: never a name, a caption or a hash of content, because
    a line of this log outlives what it speaks of.
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


class TreeHead(models.Model):
    """The one row that says how long the log is; locked last in every transaction that writes to it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    size = models.BigIntegerField(default=0)
    # The roots of the perfect subtrees from left to right, hex: enough to append in O(log n).
    frontier = models.JSONField(default=list)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_tree_head")]

    def as_frontier(self) -> Frontier:
        """Return the tree as `merkle` knows it. Errors: ValueError where the row's fields contradict."""
        return Frontier(self.size, tuple(bytes.fromhex(peak) for peak in self.frontier))


class Checkpoint(models.Model):
    """A signed statement of size and root (C2SP signed note), also written outside the database."""

    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    note = models.TextField()
    reason = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        ordering = ["size", "id"]


class Delivery(models.Model):
    """A checkpoint that was handed to the mail for an address outside: what was sent is not sent again."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="deliveries")
    address = models.EmailField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["checkpoint", "address"], name="checkpoint_sent_once")]


class Subtree(models.Model):
    """The root of one full block of entries, kept so that a proof need not read all of a long log.

    Derived from the entries, made with each checkpoint; verify_log compares it with them, and no proof is
    handed out that doesn't lead to the checkpoint's root.
    """

    block = models.BigIntegerField(primary_key=True)  # of the entries [block * BLOCK, (block + 1) * BLOCK)
    root = models.BinaryField(max_length=32)

    class Meta:
        ordering = ["block"]
