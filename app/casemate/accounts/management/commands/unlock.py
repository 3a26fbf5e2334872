import ipaddress
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from casemate.accounts import tries
from casemate.accounts.lockout import NO_ADDRESS, typed
from casemate.accounts.services import unlock
from casemate.limiter import LimiterDown


class Command(BaseCommand):
    help = "Let a person, or everybody at an address, try to sign in again before the hour is over."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", nargs="?", default="", help="the person; from wherever, without --address")
        parser.add_argument("--address", default="", help="an IP address; whomever it tried, without an e-mail address")

    def handle(self, *_args: Any, **options: Any) -> None:
        email, address = options["email"], options["address"]
        if not email and not address:
            raise CommandError("Say whom to unlock: an e-mail address, --address and an IP address, or both.")
        if email and typed(email) == NO_ADDRESS:
            raise CommandError(f"{email!r} is not an e-mail address.")
        if address:
            try:
                address = str(ipaddress.ip_address(address))
            except ValueError:
                raise CommandError(f"{address!r} is not an IP address.") from None
        forgotten = unlock(email=email, address=address)
        try:
            for person, where in {*forgotten, *([(email, address)] if email and address else [])}:
                tries.forgive(person, where)
            tries.forgive_changes(email)
            if address:
                tries.forgive_address(address)
        except LimiterDown:
            raise CommandError(
                "The lock is gone, but the limiter does not answer: its count of tries ends by itself within the hour."
            ) from None
        if not forgotten:
            self.stdout.write(f"There was no wrong try to forget for {' from '.join(filter(None, (email, address)))}.")
        for person, where in forgotten:
            self.stdout.write(f"Forgotten: tries for {person} from {where or 'an unknown address'}.")
