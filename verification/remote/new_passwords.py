"""Active: a person who gets a new password at the own page, from root and by a link: what the audit log has of each."""

import json
import secrets
from typing import Any

from verification.remote.renewed import links, set_by_link
from verification.remote.sections import Parameters, on_request, output
from verification.remote.vaults import SHELL
from verification.remote.visitor import Visitor, led

PAGE, COMMAND = "/password/", ("/usr/local/sbin/casemate", "changepassword")
WAYS = ("at the page", "by root", "by a link")
PART = 8  # so many characters of a random password together are a part of it, and no chance
EVENTS = "SELECT * FROM casemate_audit.event WHERE id > {after} ORDER BY id;"


@on_request
def new_passwords(parameters: Parameters) -> dict[str, Any]:
    """Where each way led, which of the passwords opens in the end, and the events since the beginning."""
    # From an address of its own each time: what others tried from it within the hour counts.
    address = f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
    after = int(output("mariadb", "-N", "-B", stdin="SELECT COALESCE(MAX(id), 0) FROM casemate_audit.event;"))
    first, wrong, *new = (secrets.token_urlsafe(24) for _ in range(2 + len(WAYS)))
    made = json.loads(output(*SHELL, parameters["making"], stdin=f"{first}\n").strip().splitlines()[-1])
    who, other = (Visitor(parameters, "changer", address) for _ in range(2))
    email = who.person["email"]
    who.jar["__Host-sessionid"] = made["session"]
    who.get(PAGE)
    led_to = {"a wrong one": led(who.post(PAGE, current=wrong, password=new[0], again=new[0]))}
    led_to["at the page"] = led(who.post(PAGE, current=first, password=new[0], again=new[0]))
    led_to["the session then"] = led(who.get("/"))
    output(*COMMAND, email, stdin=f"{new[1]}\n")
    led_to["by root"] = led(who.get("/"))
    led_to["by a link"] = set_by_link(Visitor(parameters, "changer", address), links(email)[0], new[2])
    opened = {name: led(other.give_password(password)) for name, password in zip(("before", *WAYS), (first, *new), strict=True)}
    events = told(output("mariadb", "--batch", "--default-character-set=utf8mb4", stdin=EVENTS.format(after=after)))
    names = {made["id"]: "the person", "": "nobody"}
    return {
        "led to": led_to,
        "opened": opened,
        "events": [
            [event["actor_kind"], names.get(event["actor"], "another"), names.get(event["target_id"], "another"), event["success"]]
            for event in events
            if event["action"] == "accounts.password.set" and made["id"] in (event["actor"], event["target_id"])
        ],
        "with a part": sorted({event["action"] for event in events if holds(event, parts(first, wrong, *new))}),
        "with the address": sum(holds(event, {email.lower()}) for event in events),
    }


def told(text: str) -> list[dict[str, str]]:
    """Rows as the client prints them, by the names of their columns."""
    lines = text.splitlines()
    return [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]


def parts(*passwords: str) -> set[str]:
    return {password[at : at + PART].lower() for password in passwords for at in range(len(password) - PART + 1)}


def holds(event: dict[str, str], words: set[str]) -> bool:
    """Whether one of the words stands in any of its columns."""
    return any(word in value.lower() for value in event.values() for word in words)
