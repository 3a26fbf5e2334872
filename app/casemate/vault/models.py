from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from casemate.keyring.fields import EncryptedTextField
from casemate.keyring.scopes import Scope
from casemate.tenancy.fields import TenantForeignKey
from casemate.tenancy.models import TenantModel

PERSON = settings.AUTH_USER_MODEL


class Folder(TenantModel):
    """Where passwords lie, and whether whoever looks at one of them has to say why."""

    runtime_grants: ClassVar = {"SELECT": (), "INSERT": (), "UPDATE": ("name", "parent_id", "reason_required")}

    name = models.CharField(max_length=80)
    parent = TenantForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    reason_required = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Never NULL, unlike `parent`: a unique key holds nothing against two rows with a NULL, and MariaDB has no
    # conditional ones. A top folder lies in its organisation.
    place = models.GeneratedField(
        expression=Coalesce("parent_id", "organization_id"), output_field=models.UUIDField(), db_persist=True
    )

    class Meta(TenantModel.Meta):
        constraints = (  # type: ignore[assignment]
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=("organization", "place", "name"), name="one_folder_of_a_name_in_a_place"),
        )

    def __str__(self) -> str:
        return self.name


class Password(TenantModel):
    """An entry of the vault. Its name is in clear, for lists and searches; everything else of it is sealed."""

    # No DELETE: what the application can be made to do, it cannot be made to do to the only copy of a password.
    runtime_grants: ClassVar = {
        "SELECT": (),
        "INSERT": (),
        "UPDATE": (
            "folder_id", "name", "contents", "version", "changed_at", "changed_by_id", "deleted_at", "deleted_by_id",
        ),
    }  # fmt: skip

    folder = TenantForeignKey(Folder, on_delete=models.PROTECT, related_name="passwords")
    name = models.CharField(max_length=120)
    contents = EncryptedTextField(purpose="vault-password")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)
    changed_by = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+", editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)
    deleted_by = models.ForeignKey(PERSON, null=True, on_delete=models.PROTECT, related_name="+", editable=False)

    class Meta(TenantModel.Meta):
        indexes = (models.Index(fields=("organization", "deleted_at", "name"), name="vault_password_list"),)

    def __str__(self) -> str:
        return self.name

    @property
    def encryption_scope(self) -> Scope:
        return Scope(f"organization:{self.organization_id}")

    @classmethod
    def listed(cls) -> "models.QuerySet[Password]":
        """Rows for lists: the sealed column stays in the database."""
        return cls.objects.defer("contents").select_related("folder", "changed_by").order_by("name", "id")


class PasswordRevision(TenantModel):
    """What a password was before a change. The running application can add to the history, and not alter it."""

    runtime_grants: ClassVar = {"SELECT": (), "INSERT": ()}

    password = TenantForeignKey(Password, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()  # the version that these values were
    name = models.CharField(max_length=120)
    contents = EncryptedTextField(purpose="vault-revision")
    written_at = models.DateTimeField()
    written_by = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+")
    replaced_at = models.DateTimeField(default=timezone.now)
    replaced_by = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+")

    class Meta(TenantModel.Meta):
        constraints = (  # type: ignore[assignment]
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=("organization", "password", "number"), name="one_revision_a_number"),
        )

    def __str__(self) -> str:
        return f"{self.name}, version {self.number}"

    @property
    def encryption_scope(self) -> Scope:
        return Scope(f"organization:{self.organization_id}")
