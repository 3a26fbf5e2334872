from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import now

from casemate.accounts.addresses import first_sign_ins

LONGEST = 3660


class Command(BaseCommand):
    help = "List from where each person signed in for the first time, each with the command that shuts it out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=30, help="how far to look back (30)")

    def handle(self, *_args: Any, days: int, **_options: Any) -> None:
        if not 1 <= days <= LONGEST:
            raise CommandError(f"--days is {days}; it is a number of days from 1 to {LONGEST}, such as --days 30.")
        found = list(first_sign_ins(now() - timedelta(days=days)))
        for entry in found:
            before = f"{entry.known} known before" if entry.known else "the first of this person"
            first = f"{entry.first:%Y-%m-%d %H:%M} UTC"
            self.stdout.write(
                f"{first}  {entry.person}  {entry.address}  {before}  {entry.sign_ins} sign-ins"
                f"  to shut it out: sudo casemate-ban {entry.address} --for 7d"
            )
        if not found:
            self.stdout.write(f"Nobody signed in from a new address within {days} days.")
