"""Active: a password with marks in it is stored, looked at, copied and changed by its owner, and looked for by others.

Afterwards the marks are looked for where nothing readable may be, and values are moved about as root could.
"""

import base64
import json
import re
import secrets
import subprocess
import threading
import time
from typing import Any

from verification.remote.sections import output
from verification.remote.visitor import NOWHERE, Visitor, led, plain_of

SHELL = ("/usr/local/sbin/casemate", "shell", "--no-imports", "--verbosity=0", "--command")
PARTS = ("password", "user_name", "url", "notes")
HELD = 3.0  # seconds that the organisation's log is held while somebody asks for a secret
REASON = "verification"
# References within one organisation and out of it, as the application's own account makes them. Whatever is taken is taken back.
REFERENCES = """
import json, uuid
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from casemate.tenancy.binding import bind
from casemate.tenancy.models import Organization
from casemate.vault.models import Folder, Password, PasswordRevision

class Taken(Exception):
    pass

def tried(act):
    try:
        with transaction.atomic():
            act()
            raise Taken
    except Taken:
        return "taken"
    except IntegrityError as error:
        return f"refused {error.args[0]}"

def said(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)

def ways(folder, password):
    new = {"name": "tried", "contents": "tried"}
    history = {"number": 99, "written_at": timezone.now(), "written_by": by, "replaced_by": by}
    columns = "id, organization_id, parent_id, name, reason_required, created_at"
    row = f"INSERT INTO vault_folder ({columns}) VALUES (%s, %s, %s, 'tried', 1, NOW())"
    return {
        "update() of where a password lies": lambda: Password.objects.filter(pk=PASSWORD).update(folder_id=folder),
        "update() of where a folder lies": lambda: Folder.objects.filter(pk=FOLDER).update(parent_id=folder),
        "bulk_create() of a folder": lambda: Folder.objects.bulk_create([Folder(parent_id=folder, name="tried")]),
        "bulk_create() of a password": lambda: Password.objects.bulk_create([Password(folder_id=folder, changed_by=by, **new)]),
        "bulk_create() of a former version": lambda: PasswordRevision.objects.bulk_create(
            [PasswordRevision(password_id=password, **new, **history)]
        ),
        "SQL that moves a password": lambda: said("UPDATE vault_password SET folder_id = %s WHERE id = %s", folder, PASSWORD),
        "SQL that makes a folder": lambda: said(row, str(uuid.uuid4()), str(own.pk), folder),
    }

own = Organization.objects.get(slug=SLUG)
with bind(own):
    by = Password.objects.get(pk=PASSWORD).changed_by
    found = {
        "to its own": {way: tried(act) for way, act in ways(FOLDER, PASSWORD).items()},
        "to the other's": {way: tried(act) for way, act in ways(FOREIGN, THEIRS).items()},
    }
print(json.dumps(found))
"""


def vault_walk(alice: Visitor, mallory: Visitor, carol: Visitor, slugs: list[str]) -> dict[str, Any]:
    """alice owns one organisation and mallory the other; carol looks at alice's. What stops the walk stops no other look."""
    try:
        return _walk(alice, mallory, carol, slugs)
    except Exception as error:  # whatever went wrong is what was seen
        return {"error": f"{type(error).__name__}: {error}"}


def _walk(alice: Visitor, mallory: Visitor, carol: Visitor, slugs: list[str]) -> dict[str, Any]:
    own, other = (f"/o/{slug}/vault/" for slug in slugs)
    marks = {part: f"canary{secrets.token_hex(12)}" for part in PARTS}
    name = f"named{secrets.token_hex(12)}"
    folder = make_folder(alice, own, "Verification")
    foreign = make_folder(mallory, other, "Elsewhere")
    path = store(alice, own, folder, name, marks)
    second = store(alice, own, folder, "second", {"password": "another one"})
    theirs = store(mallory, other, foreign, "theirs", {"password": "of the other organisation"})
    change(alice, path, folder, name, user_name=f"{marks['user_name']}-2")
    seen: dict[str, Any] = {
        "stored": [bool(re.fullmatch(rf"{own}[0-9a-f-]{{36}}/", path)), bool(re.fullmatch(rf"{other}[0-9a-f-]{{36}}/", theirs))],
        "pages": pages(alice, own, path, marks, name),
        "without a reason": shown(alice, path, "reveal/", marks, reason=""),
        "reveal": shown(alice, path, "reveal/", marks, reason=REASON),
        "former version": shown(alice, path, "history/1/reveal/", marks, reason=REASON),
        "copies": copies(alice, path, marks),
        "a viewer": {way: shown(carol, path, way, marks, reason=REASON)["status"] for way in ("reveal/", "copy/")},
        "strangers": strangers(mallory, own, other, path, foreign, marks, name),
        "waited for the log": waited(alice, path, own.split("/")[2]),
    }
    seen["readable"] = readable(marks, name)
    keys = (
        "SELECT COUNT(DISTINCT k.scope) FROM keyring_scopekey k JOIN tenancy_organization o"
        " ON k.scope = CONCAT('organization:', o.id) WHERE o.slug IN ('{own}', '{other}')"
    )
    seen["keys"] = int(sql(keys, own=slugs[0], other=slugs[1]))
    seen["referring to the other's folder"] = refused_reference(path, foreign)
    seen["references"] = references(slugs[0], folder, foreign, path, theirs)
    seen["moved about"] = moved_about(alice, path, second, theirs)
    return seen


def make_folder(who: Visitor, home: str, name: str) -> str:
    who.get(f"{home}folders/new/")
    who.post(f"{home}folders/new/", name=name, parent="", reason_required="on")
    found = re.search(rf'{home}folders/([0-9a-f-]{{36}})/"', who.get(f"{home}folders/")["body"])
    return found[1] if found else NOWHERE


def store(who: Visitor, home: str, folder: str, name: str, parts: dict[str, str]) -> str:
    """The address of the new password."""
    who.get(f"{home}new/")
    return str(led(who.post(f"{home}new/", name=name, folder=folder, **parts)))


def change(who: Visitor, path: str, folder: str, name: str, **parts: str) -> str:
    who.get(f"{path}edit/")
    return str(led(who.post(f"{path}edit/", name=name, folder=folder, version="1", **parts)))


def pages(who: Visitor, home: str, path: str, marks: dict[str, str], name: str) -> dict[str, list[str]]:
    """Of each page that opens nothing: its status, and which marks are on it."""
    tails = ("", "edit/", "delete/", "history/", "reveal/", "history/1/reveal/")
    asked = [home, f"{home}?q={name}", f"{home}?q={marks['user_name']}", f"{home}trash/", f"{home}folders/", f"{home}new/"]
    found = {}
    for page in (*asked, *(path + tail for tail in tails)):
        given = who.get(page)
        # A search repeats what was looked for.
        told = re.sub(r'value="[^"]*"|“[^”]*”', "", given["body"])
        label = page.replace(path, "<password>/").replace(home, "").replace(name, "<name>").replace(marks["user_name"], "<user name>")
        found[label] = [given["status"], *(part for part, mark in marks.items() if mark in told)]
    return found


def shown(who: Visitor, path: str, way: str, marks: dict[str, str], **fields: str) -> dict[str, Any]:
    who.get(f"{path}reveal/")
    given = who.post(path + way, **{"part": "password", **fields})
    headers = dict(given["headers"])
    return {
        "status": given["status"],
        "shows": [part for part, mark in marks.items() if mark in given["body"]],
        # How long a browser may keep the page, and show it.
        "kept": headers.get("cache-control"),
        "shown for": headers.get("refresh", "").partition(";")[0],
    }


def copies(who: Visitor, path: str, marks: dict[str, str]) -> dict[str, bool]:
    found = {}
    for part, mark in marks.items():
        who.get(f"{path}reveal/")
        body = who.post(f"{path}copy/", part=part, reason=REASON)["body"]
        found[part] = json.loads(body).get("text", "").startswith(mark) if body.startswith("{") else False
    return found


def strangers(who: Visitor, own: str, other: str, path: str, folder: str, marks: dict[str, str], name: str) -> dict[str, Any]:
    """mallory with alice's ids, in alice's organisation and in her own, and with ids that are nobody's."""
    key = path.removeprefix(own)
    tails = ("", "edit/", "delete/", "history/", "reveal/", "history/1/reveal/")
    found: dict[str, Any] = {"told apart": [], "shows": [], "statuses": set()}
    fields = {"name": "x", "folder": folder, "version": "1", "reason": REASON, "part": "password", "password": "x"}
    for tail in tails:
        who.get(f"{other}new/")
        pairs = [(home + key + tail, f"{home}{NOWHERE}/{tail}") for home in (own, other)]
        for here, nowhere in pairs:
            given = [who.get(here), who.get(nowhere), who.post(here, **fields), who.post(nowhere, **fields)]
            found["statuses"] |= {answer["status"] for answer in given}
            if plain_of(given[0]) != plain_of(given[1]) or plain_of(given[2]) != plain_of(given[3]):
                found["told apart"].append(tail)
            found["shows"] += [tail for answer in given if name in answer["body"] or any(m in answer["body"] for m in marks.values())]
    for query in ("", f"?q={name[:8]}", "trash/"):
        if name in who.get(other + query)["body"]:
            found["shows"].append(query)
    return {**found, "statuses": sorted(found["statuses"])}


def waited(who: Visitor, path: str, slug: str) -> dict[str, Any]:
    """Somebody holds the log of the organisation: what comes of a reveal meanwhile, and how long it took."""
    who.get(f"{path}reveal/")
    hold = (
        "START TRANSACTION; SELECT h.seq FROM casemate_audit.chain_head h JOIN tenancy_organization o ON h.stream = o.id"
        " WHERE o.slug = '{slug}' FOR UPDATE; DO SLEEP({held}); ROLLBACK"
    )
    holder = threading.Thread(target=sql, args=(hold,), kwargs={"slug": slug, "held": HELD})
    holder.start()
    time.sleep(0.7)
    started = time.monotonic()
    given = who.post(f"{path}reveal/", reason=REASON)
    seconds = time.monotonic() - started
    holder.join()
    return {"status": given["status"], "long enough": seconds >= HELD - 1.2}


def readable(marks: dict[str, str], name: str) -> dict[str, Any]:
    """Where the marks can be read: in a dump of all databases, in files of the database, in the journal."""
    dump = subprocess.run(["mariadb-dump", "--all-databases", "--single-transaction"], capture_output=True, check=True).stdout
    journal = output("journalctl", "--unit=casemate.service", "--since=-20min", "--output=cat").encode()
    found = {place: [part for part, mark in marks.items() if holds(text, mark)] for place, text in (("dump", dump), ("journal", journal))}
    return {**found, "the name, which is in clear, is in the dump": holds(dump, name)}


def holds(text: bytes, mark: str) -> bool:
    """As it is, in hexadecimal, or in base64 at any of its three offsets."""
    raw = mark.encode()
    written = [raw, raw.hex().encode(), raw.hex().upper().encode()]
    written += [base64.b64encode(bytes(shift) + raw)[4:-4] for shift in range(3)]
    return any(way in text for way in written)


def refused_reference(path: str, folder: str) -> str:
    """A password of one organisation, put into a folder of the other one by root."""
    said = sql("UPDATE vault_password SET folder_id = '{folder}' WHERE id = '{key}'", ok=(0, 1), folder=folder, key=key_of(path))
    number = re.search(r"ERROR (\d+)", said)
    return f"refused {number[1]}" if number else "done"


def references(slug: str, folder: str, foreign: str, path: str, theirs: str) -> dict[str, dict[str, str]]:
    """What the database says to rows of the first organisation that refer to its own rows, and to the other's."""
    given = f"SLUG, FOLDER, FOREIGN, PASSWORD, THEIRS = {(slug, folder, foreign, key_of(path), key_of(theirs))!r}\n"
    told: dict[str, dict[str, str]] = json.loads(output(*SHELL, given + REFERENCES).strip().splitlines()[-1])
    return told


def moved_about(who: Visitor, path: str, second: str, theirs: str) -> dict[str, Any]:
    """Sealed values, put elsewhere or changed by root: what a reveal says of each, before all is put back."""
    key = key_of(path)
    kept = sql("SELECT HEX(contents) FROM vault_password WHERE id = '{key}'", key=key)
    flipped = kept[:60] + f"{int(kept[60:62], 16) ^ 1:02X}" + kept[62:]
    ways = {
        "of another row": "(SELECT contents FROM vault_password WHERE id = '{second}')",
        "of another organisation": "(SELECT contents FROM vault_password WHERE id = '{theirs}')",
        "of another purpose": "(SELECT contents FROM vault_passwordrevision WHERE password_id = '{key}' LIMIT 1)",
        "changed in one bit": f"UNHEX('{flipped}')",
        "put back": f"UNHEX('{kept}')",
    }
    found = {}
    ids: dict[str, Any] = {"key": key, "second": key_of(second), "theirs": key_of(theirs)}
    for way, value in ways.items():
        sql(f"SET @value = {value};", "UPDATE vault_password SET contents = @value WHERE id = '{key}'", **ids)
        who.get(f"{path}reveal/")
        given = who.post(f"{path}reveal/", reason=REASON)
        found[way] = [given["status"], "not what was saved" in given["body"]]
    return found


def key_of(path: str) -> str:
    return path.rstrip("/").rsplit("/", 1)[1]


def sql(*statements: str, ok: tuple[int, ...] = (0,), **ids: object) -> str:
    """As root. What is filled in are ids that the database made, slugs and numbers of ours: nothing that needs quoting."""
    ran = subprocess.run(
        ["mariadb", "-N", "-B", "casemate"], input=" ".join(statements).format(**ids), capture_output=True, text=True, check=False
    )
    if ran.returncode not in ok:
        raise RuntimeError(ran.stderr.strip()[-300:])
    return (ran.stdout + ran.stderr).strip()
