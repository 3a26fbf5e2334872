"""Two tenant models that refer to each other, as vault and documentation will; one of them keeps a secret."""

from typing import ClassVar

from django.db import models

from casemate.keyring.fields import EncryptedTextField
from casemate.keyring.scopes import Scope
from casemate.tenancy.fields import TenantForeignKey
from casemate.tenancy.models import TenantModel


class Folder(TenantModel):
    runtime_grants: ClassVar = {"SELECT": ()}

    name = models.CharField(max_length=50)
    parent = TenantForeignKey("self", null=True, on_delete=models.CASCADE)

    def __str__(self) -> str:
        return self.name


class Note(TenantModel):
    runtime_grants: ClassVar = {"SELECT": ()}

    folder = TenantForeignKey(Folder, null=True, on_delete=models.CASCADE, related_name="notes")
    title = models.CharField(max_length=50)
    secret = EncryptedTextField(purpose="example-secret", null=True)
    other = EncryptedTextField(purpose="example-other", null=True)

    def __str__(self) -> str:
        return self.title

    @property
    def encryption_scope(self) -> Scope:
        return Scope(f"organization:{self.organization_id}")
