"""Active: a second factor that an operator takes away: what is left of it, who reads of it, and what is revealed to whom then."""

import json
import re
import secrets
from typing import Any

from verification.remote.new_passwords import EVENTS, told
from verification.remote.renewed import links, set_by_link
from verification.remote.sections import Parameters, on_request, output
from verification.remote.vaults import REASON, SHELL, sql
from verification.remote.visitor import Visitor, led

COMMAND = ("/usr/local/sbin/casemate", "reset_second_factor")
GATE = "/sign-in/backup-code/"
WAYS = {"shown": "reveal/", "copied": "copy/", "a former version": "history/1/reveal/"}
# What the log has to have of a factor, and of what is revealed to whom.
OF_THE_FACTOR = ("accounts.totp.enrol", "accounts.second_factor.reset", "accounts.backup_code.check")
OF_REVEALING = ("organizations.member.suspend_revealing", "organizations.member.confirm_revealing")
TOLD_ON_THE_PAGE = "by an operator at the host. If you did not ask for it"


@on_request
def lost_factor(parameters: Parameters) -> dict[str, Any]:
    """bob, before and after: where what he had leads, what he sees of two vaults, who can confirm him, and the events of it all."""
    # From an address of its own each time: what others tried from it within the hour counts.
    address = f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
    after = int(output("mariadb", "-N", "-B", stdin="SELECT COALESCE(MAX(id), 0) FROM casemate_audit.event;"))
    first = secrets.token_urlsafe(24)
    made = json.loads(output(*SHELL, parameters["making"], stdin=f"{first}\n").strip().splitlines()[-1])
    paths, mark = made["paths"], parameters["mark"]
    former, alice, adam = (Visitor(parameters, name, address) for name in ("bob", "alice", "adam"))
    for name, who in (("bob", former), ("alice", alice), ("adam", adam)):
        who.jar["__Host-sessionid"] = made["sessions"][name]
    bob, stranger = Visitor(parameters, "bob", address), Visitor(parameters, "bob", address)
    email = bob.person["email"]
    seen: dict[str, Any] = {"had": left(email), "told before": TOLD_ON_THE_PAGE in former.get("/")["body"]}
    seen["revealed before"] = {place: tried(former, path, mark) for place, path in paths.items()}
    link = re.search(r"https://[^/\s]+(/enrol/[^/\s]+/)", output(*COMMAND, email))
    bob.person["path"] = link[1] if link else "/enrol/no-link-was-printed/"
    seen["left"] = left(email)
    seen["led to"] = {
        "the session": led(former.get("/")),
        "the link of before": led(stranger.get(made["link"])),
        "the password": led(stranger.give_password(first)),
        "the new link": bob.enrol()["right code"][1],
    }
    seen["told"] = TOLD_ON_THE_PAGE in bob.get("/")["body"]
    seen["confirmed by"] = {"bob himself": confirmed(bob, made, "else"), "an administrator": confirmed(adam, made, "own")}
    seen["revealed then"] = {place: tried(bob, path, mark) for place, path in paths.items()}
    seen["confirmed by"]["alice"] = confirmed(alice, made, "own").replace(parameters["slugs"]["own"], "OWN")
    seen["revealed once alice confirmed"] = {place: tried(bob, path, mark) for place, path in paths.items()}
    seen["revealed after"] = {str(minutes): later(bob, minutes, paths["else"], mark) for minutes in (24 * 60 - 1, 24 * 60 + 1)}
    stranger.give_password()
    stranger.get(GATE)
    seen["a backup code"] = led(stranger.post(GATE, code=bob.backup_codes[0] if bob.backup_codes else ""))
    seen["by a link"] = set_by_link(Visitor(parameters, "bob", address), links(email)[0], secrets.token_urlsafe(24))
    events = told(output("mariadb", "--batch", "--default-character-set=utf8mb4", stdin=EVENTS.format(after=after)))
    return seen | of_bob(events, made)


def left(email: str) -> dict[str, int]:
    """Rows that could be somebody's second factor."""
    of_them = "user_id IN (SELECT id FROM accounts_user WHERE email = '{email}')"
    tables = {"devices": "accounts_totpdevice", "codes": "accounts_backupcode"}
    return {name: int(sql(f"SELECT COUNT(*) FROM {table} WHERE {of_them}", email=email)) for name, table in tables.items()}


def tried(who: Visitor, path: str, mark: str) -> dict[str, list[Any]]:
    """Of each way to a secret: the status, and whether the answer has it."""
    found = {}
    for way, tail in WAYS.items():
        who.get(path)
        given = who.post(path + tail, part="password", reason=REASON)
        found[way] = [given["status"], mark in given["body"]]
    return found


def confirmed(who: Visitor, made: dict[str, Any], place: str) -> str:
    """Where it leads that this person confirms bob."""
    who.get("/")
    who.get(f"{made['members'][place]}confirm/")
    return led(who.post(f"{made['members'][place]}confirm/"))


def later(who: Visitor, minutes: int, path: str, mark: str) -> dict[str, list[Any]]:
    """The clock of a host that works is left alone: the reset is made older."""
    sql(
        "UPDATE accounts_user SET second_factor_reset_at = UTC_TIMESTAMP(6) - INTERVAL {minutes} MINUTE WHERE email = '{email}'",
        minutes=minutes,
        email=who.person["email"],
    )
    return tried(who, path, mark)


def of_bob(events: list[dict[str, str]], made: dict[str, Any]) -> dict[str, Any]:
    """By action: where it stands, what kind of actor it was, who, to whom and whether it was done; and how many tries each log has."""
    names, streams = {**made["names"], "": "nobody"}, made["streams"]
    bob = next(key for key, name in names.items() if name == "bob")
    his = [event for event in events if bob in (event["actor"], event["target_id"])]

    def lines(action: str) -> list[list[str]]:
        return sorted(
            [
                streams.get(event["stream"], event["stream"]),
                event["actor_kind"],
                names.get(event["actor"], "another"),
                names.get(event["target_id"], "another"),
                event["success"],
            ]
            for event in his
            if event["action"] == action
        )

    tries = [streams.get(event["stream"], event["stream"]) for event in his if event["action"] == "vault.suspended"]
    return {
        "of the factor": {action: lines(action) for action in OF_THE_FACTOR},
        "of revealing": {action: lines(action) for action in OF_REVEALING},
        "tries that are told": {place: tries.count(place) for place in sorted({*tries, *streams.values()})},
    }
