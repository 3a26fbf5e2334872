"""What every service of the vault asks first: is this the member, here, with the right."""

from casemate.accounts.assurance import Assurance
from casemate.accounts.factors import suspended_until
from casemate.accounts.models import User
from casemate.organizations.access import Refused, require
from casemate.tenancy.binding import WrongTenant, bound_organization_id
from casemate.tenancy.models import Membership
from casemate.tenancy.permissions import Permission
from casemate.vault.refusals import Suspended


def allow(membership: Membership, assurance: Assurance, permission: Permission) -> str:
    """The audit stream of the organisation; raise Refused without the right.

    The membership must be of the person who asks and of the organisation that is bound: rights in one organisation
    never act on rows of another.
    """
    if membership.organization_id != bound_organization_id():
        raise WrongTenant("The membership is of another organisation than the bound one.")
    if membership.user_id != assurance.user.pk:
        raise Refused(permission)
    require(membership, permission)
    return str(membership.organization_id)


def allow_revealing(membership: Membership, assurance: Assurance) -> str:
    """The same for what lets a plaintext out. Raise Suspended, too."""
    stream = allow(membership, assurance, Permission.VAULT_REVEAL)
    if sentence := suspension(membership, assurance.user):
        raise Suspended(sentence)
    return stream


def suspension(membership: Membership, user: User) -> str:
    """Why nothing is revealed to this member for now, and what to do; empty where it is."""
    until = suspended_until(membership, user)
    if until is None:
        return ""
    return (
        f"Your second factor was reset, so nothing is revealed to you until {until:%H:%M} UTC on {until:%-d %B %Y}."
        f" Another owner of {membership.organization.name} can confirm before that, on the page Members, that it was"
        " your wish. If it was not, tell an operator now."
    )
