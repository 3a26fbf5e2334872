"""Somebody whose second factor is taken away, with the people who are told of it: made for one verification and removed again."""

import secrets
from typing import Any

from verification.host import Host, facts_of, script_of
from verification.household import SESSION, SOCKET, move_out

MODULES = ("sections", "pages", "wire", "visitor", "vaults", "renewed", "new_passwords", "lost_factor")
# bob is an editor of alice's organisation, of which adam is an administrator, and the only owner of another one. The password comes where
# no list of processes shows it.
MADE = """
import json, sys
from casemate.accounts import backup_codes
from casemate.accounts.assurance import Assurance
from casemate.accounts.models import TotpDevice, User
from casemate.accounts.services import issue_enrolment_link
from casemate.accounts.totp import new_seed
from casemate.audit.origin import Origin
from casemate.organizations.services import add_member, create_organization
from casemate.tenancy.binding import bind
from casemate.tenancy.models import Membership
from casemate.vault.folders import create_folder
from casemate.vault.services import change_password, create_password

people, members, paths, streams = {}, {}, {}, {}
for name, email in EMAILS.items():
    people[name] = User.objects.create(email=email)
    TotpDevice.objects.create(user=people[name], name="Authenticator app", confirmed=True, seed=new_seed())
bob = people["bob"]
bob.set_password(sys.stdin.readline().strip())
bob.save()
TotpDevice.objects.create(user=bob, name="Half set up", confirmed=False, seed=new_seed())
backup_codes.issue(bob)
for place, owner in (("own", "alice"), ("else", "bob")):
    organization, _token = create_organization(name=f"Verification {place}", slug=SLUGS[place], owner=EMAILS[owner])
    if place == "own":
        add_member(slug=SLUGS[place], email=EMAILS["bob"], role="editor")
        add_member(slug=SLUGS[place], email=EMAILS["adam"], role="administrator")
    acting = Membership.objects.get(organization=organization, user=people[owner])
    who = {"membership": acting, "assurance": Assurance(user=people[owner], origin=Origin(), second_factor_at=datetime.now(UTC))}
    with bind(organization):
        folder = create_folder(name="Routers", parent_id=None, reason_required=True, **who)
        password = create_password(folder_id=folder.pk, name="Router", parts={"password": MARK}, **who)
        change_password(password_id=password.pk, version=1, folder_id=folder.pk, name="Router", parts={"user_name": "root"}, **who)
    paths[place] = f"/o/{SLUGS[place]}/vault/{password.pk}/"
    members[place] = f"/o/{SLUGS[place]}/members/{Membership.objects.get(organization=organization, user=bob).pk}/"
    streams[str(organization.pk)] = place
_bob, link = issue_enrolment_link(email=EMAILS["bob"], again=True)
print("\\n" + json.dumps({
    "names": {str(user.pk): name for name, user in people.items()},
    "sessions": {name: session_of(user) for name, user in people.items()},
    "paths": paths, "members": members, "streams": streams, "link": f"/enrol/{link}/",
}))
"""


def lose(host: Host) -> dict[str, Any]:
    """What remote/lost_factor.py saw of it."""
    tag = secrets.token_hex(6)
    people = {name: {"email": f"{name}-{tag}@casemate.invalid"} for name in ("alice", "adam", "bob")}
    people["bob"]["password"] = secrets.token_urlsafe(24)  # the one that he chooses by the new link
    slugs = {place: f"verify-{tag}-{place}" for place in ("own", "else")}
    given = {"EMAILS": {name: person["email"] for name, person in people.items()}, "SLUGS": slugs, "MARK": f"canary{secrets.token_hex(12)}"}
    making = "".join(f"{name} = {value!r}\n" for name, value in given.items()) + SESSION + MADE
    parameters = {
        "people": people,
        "site": host.site,
        "socket": SOCKET,
        "slugs": slugs,
        "mark": given["MARK"],
        "making": making,
        "sections": ["lost_factor"],
    }
    try:
        facts = facts_of(host.connection.run("sudo python3 -", stdin=script_of(MODULES, parameters), timeout=300), host.name)
        seen: dict[str, Any] = facts["lost_factor"]
    finally:
        move_out(host, list(slugs.values()), people)
    return seen
