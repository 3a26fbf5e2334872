"""Active: people at their enrolment links choose passwords, and what they typed is looked for in the database and in its sessions."""

import base64
import html
import re
import subprocess
import zlib
from typing import Any

from verification.remote.sections import Parameters, on_request, output
from verification.remote.vaults import holds
from verification.remote.visitor import Visitor, led


@on_request
def passwords_at_the_link(parameters: Parameters) -> dict[str, Any]:
    """What became of each password, every group of them at a link of its own; then who gets in, and what can be read of what was typed."""
    people = {name: Visitor(parameters, name, "127.0.0.10") for name in parameters["people"]}
    told = told_before(people[parameters["taken"][0]])
    refused = {
        group: {name: chosen(people[group], password) for name, password in tried.items()} for group, tried in parameters["refused"].items()
    }
    taken = {name: chosen(people[name], people[name].person["password"]) for name in parameters["taken"]}
    opened = {name: led(people[name].give_password()) for name in parameters["taken"]}
    guess = parameters["guess"]
    guessed = people[parameters["taken"][0]].give_password(guess)["status"]
    typed = {**{name: people[name].person["password"] for name in parameters["taken"]}, "a wrong guess": guess}
    dump = subprocess.run(["mariadb-dump", "--all-databases", "--single-transaction"], capture_output=True, check=True).stdout
    kept = [
        content(line) for line in output("mariadb", "-N", "-B", "-e", "SELECT session_data FROM casemate.accounts_session").splitlines()
    ]
    known = [people[name].person["email"] for name in parameters["taken"]]
    return {
        "told": told,
        "refused": refused,
        "taken": {name: answer[0] for name, answer in taken.items()},
        "opened": opened,
        "guessed": guessed,
        "in a dump": [name for name, text in typed.items() if holds(dump, text)],
        "in a session": [name for name, text in typed.items() if any(holds(session, text) for session in kept)],
        "addresses in the dump": sum(holds(dump, address) for address in known),
        "sessions with a person": sum(b"_auth_user_id" in session for session in kept),
    }


def told_before(who: Visitor) -> dict[str, Any]:
    """The rules on the page before anything was typed, and what may keep a person from pasting: scripts, and words of the fields."""
    page = who.get(who.person["path"])["body"]
    rules = re.search(r'<ul class="rules">(.*?)</ul>', page, re.DOTALL)
    fields = re.findall(r'<input type="password"([^>]*)>', page)
    return {
        "rules": [html.unescape(rule) for rule in re.findall(r"<li>(.*?)</li>", rules[1], re.DOTALL)] if rules else [],
        "fields": len(fields),
        "scripts": page.count("<script"),
        "words of the fields": sorted({word for field in fields for word in re.findall(r"\s([a-z-]+)", re.sub(r'"[^"]*"', "", field))}),
    }


def chosen(who: Visitor, password: str) -> list[Any]:
    """Where it leads to choose this, and the sentences on the page."""
    path = who.person["path"]
    who.get(path)
    given = who.post(path, password=password, again=password)
    lists = re.findall(r'<ul class="errorlist".*?</ul>', given["body"], re.DOTALL)
    return [led(given), [html.unescape(text) for each in lists for text in re.findall(r"<li>(.*?)</li>", each, re.DOTALL)]]


def content(signed: str) -> bytes:
    """What a session holds: Django packs and signs it, and does not seal it."""
    packed, _, _ = signed.partition(":")
    data = base64.urlsafe_b64decode(packed.lstrip(".") + "==")
    return zlib.decompress(data) if packed.startswith(".") else data
