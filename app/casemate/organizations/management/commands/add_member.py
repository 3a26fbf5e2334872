from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from casemate.accounts.guessed import GuessedName
from casemate.accounts.management.links import tell_link
from casemate.organizations.services import NotDone, add_member
from casemate.tenancy.permissions import Role


class Command(BaseCommand):
    help = "Make someone a member of an organisation; print their enrolment link where they need one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", metavar="SLUG")
        parser.add_argument("email")
        parser.add_argument("--role", required=True, help=", ".join(Role.values))

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            membership, token = add_member(slug=options["organization"], email=options["email"], role=options["role"])
        except ValidationError:
            raise CommandError(f"{options['email']!r} is not an e-mail address; nothing was made.") from None
        except (NotDone, GuessedName) as reason:
            raise CommandError(str(reason)) from None
        self.stderr.write(f"{options['email']} is {membership.role} of {membership.organization.name}.")
        tell_link(self, options["email"], token)
