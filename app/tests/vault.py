"""A vault in each organisation, for the tests: folders, a password with marked parts, and what services are told."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from django.db import connection

from casemate.accounts.assurance import Assurance
from casemate.audit.models import Event
from casemate.tenancy.binding import bind
from casemate.vault.folders import create_folder
from casemate.vault.models import Folder, Password, PasswordRevision
from casemate.vault.services import create_password

# No other text of a page, a log line or a row could hold one of these by chance.
MARKS = {
    "password": "canary-password-Zx9!<b>&",
    "user_name": "canary-user-Qv7",
    "url": "https://canary-url-Wk3.example/login",
    "notes": "canary-notes-Jh5\nsecond line",
}
# The marks as they stand in HTML, in JSON or in a list of queries: a part that nothing escapes.
TRACES = ("canary-password-Zx9", "canary-user-Qv7", "canary-url-Wk3", "canary-notes-Jh5")
HOME = "/o/acme/vault/"
REASON = "ticket 4711"
OWNERS = {"acme": "alice", "globex": "mallory"}

Who = Callable[..., dict[str, Any]]


def telling(world: SimpleNamespace, assurance: Callable[..., Assurance]) -> Who:
    def who(name: str, **aged: Any) -> dict[str, Any]:
        return {"membership": world.membership[name], "assurance": assurance(name, **aged)}

    return who


def fill(world: SimpleNamespace, who: Who) -> SimpleNamespace:
    """`.acme` and `.globex`, each with `folder` (asks why), `open` (does not), `password`, `other` (in `open`)."""
    made = SimpleNamespace()
    for slug, owner in OWNERS.items():
        organization = getattr(world, slug)
        with bind(organization):
            folder = create_folder(name=f"{slug} servers", parent_id=None, reason_required=True, **who(owner))
            free = create_folder(name=f"{slug} wifi", parent_id=folder.pk, reason_required=False, **who(owner))
            password = create_password(folder_id=folder.pk, name=f"{slug} router", parts=MARKS, **who(owner))
            other = create_password(folder_id=free.pk, name=f"{slug} guest", parts={"password": "x"}, **who(owner))
        rows = SimpleNamespace(organization=organization, folder=folder, open=free, password=password, other=other)
        setattr(made, slug, rows)
    return made


def at(rows: SimpleNamespace, tail: str = "") -> str:
    """The address of acme's password, or of a page below it."""
    return f"{HOME}{rows.password.pk}/{tail}"


def fields(rows: SimpleNamespace, **typed: str) -> dict[str, str]:
    """A form of a password, filled in rightly but for what is typed."""
    return {"name": "new name", "folder": str(rows.folder.pk), "version": "1", **typed}


def state() -> list[Any]:
    """Every row of the vault and of the audit log, byte for byte."""
    tables = (
        (Folder, "organization_id"),
        (Password, "organization_id"),
        (PasswordRevision, "organization_id"),
        (Event, "stream"),
    )
    found = []
    with connection.cursor() as cursor:
        for model, order in tables:
            cursor.execute(f"SELECT * FROM `{model._meta.db_table}` ORDER BY {order}, id")
            found.append(cursor.fetchall())
    return found


def flip(table: str, organization: Any) -> None:
    """Change one bit of each sealed value, as someone with the database could."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET contents = CONCAT(LEFT(contents, 40), CHAR(ASCII(SUBSTRING(contents, 41, 1)) ^ 1),"
            " SUBSTRING(contents, 42)) WHERE organization_id = %s",
            [organization.pk],
        )
