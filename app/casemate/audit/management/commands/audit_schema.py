from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from casemate.audit.schema import script


class Command(BaseCommand):
    help = "Print the DDL of the audit schema, for root to apply (idempotent)."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sql", action="store_true", required=True, help="print SQL; there is no other way")

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write(script(settings.AUDIT_SCHEMA), ending="")
