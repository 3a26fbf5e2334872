"""Active: a person whose password and second factor are made anew, and one whose password is kept too weakly: what becomes of it."""

import secrets
import time
from typing import Any

from verification.remote.sections import Parameters, on_request, output
from verification.remote.vaults import SHELL, sql
from verification.remote.visitor import Visitor, led

# Enrolment links for people who may be enrolled, in one process: Django takes a second of the host's time to begin.
LINKS = (
    "from casemate.accounts.services import issue_enrolment_link\n"
    "for email in {emails!r}:\n"
    "    print('link', issue_enrolment_link(email=email, name='Verification', again=True)[1])\n"
)
# By the release's own Argon2, at a hundredth of what is asked of it and with a salt that is long enough: a short one alone would be reason
# to renew it. The password comes where no list of processes shows it.
WEAKLY = (
    "import secrets, sys; from argon2.low_level import Type, hash_secret; "
    "print(hash_secret(sys.stdin.buffer.read(), secrets.token_hex(16).encode(), 1, 8192, 1, 32, Type.ID).decode())"
)
PYTHON = "/opt/casemate/current/venv/bin/python"
TRIES = 4  # the fifth wrong password would lock its person out


@on_request
def renewed(parameters: Parameters) -> dict[str, Any]:
    """`keeper` gets a new password and factor while somebody is in; `older` signs in with a hash of other days; `unknown` is nobody."""
    # From an address of their own each time: what others tried from it within the hour counts.
    address = f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
    people = {name: Visitor(parameters, name, address) for name in parameters["people"]}
    for name, path in zip(("keeper", "older"), links(people["keeper"].person["email"], people["older"].person["email"]), strict=True):
        people[name].person["path"] = path
    set_by_link(people["older"], people["older"].person["path"], people["older"].person["password"])
    return {
        "milliseconds": quickest(people["older"], people["unknown"]),
        "hash": renewed_hash(people["older"]),
        "change": changed(parameters, people["keeper"], address),
    }


def links(*emails: str) -> list[str]:
    """The path of a new enrolment link for each, in their order."""
    said = output(*SHELL, LINKS.format(emails=emails)).splitlines()
    return [f"/enrol/{line.split()[1]}/" for line in said if line.startswith("link ")]


def set_by_link(who: Visitor, path: str, password: str) -> str:
    who.get(path)
    return led(who.post(path, password=password, again=password))


def quickest(known: Visitor, unknown: Visitor) -> dict[str, int]:
    """Of several wrong passwords for each, in turn: the shortest time until the answer. Whatever else the host does makes it longer."""
    taken: dict[str, list[float]] = {"known": [], "unknown": []}
    for _try in range(TRIES):
        for name, who in (("known", known), ("unknown", unknown)):
            who.jar.clear()
            who.get("/sign-in/")
            started = time.monotonic()
            given = who.post("/sign-in/", email=who.person["email"], password="wrong, and wrong again")  # noqa: S106
            seconds = time.monotonic() - started
            taken[name] += [seconds] if given["status"] == 200 else []
    return {name: round(1000 * min(seconds, default=0)) for name, seconds in taken.items()}


def renewed_hash(who: Visitor) -> dict[str, str]:
    """How a password is kept that was hashed with less, and what a sign-in makes of that."""
    email, password = who.person["email"], who.person["password"]
    weak = output(PYTHON, "-I", "-B", "-c", WEAKLY, stdin=password).strip()
    sql("UPDATE accounts_user SET password = 'argon2{weak}' WHERE email = '{email}'", weak=weak, email=email)
    seen = {"weak": kept_as(email)}
    seen["where the right password leads"] = led(who.give_password())
    seen["after it"] = kept_as(email)
    seen["where it leads once more"] = led(who.give_password())
    return seen


def kept_as(email: str) -> str:
    """The algorithm and its parameters, and nothing of the hash."""
    return sql("SELECT SUBSTRING_INDEX(password, '$', 4) FROM accounts_user WHERE email = '{email}'", email=email)


def changed(parameters: Parameters, owner: Visitor, address: str) -> dict[str, Any]:
    """Two browsers are in; a third sets a new password by the newer of two links, and a fourth, which knows it, waits for the factor."""
    owner.enrol()
    seen: dict[str, Any] = {"enrolled": led(owner.get("/"))}
    second, third, fourth, stranger = (Visitor(parameters, "keeper", address) for _ in range(4))
    second.seed = owner.seed
    second.give_password()
    second.get("/sign-in/verify/")
    seen["signed in"] = led(second.post("/sign-in/verify/", code=second.code()))
    email, new = owner.person["email"], secrets.token_urlsafe(24)
    paths = links(email, email)
    seen["before"] = [led(who.get("/")) for who in (owner, second)]
    seen["links before"] = [led(stranger.get(path)) for path in paths]
    seen["a new password"] = set_by_link(third, paths[1], new)
    seen["then"] = [led(who.get("/")) for who in (owner, second)]
    seen["links then"] = [led(stranger.get(path)) for path in paths]
    seen["the old password"] = led(stranger.give_password())
    seen["the new one"] = [led(fourth.give_password(new)), led(fourth.get("/sign-in/verify/"))]
    third.read_seed()
    if (left := 30 - time.time() % 30) < 6:
        time.sleep(left)
    seen["a new factor"] = led(third.post("/enrol/totp/", code=third.code(-1)))
    seen["at last"] = [led(who.get("/sign-in/verify/")) for who in (owner, second, fourth)]
    seen["whose factor it is"] = led(third.get("/"))
    seen["links at last"] = [led(stranger.get(path)) for path in paths]
    return seen
