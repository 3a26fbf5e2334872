"""Somebody whose password is changed in each way that there is, made for one verification and removed again."""

import secrets
from typing import Any

from verification.host import Host, facts_of, script_of
from verification.household import SESSION, SOCKET, move_out

MODULES = ("sections", "pages", "wire", "visitor", "vaults", "renewed", "new_passwords")
# The password comes where no list of processes shows it.
MADE = """
import json, sys
from casemate.accounts.models import TotpDevice, User
from casemate.accounts.totp import new_seed
user = User(email=EMAIL)
user.set_password(sys.stdin.readline().strip())
user.save()
TotpDevice.objects.create(user=user, name="Authenticator app", confirmed=True, seed=new_seed())
print("\\n" + json.dumps({"id": str(user.pk), "session": session_of(user)}))
"""


def change_passwords(host: Host) -> dict[str, Any]:
    """What remote/new_passwords.py saw of it."""
    tag = secrets.token_hex(6)
    people = {"changer": {"email": f"changer-{tag}@casemate.invalid"}}
    making = f"EMAIL = {people['changer']['email']!r}\n{SESSION}{MADE}"
    parameters = {"people": people, "site": host.site, "socket": SOCKET, "making": making, "sections": ["new_passwords"]}
    try:
        facts = facts_of(host.connection.run("sudo python3 -", stdin=script_of(MODULES, parameters), timeout=300), host.name)
        seen: dict[str, Any] = facts["new_passwords"]
    finally:
        move_out(host, [f"verify-{tag}-none"], people)
    return seen
