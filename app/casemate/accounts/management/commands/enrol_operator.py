from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from casemate.accounts.guessed import GuessedName
from casemate.accounts.management.links import tell_link
from casemate.accounts.services import AlreadyEnrolled, issue_enrolment_link


class Command(BaseCommand):
    help = "Make an operator and print the link by which they set their password and second factor, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="", help="what the person is called")
        parser.add_argument(
            "--again",
            action="store_true",
            help="also for someone who has finished enrolment: the link replaces password and second factor",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            user, token = issue_enrolment_link(email=options["email"], name=options["name"], again=options["again"])
        except ValidationError:
            raise CommandError(f"{options['email']!r} is not an e-mail address.") from None
        except GuessedName as reason:
            raise CommandError(str(reason)) from None
        except AlreadyEnrolled as problem:
            raise CommandError(
                f"{problem} is enrolled already. To replace password and second factor, add --again."
            ) from None
        tell_link(self, user.email, token)
