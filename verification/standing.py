"""People of one organisation, one in each role and each wholly signed in, who ask over the application's own socket.

They are made for one look, by verification/walk.py, and removed again.
"""

from typing import Any

from verification.host import Host, facts_of, script_of
from verification.household import SOCKET
from verification.walk import moved_in

MODULES = ("sections", "pages", "wire", "visitor")


def looked_at(host: Host, module: str, section: str, **parameters: Any) -> dict[str, Any]:
    """What a section of a module of verification/remote saw, which is told each one's session and the addresses with ids that there are."""
    with moved_in(host) as (sessions, ways):
        given = {"people": {}, "site": host.site, "socket": SOCKET, "sessions": sessions, "ways": ways, "sections": [section], **parameters}
        script = script_of((*MODULES, module), given)
        seen: dict[str, Any] = facts_of(host.connection.run("sudo python3 -", stdin=script, timeout=300), host.name)[section]
    return seen
