"""Takes the place of Django's own, which goes past the service: it leaves no event, and links stay open."""

import sys
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from casemate.accounts.forms import EnrolmentPasswordForm
from casemate.accounts.new_passwords import NotEnrolled, enrolled, set_at_terminal


class Command(BaseCommand):
    help = "Set somebody's password, asked for here or read as one line; end their sessions and their enrolment links."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            user = enrolled(options["email"])
        except NotEnrolled:
            raise CommandError(
                f"Nobody who is enrolled has the address {options['email']!r}. An enrolment link lets people choose a "
                "password: enrol_operator and add_member make one."
            ) from None
        form = EnrolmentPasswordForm(user, dict(zip(("password", "again"), self._typed(user.email), strict=True)))
        if not form.is_valid():
            problems = [str(problem) for found in form.errors.values() for problem in found]
            raise CommandError(f"The password of {user.email} stays as it was. {' '.join(problems)}")
        set_at_terminal(email=user.email, password=form.cleaned_data["password"])
        self.stdout.write(f"{user.email} has a new password and is signed in nowhere.")

    def _typed(self, email: str) -> tuple[str, str]:
        """Twice from whoever types it unseen; once from a pipe. Never an argument: all on the host can read those."""
        if sys.stdin.isatty():
            return getpass(f"New password of {email}: "), getpass("The same password again: ")
        password = sys.stdin.readline().rstrip("\r\n")
        return password, password
