from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import now

from casemate.audit.models import INSTALLATION, Event
from casemate.audit.questions import QUESTIONS, Unanswerable, answer
from casemate.audit.search import Line
from casemate.audit.text import visible
from casemate.audit.words import to_whom, what, who
from casemate.tenancy.models import Organization

LONGEST = 3660


class Command(BaseCommand):
    help = (
        "Answer what is asked after an incident: who failed to sign in, whose password is new, what a person did, what"
        " happened in an organisation. One event a line, the newest last."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("question", choices=QUESTIONS)
        parser.add_argument(
            "of", nargs="?", default="", metavar="EMAIL|SLUG", help="whose: of the person, or of the organisation"
        )
        parser.add_argument("--days", type=int, default=30, help="how far to look back (30)")

    def handle(self, *_args: Any, question: str, of: str, days: int, **_options: Any) -> None:
        if not 1 <= days <= LONGEST:
            raise CommandError(f"--days is {days}; it is a number of days from 1 to {LONGEST}, such as --days 30.")
        try:
            events = answer(question, of, since=now() - timedelta(days=days))
        except Unanswerable as sentence:
            raise CommandError(str(sentence)) from None
        places = {str(organization.pk): organization.slug for organization in Organization.objects.all()}
        count = 0
        for event in events.iterator(1000):
            place = places.get(event.stream, event.stream)
            self.stdout.write(told(event, "the installation" if place == INSTALLATION else place))
            count += 1
        if not count:
            self.stdout.write(f"No event of the last {days} days is like that.")


def told(event: Event, place: str) -> str:
    """When, where, from where, what, and what else is known, with two spaces between them."""
    line = Line(event, who(event), what(event), to_whom(event))
    sentence = " ".join(part for part in (line.who, line.what, line.to_whom) if part)
    details = [f"{name}: {value}" for name, value in line.details if value]
    parts = (f"{event.at:%Y-%m-%d %H:%M:%S} UTC", place, event.ip or "the host", sentence, *details)
    # A terminal does what it is told by characters that nobody sees.
    return "  ".join(visible(part, 600) for part in parts)
