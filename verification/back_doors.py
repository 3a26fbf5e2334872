"""Rows of two organisations, and every way to them that Django has: what each shows to who works within one of them."""

import json
import secrets
from typing import Any

from verification.host import Host
from verification.household import in_the_application, move_out

# Run by the application's own command. All that is tried is taken back.
SCRIPT = """
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from django.db import connection, models, transaction
from casemate.accounts.assurance import Assurance
from casemate.audit.origin import Origin
from casemate.keyring.fields import EncryptedTextField
from casemate.organizations.services import create_organization
from casemate.tenancy.binding import bind
from casemate.tenancy.models import Membership
from casemate.vault.folders import create_folder
from casemate.vault.models import Folder, Password, PasswordRevision
from casemate.vault.services import change_password, create_password

def house(slug, email):
    "A folder, a password in it, and what that was before; by model, the row and its id."
    organization, _token = create_organization(name="Verification", slug=slug, owner=email)
    owner = Membership.objects.select_related("user").get(organization=organization, role="owner")
    who = {"membership": owner, "assurance": Assurance(user=owner.user, origin=Origin(), second_factor_at=datetime.now(UTC))}
    with bind(organization):
        folder = create_folder(name="Routers", parent_id=None, reason_required=False, **who)
        entry = create_password(folder_id=folder.pk, name="Router", parts={"password": "nobody-uses-it"}, **who)
        change_password(password_id=entry.pk, version=1, folder_id=folder.pk, name="Router, changed", parts={}, **who)
        return organization, {model: model.objects.get() for model in (Folder, Password, PasswordRevision)}

def came(act):
    "What it gave, or what it raised."
    try:
        with transaction.atomic():
            found = act()
            transaction.set_rollback(True)
    except Exception as error:
        return type(error).__name__
    return found

def alone(act):
    "The same in a thread of its own, as a task would run."
    def run():
        try:
            return act()
        finally:
            connection.close()
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(run).result()

def by_manager(model, rows):
    mine, theirs = own[model].pk, foreign[model].pk
    both = [mine, theirs]
    whose = lambda keys: sorted({mine: "own", theirs: "foreign"}.get(key, "of others") for key in keys)
    return {
        "all()": lambda: whose(row.pk for row in rows.all()),
        "filter()": lambda: whose(row.pk for row in rows.filter(pk__in=both)),
        "in_bulk()": lambda: whose(rows.in_bulk(both)),
        "iterator()": lambda: whose(row.pk for row in rows.filter(pk__in=both).iterator()),
        "values_list()": lambda: whose(rows.values_list("pk", flat=True)),
        "union()": lambda: whose(row.pk for row in rows.order_by().union(rows.order_by())),
        "first()": lambda: whose([rows.order_by("pk").first().pk]),
        "count()": rows.count,
        "aggregate()": lambda: rows.aggregate(n=models.Count("pk"))["n"],
        "exists() of a foreign one": lambda: rows.filter(pk=theirs).exists(),
        "exists()": rows.exists,
        "get() of a foreign one": lambda: whose([rows.get(pk=theirs).pk]),
        "raw()": lambda: whose(row.pk for row in rows.raw("SELECT * FROM " + model._meta.db_table)),
        "in a thread of its own": lambda: alone(rows.count),
    }

def like(row):
    "A row that refers to the same, and has followed none of it yet. What it would seal is left out: that would ask for a key."
    fields = type(row)._meta.concrete_fields
    sealed = {field.name: None for field in fields if isinstance(field, EncryptedTextField)}
    return type(row)(**sealed, **{field.attname: getattr(row, field.attname) for field in fields if field.is_relation})

def by_relation():
    "With foreign rows in the hand, as somebody has them who took them along."
    folder, entry, before = (foreign[model] for model in (Folder, Password, PasswordRevision))
    fresh = {model: like(row) for model, row in foreign.items()}
    return {
        "the folder of a foreign password": lambda: str(fresh[Password].folder.pk),
        "the password of a foreign version": lambda: str(fresh[PasswordRevision].password.pk),
        "the passwords of a foreign folder": lambda: folder.passwords.count(),
        "the folders in a foreign folder": lambda: folder.children.count(),
        "the versions of a foreign password": lambda: entry.revisions.count(),
        "passwords, by a foreign folder": lambda: Password.objects.filter(folder__name=folder.name, folder__pk=folder.pk).count(),
        "refresh_from_db() of a foreign password": lambda: entry.refresh_from_db(),
        "save() of a foreign password": lambda: entry.save(update_fields=["name"]),
        "delete() of a foreign folder": lambda: str(folder.delete()),
    }

other, foreign = house(ELSE, EMAILS[1])
mine, own = house(OWN, EMAILS[0])
managers = ("objects", "_base_manager", "_default_manager")
with bind(mine):
    ways = {f"{model.__name__}.{name}": by_manager(model, getattr(model, name)) for model in own for name in managers}
    found = {name: {way: came(act) for way, act in each.items()} for name, each in {**ways, "relations": by_relation()}.items()}
print("\\n" + json.dumps(found))
"""


def tried(host: Host) -> dict[str, dict[str, Any]]:
    """By manager of each model, and by relation, what each way came to."""
    tag = secrets.token_hex(6)
    slugs = [f"verify-{tag}-own", f"verify-{tag}-else"]
    people = {slug: {"email": f"{slug}@casemate.invalid"} for slug in slugs}
    names = f"OWN, ELSE, EMAILS = {slugs[0]!r}, {slugs[1]!r}, {[person['email'] for person in people.values()]!r}\n"
    try:
        told = host.sudo(in_the_application(names + SCRIPT)).stdout
    finally:
        move_out(host, slugs, people)
    seen: dict[str, dict[str, Any]] = json.loads(told.strip().splitlines()[-1])
    return seen
