"""A second factor that is lost, or that somebody else has: an operator at the host takes it away, in public."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from casemate.accounts.factors import take_away
from casemate.accounts.models import Session, User, normalised
from casemate.accounts.services import close_sessions, new_link
from casemate.audit.origin import TERMINAL, Origin
from casemate.audit.services import committed
from casemate.tenancy.models import Membership
from casemate.tenancy.permissions import Role


class NotReset(Exception):
    """Nothing was taken away; the text says why, and what to do."""


@dataclass(frozen=True)
class Reset:
    user: User
    token: str  # of the link by which they enrol anew
    until: datetime  # to when they reveal nothing where no owner confirms them
    confirming: Mapping[str, list[str]]  # by the name of each organisation of theirs, the owners who can


@committed
def reset(*, email: str) -> Reset:
    """Take every device and code of a person, and end their sessions and links; a new link is all that is left to them.

    Raise NotReset.
    """
    user = User.objects.select_for_update().filter(email=normalised(email)).first()
    if user is None:
        raise NotReset(f"Nobody has the address {email!r}: give it as `casemate second_factors` lists it.")
    if not user.is_active:
        raise NotReset(f"{user.email} is disabled: a link opens nothing to them before `casemate enable`.")
    # Alone it would be all that they had, and whoever has the telephone may have that too. The link sets a new one.
    user.set_unusable_password()
    user.must_change_password = True
    user.save(update_fields=["password", "must_change_password"])
    until = take_away(user, actor=TERMINAL, origin=Origin())
    close_sessions(Session.objects.filter(user=user), user, Origin(), actor=TERMINAL)
    return Reset(user, new_link(user, again=True), until, _confirming(user))


def _confirming(user: User) -> dict[str, list[str]]:
    found = {}
    for membership in user.memberships.select_related("organization").order_by("organization__name"):
        owners = Membership.objects.filter(
            organization_id=membership.organization_id, role=Role.OWNER, user__is_active=True
        )
        others = owners.exclude(user=user).order_by("user__email").values_list("user__email", flat=True)
        found[membership.organization.name] = list(others)
    return found
