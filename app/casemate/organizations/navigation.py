"""The places of an organisation, in the order of the page's head. Each is shown to those who may open it."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from casemate.tenancy.models import Membership
from casemate.tenancy.permissions import Permission, allows


@dataclass(frozen=True)
class Place:
    label: str
    name: str  # of the route
    needs: Permission


PLACES = (
    Place("Vault", "vault", Permission.VAULT_VIEW),
    Place("Members", "members", Permission.MEMBERS_VIEW),
    Place("Audit", "organization-audit", Permission.AUDIT_VIEW),
)


def open_to(membership: Membership) -> list[Place]:
    return [place for place in PLACES if allows(membership.role, place.needs)]


def context(request: HttpRequest) -> dict[str, Any]:
    """`places` for the head of the page: label, address, whether the page is in it. Asks the database nothing."""
    membership: Membership | None = getattr(request, "membership", None)
    if membership is None:
        return {}
    slug = membership.organization.slug
    addresses = [(place.label, reverse(place.name, args=[slug])) for place in open_to(membership)]
    return {"places": [(label, address, request.path.startswith(address)) for label, address in addresses]}
