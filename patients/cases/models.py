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
from django.db.models import BooleanField, ExpressionWrapper, F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.access.policy import TABLE, Rule
from clinic.access.relations import CONFLICT
from clinic.accounts.models import STAFF_ROLES, Role, User
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


TRIES_EACH_LENGTH = 8  # numbers drawn before a longer one is


def relation_conditions(user: User) -> dict[str, Q]:
    """Return how `user` may stand to a case, each relation as a condition on cases.

    This is the only definition of the relations: lists, pages and streams ask it through `visible_to` and
    `standings`. Later kinds of assignment belong here. Procedure, Run and Certificate belong to erasure,
    which this app must not import, so they are reached through reverse relations.
    """
    booked = Case.objects.filter(
        procedures__booking__resources__user=user,
        procedures__booking__canceled_at__isnull=True,
        # The certificate ends the night, and with it the team's part in the case.
        procedures__run__certificate__isnull=True,
    )
    return {
        "own": Q(patient=user),
        "mapping": Q(stage__in=MAPPING_STAGES),
        "assigned": Q(pk__in=booked.values("pk")),
    }


class CaseQuerySet(models.QuerySet["Case"]):
    def visible_to(
        self, user: User, page: str = "patients:case", roles: Collection[str] = Role.values
    ) -> "CaseQuerySet":
        """Return the cases whose `page` opens for `user`: the same rule as `policy.allowed`, as a query.

        page: the name of a URL with a case as its argument. roles: count only these roles of the user.
        """
        row = TABLE[page].read
        rules = [rule for rule in row if isinstance(rule, Rule) and rule.role in user.roles & set(roles)]
        if not user.is_active or not rules:
            return self.none()
        conditions = relation_conditions(user)
        nobody = Q(pk__in=[])
        as_patient, as_staff = nobody, nobody
        for rule in rules:
            related = [conditions.get(relation, nobody) for relation in rule.relations]
            matches = reduce(or_, related, nobody) if rule.relations else ~nobody
            if rule.role == Role.PATIENT:
                as_patient |= matches
            else:
                as_staff |= matches
        hidden = self.filter(as_staff).conflicting(user)
        return self.filter(as_patient | (as_staff & ~Q(pk__in=hidden)))

    def conflicting(self, user: User) -> set[uuid.UUID]:
        """Return the ids of those of these cases in which `user` is the patient, or as staff the subject.

        The only place that compares the subject's name, which is sealed. It reads the cases whose key still
        exists: 50 microseconds for each. A stored hash of the name would be quicker to ask, but would stay
        in old backups when the case is erased.
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

        The patient has "own" and CONFLICT only, a member of staff who is the subject CONFLICT only: neither
        may work on the case as staff.
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
            standings[pk] = frozenset(held & {"own"} | {CONFLICT} if pk in hidden else held)
        return standings

    def numbered(self, text: str) -> "CaseQuerySet":
        """Return the case with a file number as a person types it."""
        return self.filter(reference__iexact=read_reference(text) or text.strip())

    def free_reference(self, random_digits: int = RANDOM_DIGITS) -> str:
        """Return a new file number that no case has now, with `random_digits` random digits or more.

        Two are added after each `TRIES_EACH_LENGTH` that were taken, so there is always one.
        """
        year = timezone.localdate().year
        for attempt in itertools.count():
            more = 2 * (attempt // TRIES_EACH_LENGTH)
            reference = new_reference(year, min(random_digits + more, MOST_RANDOM_DIGITS))
            if not self.filter(reference=reference).exists():
                break
        return reference

    def current(self) -> "CaseQuerySet":
        return self.exclude(stage__in=[Case.Stage.CLOSED, Case.Stage.WITHDRAWN])


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

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the case; give a new one its reference. Errors: IntegrityError if the reference is taken."""
        if self._state.adding and not self.reference:
            self.reference = Case.objects.free_reference()
        super().save(*args, **kwargs)

    def people_in_conflict(self) -> set[uuid.UUID]:
        """Return the ids of the patient, and of members of staff who are the subject.

        None of them is offered for the case, booked, called, or made responsible. The same comparison as in
        `CaseQuerySet.conflicting`, for all staff at once.
        """
        fields = read_many([self]).get(self.pk, CaseFields())
        subject = comparable(fields.subject_name)
        staff = User.objects.filter(grants__role__in=STAFF_ROLES) if subject else User.objects.none()
        return {self.patient_id, *(person.pk for person in staff if comparable(person.name) == subject)}

    @property
    def map_is_open(self) -> bool:
        """Whether the patient may still add, change and remove keepsakes and memories (map not locked)."""
        return self.stage in {self.Stage.INTAKE, self.Stage.BRINGING, self.Stage.REVIEW}


# In these stages every technician may work on the case: none is booked for its procedure yet.
MAPPING_STAGES = frozenset({Case.Stage.BRINGING, Case.Stage.REVIEW, Case.Stage.MAPPED, Case.Stage.CONSENTED})
