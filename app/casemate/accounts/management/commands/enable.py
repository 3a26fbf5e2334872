from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from casemate.accounts.disabled import NotChanged, enable


class Command(BaseCommand):
    help = "Let a person who was disabled sign in again, by the password and second factor that they had."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            user = enable(email=options["email"])
        except NotChanged as reason:
            raise CommandError(str(reason)) from None
        self.stdout.write(f"{user.email} may sign in again.")
