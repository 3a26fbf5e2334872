"""Inside: what people are called, and whom no enrolment made; on request, whether somebody gets a name that everybody tries first."""

import json
import re

from verification.remote.sections import Parameters, on_request, output, section

CALLED = """
SELECT COUNT(*), COALESCE(SUM(SUBSTRING_INDEX(u.email, '@', 1) REGEXP '^({names})[._-]?[0-9]{{0,4}}([+].*)?$'), 0),
    COALESCE(SUM(NOT EXISTS (SELECT 1 FROM casemate_audit.event e WHERE e.stream = 'installation'
        AND e.action = 'accounts.enrolment_link.issue' AND e.target_id = CONCAT(u.id))), 0)
FROM casemate.accounts_user u;
"""
# Each way in which somebody is made, by the commands that root has; and Django's own, which asks for no link.
TRIED = """
import io, json
from django.core.management import call_command

def came(*words, **options):
    try:
        call_command(*words, stdout=io.StringIO(), stderr=io.StringIO(), **options)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "taken"

call_command("create_organization", "Verification", "--slug", SLUG, "--owner", OWNER, stdout=io.StringIO(), stderr=io.StringIO())
found = {
    "enrol_operator": {email: came("enrol_operator", email) for email in REFUSED + TAKEN},
    "create_organization": {email: came("create_organization", "New", "--slug", NEW, "--owner", email) for email in REFUSED},
    "add_member": {email: came("add_member", SLUG, email, "--role", "viewer") for email in REFUSED},
    "createsuperuser": {email: came("createsuperuser", interactive=False, email=email) for email in REFUSED[:1]},
}
print("\\n" + json.dumps(found))
"""


@section
def people_called(parameters: Parameters) -> dict[str, int]:
    """People, how many of them have a name that everybody tries first, and how many no enrolment link made."""
    names = "|".join(re.escape(name) for name in parameters["guessed_names"])
    told = output("mariadb", "--batch", "--skip-column-names", stdin=CALLED.format(names=names))
    return dict(zip(("people", "with such a name", "without a link"), map(int, told.split()), strict=True))


@on_request
def guessed_names_tried(parameters: Parameters) -> dict[str, dict[str, str]]:
    """By command, what came of each address: taken, refused as such a name, or something else."""
    words = ("SLUG", "NEW", "OWNER", "REFUSED", "TAKEN")
    given = "".join(f"{word} = {parameters[word.lower()]!r}\n" for word in words)
    told = output("/usr/local/sbin/casemate", "shell", "--no-imports", "--verbosity=0", "--command", given + TRIED)
    found: dict[str, dict[str, str]] = json.loads(told.strip().splitlines()[-1])
    return {way: {email: short(came) for email, came in tried.items()} for way, tried in found.items()}


def short(came: str) -> str:
    return "refused" if "that everybody tries first" in came else came.partition(":")[0]
