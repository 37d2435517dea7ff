"""User accounts of staff and patients, their roles, and invitations."""

import uuid
from datetime import datetime
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """The roles (DESIGN.md, People). A user may have several; a member of staff can also be a patient."""

    RECEPTIONIST = "receptionist", _("front desk")
    TECHNICIAN = "technician", _("technician")
    DOCTOR = "doctor", _("doctor")
    ADMINISTRATOR = "administrator", _("administrator")
    AUDITOR = "auditor", _("auditor")
    PATIENT = "patient", _("patient")


STAFF_ROLES = frozenset({Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR, Role.ADMINISTRATOR, Role.AUDITOR})


class UserManager(BaseUserManager["User"]):
    """Finds accounts by e-mail address, case-insensitively."""

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
        """Create an account with `roles`. Errors: IntegrityError if the address is already used.

        The address is stored in lower case, because allauth searches for the lower-case address.
        """
        user = self.model(email=email.strip().lower(), name=name, **more)
        user.set_password(password)
        user.save(using=self._db)
        RoleGrant.objects.bulk_create(RoleGrant(user=user, role=role) for role in roles)
        return user


class User(AbstractBaseUser):
    """A person with an account.

    They sign in with the e-mail address; their rights follow from their roles.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail address"), max_length=254)
    name = models.CharField(_("name"), max_length=120)
    is_active = models.BooleanField(default=True)
    # Part of the session hash: raising it ends all sessions of this user.
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
        """The user's roles. Read once per instance, so once per request."""
        held: frozenset[str] | None = self.__dict__.get("_roles")
        if held is None:
            held = frozenset(self.grants.values_list("role", flat=True))
            self.__dict__["_roles"] = held
        return held

    def has_role(self, *roles: str) -> bool:
        """Return whether the user has any of `roles`."""
        return not self.roles.isdisjoint(roles)

    @property
    def is_staff_member(self) -> bool:
        return self.has_role(*STAFF_ROLES)

    def shown_roles(self) -> list[Role]:
        """Return the roles that colleagues may see: not that a member of staff is also a patient."""
        held = {grant.role for grant in self.grants.all()}
        return [role for role in Role if role in held and (role != Role.PATIENT or held == {Role.PATIENT})]

    @property
    def short_name(self) -> str:
        """A name such as 'Stan F.', for boards that a passer-by could read."""
        first, _space, rest = self.name.partition(" ")
        return f"{first} {rest[0]}." if rest else first

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Django calls this method for the current hash and for those of SECRET_KEY_FALLBACKS.
        hashed: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        return f"{hashed}.{self.stamp}"

    @transaction.atomic
    def set_roles(self, roles: set[str], *, by: "User | None") -> None:
        """Replace the roles and end the user's sessions, so that no session keeps revoked rights."""
        self.grants.exclude(role__in=roles).delete()
        for role in roles - set(self.grants.values_list("role", flat=True)):
            self.grants.create(role=role, granted_by=by)
        self.forget_roles()
        self.end_sessions()

    def forget_roles(self) -> None:
        """Clear the cached roles. Call it after a role grant was changed."""
        self.__dict__.pop("_roles", None)

    def end_sessions(self) -> None:
        """End all sessions of this user: each is invalid from its next request on."""
        User.objects.filter(pk=self.pk).update(stamp=models.F("stamp") + 1)
        self.refresh_from_db(fields=["stamp"])


class RoleGrant(models.Model):
    """One role of one user, and who granted it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(max_length=20, choices=Role.choices)
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    granted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="role_granted_once")]


class Invitation(models.Model):
    """An invitation to open an account: for one address and one role, can be used once, and expires.

    The token is only in the mail. Here is its SHA-256 digest, so nobody can use it from a copy of the
    database.
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
        """Return whether the invitation can still be used."""
        return self.used_at is None and now < self.expires_at
