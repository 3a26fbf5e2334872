"""Every event that there is. Naming one in any other way is impossible."""

from enum import StrEnum


class Action(StrEnum):
    ENROLMENT_LINK_ISSUED = "accounts.enrolment_link.issue"
    ENROLMENT_LINK_OPENED = "accounts.enrolment_link.open"
    ENROLMENT_LINK_USED = "accounts.enrolment_link.use"
    PASSWORD_SET = "accounts.password.set"
    PASSWORD_CHECKED = "accounts.password.check"
    TOTP_ENROLLED = "accounts.totp.enrol"
    TOTP_CHECKED = "accounts.totp.check"
    BACKUP_CODES_ISSUED = "accounts.backup_codes.issue"
    BACKUP_CODE_CHECKED = "accounts.backup_code.check"
    SIGNED_IN = "accounts.sign_in"
    SIGNED_OUT = "accounts.sign_out"
    SESSIONS_ENDED = "accounts.sessions.end"
    LOCKED_OUT = "accounts.lock_out"
    UNLOCKED = "accounts.unlock"
    STEPPED_UP = "accounts.step_up"
    ORGANIZATION_CREATED = "organizations.create"
    ORGANIZATION_UNKNOWN = "organizations.access.unknown"
    ACCESS_REFUSED = "organizations.access.refuse"
    MEMBER_ADDED = "organizations.member.add"
    MEMBER_ROLE_CHANGED = "organizations.member.change_role"
    MEMBER_ENDED = "organizations.member.end"
    FOLDER_CREATED = "vault.folder.create"
    FOLDER_CHANGED = "vault.folder.change"
    VAULT_PASSWORD_CREATED = "vault.password.create"
    VAULT_PASSWORD_CHANGED = "vault.password.change"
    VAULT_PASSWORD_TRASHED = "vault.password.trash"
    VAULT_PASSWORD_RESTORED = "vault.password.restore"
    VAULT_PASSWORD_REVEALED = "vault.password.reveal"
    VAULT_PASSWORD_COPIED = "vault.password.copy"
    VAULT_REVISION_REVEALED = "vault.revision.reveal"
    VAULT_SLOWED_DOWN = "vault.slow_down"
    VAULT_TAMPERED = "vault.tampered"
    TRIAL_BEGUN = "security.trial.begin"
    VIOLATION_FORGOTTEN = "security.violation.forget"
    SMOKE_TESTED = "audit.smoke"


class ActorKind(StrEnum):
    PERSON = "person"
    STRANGER = "stranger"
    TERMINAL = "terminal"  # root on the host
