import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from casemate.audit.grants import grants


class Command(BaseCommand):
    help = "Print the runtime account's grants, one a table, for root to apply after migrate (idempotent)."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sql", action="store_true", required=True, help="print SQL; there is no other way")
        parser.add_argument("--account", default="casemate_app")
        parser.add_argument("--host", action="append", help="the account's host part, once each; default: localhost")

    def handle(self, *_args: Any, **options: Any) -> None:
        hosts = options["host"] or ["localhost"]
        for name in (options["account"], *hosts):
            if not re.fullmatch(r"[A-Za-z0-9_.:%-]{1,60}", name):
                raise CommandError(f"{name!r} is not the name of a database account or host.")
        for host in hosts:
            for statement in grants(options["account"], host):
                self.stdout.write(f"{statement};")
