"""Active: people of two organisations at their browsers, each with a second factor: what the application shows them.

They come over the application's own socket, as nginx does, from addresses of this host's loopback network: nginx counts
requests and fail2ban bans addresses, so that through them nobody could see what the application does by itself.
"""

import base64
import hashlib
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from verification.remote.each_role import in_each_role
from verification.remote.pages import looked_at
from verification.remote.sections import Parameters, on_request, output
from verification.remote.standing_in import by_backup_codes, kept
from verification.remote.typed import as_text, by_script
from verification.remote.vaults import vault_walk
from verification.remote.visitor import NOWHERE, Visitor, led, plain_of

# What these ask for has an id, of things in alice's vault.
OF_THINGS = frozenset({"foreign", "each role", "each page", "markup"})


@on_request
def two_organizations(parameters: Parameters) -> dict[str, Any]:
    """alice owns one organisation, mallory the other, and carol looks at alice's: what each sees of the other's, by the parts asked for."""
    own, parts = parameters["slugs"][0], frozenset(parameters["parts"])
    addresses = {name: person["email"] for name, person in parameters["people"].items()}
    alice, mallory, carol = (Visitor(parameters, name) for name in ("alice", "mallory", "carol"))
    seen: dict[str, Any] = {}
    if "window" in parts:
        # Beside all that follows, since he waits for the next half minute, twice.
        window = ThreadPoolExecutor(max_workers=1).submit(Visitor(parameters, "trent").enrol)
    if "anonymous" in parts:
        seen["anonymous"] = {path: led(Visitor(parameters).get(path)) for path in parameters["routes"]}
    # Side by side: each waits after a wrong code.
    with ThreadPoolExecutor(max_workers=3) as pool:
        enrolling = {name: pool.submit(who.enrol) for name, who in (("alice", alice), ("carol", carol), ("mallory", mallory))}
        seen["enrolments"] = {name: enrolment.result() for name, enrolment in enrolling.items()}
    seen["keys at rest"] = at_rest(alice, carol, mallory)
    # Beside all that follows, too, at browsers of their own: a wrong code is followed by a wait, and each password costs an Argon2. One
    # after the other, since the right password lets mallory in ten times an hour, and counts anew once she was in.
    beside = ThreadPoolExecutor(max_workers=1)
    if "backup codes" in parts:
        seen["backup codes at rest"] = kept([alice, carol, mallory])
        standing_in = beside.submit(by_backup_codes, parameters, "mallory", mallory.backup_codes)
    if "guessing" in parts:
        guesses = beside.submit(guessing, parameters, alice.seed)
    if "vault" in parts:
        seen["vault"] = vault_walk(alice, mallory, carol, parameters["slugs"])
    members = dict(people_of(alice.get(f"/o/{own}/members/")["body"], own))
    seen["members"] = sorted(name for name, email in addresses.items() if email in members)
    ids = {"members": members.get(addresses["carol"], NOWHERE), **(things_of(alice, own) if parts & OF_THINGS else {})}
    seen["made"] = sorted(kind for kind, made in ids.items() if made != NOWHERE)
    if "by script" in parts:
        seen["by script"] = by_script(alice, own)
    if "each role" in parts:
        seen["each role"] = in_each_role(alice, carol, own, ids)
    if "each page" in parts:
        seen["each page"] = pages_twice(alice, parameters["routes"], own, ids)
    if "foreign" in parts:
        seen |= in_the_others_place(parameters, mallory, ids)
    if "role change" in parts:
        seen |= role_changed(parameters, alice, mallory, carol, ids["members"])
    if "at once" in parts:
        seen["at once"] = at_once(parameters, alice, mallory)
    if "markup" in parts:
        seen["markup"] = as_text(alice, carol, own, ids)
    if "ages" in parts:
        seen["ages"] = ages(parameters)
    if "window" in parts:
        seen["the window"] = window.result()["the window"]
    if "backup codes" in parts:
        seen["backup codes"] = standing_in.result()
    if "guessing" in parts:
        seen["guessing"] = guesses.result()
    return seen


def things_of(who: Visitor, slug: str) -> dict[str, str]:
    """The ids of a folder and of a password that its owner makes."""
    folders, vault = f"/o/{slug}/vault/folders/", f"/o/{slug}/vault/"
    who.get(f"{folders}new/")
    who.post(f"{folders}new/", name="Verification", parent="")
    folder = first_id(who.get(folders), folders)
    who.get(f"{vault}new/")
    who.post(f"{vault}new/", name="Router", folder=folder, password="nobody-uses-it")  # noqa: S106  gone with its organisation
    return {"vault/folders": folder, "vault": first_id(who.get(vault), vault)}


def in_the_others_place(parameters: Parameters, mallory: Visitor, ids: dict[str, str]) -> dict[str, Any]:
    """Every address with an id: in the other's place, as one that never was; in one's own, with the other's id and with nobody's."""
    own, other = parameters["slugs"]
    seen: dict[str, Any] = {"foreign": {}, "missing": {}}
    for route in (path for path in parameters["routes"] if NOWHERE in path):
        kind = next(kind for kind in ids if route.startswith(f"/o/{own}/{kind}/{NOWHERE}"))
        real = route.replace(NOWHERE, ids[kind])
        seen["foreign"][route] = [plain_of(mallory.get(real)), plain_of(mallory.get(real.replace(own, other)))]
        seen["missing"][route] = [
            plain_of(mallory.get(route.replace(own, own[::-1]))),
            plain_of(mallory.get(route.replace(own, other))),
        ]
    return seen


def role_changed(parameters: Parameters, alice: Visitor, mallory: Visitor, carol: Visitor, subject: str) -> dict[str, Any]:
    """alice makes an auditor of carol, between two moments in seconds since 1970; and who reads of it."""
    own, other = parameters["slugs"]
    addresses = {name: person["email"] for name, person in parameters["people"].items()}
    alice.get(f"/o/{own}/members/{subject}/")
    began = time.time()
    changed = led(alice.post(f"/o/{own}/members/{subject}/", role="auditor"))
    return {
        "role change": changed,
        "role change between": [began, time.time()],
        "audit": {
            "an auditor opens it": led(carol.get(f"/o/{own}/audit/")),
            "and reads of the change": "changed the role of" in carol.page and addresses["carol"] in carol.page,
            "forms on it that change something": carol.page.partition("<main")[2].lower().count('method="post"'),
            "a stranger, of hers": of_alice(mallory.get(f"/o/{other}/audit/"), addresses),
            "a stranger, who asks for alice": of_alice(mallory.get(f"/o/{other}/audit/?actor=alice&target=alice"), addresses),
            "the installation's, by an owner": led(alice.get("/audit/")),
        },
    }


def at_once(parameters: Parameters, alice: Visitor, mallory: Visitor) -> dict[str, int]:
    """Whose the pages are that both ask for at once, fifteen times each."""
    own, other = parameters["slugs"]
    with ThreadPoolExecutor(max_workers=8) as pool:
        asked = [(mine, pool.submit(who.get, f"/o/{mine}/audit/")) for _ in range(15) for who, mine in ((alice, own), (mallory, other))]
    pages = [(mine, page.result()["body"]) for mine, page in asked]
    return {
        "of their own": sum(f"/o/{mine}/audit/" in page for mine, page in pages),
        "of the other's": sum(f"/o/{other if mine == own else own}/" in page for mine, page in pages),
    }


def at_rest(*people: Visitor) -> dict[str, int]:
    """Rows of their second factors, those that count, and those in which a key can be read: as text, in hexadecimal or as its bytes."""
    keys = [(who.seed.encode(), base64.b32decode(who.seed)) for who in people]
    words = [word for text, key in keys for word in (text, key, key.hex().encode())]
    readable = " OR ".join(f"LOCATE('{word.hex()}', LOWER(HEX(seed)))" for word in words)
    emails = ", ".join(f"'{who.person['email']}'" for who in people)
    told = output(
        *("mariadb", "--batch", "--skip-column-names"),
        stdin=f"SELECT COUNT(*), SUM(confirmed), SUM({readable}) FROM casemate.accounts_totpdevice "
        f"WHERE user_id IN (SELECT id FROM casemate.accounts_user WHERE email IN ({emails}));",
    )
    return dict(zip(("rows", "confirmed", "readable"), map(int, told.split()), strict=True))


def ages(parameters: Parameters) -> dict[str, Any]:
    """Where two sessions of carol lead, after the password alone: one that was left alone for so many minutes, and one in constant use."""
    idle, used = Visitor(parameters, "carol"), Visitor(parameters, "carol")
    seen: dict[str, Any] = {"young": [led(who.give_password()) for who in (idle, used)], "idle": {}, "in all": {}}
    for left_alone, older, in_all in ((4, 719, 719), (6, 2, 721), (29, 0, 0), (31, 0, 0)):
        made_older((idle, "seen", left_alone), (used, "started", older))
        seen["idle"][str(left_alone)] = led(idle.get("/"))
        if in_all:
            seen["in all"][str(in_all)] = led(used.get("/"))
    return seen


def made_older(*aged: tuple[Visitor, str, int]) -> None:
    """What sessions say of themselves, so many minutes earlier: the clock of a host that works is left alone."""
    changes = [(hashlib.sha256(who.jar.get("__Host-sessionid", "").encode()).hexdigest(), name, minutes) for who, name, minutes in aged]
    script = (
        "from casemate.accounts.models import Session\n"
        f"for key, name, minutes in {changes!r}:\n"
        "    for session in Session.objects.filter(session_key=key):\n"
        "        data = session.get_decoded()\n"
        "        data[name] -= 60 * minutes\n"
        "        session.session_data = session.get_session_store_class()().encode(data)\n"
        "        session.save(update_fields=['session_data'])\n"
    )
    subprocess.run(["/usr/local/sbin/casemate", "shell", "-v", "0", "-c", script], check=True, capture_output=True)


def pages_twice(who: Visitor, routes: list[str], own: str, ids: dict[str, str]) -> dict[str, Any]:
    """Every page that its owner may look at, asked for twice: a nonce of the first must not come again in the second."""
    found = {}
    for route in routes:
        kind = next((kind for kind in ids if route.startswith(f"/o/{own}/{kind}/{NOWHERE}")), "")
        path = route.replace(NOWHERE, ids[kind]) if kind else route
        looked = [looked_at(who.get(path), who.parameters["site"]) for _time in range(2)]
        if all(page["status"] == 200 and page["html"] for page in looked):
            found[route.replace(own, "OWN").replace(NOWHERE, "ID")] = looked
    form = f"/o/{own}/vault/{ids['vault']}/reveal/"
    shown = [who.post(form, part="password", reason="verification") for _time in range(2) if who.get(form)]
    found["a secret that is shown"] = [looked_at(answer, who.parameters["site"]) for answer in shown]
    return found


def first_id(page: dict[str, Any], before: str) -> str:
    found = re.search(rf"{before}([0-9a-f]{{8}}-[0-9a-f-]{{27}})/", page["body"])
    return found[1] if found else NOWHERE


def people_of(page: str, slug: str) -> list[tuple[str, str]]:
    """Addresses on the page of members, with the id that the link beside each carries."""
    rows = re.findall(r"<tr>.*?</tr>", page, re.DOTALL)
    found = [(re.search(r"[\w.-]+@casemate\.invalid", row), re.search(rf"/o/{slug}/members/([0-9a-f-]{{36}})/", row)) for row in rows]
    return [(address[0], link[1]) for address, link in found if address and link]


def of_alice(given: dict[str, Any], addresses: dict[str, str]) -> bool:
    """Whether a page tells of her, but for the search form, which repeats what was looked for."""
    told = re.sub(r"<form method=\"get\".*?</form>", "", given["body"], flags=re.DOTALL)
    return given["status"] != 200 or addresses["alice"] in told or addresses["carol"] in told


def guessing(parameters: Parameters, seed: str) -> dict[str, Any]:
    """Wrong passwords for alice, whose second factor has this key, and for somebody who does not exist; right ones for mallory, too often.

    Hers beside the others', since none counts for another person.
    """
    alice, mallory, nobody = (Visitor(parameters, name) for name in ("alice", "mallory", "nobody"))
    alice.seed = seed
    with ThreadPoolExecutor(max_workers=1) as pool:
        beside = pool.submit(_given, mallory, 11)
        first = [given["status"] for given in _given(alice, 4, "wrong")]
        first += [led(alice.give_password()), led(alice.get("/"))]
        alice.get("/sign-in/verify/")
        first.append(led(alice.post("/sign-in/verify/", code=alice.code())))
        second = _given(alice, 5, "wrong")
        right = alice.give_password()
        unknown, often = _given(nobody, 6), beside.result()
    return {
        "four wrong, the right one, the start page, the code": first,
        "five wrong": [given["status"] for given in second],
        "the page then": "from your address" in right["body"] and alice.person["email"] not in right["body"],
        "the right one then": right["status"],
        "retry after": dict(right["headers"]).get("retry-after"),
        "an unknown person": [given["status"] for given in unknown],
        "both pages are the same": right["body"] == unknown[-1]["body"],
        "right, eleven times": [given["status"] for given in often],
        "retry after that": int(dict(often[-1]["headers"]).get("retry-after", 0)),
    }


def _given(who: Visitor, times: int, password: str = "") -> list[dict[str, Any]]:
    """The answers to so many tries with a password: this one, or the right one."""
    return [who.give_password(password) for _ in range(times)]


@on_request
def sign_in_once(parameters: Parameters) -> int:
    """The status of one try with a password."""
    status: int = Visitor(parameters, parameters["who"], parameters["from"]).give_password()["status"]
    return status
