from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from casemate.accounts.disabled import NotChanged, disable


class Command(BaseCommand):
    help = "Shut a person out of everything at once: their sessions and links end, and no sign-in of theirs is taken."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            done = disable(email=options["email"])
        except NotChanged as reason:
            raise CommandError(str(reason)) from None
        email = done.user.email
        self.stdout.write(f"{email} is disabled and signed in nowhere. To let them in again: casemate enable {email}")
        for name in done.without_owner:
            self.stdout.write(f"{name} has no owner any more who can sign in: add one with casemate add_member.")
