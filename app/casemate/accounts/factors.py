"""Taking somebody's second factor away. For a day they reveal nothing then, unless an owner confirms them.

The help desk is the classic way past a second factor, so what was done there is told wherever it could do harm.
"""

from datetime import datetime, timedelta

from django.utils import timezone

from casemate.accounts.models import BackupCode, TotpDevice, User
from casemate.audit.actions import Action
from casemate.audit.origin import Actor, Origin, Target
from casemate.audit.services import record
from casemate.tenancy.models import Membership

SUSPENDED = timedelta(hours=24)


def take_away(user: User, *, actor: Actor, origin: Origin) -> datetime:
    """Every device and code, within the caller's transaction; to when revealing is suspended by it.

    The installation's log has it, and that of each organisation to which the person belongs.
    """
    TotpDevice.objects.filter(user=user).delete()
    BackupCode.objects.filter(user=user).delete()
    user.second_factor_reset_at = now = timezone.now()
    user.save(update_fields=["second_factor_reset_at"])
    target = Target.person(user)
    record(Action.SECOND_FACTOR_RESET, actor=actor, origin=origin, target=target, success=True)
    for membership in user.memberships.order_by("organization_id"):
        record(
            Action.REVEALING_SUSPENDED,
            actor=actor,
            origin=origin,
            target=target,
            success=True,
            detail={"role": membership.role},
            stream=str(membership.organization_id),
        )
    return now + SUSPENDED


def suspended_until(membership: Membership, user: User) -> datetime | None:
    """To when this member, who is this person, reveals nothing; None where they do as their role allows.

    It follows from the person, so that no membership that is made anew within the day begins without it.
    """
    reset = user.second_factor_reset_at
    if reset is None or reset == membership.confirmed_reset_at:
        return None
    until = reset + SUSPENDED
    return until if timezone.now() < until else None
