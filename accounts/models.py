"""Tables of people, tenants, memberships and API tokens."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from accounts.roles import Capability, Role
from core.clock import now


class UserManager(BaseUserManager["User"]):
    """Makes users; the e-mail is what they log in by."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, or a worker program with an account of its own."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(unique=True, help_text="What the person logs in by.")
    name = models.CharField(max_length=150, blank=True, help_text="As shown to others.")
    is_staff = models.BooleanField(default=False, help_text="May open the admin.")
    is_active = models.BooleanField(default=True, help_text="Switch off instead of deleting: history keeps its names.")
    date_joined = models.DateTimeField(default=timezone.now, editable=False)
    time_zone = models.CharField(max_length=64, default="UTC", help_text="For quiet hours, such as Europe/Paris.")

    # The token through which this object acts, where one does; what its scopes leave out it may not do.
    acting_token: ApiToken | None = None

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        ordering = ["email"]
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case_once")]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name.partition(" ")[0] or self.email.partition("@")[0]


class Tenant(models.Model):
    """A team's or organisation's own space; every other thing belongs to one."""

    slug = models.SlugField(max_length=80, unique=True, help_text="As in URLs and the API, such as tenant-finance.")
    name = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["slug"]
        permissions = [(capability.value, capability.value.replace("_", " ").capitalize()) for capability in Capability]

    def __str__(self) -> str:
        return self.slug


class TenantUserObjectPermission(UserObjectPermissionBase):
    """A capability granted to one person in one tenant (an exception; the rule is a role)."""

    content_object = models.ForeignKey(Tenant, on_delete=models.CASCADE)


class TenantGroupObjectPermission(GroupObjectPermissionBase):
    """A capability granted to one role's group in one tenant."""

    content_object = models.ForeignKey(Tenant, on_delete=models.CASCADE)


class Membership(models.Model):
    """A person holds a role in a tenant; the first one is the person's home tenant."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=[(role.value, role.value) for role in Role])
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["user", "tenant", "role"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} in {self.tenant}"


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self) -> ApiTokenQuerySet:
        """Tokens that open a door now: not revoked, not expired, of an active user."""
        return self.filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=now()), revoked_at=None, user__is_active=True
        )


class ApiToken(models.Model):
    """A named, scoped key of one person; only its SHA-256 is kept."""

    PREFIX = "sp_"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100, help_text="What uses it, such as 'release pipeline'.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False, help_text="Its first characters, to tell tokens apart.")
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    @staticmethod
    def digest_of(secret: str) -> str:
        return hashlib.sha256(secret.encode()).hexdigest()


class IdempotencyRecord(models.Model):
    """The first answer to a POST that carried an Idempotency-Key, so that a retry gets the same."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.TextField(default="")
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once_per_user")]
