"""The only way out for a plaintext: the event is on disk before the value is opened.

1 fresh second factor  2 limiter  3 the right, and no reset of the factor within the day  4 the password, of this
organisation, and the reason where one is asked  5 the event, COMMIT  6 open  7 (the page) no-store, hidden after 30 s
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta

from cryptography.exceptions import InvalidTag

from casemate import limiter
from casemate.accounts.assurance import Assurance
from casemate.audit.actions import Action
from casemate.audit.models import Event
from casemate.audit.services import committed, record
from casemate.keyring.models import UnknownKey
from casemate.tenancy.models import Membership
from casemate.tenancy.permissions import Permission
from casemate.vault import rules
from casemate.vault.contents import PARTS, Contents
from casemate.vault.guard import allow, allow_revealing
from casemate.vault.models import Password, PasswordRevision
from casemate.vault.refusals import InTrash, SlowDown, Suspended, Unknown, VaultRefusal
from casemate.vault.services import IN_TRASH, note_tampering, target

# A person in an organisation. An hour of hard work needs fewer; a vault that is read out needs many more.
LIMITS = ((30, timedelta(minutes=10)), (150, timedelta(days=1)))
SHOWN = (Action.VAULT_PASSWORD_REVEALED, Action.VAULT_PASSWORD_COPIED, Action.VAULT_REVISION_REVEALED)


@dataclass(frozen=True, repr=False)
class Revealed:
    password: Password
    number: int
    contents: Contents


def reveal(*, password_id: uuid.UUID, reason: str, membership: Membership, assurance: Assurance) -> Revealed:
    """A password, whole."""
    return _out(Action.VAULT_PASSWORD_REVEALED, password_id, None, reason, {}, membership, assurance)


def reveal_revision(
    *, password_id: uuid.UUID, number: int, reason: str, membership: Membership, assurance: Assurance
) -> Revealed:
    """A former version of a password, whole."""
    return _out(Action.VAULT_REVISION_REVEALED, password_id, number, reason, {}, membership, assurance)


def copy(*, password_id: uuid.UUID, part: str, reason: str, membership: Membership, assurance: Assurance) -> str:
    """One part of a password, for the clipboard."""
    if part not in PARTS:
        raise VaultRefusal("Choose which part to copy: the password, user name, URL or notes.", "part")
    out = _out(Action.VAULT_PASSWORD_COPIED, password_id, None, reason, {"part": part}, membership, assurance)
    return str(getattr(out.contents, part))


def _out(
    action: Action,
    password_id: uuid.UUID,
    number: int | None,
    reason: str,
    detail: dict[str, str],
    membership: Membership,
    assurance: Assurance,
) -> Revealed:
    # Not in this order by chance: whoever is too fast learns nothing about what there is.
    assurance.require_fresh()
    allow(membership, assurance, Permission.VAULT_REVEAL)
    _slow_down(membership, assurance)
    try:
        password, revision = _noted(
            action=action,
            password_id=password_id,
            number=number,
            reason=reason,
            detail=detail,
            membership=membership,
            assurance=assurance,
        )
    except Suspended:
        _note_suspended(membership=membership, assurance=assurance)
        raise
    # From here on the event is committed: `committed` refuses to run inside another transaction.
    kept = revision or password
    number = revision.number if revision else password.version
    try:
        return Revealed(password, number, Contents.open(kept.contents))
    except (InvalidTag, UnknownKey):
        stream = str(membership.organization_id)
        raise note_tampering(password_id=password.pk, assurance=assurance, stream=stream, number=number) from None


def _slow_down(membership: Membership, assurance: Assurance) -> None:
    key = f"{membership.organization_id}:{assurance.user.pk}"
    for limit, per in LIMITS:
        allowance = limiter.hit("reveal", f"{key}:{per.total_seconds():.0f}", limit=limit, per=per)
        if not allowance.allowed:
            # Once a window: whoever is too fast cannot also fill the log.
            if limiter.hit("reveal-noted", f"{key}:{per.total_seconds():.0f}", limit=1, per=per).allowed:
                _note_haste(membership=membership, assurance=assurance, limit=limit)
            minutes = max(1, round(allowance.wait.total_seconds() / 60))
            raise SlowDown(
                f"You have looked at {limit} passwords in a short time. Wait {minutes} min, then go on.", allowance.wait
            )


@committed
def _noted(
    *,
    action: Action,
    password_id: uuid.UUID,
    number: int | None,
    reason: str,
    detail: dict[str, str],
    membership: Membership,
    assurance: Assurance,
) -> tuple[Password, PasswordRevision | None]:
    """The rows, loaded in the transaction that their event commits with."""
    stream = allow_revealing(membership, assurance)
    password = Password.objects.select_related("folder").filter(pk=password_id).first()
    if password is None:
        raise Unknown("There is no such password here.")
    if password.deleted_at is not None:
        raise InTrash(IN_TRASH)
    said = rules.reason(reason, required=password.folder.reason_required)
    revision = None
    if number is not None:
        revision = PasswordRevision.objects.filter(password=password, number=number).first()
        if revision is None:
            raise Unknown("There is no such version of this password.")
    about: dict[str, str | int | bool] = {"version": number or password.version, **detail}
    if said:
        about["reason"] = said
    record(
        action,
        actor=assurance.actor,
        origin=assurance.origin,
        target=target(password),
        success=True,
        detail=about,
        stream=stream,
    )
    return password, revision


@committed
def _note_haste(*, membership: Membership, assurance: Assurance, limit: int) -> None:
    record(
        Action.VAULT_SLOWED_DOWN,
        actor=assurance.actor,
        origin=assurance.origin,
        success=False,
        detail={"limit": limit},
        stream=str(membership.organization_id),
    )


@committed
def _note_suspended(*, membership: Membership, assurance: Assurance) -> None:
    """Whoever had a factor reset that was not theirs comes for this. There are no more of these than the limit lets."""
    record(
        Action.VAULT_SUSPENDED,
        actor=assurance.actor,
        origin=assurance.origin,
        success=False,
        detail={"role": membership.role},
        stream=str(membership.organization_id),
    )


def last_shown(password: Password, *, most: int = 10) -> "list[Event]":
    """Who has seen a password, from the audit log, newest first."""
    events = Event.objects.filter(
        stream=str(password.organization_id),
        target_type="vault.password",
        target_id=str(password.pk),
        action__in=[action.value for action in SHOWN],
    )
    return list(events.order_by("-seq")[:most])
