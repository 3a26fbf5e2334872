"""People who choose passwords at their links, made for one verification and removed again: what is refused, and what is kept of it."""

import secrets
import shlex
import string
from typing import Any

from verification.host import Host, facts_of, script_of
from verification.household import SOCKET, move_out

MODULES = ("sections", "pages", "wire", "visitor", "vaults", "chosen")
# Their links, in one process: Django takes a second of the host's time to begin.
LINKS = (
    "from casemate.accounts.services import issue_enrolment_link\n"
    "for email, name in {people!r}:\n"
    "    print('link', email, issue_enrolment_link(email=email, name=name)[1])\n"
)


def choose_passwords(host: Host, wanted: dict[str, Any]) -> dict[str, Any]:
    """`refused` names groups of passwords, each tried at a link of its own; two more people have theirs taken."""
    tag = secrets.token_hex(6)
    taken = {"twelve small letters": letters(12), "sixty-four characters": " ".join(letters(7) for _ in range(8)) + "x"}
    refused = {group: {name: password for name, (password, _why) in tried.items()} for group, tried in wanted["refused"].items()}
    people: dict[str, dict[str, str]] = {
        name: {"email": f"orchardgate-{tag}-{number}@casemate.invalid", "password": taken.get(name, "")}
        for number, name in enumerate([*refused, *taken])
    }
    try:
        asked = LINKS.format(people=[(person["email"], wanted["person"]) for person in people.values()])
        told = host.sudo(f"casemate shell --no-imports --verbosity=0 --command {shlex.quote(asked)}").stdout
        links = dict(line.split()[1:] for line in told.splitlines() if line.startswith("link "))
        for person in people.values():
            person["path"] = f"/enrol/{links[person['email']]}/"
        parameters = {"people": people, "refused": refused, "taken": list(taken), "guess": f"guess {letters(20)}"}
        script = script_of(MODULES, {**parameters, "site": host.site, "socket": SOCKET, "sections": ["passwords_at_the_link"]})
        seen: dict[str, Any] = facts_of(host.connection.run("sudo python3 -", stdin=script, timeout=300), host.name)[
            "passwords_at_the_link"
        ]
    finally:
        move_out(host, [f"verify-{tag}-none"], people)
    return seen


def letters(count: int) -> str:
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(count))
