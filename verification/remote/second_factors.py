"""Inside: people who have a password and no second factor; and what the command that lists them says while there is one."""

import json
from typing import Any

from verification.remote.sections import Parameters, on_request, output, section

# A set-up that is going on has a link that was used and is not over.
WITHOUT = """
SELECT COUNT(*), COALESCE(SUM(u.password NOT LIKE '!%'
    AND NOT EXISTS (SELECT 1 FROM casemate.accounts_totpdevice d WHERE d.user_id = u.id AND d.confirmed)
    AND NOT EXISTS (SELECT 1 FROM casemate.accounts_enrolmentlink l WHERE l.user_id = u.id AND l.used_at IS NOT NULL
        AND l.finished_at IS NULL AND l.revoked_at IS NULL AND l.expires_at > UTC_TIMESTAMP(6))), 0)
FROM casemate.accounts_user u WHERE u.is_active;
"""
# Somebody is made and taken back in one transaction, so that nobody else ever sees them.
TRIED = """
import io, json
from django.core.management import CommandError, call_command
from django.db import transaction
from casemate.accounts.models import User

def said():
    out = io.StringIO()
    try:
        call_command("second_factors", stdout=out)
    except CommandError as error:
        return out.getvalue().splitlines(), str(error)
    return out.getvalue().splitlines(), ""

with transaction.atomic():
    before, _refused = said()
    User.objects.create(email=EMAIL, password="argon2$nobody-knows-it")
    lines, refused = said()
    own = [line.partition("  ")[2] for line in lines if line.startswith(EMAIL)]
    transaction.set_rollback(True)
print(json.dumps({"one more line": len(lines) - len(before), "of them": own, "fails": bool(refused)}))
"""


@section
def second_factors(_parameters: Parameters) -> dict[str, int]:
    """Active people, and how many of them have a password, no second factor and no set-up that is going on."""
    people, without = output("mariadb", "--batch", "--skip-column-names", stdin=WITHOUT).split()
    return {"people": int(people), "without": int(without)}


@on_request
def second_factors_listed(parameters: Parameters) -> dict[str, Any]:
    """What the command adds, and whether it fails, while somebody has a password alone."""
    script = f"EMAIL = {parameters['email']!r}\n{TRIED}"
    told = output("/usr/local/sbin/casemate", "shell", "--no-imports", "--verbosity=0", "--command", script)
    seen: dict[str, Any] = json.loads(told.strip().splitlines()[-1])
    return seen
