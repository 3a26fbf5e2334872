"""Whoever is disabled is out with their next request, whatever they had. An operator's word at the host, in public."""

from dataclasses import dataclass

from casemate.accounts.models import Session, User, normalised
from casemate.accounts.services import close_links, close_sessions
from casemate.audit.actions import Action
from casemate.audit.origin import TERMINAL, Origin, Target
from casemate.audit.services import committed, record
from casemate.tenancy.models import Membership
from casemate.tenancy.permissions import Role


class NotChanged(Exception):
    """Everything is as it was; the text says why, and what to do."""


@dataclass(frozen=True)
class Disabled:
    user: User
    without_owner: list[str]  # organisations that nobody who can sign in owns any more


@committed
def disable(*, email: str) -> Disabled:
    """End sessions and links of a person and refuse every new one; memberships and what they did stay.

    Raise NotChanged.
    """
    user = _found(email)
    if not user.is_active:
        raise NotChanged(f"{user.email} is disabled already, and is signed in nowhere.")
    _set(user, active=False)
    close_links(user)
    _record(Action.PERSON_DISABLED, Action.MEMBER_DISABLED, user)
    close_sessions(Session.objects.filter(user=user), user, Origin(), actor=TERMINAL)
    return Disabled(user, _without_owner(user))


@committed
def enable(*, email: str) -> User:
    """Let a person sign in again, by the password and second factor that they have; nothing that ended begins anew.

    Raise NotChanged.
    """
    user = _found(email)
    if user.is_active:
        raise NotChanged(f"{user.email} is not disabled.")
    _set(user, active=True)
    _record(Action.PERSON_ENABLED, Action.MEMBER_ENABLED, user)
    return user


def _found(email: str) -> User:
    user = User.objects.select_for_update().filter(email=normalised(email)).first()
    if user is None:
        raise NotChanged(f"Nobody has the address {email!r}.")
    return user


def _set(user: User, *, active: bool) -> None:
    user.is_active = active
    user.save(update_fields=["is_active"])


def _record(installation: Action, organization: Action, user: User) -> None:
    target = Target.person(user)
    record(installation, actor=TERMINAL, origin=Origin(), target=target, success=True)
    for membership in user.memberships.order_by("organization_id"):
        record(
            organization,
            actor=TERMINAL,
            origin=Origin(),
            target=target,
            success=True,
            detail={"role": membership.role},
            stream=str(membership.organization_id),
        )


def _without_owner(user: User) -> list[str]:
    owned = user.memberships.filter(role=Role.OWNER).select_related("organization").order_by("organization__name")
    others = Membership.objects.filter(role=Role.OWNER, user__is_active=True)
    return [
        membership.organization.name
        for membership in owned
        if not others.filter(organization_id=membership.organization_id).exists()
    ]
