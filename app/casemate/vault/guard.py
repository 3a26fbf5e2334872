"""What every service of the vault asks first: is this the member, here, with the right."""

from casemate.accounts.assurance import Assurance
from casemate.organizations.access import Refused, require
from casemate.tenancy.binding import WrongTenant, bound_organization_id
from casemate.tenancy.models import Membership
from casemate.tenancy.permissions import Permission


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
