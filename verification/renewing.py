"""People whose passwords are changed and kept otherwise, made for one verification and removed again."""

import secrets
from typing import Any

from verification.host import Host, facts_of, script_of
from verification.household import SOCKET, move_out

MODULES = ("sections", "pages", "wire", "visitor", "vaults", "renewed")
NAMES = ("keeper", "older", "unknown")


def renew(host: Host) -> dict[str, Any]:
    """What remote/renewed.py saw of them."""
    tag = secrets.token_hex(6)
    people = {name: {"email": f"{name}-{tag}@casemate.invalid", "password": secrets.token_urlsafe(24)} for name in NAMES}
    parameters = {"people": people, "site": host.site, "socket": SOCKET, "sections": ["renewed"]}
    try:
        facts = facts_of(host.connection.run("sudo python3 -", stdin=script_of(MODULES, parameters), timeout=300), host.name)
        seen: dict[str, Any] = facts["renewed"]
    finally:
        move_out(host, [f"verify-{tag}-none"], people)
    return seen
