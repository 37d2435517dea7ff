"""User accounts of staff and patients, their roles, and invitations."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import check_password
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from clinic import names
from clinic.accounts.search_words import Kind, SearchWord, email_words, name_words, write_words
from clinic.keyed_digests import keyed_digest, keyed_digests


class Role(models.TextChoices):
    """The roles (DESIGN.md, People). A user may have several; a member of staff can also be a patient."""

    RECEPTIONIST = "receptionist", _("front desk")
    TECHNICIAN = "technician", _("technician")
    DOCTOR = "doctor", _("doctor")
    ADMINISTRATOR = "administrator", _("administrator")
    AUDITOR = "auditor", _("auditor")
    PATIENT = "patient", _("patient")


STAFF_ROLES = frozenset({Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR, Role.ADMINISTRATOR, Role.AUDITOR})


FORMER_ADDRESS = "former address"  # what the digests of the addresses of closed accounts are for


def former_address_digest(address: str) -> str:
    """Return the digest by which the former address of a closed account is recognized."""
    return keyed_digest(FORMER_ADDRESS, names.address_key(address))


class UserQuerySet(models.QuerySet["User"]):
    def named(self, text: str) -> "UserQuerySet":
        """Return the people whose name contains each word of `text`, whatever its case and accents.

        Nobody if `text` has no letter or digit to search for.
        """
        words = names.name_key(text).split()
        if not words:
            return self.none()
        return self.filter(*(models.Q(search_key__contains=word) for word in words))

    def by_name(self) -> "UserQuerySet":
        """Return the people in the order in which readers of the active language look for names."""
        return self.order_by(name_order(), "pk")

    def at_address(self, typed: str) -> "UserQuerySet":
        """Return the account with an e-mail address, in whichever form it was typed or stored.

        Only two accounts of an earlier release can share an address in two forms (the check clinic.W001
        reports them). Then it is the one whose stored form was typed.
        """
        written = typed.strip().lower()
        exact = self.filter(email__iexact=written)
        if written != names.address_key(typed) and not exact.exists():
            return self.filter(email__iexact=names.address_key(typed))
        return exact

    def formerly_at_address(self, typed: str) -> "UserQuerySet":
        """Return the accounts that had an e-mail address when they were closed for good."""
        return self.filter(former_address__in=list(keyed_digests(FORMER_ADDRESS, names.address_key(typed))))


def name_order() -> str:
    """Return the column by which people are sorted for readers of the active language."""
    return "sort_vi" if (get_language() or "").startswith("vi") else "sort_en"


class UserManager(BaseUserManager["User"].from_queryset(UserQuerySet)):  # type: ignore[misc]
    """Finds accounts by e-mail address and by name."""

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.at_address(username or "").get()

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

        The address is stored in one form (`names.address_key`), in which allauth searches for it.
        """
        user = self.model(email=names.address_key(email), name=name, **more)
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
    # Whether the name is written with the family name first, as Nguyễn Thị Ánh is.
    family_name_first = models.BooleanField(default=False)
    # What the name is searched and sorted by (clinic/names.py); save() keeps them up to date.
    search_key = models.TextField(default="", editable=False)
    sort_en = models.BinaryField(default=b"", editable=False)
    sort_vi = models.BinaryField(default=b"", editable=False)
    is_active = models.BooleanField(default=True)
    # The language of mail to this person; "" until they have signed in once.
    language = models.CharField(max_length=8, blank=True, default="")
    # When the person closed it for good, and the digest of the address that it had then ("" before).
    forgotten_at = models.DateTimeField(null=True, editable=False)
    former_address = models.CharField(max_length=64, blank=True, default="", editable=False)
    # Part of the session hash: raising it ends all sessions of this user.
    stamp = models.PositiveIntegerField(default=0, editable=False)
    joined_at = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    objects = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]
        indexes = [
            models.Index(fields=["sort_en", "id"], name="users_by_name_en"),
            models.Index(fields=["sort_vi", "id"], name="users_by_name_vi"),
            models.Index(
                fields=["former_address"],
                condition=~models.Q(former_address=""),
                name="users_by_former_address",
            ),
        ]

    @transaction.atomic
    def save(self, *, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Save the account. A name is stored normalized, together with what it is searched and sorted by."""
        written = None if update_fields is None else set(update_fields)  # None: all fields are written
        if written is None or written & {"name", "family_name_first"}:
            self.name = names.normalize_text(self.name)
            self.search_key = names.name_key(self.name)
            self.sort_en, self.sort_vi = self.name_sort_key("en"), self.name_sort_key("vi")
            if written is not None:
                written |= {"name", "search_key", "sort_en", "sort_vi"}
        super().save(update_fields=written, **options)
        if written is None or written & {"name", "email"}:
            words = name_words(self.name) | email_words(self.email)
            kinds = {Kind.NAME, Kind.PERSON, Kind.EMAIL, Kind.MAILBOX}
            write_words(PersonWord, {"user": self}, words, kinds)

    def name_sort_key(self, language: str) -> bytes:
        """Return the key by which this person's name is sorted for readers of `language`."""
        return names.sort_key(self.name, language, family_name_first=self.family_name_first)

    def set_password(self, raw_password: str | None) -> None:
        """Hash a passphrase in its normalized form (RFC 8265). The caller saves the account."""
        super().set_password(None if raw_password is None else names.normalize_passphrase(raw_password))

    def check_password(self, raw_password: str | None) -> bool:
        """Return whether this is the passphrase, in its present form or one that earlier releases hashed."""
        present, *earlier = names.passphrase_forms(raw_password or "")
        return super().check_password(present) or any(check_password(form, self.password) for form in earlier)

    def rehash_passphrase(self, raw_password: str) -> None:
        """Store the hash of a passphrase in its present form, if the stored hash is of an earlier form.

        Call it only with the right passphrase. The session hash changes with it, so it must not be called
        within a session.
        """
        present, *earlier = names.passphrase_forms(raw_password)
        if earlier and not check_password(present, self.password):
            stored = self.password
            self.set_password(raw_password)
            # The condition on the stored hash: the passphrase may have been changed meanwhile.
            User.objects.filter(pk=self.pk, password=stored).update(password=self.password)

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
    def mail_language(self) -> str:
        """The language of mail to this person."""
        return self.language or settings.LANGUAGE_CODE

    @property
    def short_name(self) -> str:
        """A name such as 'Stan F.' or 'N. Ánh', for boards that a passer-by could read."""
        return names.short_name(self.name, family_name_first=self.family_name_first)

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


class PersonWord(SearchWord):
    """A word by which an account is found. It is deleted with the account."""

    # Without an index of its own: that of the constraint begins with this column.
    user = models.ForeignKey(User, on_delete=models.CASCADE, db_index=False, related_name="search_words")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "word", "kind"], name="person_word_once")]
        indexes = [models.Index(fields=["word", "user"], name="person_word")]


class RoleGrant(models.Model):
    """One role of one user, and who granted it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(max_length=20, choices=Role.choices)
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    granted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="role_granted_once")]
        # Staff are few among all who are patients.
        indexes = [models.Index(fields=["role", "user"], name="grants_by_role")]


class Invitation(models.Model):
    """An invitation to open an account: for one address and one role, can be used once, and expires.

    The token is only in the mail: it is computed from the id and SECRET_KEY when the mail is written
    (clinic/people/invitations.py). Here is its SHA-256 digest, so nobody can use it from a copy of the
    database.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=20, choices=Role.choices)
    language = models.CharField(max_length=8, default="en")  # of its mail
    token_digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="invitations")

    class Meta:
        # For the reports (erasure/reports).
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=models.Q(used_at__isnull=True),
                name="unused_invitations_by_end",
            )
        ]

    def is_open(self, now: datetime) -> bool:
        """Return whether the invitation can still be used."""
        return self.used_at is None and now < self.expires_at
