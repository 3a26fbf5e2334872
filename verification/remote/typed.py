"""Active: what people type and a page shows again: scripts as names, and forms that a page's script sends."""

import html
import re
import secrets
import uuid
from html.parser import HTMLParser
from typing import Any

from verification.remote.vaults import key_of, sql
from verification.remote.visitor import NOWHERE, Visitor, led

STRANGER = "127.0.0.11"  # whose wrong guesses nobody else's count has in it
KINDS = ("organisation", "person", "member", "folder", "password", "former name", "part", "reason", "search", "stranger")
LINK = (
    "INSERT INTO accounts_enrolmentlink (id, user_id, token_digest, created_at, expires_at) SELECT '{row}', id, SHA2('{token}', 256),"
    " UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL 1 HOUR FROM accounts_user WHERE email = '{email}'"
)


class Markup(HTMLParser):
    """Which of the marks came into a page as markup: as the name of an attribute, or as the whole of one's value."""

    def __init__(self, marks: dict[str, str]) -> None:
        super().__init__(convert_charrefs=True)
        self.marks, self.found = marks, set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for kind, mark in self.marks.items():
            if any(mark in name or value == mark for name, value in attrs):
                self.found.add(kind)

    handle_startendtag = handle_starttag


def by_script(who: Visitor, slug: str) -> dict[str, Any]:
    """The form for a folder, sent as htmx or fetch would: with the page's token in a header, with none, and with one made up."""
    home = f"/o/{slug}/vault/folders/"
    tokens = {"with the page's token": "", "without a token": None, "with a token of its own": secrets.token_hex(32)}
    found = {}
    for way, token in tokens.items():
        who.get(f"{home}new/")
        own = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', who.page)
        sent = (own[1] if own else "") if token == "" else token
        found[way] = led(who.post_by_script(f"{home}new/", sent, name=f"made {way}", parent=""))
    page = html.unescape(who.get(home)["body"])
    return {"led to": found, "made": [way for way in tokens if f"made {way}<" in page]}


def as_text(owner: Visitor, member: Visitor, slug: str, ids: dict[str, str]) -> dict[str, dict[str, list[str]]]:
    """By page, which of the scripts that people typed it shows as text, and which became markup; the owner is an operator meanwhile."""
    marks = {kind: f"v{number}{secrets.token_hex(5)}" for number, kind in enumerate(KINDS)}
    typed = {kind: f'"on{mark}="\'<script/id={mark}>' for kind, mark in marks.items()}
    # What stands before the @ of an address may be put between quotes, and then be almost anything.
    typed["stranger"] = f'"<script/id={marks["stranger"]}>"@casemate.invalid'
    home = f"/o/{slug}/vault/"
    path = f"{home}{ids['vault']}/"
    type_names(owner, member, slug, typed)
    answers = {"a wrong sign-in": wrong_sign_in(Visitor(owner.parameters, address=STRANGER), typed["stranger"])}
    type_in_the_vault(owner, path, f"{home}folders/{ids['vault/folders']}/", typed)
    owner.get(f"{path}reveal/")
    answers["a secret that is shown"] = owner.post(f"{path}reveal/", reason=typed["reason"])
    for route in owner.parameters["routes"]:
        kind = next((kind for kind in ids if route.startswith(f"/o/{slug}/{kind}/{NOWHERE}")), "")
        answers[route.replace(NOWHERE, "ID")] = owner.get(route.replace(NOWHERE, ids[kind]) if kind else route)
    looked_for = "".join(f"%{byte:02X}" for byte in typed["search"].encode())
    answers["a search of the vault"] = owner.get(f"{home}?q={looked_for}")
    answers["a search of the log"] = owner.get(f"/o/{slug}/audit/?actor={looked_for}")
    owner.get(f"{path}delete/")
    owner.post(f"{path}delete/")
    answers["the trash, with something in it"] = owner.get(f"{home}trash/")
    answers["an enrolment link"] = Visitor(owner.parameters, address=STRANGER).get(link_of(member))
    sql("UPDATE accounts_user SET is_operator = 0 WHERE email = '{email}'", email=owner.person["email"])
    sql("DELETE FROM axes_accessattempt WHERE username LIKE '%{mark}%'", mark=marks["stranger"])
    return {page: shown(answer["body"], marks, typed) for page, answer in answers.items() if answer["status"] == 200}


def type_names(owner: Visitor, member: Visitor, slug: str, typed: dict[str, str]) -> None:
    """Names that an operator gives at the host, as root writes them; and the operator's right, without which two pages stay closed."""
    name = "SET name = CONVERT(UNHEX('{name}') USING utf8mb4)"
    sql(f"UPDATE tenancy_organization {name} WHERE slug = '{{slug}}'", name=hexadecimal(typed["organisation"]), slug=slug)
    for who, kind in ((owner, "person"), (member, "member")):
        sql(f"UPDATE accounts_user {name} WHERE email = '{{email}}'", name=hexadecimal(typed[kind]), email=who.person["email"])
    sql("UPDATE accounts_user SET is_operator = 1 WHERE email = '{email}'", email=owner.person["email"])


def type_in_the_vault(who: Visitor, password: str, folder: str, typed: dict[str, str]) -> None:
    """Names of a folder and a password, one that it had before, and what is sealed."""
    who.get(folder)
    who.post(folder, name=typed["folder"], parent="", reason_required="on")
    sealed = dict.fromkeys(("user_name", "url", "notes"), typed["part"])
    for name, parts in ((typed["former name"], {}), (typed["password"], sealed)):
        page = who.get(f"{password}edit/")["body"]
        version = re.search(r'name="version" value="(\d+)"', page)
        fields = {"name": name, "folder": key_of(folder), "version": version[1] if version else "", **parts}
        who.post(f"{password}edit/", **fields)


def wrong_sign_in(who: Visitor, email: str) -> dict[str, Any]:
    who.get("/sign-in/")
    return who.post("/sign-in/", email=email, password="nobody has this one")  # noqa: S106


def link_of(who: Visitor) -> str:
    """A link that greets its person by name. By the table: the command would take two seconds."""
    token = secrets.token_urlsafe(32)
    sql(LINK, row=uuid.uuid4(), token=token, email=who.person["email"])
    return f"/enrol/{token}/"


def shown(body: str, marks: dict[str, str], typed: dict[str, str]) -> dict[str, list[str]]:
    page = Markup(marks)
    page.feed(body)
    return {
        "as text": sorted(kind for kind, text in typed.items() if html.escape(text) in body),
        "as markup": sorted({*page.found, *(kind for kind, text in typed.items() if text in body)}),
    }


def hexadecimal(text: str) -> str:
    return text.encode().hex()
