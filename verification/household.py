"""Two organisations with their people, made for one verification, seen from outside and inside, and removed again.

What they did stays in the audit log, as everything does; nothing else of them remains.
"""

import json
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from verification import marks
from verification.host import Host, NotObserved, facts_of, script_of
from verification.remote.application import ROUTES

NAMES = ("alice", "mallory", "carol", "nobody")  # nobody is not enrolled; trent joins them where codes are to be given beside their time
HERE, ELSEWHERE = "127.0.0.8", "127.0.0.9"  # from where they come
# What is done beyond moving in, where a check asks for it: each address tried by somebody who gave nothing, and by somebody who gave the
# password alone; a form sent by a script; ids tried in another organisation's place; a role changed; pages asked for at once; passwords
# stored and opened; each address tried in each role; each page looked at; scripts typed as names; sessions made older; codes given that
# are too old or too new; backup codes used up; wrong passwords guessed; locks tried and lifted.
PARTS = frozenset(
    {"anonymous", "with the password alone", "by script", "foreign", "role change", "at once", "vault", "each role", "each page", "markup"}
    | {"ages", "window", "backup codes", "guessing", "locks"}
)
# Run by the application's own command: a session without a sign-in, of which everything can be said.
SESSION = """
from datetime import UTC, datetime
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from casemate.accounts.assurance import SECOND_FACTOR
from casemate.accounts.gate import SEEN, STARTED
from casemate.accounts.sessions import SessionStore

def session_of(user, whole=True, started=0, seen=0, **said):
    "Its key. It began and was used last so many minutes ago."
    session, now = SessionStore(), datetime.now(UTC).timestamp()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = "casemate.accounts.backends.PasswordBackend"
    session[STARTED], session[SEEN] = now - 60 * started, now - 60 * seen
    if whole:
        session[SECOND_FACTOR] = now
    session.update(said)
    session.create()
    return session.session_key
"""
MODULES = ("sections", "pages", "wire", "visitor", "vaults", "each_role", "typed", "standing_in", "people", "own_sessions")
SOCKET = "/run/casemate/gunicorn.sock"
CHECKS = "verification.checks."


@dataclass(frozen=True)
class Household:
    """What was seen of them: the answers that they got, what locks and commands did, and what the log kept; empty where nobody asked."""

    seen: Mapping[str, Any]
    locks: Mapping[str, Any]
    sessions: int  # rows under the digests of the three people's keys
    events: list[dict[str, Any]]
    kept: bool  # whether the log still says the same now that the people are gone


def asked_for(identifier: str) -> frozenset[str]:
    """The parts of a household that the checks of a control name, or functions beside them that they call.

    One household with all of them does for a whole look.
    """
    waiting: list[Any] = [check.function for check in marks.MARKED.checks.get(identifier, ())]
    codes: dict[FunctionType, CodeType] = {}
    while waiting:
        function = waiting.pop()
        codes[function] = function.__code__
        called = (function.__globals__.get(name) for name in function.__code__.co_names)
        ours = (one for one in called if isinstance(one, FunctionType) and one.__module__.startswith(CHECKS))
        waiting += [one for one in ours if one not in codes]
    if not any("household" in code.co_names for code in codes.values()):
        return frozenset()
    return PARTS & {word for code in codes.values() for word in code.co_consts if isinstance(word, str)}


def move_in(host: Host, parts: Collection[str] = PARTS) -> Household:
    tag = secrets.token_hex(6)
    slugs = [f"verify-{tag}-own", f"verify-{tag}-else"]
    people = {name: {"email": f"{name}-{tag}@casemate.invalid", "password": secrets.token_urlsafe(24)} for name in NAMES}
    people["nobody"]["agent"] = "casemate-verify" * 200
    if "with the password alone" in parts:
        people["carol"]["walks"] = "yes"
    if "window" in parts:
        people["trent"] = {"email": f"trent-{tag}@casemate.invalid", "password": secrets.token_urlsafe(24), "window": "yes"}
    wanted = {*parts, *({"guessing"} if "locks" in parts else ())}
    try:
        paths, routes = invited(host, tag, slugs, people)
        for name, path in paths.items():
            people[name]["path"] = path
        routes = [path.replace("ORGANIZATION", slugs[0]) for path in routes]
        parameters = {"people": people, "slugs": slugs, "routes": routes, "site": host.site, "socket": SOCKET, "parts": sorted(wanted)}
        seen = visit(host, "two_organizations", parameters)
        seen = json.loads(json.dumps(seen).replace(slugs[0], "OWN").replace(slugs[1], "ELSE"))
        digests = [enrolment["digest of the key"] for enrolment in seen["enrolments"].values()]
        known = f"SELECT COUNT(*) FROM casemate.accounts_session WHERE session_key IN ({listed(digests)})"
        sessions = int(rows(host, known))
        locks = locked_doors(host, parameters) if "locks" in wanted else {}
        ids = f"SELECT slug, id FROM casemate.tenancy_organization WHERE slug IN ({listed(slugs)})"
        streams = dict(line.split("\t") for line in rows(host, ids).splitlines())
        events = told(host, tag, streams)
    finally:
        move_out(host, slugs, people)
        if "guessing" in wanted:
            # It keeps its counts in memory: what is tried from one address in an hour would be too much for those who come next.
            host.sudo("systemctl restart casemate-limiter.service")
    return Household(seen, locks, sessions, events, told(host, tag, streams) == events)


def invited(host: Host, tag: str, slugs: list[str], people: Mapping[str, Mapping[str, str]]) -> tuple[dict[str, str], list[str]]:
    """Whom the application's own commands invited, each with the path of the link; and its addresses, as application.py has them.

    All in one process, since each would start Django anew.
    """
    commands = {
        "alice": ["create_organization", f"Verify own {tag}", "--slug", slugs[0], "--owner"],
        "mallory": ["create_organization", f"Verify else {tag}", "--slug", slugs[1], "--owner"],
        "carol": ["add_member", slugs[0], "--role", "viewer"],
        "trent": ["enrol_operator"],
    }
    commands = {name: words for name, words in commands.items() if name in people}
    calls = [f"call_command({', '.join(map(repr, [*words, people[name]['email']]))})" for name, words in commands.items()]
    asked = ["import json", "from django.core.management import call_command", *calls, "print(json.dumps(sorted(routes(get_resolver()))))"]
    told = host.sudo(in_the_application(ROUTES + "\n".join(asked))).stdout
    links = re.findall(r"https://[^/\s]+(/enrol/[^/\s]+/)", told)
    if len(links) != len(commands):
        raise NotObserved(f"create_organization and add_member printed {len(links)} links for {len(commands)} people")
    return dict(zip(commands, links, strict=True)), json.loads(told.strip().splitlines()[-1])


def in_the_application(script: str) -> str:
    """The command that runs a script as the application's own commands run."""
    return f"casemate shell --no-imports --verbosity=0 --command \"$(cat <<'CASEMATE'\n{script}\nCASEMATE\n)\""


def locked_doors(host: Host, parameters: dict[str, Any]) -> dict[str, Any]:
    """After five wrong tries from one address: from another, after a restart, without the limiter, and once an operator lifted it."""
    people = parameters["people"]

    def tried(who: str, address: str = HERE) -> int:
        status: int = visit(host, "sign_in_once", {**parameters, "who": who, "from": address})
        return status

    found: dict[str, Any] = {"from another address": tried("alice", ELSEWHERE)}
    listed_by = host.sudo("casemate lockouts").stdout
    found["listed"] = sorted(name for name in NAMES if re.search(rf"{people[name]['email']}  \d+ wrong  locked out", listed_by))
    host.sudo("systemctl restart casemate.service")
    found["after a restart"] = tried("alice")
    host.sudo("systemctl stop casemate-limiter.service")
    try:
        found["without the limiter"] = tried("alice")
    finally:
        host.sudo("systemctl start casemate-limiter.service")
    host.sudo(f"casemate unlock {people['alice']['email']}")
    found["once lifted"] = {name: tried(name) for name in ("alice", "nobody")}
    found["minutes later"] = {}
    for minutes in (59, 61):
        # The clock of a host that works is left alone: what is counted is made older.
        aged = f"attempt_time = UTC_TIMESTAMP(6) - INTERVAL {minutes} MINUTE WHERE username = '{people['nobody']['email']}'"
        rows(host, f"UPDATE casemate.axes_accessattempt SET {aged}")
        found["minutes later"][str(minutes)] = tried("nobody")
    return found


def visit(host: Host, section: str, parameters: dict[str, Any]) -> Any:
    script = script_of(MODULES, {**parameters, "sections": [section]})
    return facts_of(host.connection.run("sudo python3 -", stdin=script, timeout=300), host.name)[section]


def told(host: Host, tag: str, streams: Mapping[str, str]) -> list[dict[str, Any]]:
    """The events of them, in order, with a word for each stream and person instead of what is new each time."""
    fields = (
        "action",
        "actor",
        "actor_kind",
        "actor_label",
        "target_type",
        "target_id",
        "target_label",
        "success",
        "ip",
        "user_agent",
        "path",
    )
    pairs = ", ".join(f"'{field}', {field}" for field in fields)
    query = (
        f"SELECT JSON_OBJECT('stream', stream, 'at', TIMESTAMPDIFF(MICROSECOND, '1970-01-01', at), 'detail', detail, {pairs}) "
        f"FROM casemate_audit.event WHERE stream IN ({listed(streams.values())}) OR actor_label LIKE '%-{tag}@casemate.invalid' "
        f"OR target_label LIKE '%-{tag}@casemate.invalid' ORDER BY id"
    )
    text = rows(host, query)
    for slug, stream in streams.items():
        text = text.replace(stream, slug.rsplit("-", 1)[1])
    return [json.loads(line) for line in text.replace(f"-{tag}@casemate.invalid", "").splitlines()]


def move_out(host: Host, slugs: list[str], people: Mapping[str, Mapping[str, str]]) -> None:
    addresses = listed(person["email"] for person in people.values())
    users = f"(SELECT id FROM casemate.accounts_user WHERE email IN ({addresses}))"
    organizations = f"(SELECT id FROM casemate.tenancy_organization WHERE slug IN ({listed(slugs)}))"
    owned = ("accounts_session", "accounts_totpdevice", "accounts_backupcode", "accounts_enrolmentlink")
    statements = [f"DELETE FROM casemate.{table} WHERE user_id IN {users};" for table in owned]
    scopes = ", ".join(f"'organization:{row}'" for row in rows(host, organizations[1:-1]).splitlines()) or "''"
    tables = ("vault_passwordrevision", "vault_password", "vault_folder")
    statements += [f"DELETE FROM casemate.{table} WHERE organization_id IN {organizations};" for table in tables]
    statements += [
        f"DELETE FROM casemate.keyring_scopekey WHERE scope IN ({scopes});",
        f"DELETE FROM casemate.tenancy_membership WHERE organization_id IN {organizations};",
        f"DELETE FROM casemate.tenancy_organization WHERE slug IN ({listed(slugs)});",
        f"DELETE FROM casemate.accounts_user WHERE email IN ({addresses});",
        f"DELETE FROM casemate.axes_accessattempt WHERE username IN ({addresses});",
    ]
    host.sudo("mariadb <<'SQL'\n" + "\n".join(statements) + "\nSQL")


def rows(host: Host, query: str) -> str:
    return host.sudo(f"mariadb --default-character-set=utf8mb4 --batch --raw --skip-column-names <<'SQL'\n{query};\nSQL").stdout.strip()


def listed(values: Any) -> str:
    """Quoted for SQL; each value is of letters, digits, hyphens, dots and one @ by how it was made."""
    return ", ".join(f"'{value}'" for value in values)
