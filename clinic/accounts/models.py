"""Who works here and who comes here."""

import uuid
from datetime import datetime
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """DESIGN.md, People. A person may hold several; a member of staff can also be a patient."""

    RECEPTIONIST = "receptionist", _("front desk")
    TECHNICIAN = "technician", _("technician")
    DOCTOR = "doctor", _("doctor")
    ADMINISTRATOR = "administrator", _("administrator")
    AUDITOR = "auditor", _("auditor")
    PATIENT = "patient", _("patient")


STAFF_ROLES = frozenset({Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR, Role.ADMINISTRATOR, Role.AUDITOR})


class UserManager(BaseUserManager["User"]):
    """Accounts are found by e-mail address, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username or "")

    @transaction.atomic
    def create_user(
        self,
        email: str,
        password: str | None = None,
        *,
        name: str = "",
        roles: tuple[str, ...] = (),
        **more: Any,
    ) -> "User":
        """Create an account holding `roles`. Errors: IntegrityError where the address is taken.

        The address is kept in small letters: allauth looks accounts up by exactly that.
        """
        user = self.model(email=email.strip().lower(), name=name, **more)
        user.set_password(password)
        user.save(using=self._db)
        RoleGrant.objects.bulk_create(RoleGrant(user=user, role=role) for role in roles)
        return user


class User(AbstractBaseUser):
    """A person with an account. Log-in is by e-mail; what they may do stands in their role grants."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail address"), max_length=254)
    name = models.CharField(_("name"), max_length=120)
    is_active = models.BooleanField(default=True)
    # Part of the session's hash: raising it ends every session of this person on the server.
    stamp = models.PositiveIntegerField(default=0, editable=False)
    joined_at = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    objects = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]

    @property
    def roles(self) -> frozenset[str]:
        """The roles held now; read once per instance, so once per request."""
        held: frozenset[str] | None = self.__dict__.get("_roles")
        if held is None:
            held = frozenset(self.grants.values_list("role", flat=True))
            self.__dict__["_roles"] = held
        return held

    def has_role(self, *roles: str) -> bool:
        """Whether this person holds any of `roles`."""
        return not self.roles.isdisjoint(roles)

    @property
    def is_staff_member(self) -> bool:
        return self.has_role(*STAFF_ROLES)

    def shown_roles(self) -> list[Role]:
        """The roles a colleague may see: that one of them is also a patient is nobody's business."""
        held = {grant.role for grant in self.grants.all()}
        return [role for role in Role if role in held and (role != Role.PATIENT or held == {Role.PATIENT})]

    @property
    def short_name(self) -> str:
        """'Stan F.' on boards that a passer-by could read."""
        first, _space, rest = self.name.partition(" ")
        return f"{first} {rest[0]}." if rest else first

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Django makes both the current hash and those of older SECRET_KEYs through this one method.
        hashed: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        return f"{hashed}.{self.stamp}"

    @transaction.atomic
    def set_roles(self, roles: set[str], *, by: "User | None") -> None:
        """Replace the roles held, and end this person's sessions: power never outlives its grant."""
        self.grants.exclude(role__in=roles).delete()
        for role in roles - set(self.grants.values_list("role", flat=True)):
            self.grants.create(role=role, granted_by=by)
        self.forget_roles()
        self.end_sessions()

    def forget_roles(self) -> None:
        """Read the roles anew next time: a grant was changed."""
        self.__dict__.pop("_roles", None)

    def end_sessions(self) -> None:
        """Make every session of this person void from its next request on."""
        User.objects.filter(pk=self.pk).update(stamp=models.F("stamp") + 1)
        self.refresh_from_db(fields=["stamp"])


class RoleGrant(models.Model):
    """One role that one person holds, and who gave it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(max_length=20, choices=Role.choices)
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    granted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="role_granted_once")]


class Invitation(models.Model):
    """A way in for one person: single use, expiring, bound to an address and a role.

    The token itself stands only in the mail; here lies its SHA-256, so a copied database opens no account.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=20, choices=Role.choices)
    token_digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="invitations")

    def is_open(self, now: datetime) -> bool:
        return self.used_at is None and now < self.expires_at
