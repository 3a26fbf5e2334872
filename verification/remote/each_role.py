"""Active: one member in each role in turn, at every address that the application has."""

import re
from typing import Any

from verification.remote.vaults import sql
from verification.remote.visitor import NOWHERE, Visitor, led


def in_each_role(owner: Visitor, member: Visitor, slug: str, ids: dict[str, str]) -> dict[str, dict[str, str]]:
    """Where each address leads, by the roles that the owner could choose."""
    subject = ids["members"]
    offered = re.findall(r'<option value="(\w+)"', owner.get(f"/o/{slug}/members/{subject}/")["body"])
    found: dict[str, Any] = {}
    for role in offered:
        # As root: a change of the owner's would be an event, and those are counted.
        sql("UPDATE tenancy_membership SET role = '{role}' WHERE id = '{subject}'", role=role, subject=subject)
        found[role] = {}
        for route in owner.parameters["routes"]:
            kind = next((kind for kind in ids if route.startswith(f"/o/{slug}/{kind}/{NOWHERE}")), "")
            answer = led(member.get(route.replace(NOWHERE, ids[kind]) if kind else route))
            for made in ids.values():
                answer = answer.replace(made, "ID")
            found[role][route.replace(NOWHERE, "ID")] = answer
    sql("UPDATE tenancy_membership SET role = 'viewer' WHERE id = '{subject}'", subject=subject)
    return found
