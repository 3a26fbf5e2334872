"""What a member may do: one table from role to permissions."""

from collections.abc import Mapping
from enum import StrEnum

from django.db import models


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    ADMINISTRATOR = "administrator", "Administrator"
    EDITOR = "editor", "Editor"
    VIEWER = "viewer", "Viewer"
    AUDITOR = "auditor", "Auditor"


class Permission(StrEnum):
    ORGANIZATION_VIEW = "organization.view"
    ORGANIZATION_CHANGE = "organization.change"
    MEMBERS_VIEW = "members.view"
    MEMBERS_CHANGE = "members.change"
    OWNERS_CHANGE = "owners.change"
    AUDIT_VIEW = "audit.view"
    VAULT_VIEW = "vault.view"
    VAULT_CHANGE = "vault.change"
    VAULT_REVEAL = "vault.reveal"
    FOLDERS_CHANGE = "folders.change"


_MEMBER = frozenset({Permission.ORGANIZATION_VIEW})
_VIEWER = _MEMBER | {Permission.VAULT_VIEW}
_EDITOR = _VIEWER | {Permission.MEMBERS_VIEW, Permission.VAULT_CHANGE, Permission.VAULT_REVEAL}
_ADMINISTRATOR = _EDITOR | {
    Permission.ORGANIZATION_CHANGE,
    Permission.MEMBERS_CHANGE,
    Permission.AUDIT_VIEW,
    Permission.FOLDERS_CHANGE,
}

ROLE_PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.EDITOR: _EDITOR,
    # Reads who did what, and no more: not even what there is in the vault.
    Role.AUDITOR: _MEMBER | {Permission.MEMBERS_VIEW, Permission.AUDIT_VIEW},
    Role.ADMINISTRATOR: _ADMINISTRATOR,
    Role.OWNER: _ADMINISTRATOR | {Permission.OWNERS_CHANGE},
}


def allows(role: str, permission: Permission) -> bool:
    """An unknown role allows nothing."""
    return role in ROLE_PERMISSIONS and permission in ROLE_PERMISSIONS[Role(role)]
