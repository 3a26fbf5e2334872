from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from casemate.accounts.lost_factor import NotReset, Reset, reset
from casemate.accounts.management.links import tell_link


class Command(BaseCommand):
    help = (
        "Take away somebody's second factor, backup codes and password, end their sessions, and print the link by which"
        " they enrol anew. First make sure who asks, by more than a mail or a call: each organisation of theirs reads"
        " of it, and they reveal nothing for 24 hours, unless an owner confirms them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            done = reset(email=options["email"])
        except NotReset as reason:
            raise CommandError(str(reason)) from None
        self.stderr.write(f"{done.user.email} has no second factor and no password any more, and is signed in nowhere.")
        for sentence in _who_confirms(done):
            self.stderr.write(sentence)
        tell_link(self, done.user.email, done.token)


def _who_confirms(done: Reset) -> list[str]:
    if not done.confirming:
        return ["They belong to no organisation, so there is nothing that they could have revealed."]
    until = f"{done.until:%H:%M} UTC on {done.until:%-d %B %Y}"
    sentences = [f"They reveal nothing until {until}, or until an owner confirms them on the page Members:"]
    for name, owners in done.confirming.items():
        who = ", ".join(owners) or "nobody can, since there is no other owner; there the 24 hours have to pass"
        sentences.append(f"  {name}: {who}")
    return sentences
