"""What a deploy asks before it switches: can this account, with these credentials, do the work?"""

from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from casemate.accounts.models import User
from casemate.audit.actions import Action
from casemate.audit.models import Event
from casemate.audit.origin import TERMINAL, Origin
from casemate.audit.services import record
from casemate.keyring import models as keyring
from casemate.keyring.cipher import Place
from casemate.keyring.scopes import INSTALLATION

DENIED = 1142  # MariaDB: command denied to user for table


class Failed(Exception):
    pass


class Command(BaseCommand):
    help = "Prove that this account can do its work, changing nothing; exit status 1 with a sentence if not."

    def handle(self, *_args: Any, **_options: Any) -> None:
        checks: tuple[tuple[str, Callable[[], None]], ...] = (
            ("the database answers over verified TLS", tls),
            ("every migration is applied", migrated),
            ("accounts can be read", accounts),
            ("an audit event can be written, and not changed", audit),
            ("every key opens and a canary survives", keys),
            ("the static files of this release are there", static_files),
        )
        for sentence, check in checks:
            try:
                check()
            except (Failed, DatabaseError, InvalidTag, LookupError, ValueError, OSError) as problem:
                raise CommandError(f"Not so: {sentence}. {type(problem).__name__}: {problem}") from None
            self.stdout.write(f"ok: {sentence}")


def tls() -> None:
    if settings.DATABASES["default"]["OPTIONS"]["ssl_mode"] != "VERIFY_IDENTITY":
        raise Failed("The settings do not verify the server.")
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        if not (cursor.fetchone() or ("", ""))[1]:
            raise Failed("The connection is not encrypted.")


def migrated() -> None:
    executor = MigrationExecutor(connection)
    if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise Failed(
            f"{len(plan)} migrations are not applied, from {plan[0][0]} on: run `casemate --as migrate migrate`."
        )


def accounts() -> None:
    User.objects.exists()


def audit() -> None:
    with transaction.atomic():
        event = record(Action.SMOKE_TESTED, actor=TERMINAL, origin=Origin(), success=True)
        try:
            with transaction.atomic():
                Event.objects.filter(pk=event.pk).update(success=False)
        except OperationalError as refusal:
            if refusal.args[0] != DENIED and settings.DATABASE_ACCOUNT == "app":
                raise
        else:
            raise Failed("This account may change audit events.")
        transaction.set_rollback(True)


def keys() -> None:
    for key in keyring.ScopeKey.objects.order_by("pk").iterator():
        key.unwrap()
    with transaction.atomic():
        place = Place(INSTALLATION.name, "canary", "smoke")
        if keyring.unseal(keyring.seal("canary", place), place) != "canary":
            raise Failed("A canary came back changed.")
        transaction.set_rollback(True)


def static_files() -> None:
    staticfiles_storage.url("casemate/app.css")
