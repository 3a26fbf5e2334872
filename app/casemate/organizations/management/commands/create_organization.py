from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from casemate.accounts.guessed import GuessedName
from casemate.accounts.management.links import tell_link
from casemate.organizations.services import NotDone, create_organization


class Command(BaseCommand):
    help = "Make an organisation with its first owner; print the owner's enrolment link where they need one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help='what it is called, as in "Acme"')
        parser.add_argument("--slug", required=True, help="its name in addresses: small letters, digits, hyphens")
        parser.add_argument("--owner", required=True, metavar="EMAIL")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            organization, token = create_organization(
                name=options["name"], slug=options["slug"], owner=options["owner"]
            )
        except ValidationError:
            raise CommandError(f"{options['owner']!r} is not an e-mail address; nothing was made.") from None
        except (NotDone, GuessedName) as reason:
            raise CommandError(str(reason)) from None
        self.stderr.write(f"{organization.name} is at /o/{organization.slug}/, owned by {options['owner']}.")
        tell_link(self, options["owner"], token)
