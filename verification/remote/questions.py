"""Active: things that happen to people of one organisation, and what the command for the questions of an incident tells of them."""

import json
import secrets
from typing import Any

from verification.remote.sections import Parameters, on_request, output
from verification.remote.visitor import Visitor, led

CASEMATE = "/usr/local/sbin/casemate"
# A password of a person is set by root, and one of the vault is changed, which is no person's. The names stand before it.
PLANT = """
import json, secrets
from casemate.accounts.assurance import Assurance
from casemate.accounts.new_passwords import set_at_terminal
from casemate.audit.origin import Origin
from casemate.tenancy.binding import bind
from casemate.tenancy.models import Membership
from casemate.vault.models import Password
from casemate.vault.services import change_password

found = Membership.objects.select_related("user", "organization").filter(organization__slug=SLUG)
members = {one.role: one for one in found}
owner = members["owner"]
sure = Assurance(user=owner.user, origin=Origin(), second_factor_at=datetime.now(UTC))
set_at_terminal(email=members["viewer"].user.email, password=secrets.token_urlsafe(24))
with bind(owner.organization):
    entry = Password.objects.get()
    change_password(
        password_id=entry.pk, version=entry.version, folder_id=entry.folder_id, name="Router, changed", parts={},
        membership=owner, assurance=sure,
    )
emails = {role: one.user.email for role, one in members.items()}
print("\\n" + json.dumps({"emails": emails, "session": session_of(members["auditor"].user, whole=False)}))
"""


@on_request
def audit_questions(parameters: Parameters) -> dict[str, Any]:
    """What each question is answered: the lines that name these people, and whether all others are of its kind too."""
    slug = parameters["ways"]["/o/ORGANIZATION/"].split("/")[2]
    script = f"SLUG = {slug!r}\n{parameters['session']}{PLANT}"
    told = output(CASEMATE, "shell", "--no-imports", "--verbosity=0", "--command", script)
    made = json.loads(told.strip().splitlines()[-1])
    # From an address of their own each time: what others tried from it within the hour counts.
    address = f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
    stranger, half = Visitor(parameters, address=address), Visitor(parameters, address=address)
    stranger.person = {"email": made["emails"]["editor"], "password": secrets.token_urlsafe(24)}
    tried = [led(stranger.give_password())]
    half.jar["__Host-sessionid"] = made["session"]
    half.get("/sign-in/verify/")
    tried.append(led(half.post("/sign-in/verify/", code="000000")))
    questions = {"failed-sign-ins": [], "new-passwords": [], "person": [made["emails"]["owner"]], "organization": [slug]}
    answers = {name: output(CASEMATE, "audit_events", name, *of, "--days", "1") for name, of in questions.items()}
    return {"tried": tried, **{name: read(text, slug) for name, text in answers.items()}}


def read(text: str, slug: str) -> dict[str, Any]:
    """Place and sentence of each line that names one of these people, and of the others; and whether the newest comes last."""
    mark = f"-{slug.split('-')[1]}@casemate.invalid"
    lines = [line.split("  ") for line in text.splitlines()]
    events = [(line[0], [line[1], line[3]]) for line in lines if len(line) > 3]
    ours = [[part.replace(mark, "").replace(slug, "OWN") for part in told] for _at, told in events if mark in told[1] or slug == told[0]]
    others = [told for _at, told in events if mark not in told[1] and slug != told[0]]
    times = [at for at, _told in events]
    return {"ours": ours, "others": others, "in order": bool(times) and times == sorted(times)}
