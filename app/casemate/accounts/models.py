import hashlib
import secrets
import uuid
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone

from casemate.accounts.totp import TotpDevice

__all__ = ["BackupCode", "EnrolmentLink", "Session", "TotpDevice", "User"]

LINK_AGE = timedelta(hours=24)


class UserManager(BaseUserManager["User"]):
    def by_email(self, email: str) -> "User | None":
        return self.filter(email=normalised(email)).first()

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=normalised(username or ""))


def normalised(email: str) -> str:
    """Addresses are compared in lower case, and byte by byte: no collation makes two people one."""
    return email.strip().lower()


class User(AbstractBaseUser):  # type: ignore[django-manager-missing]  # django-otp's devices are untyped
    runtime_grants: ClassVar = {"SELECT": (), "INSERT": (), "UPDATE": ()}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(max_length=254, unique=True, db_collation="utf8mb4_bin")
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_operator = models.BooleanField(default=False)
    must_change_password = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # The sign-in that is going on, and the one before it, which is what a person can recognise.
    signed_in_at = models.DateTimeField(null=True, editable=False)
    signed_in_from = models.CharField(max_length=45, blank=True, editable=False)
    previous_sign_in_at = models.DateTimeField(null=True, editable=False)
    previous_sign_in_from = models.CharField(max_length=45, blank=True, editable=False)
    # Last taken away by an operator, or by their link; factors.py says what follows from it.
    second_factor_reset_at = models.DateTimeField(null=True, editable=False)

    last_login = None

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar = []

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = normalised(self.email)
        super().save(*args, **kwargs)

    @property
    def called(self) -> str:
        return self.name or self.email

    def confirmed_device(self) -> TotpDevice | None:
        device: TotpDevice | None = TotpDevice.objects.filter(user=self, confirmed=True).first()
        return device

    def may_set_up_second_factor(self) -> bool:
        """Only within the life of the link that the password was set by: later a password alone opens nothing."""
        return self.enrolment_links.filter(
            used_at__isnull=False, finished_at__isnull=True, revoked_at__isnull=True, expires_at__gt=timezone.now()
        ).exists()


def digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def link_expiry() -> Any:
    return timezone.now() + LINK_AGE


class EnrolmentLink(models.Model):
    """A way in, once, for one person. The token is told at the terminal; only its hash is kept."""

    runtime_grants: ClassVar = {"SELECT": (), "INSERT": (), "UPDATE": (), "DELETE": ()}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="enrolment_links")
    token_digest = models.CharField(max_length=64, unique=True, db_collation="utf8mb4_bin")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(default=link_expiry)
    opened_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"Link of {self.user_id}, until {self.expires_at:%Y-%m-%d %H:%M} UTC"

    @classmethod
    def issue(cls, user: User) -> tuple[Self, str]:
        """The link and its token, which exists nowhere else."""
        token = secrets.token_urlsafe(32)
        return cls.objects.create(user=user, token_digest=digest(token)), token

    @property
    def expired(self) -> bool:
        return self.expires_at <= timezone.now()


class BackupCode(models.Model):
    """One of the ten that stand in for the second factor, once each. Only its hash is kept."""

    runtime_grants: ClassVar = {"SELECT": (), "INSERT": (), "UPDATE": ("used_at",), "DELETE": ()}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="backup_codes")
    number = models.PositiveSmallIntegerField()
    code_hash = models.CharField(max_length=128)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("number",)
        constraints = (
            models.UniqueConstraint(fields=("user", "number"), name="one_backup_code_a_number"),
            models.CheckConstraint(condition=models.Q(number__range=(1, 10)), name="ten_backup_codes_a_person"),
        )

    def __str__(self) -> str:
        return f"Code {self.number} of {self.user_id}"


class Session(AbstractBaseSession):
    """Sessions under the SHA-256 of their key: a copy of this table signs nobody in."""

    runtime_grants: ClassVar = {"SELECT": (), "INSERT": (), "UPDATE": (), "DELETE": ()}

    session_key = models.CharField(max_length=64, primary_key=True, db_collation="utf8mb4_bin")
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="sessions")

    class Meta(AbstractBaseSession.Meta):
        pass

    @classmethod
    def get_session_store_class(cls) -> Any:
        from casemate.accounts.sessions import SessionStore  # noqa: PLC0415

        return SessionStore
