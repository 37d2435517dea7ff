"""A case: one patient's wish to forget one subject."""

import itertools
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import BooleanField, Exists, ExpressionWrapper, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.access.policy import TABLE, Rule
from clinic.access.relations import CONFLICT
from clinic.accounts.models import STAFF_ROLES, Role, User
from clinic.http.keyset import Count, Start, take
from patients.cases.references import (
    MOST_RANDOM_DIGITS,
    RANDOM_DIGITS,
    new_reference,
    read_reference,
)
from patients.cases.subjects import comparable
from patients.vault.sealed import SealedModel, read_many


@dataclass(frozen=True)
class CaseFields:
    """The fields encrypted with the case's key. They are lost when that key is destroyed."""

    subject_name: str = ""
    subject_relation: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    # Named periods of time: {"name", "color" (green|red|orange|blue|none), "from", "to" (ISO days)}
    chapters: list[dict[str, str]] = field(default_factory=list)
    notes: list[dict[str, str]] = field(default_factory=list)


TRIES_EACH_LENGTH = 8  # after so many file numbers in a row that a case has already, a longer one is tried


def relation_conditions(user: User) -> dict[str, Q]:
    """Return the relations that `user` can have to a case by name, each as a condition on given cases.

    This is the only definition of the relations. Lists, pages and streams use it through `visible_to` and
    `standings`. New kinds of assignment belong here. "consented" is a relation of every user, until the
    patient takes the consent back. Procedure, Run and Certificate (app erasure) and MessageThread
    (patients/messages) must not be imported here. So they are reached through reverse relations.
    """
    mapping = Q(stage__in=MAPPING_STAGES)
    consented = ~Q(stage=Case.Stage.WITHDRAWN)
    # Subqueries for each case: a case has few nights, but a person may have had thousands.
    assigned = Q(Exists(assigned_cases(user).filter(pk=OuterRef("pk"))))
    thread_assigned = Q(Exists(Case.objects.filter(message_thread__assigned_to=user, pk=OuterRef("pk"))))
    return {
        "own": Q(patient=user),
        "mapping": mapping,
        "consented": consented,
        "assigned": assigned,
        # May write with the patient: by the work on the case, or because the thread was assigned to the user.
        "entrusted": consented & (mapping | assigned | (thread_assigned & ~Q(stage__in=OVER_STAGES))),
    }


def assigned_cases(user: User) -> "CaseQuerySet":
    """Return the cases of nights for which `user` is booked, until the night has its certificate."""
    return Case.objects.filter(
        procedures__booking__resources__user=user,
        procedures__booking__canceled_at__isnull=True,
        procedures__run__certificate__isnull=True,
    )


def assigned_people(case: "Case") -> models.QuerySet[User]:
    """Return those who have this case among their `assigned_cases`."""
    nights = Case.objects.filter(
        pk=case.pk, procedures__booking__canceled_at__isnull=True, procedures__run__certificate__isnull=True
    )
    return User.objects.filter(pk__in=nights.values("procedures__booking__resources__user"))


def _rules(user: User, page: str, roles: Collection[str]) -> list[Rule]:
    """Return the rules by which `user` may open `page` as one of `roles`; none without an open account."""
    rules = [rule for rule in TABLE[page].read if isinstance(rule, Rule)]
    return [rule for rule in rules if user.is_active and rule.role in user.roles & set(roles)]


def _let_in(user: User, page: str, roles: Collection[str]) -> tuple[Q, Q]:
    """Return which cases the rules of `page` let `user` in to, as the patient and as staff, as conditions.

    Conflicts are not part of it: they do not close a case to its patient, and are compared in memory.
    """
    conditions = relation_conditions(user)
    nobody = Q(pk__in=[])
    as_patient, as_staff = nobody, nobody
    for rule in _rules(user, page, roles):
        related = [conditions.get(relation, nobody) for relation in rule.relations]
        matches = reduce(or_, related, nobody) if rule.relations else ~nobody
        if rule.role == Role.PATIENT:
            as_patient |= matches
        else:
            as_staff |= matches
    return as_patient, as_staff


class CaseQuerySet(models.QuerySet["Case"]):
    def visible_to(
        self, user: User, page: str = "patients:case", roles: Collection[str] = Role.values
    ) -> "CaseQuerySet":
        """Return the cases whose `page` `user` may open: the same rule as `policy.allowed`, as a query.

        page: the name of a URL with a case as its argument. roles: only these roles of the user count.
        It decrypts the subject's name of each case that the roles let in; a long list uses `newest_visible`.
        """
        as_patient, as_staff = _let_in(user, page, roles)
        hidden = self.filter(as_staff).conflicting(user)
        return self.filter(as_patient | (as_staff & ~Q(pk__in=hidden)))

    def before_conflicts(self, user: User, pages: Collection[str], roles: Collection[str]) -> "CaseQuerySet":
        """Return the cases of which the roles of `user` open one of `pages`, including cases with a conflict.

        A list that reads in pages uses it, and asks `conflicting` of the few rows of each. roles: without the
        role of patient, only these count.
        """
        return self.filter(reduce(or_, (_let_in(user, page, roles)[1] for page in pages)))

    def newest_visible(
        self,
        user: User,
        *,
        start: Start | None = None,
        most: int,
        stages: Collection[str] = (),
        roles: Collection[str] = Role.values,
        oldest_first: bool = False,
    ) -> "list[Case]":
        """Return the first `most` of these cases whose page `user` may open as staff, newest first.

        They are those of `visible_to`, but the database reads them by an index and stops, and only the names
        of the subjects of these few are decrypted. start: where to begin, and in which direction. stages:
        only these; all if empty. roles: only these roles of the user count. oldest_first: in the other order.
        """
        parts = self._parts(user, stages, roles)
        found: list[Case] = []
        while parts and len(found) < most:
            wanted = most - len(found)
            rows = take(parts, "opened_at", start, wanted, newest_first=not oldest_first)
            hidden = Case.objects.filter(pk__in=[row.pk for row in rows]).conflicting(user) if rows else set()
            found += [row for row in rows if row.pk not in hidden]
            if len(rows) < wanted:
                break
            start = Start(rows[-1].opened_at, rows[-1].pk, bool(start and start.backwards))
        return found

    def count_visible(
        self, user: User, *, most: int, stages: Collection[str] = (), roles: Collection[str] = Role.values
    ) -> Count:
        """Return how many of these cases `newest_visible` would return in all, counted up to `most`."""
        rows = self.select_related(None).only("pk", "opened_at")
        n = len(rows.newest_visible(user, most=most + 1, stages=stages, roles=roles))
        return Count(min(n, most), n > most)

    def _parts(self, user: User, stages: Collection[str], roles: Collection[str]) -> "list[CaseQuerySet]":
        """Return the cases that the roles of `user` let in, as querysets that an index can each sort."""
        rules = [rule for rule in _rules(user, "patients:case", roles) if rule.role != Role.PATIENT]
        if any(not rule.relations for rule in rules):
            return [self.filter(stage=stage) for stage in stages] if stages else [self]
        relations = {relation for rule in rules for relation in rule.relations}
        parts: list[CaseQuerySet] = []
        if "mapping" in relations:
            parts += [self.filter(stage=stage) for stage in MAPPING_STAGES if not stages or stage in stages]
        for name in sorted(relations - {"mapping"}):
            # The ids first: they are few, and one query for both might walk all cases in their order.
            related = (
                assigned_cases(user) if name == "assigned" else self.filter(relation_conditions(user)[name])
            )
            few = set(related.order_by().values_list("pk", flat=True))
            rows = self.filter(pk__in=few)
            parts.append(rows.filter(stage__in=stages) if stages else rows)
        return parts

    def conflicting(self, user: User) -> set[uuid.UUID]:
        """Return the ids of these cases in which `user` is the patient, or a member of staff and the subject.

        It decrypts the subject's name of each case whose key still exists, in 50 microseconds each. A stored
        hash of the name would be quicker to compare, but would stay in old backups after the erasure.
        """
        own = set(self.filter(patient=user).values_list("pk", flat=True))
        name = comparable(user.name)
        if not name or not user.is_staff_member:
            return own
        readable = self.exclude(sealed=b"").exclude(stored__pk=F("pk"), stored__state="destroyed")
        fields = read_many(readable.only("pk", "sealed"))
        return own | {pk for pk, sealed in fields.items() if comparable(sealed.subject_name) == name}

    def standings(self, user: User) -> dict[uuid.UUID, frozenset[str]]:
        """Return the relations of `user` to each of these cases, by case id.

        The patient has only "own" and CONFLICT. A member of staff who is the subject has only CONFLICT. So
        neither may work on the case as staff.
        """
        conditions = relation_conditions(user)
        hidden = self.conflicting(user)
        found = self.annotate(
            **{
                f"is_{relation}": ExpressionWrapper(condition, output_field=BooleanField())
                for relation, condition in conditions.items()
            }
        )
        standings = {}
        for pk, *answers in found.values_list("pk", *(f"is_{relation}" for relation in conditions)):
            held = {relation for relation, holds in zip(conditions, answers, strict=True) if holds}
            if pk in hidden:
                held = (held & {"own"}) | {CONFLICT}
            standings[pk] = frozenset(held)
        return standings

    def numbered(self, text: str) -> "CaseQuerySet":
        """Return the case with the file number `text`, in any spelling that people type; at most one."""
        return self.filter(reference=read_reference(text) or text.strip())

    def free_reference(self, random_digits: int = RANDOM_DIGITS) -> str:
        """Return a new file number that no case has now, with at least `random_digits` random digits.

        After each `TRIES_EACH_LENGTH` numbers that were taken, two digits are added. So it always finds one.
        """
        year = timezone.localdate().year
        for attempt in itertools.count():
            more = 2 * (attempt // TRIES_EACH_LENGTH)
            reference = new_reference(year, min(random_digits + more, MOST_RANDOM_DIGITS))
            if not self.filter(reference=reference).exists():
                break
        return reference

    def current(self) -> "CaseQuerySet":
        """Return the cases that are neither closed nor withdrawn."""
        return self.exclude(stage__in=OVER_STAGES)


class Case(SealedModel):
    """One patient's wish to forget one subject. Consent, map and procedure have models of their own."""

    class Stage(models.TextChoices):
        INTAKE = "intake", _("intake")
        BRINGING = "bringing", _("bringing keepsakes")
        REVIEW = "review", _("in review")
        MAPPED = "mapped", _("map locked")
        CONSENTED = "consented", _("consent given")
        BOOKED = "booked", _("night booked")
        RUNNING = "running", _("being erased")
        CLOSED = "closed", _("closed")
        WITHDRAWN = "withdrawn", _("withdrawn")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Set by save(): with a default, a migration would have to import the function.
    reference = models.CharField(max_length=24, unique=True)
    patient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="cases")
    stage = models.CharField(max_length=12, choices=Stage.choices, default=Stage.INTAKE)
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    sealed_fields = CaseFields
    objects = CaseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient"],
                condition=~models.Q(stage__in=["closed", "withdrawn"]),
                name="one_current_case_each",
            )
        ]
        indexes = [
            models.Index(fields=["-opened_at", "id"], name="case_opened"),
            models.Index(fields=["stage", "-opened_at", "id"], name="case_stage_opened"),
            models.Index(fields=["stage", "closed_at"], name="closed_cases_by_time"),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the case; give a new one its reference. Errors: IntegrityError if the reference is taken."""
        if self._state.adding and not self.reference:
            self.reference = Case.objects.free_reference()
        super().save(*args, **kwargs)

    def people_in_conflict(self) -> set[uuid.UUID]:
        """Return the ids of the patient, and of members of staff who are the subject.

        None of them may be offered for the case, booked, called, or made responsible. Names are compared as
        in `CaseQuerySet.conflicting`, but for all staff at once.
        """
        fields = read_many([self]).get(self.pk, CaseFields())
        subject = comparable(fields.subject_name)
        staff = User.objects.filter(grants__role__in=STAFF_ROLES) if subject else User.objects.none()
        return {self.patient_id, *(person.pk for person in staff if comparable(person.name) == subject)}

    @property
    def is_over(self) -> bool:
        """Whether it was closed or withdrawn."""
        return self.stage in OVER_STAGES

    @property
    def map_is_open(self) -> bool:
        """Whether the patient may still add, change and remove keepsakes and memories (map not locked)."""
        return self.stage in {self.Stage.INTAKE, self.Stage.BRINGING, self.Stage.REVIEW}


# In these stages every technician may work on the case: none is booked for its procedure yet.
MAPPING_STAGES = frozenset({Case.Stage.BRINGING, Case.Stage.REVIEW, Case.Stage.MAPPED, Case.Stage.CONSENTED})
OVER_STAGES = frozenset({Case.Stage.CLOSED, Case.Stage.WITHDRAWN})
