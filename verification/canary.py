"""A person who uses the site for a few minutes, with secrets of their own; what the logs say of it, and where a secret is in one.

What they did stays in the audit log, as everything does; nothing else of them remains.
"""

import json
import re
import secrets
import time
from typing import Any

from verification.host import Host, NotObserved
from verification.household import listed, move_out, rows

CODE_OF_THE_ERROR = "314159"
PATIENCE = 90.0  # seconds: of what happened so long before the walk the logs are read too
SYLLABLES = ("ba", "do", "fi", "gu", "ke", "lo", "mi", "nu", "pa", "ro", "se", "ti", "vo", "wu", "ya", "zo")


def words(many: int = 14) -> str:
    """A secret that looks like none: letters alone, so that nothing is masked because of its look."""
    return "".join(secrets.choice(SYLLABLES) for _ in range(many))


def marked(host: Host) -> dict[str, Any]:
    """Three requests from outside, and what the logs say of them; made once a verification, which active checks alone may ask for."""
    return host.trial("marked requests", _marked)


def walk(host: Host) -> dict[str, Any]:
    """Likewise a visit of somebody who enrols, signs in, mistypes and is refused."""
    return host.trial("a walk with secrets", _walk)


def _marked(host: Host) -> dict[str, Any]:
    marker, began = f"marked-{secrets.token_hex(6)}", time.time() - clock(host)
    marks = {part: words() for part in ("cookie", "api key", "api key in the query", "body")}
    statuses = host.look_outside({"sections": ["marked_requests"], "marker": marker, "marks": marks})["marked_requests"]
    told = look(host, "told_of", since=began, words=[marker])[marker]
    found = look(host, "in_the_logs", since=began, search={**marks, "marker": marker}, codes=[])["found"]
    return {"marker": marker, "marks": marks, "statuses": statuses, "told": told, "found": found, "from": host.seen_from()}


def _walk(host: Host) -> dict[str, Any]:
    before = marked(host)
    tag = secrets.token_hex(6)
    slug, email = f"verify-{tag}-logs", f"carol-{tag}@casemate.invalid"
    marks = {part: words() for part in ("wrong password", "query of the error")}
    person = {"email": email, "password": words()}
    people = {"carol": person, "owner": {"email": f"owner-{tag}@casemate.invalid"}}
    host.do_not_count()
    host.let_in()
    began = time.time() - clock(host)
    try:
        host.sudo(f"casemate create_organization 'Verify logs {tag}' --slug {slug} --owner {people['owner']['email']}")
        said = host.sudo(f"casemate add_member {slug} --role viewer {email}").stdout
        link = re.search(r"https://[^/\s]+(/enrol/[^/\s]+/)", said)
        if link is None:
            raise NotObserved("`casemate add_member` printed no link")
        person["path"] = link[1]
        parameters = {"people": people, "own": slug, "marks": marks, "code": CODE_OF_THE_ERROR}
        seen = host.look_outside({**parameters, "sections": ["canary_walk"]})["canary_walk"]
        # Root spoils the seed: the next code makes an error that nobody expects, of this person alone.
        rows(host, f"UPDATE casemate.accounts_totpdevice SET seed = REVERSE(seed) WHERE user_id = {user_of(email)}")
        error = host.look_outside({**parameters, "sections": ["canary_error"]})["canary_error"]
        search = {**before["marks"], **marks, "password": person["password"], "seed": seen["seed"], "enrolment link": link[1].split("/")[2]}
        search |= {f"session key {n}": key for n, key in enumerate([*seen["keys"], *error["keys"]], 1) if key}
        number = error["id"] or "no id"
        asked = {f"-{tag}@": "person", number: "error", "stranger refused": "strangers", "198.51.100.1": "forged"}
        told = look(host, "told_of", since=began - PATIENCE, words=list(asked))
        record = json.dumps(told[number]["application"])
        report = host.sudo("casemate new_addresses --days 1").stdout
        return {
            "tag": tag,
            "from": host.seen_from(),
            "new addresses": [line.split("  ") for line in report.splitlines() if email in line],
            "seen": {name: value for name, value in seen.items() if name not in ("codes", "keys", "seed")},
            "error": {name: value for name, value in error.items() if name != "keys"},
            "secrets in the record of the error": sorted(name for name, secret in search.items() if secret in record),
            "searched": sorted(search),
            "codes": len(seen["codes"]),
            "told": {asked[word]: lines for word, lines in told.items()},
            # The marker itself is in the logs: it shows that the search finds what is there.
            "in the logs": look(
                host,
                "in_the_logs",
                since=began - PATIENCE,
                search={**search, "marker": before["marker"]},
                codes=[*seen["codes"], CODE_OF_THE_ERROR],
            ),
            "events": [json.loads(line) for line in rows(host, events_of(email)).splitlines()],
        }
    finally:
        move_out(host, [slug], people)
        host.let_in()


def clock(host: Host) -> float:
    """How far the controller's clock is before the host's, in seconds, and a moment more."""
    return time.time() - float(host.sudo("date +%s.%N").stdout) + 1


def user_of(email: str) -> str:
    return f"(SELECT id FROM casemate.accounts_user WHERE email = {listed([email])})"


def events_of(email: str) -> str:
    fields = "'action', action, 'success', success, 'path', path"
    return f"SELECT JSON_OBJECT({fields}) FROM casemate_audit.event WHERE actor_label = {listed([email])} ORDER BY id"


def look(host: Host, section: str, **parameters: Any) -> Any:
    return host.look_inside({"sections": [section], **parameters})[section]
