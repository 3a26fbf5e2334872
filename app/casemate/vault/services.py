"""The verbs that change passwords. Each is one transaction, checks the right itself, and commits with its audit event.

None of them lets a plaintext out: what is opened here is sealed again for the history. reveals.py shows.
"""

import uuid
from collections.abc import Mapping
from dataclasses import asdict

from cryptography.exceptions import InvalidTag
from django.utils import timezone

from casemate.accounts.assurance import Assurance
from casemate.audit.actions import Action
from casemate.audit.origin import Target
from casemate.audit.services import committed, record
from casemate.keyring.models import UnknownKey
from casemate.organizations.access import require
from casemate.tenancy.models import Membership
from casemate.tenancy.permissions import Permission
from casemate.vault import rules
from casemate.vault.contents import Contents
from casemate.vault.guard import allow
from casemate.vault.models import Folder, Password, PasswordRevision
from casemate.vault.refusals import InTrash, Outdated, Tampered, Unknown, VaultRefusal

IN_TRASH = "This password is in the trash: restore it first."
CHANGED_PARTS = ("folder", "name", "contents", "version", "changed_at", "changed_by")


def target(password: Password) -> Target:
    return Target("vault.password", str(password.pk), password.name)


@committed
def create_password(
    *, folder_id: uuid.UUID, name: str, parts: Mapping[str, str], membership: Membership, assurance: Assurance
) -> Password:
    stream = allow(membership, assurance, Permission.VAULT_CHANGE)
    contents = _filled(Contents().changed(_checked(parts)))
    folder = _folder(folder_id)
    password = Password(
        folder=folder,
        name=rules.name(name, longest=rules.LONGEST_NAME),
        contents=contents.text(),
        changed_by=assurance.user,
    )
    password.save(force_insert=True)
    _record(Action.VAULT_PASSWORD_CREATED, password, assurance, stream, {"folder": folder.name})
    return password


def change_password(
    *,
    password_id: uuid.UUID,
    version: int,
    folder_id: uuid.UUID,
    name: str,
    parts: Mapping[str, str],
    membership: Membership,
    assurance: Assurance,
) -> Password:
    """Change what `parts` names and leave the rest; the former values go, sealed, to the history.

    `version` is the one that the caller has seen. Raise Outdated if somebody saved another one since.
    """
    try:
        return _change(
            password_id=password_id,
            version=version,
            folder_id=folder_id,
            name=name,
            parts=_checked(parts),
            membership=membership,
            assurance=assurance,
        )
    except (InvalidTag, UnknownKey):
        stream = str(membership.organization_id)
        raise note_tampering(password_id=password_id, assurance=assurance, stream=stream) from None


@committed
def _change(
    *,
    password_id: uuid.UUID,
    version: int,
    folder_id: uuid.UUID,
    name: str,
    parts: Mapping[str, str],
    membership: Membership,
    assurance: Assurance,
) -> Password:
    stream = allow(membership, assurance, Permission.VAULT_CHANGE)
    name = rules.name(name, longest=rules.LONGEST_NAME)
    password = _locked(password_id)
    if password.version != version:
        raise _outdated(password)
    former = Contents.open(password.contents)
    contents = _filled(former.changed(parts))
    folder = _folder(folder_id)
    if password.folder.reason_required and not folder.reason_required:
        # Otherwise whoever may edit could move a password to where nobody asks why, look, and move it back.
        require(membership, Permission.FOLDERS_CHANGE)
    changed = [key for key, value in asdict(contents).items() if value != getattr(former, key)]
    changed += ["name"] * (name != password.name) + ["folder"] * (folder != password.folder)
    if not changed:
        return password
    _keep(password, former, assurance)
    password.folder, password.name = folder, name
    password.contents = contents.text()
    password.version += 1
    password.changed_at, password.changed_by = timezone.now(), assurance.user
    password.save(update_fields=CHANGED_PARTS)
    _record(
        Action.VAULT_PASSWORD_CHANGED,
        password,
        assurance,
        stream,
        {"folder": folder.name, "version": password.version, "changed": ", ".join(sorted(changed))},
    )
    return password


@committed
def trash_password(*, password_id: uuid.UUID, membership: Membership, assurance: Assurance) -> Password:
    stream = allow(membership, assurance, Permission.VAULT_CHANGE)
    password = _locked(password_id)
    password.deleted_at, password.deleted_by = timezone.now(), assurance.user
    password.save(update_fields=["deleted_at", "deleted_by"])
    _record(Action.VAULT_PASSWORD_TRASHED, password, assurance, stream, {"folder": password.folder.name})
    return password


@committed
def restore_password(*, password_id: uuid.UUID, membership: Membership, assurance: Assurance) -> Password:
    """Out of the trash, to the folder that it was in. What is not in the trash stays as it is."""
    stream = allow(membership, assurance, Permission.VAULT_CHANGE)
    password = _locked(password_id, in_trash=True)
    if password.deleted_at is None:
        return password
    password.deleted_at = password.deleted_by = None
    password.save(update_fields=["deleted_at", "deleted_by"])
    _record(Action.VAULT_PASSWORD_RESTORED, password, assurance, stream, {"folder": password.folder.name})
    return password


@committed
def note_tampering(*, password_id: uuid.UUID, assurance: Assurance, stream: str, number: int = 0) -> Tampered:
    """Write down that a sealed value does not open, and return what to raise."""
    password = Password.listed().get(pk=password_id)
    record(
        Action.VAULT_TAMPERED,
        actor=assurance.actor,
        origin=assurance.origin,
        target=target(password),
        success=False,
        detail={"version": number or password.version},
        stream=stream,
    )
    return Tampered(
        "What is stored here is not what was saved: it was changed in the database, or its key is gone. Nothing is"
        " shown, and the audit log has it. Tell an operator, who can look for it in a backup."
    )


def _locked(password_id: uuid.UUID, *, in_trash: bool = False) -> Password:
    password = Password.objects.select_for_update().filter(pk=password_id).first()
    if password is None:
        raise Unknown("There is no such password here.")
    if password.deleted_at is not None and not in_trash:
        raise InTrash(IN_TRASH)
    return password


def _outdated(password: Password) -> Outdated:
    when = f"{password.changed_at:%H:%M} UTC on {password.changed_at:%-d %B %Y}"
    return Outdated(
        f"{password.changed_by.called} saved version {password.version} at {when}, after you had opened this form, so"
        " nothing was saved. To put yours on top, save once more: theirs then stays in the history.",
        password.version,
    )


def _folder(folder_id: uuid.UUID) -> Folder:
    folder = Folder.objects.filter(pk=folder_id).first()
    if folder is None:
        raise Unknown("There is no such folder here: choose one of the list.", "folder")
    return folder


def _checked(parts: Mapping[str, str]) -> dict[str, str]:
    return {field: rules.part(field, text) for field, text in parts.items()}


def _filled(contents: Contents) -> Contents:
    if not contents.password and not contents.notes:
        raise VaultRefusal("Enter a password, or notes: otherwise there is nothing to keep.", "password")
    return contents


def _keep(password: Password, former: Contents, assurance: Assurance) -> None:
    PasswordRevision(
        password=password,
        number=password.version,
        name=password.name,
        contents=former.text(),
        written_at=password.changed_at,
        written_by=password.changed_by,
        replaced_by=assurance.user,
    ).save(force_insert=True)


def _record(
    action: Action, password: Password, assurance: Assurance, stream: str, detail: Mapping[str, str | int | bool]
) -> None:
    record(
        action,
        actor=assurance.actor,
        origin=assurance.origin,
        target=target(password),
        success=True,
        detail=detail,
        stream=stream,
    )
