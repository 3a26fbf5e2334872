import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from casemate.audit.outside import tell, untold


class Command(BaseCommand):
    help = (
        "Tell the journal casemate-audit what it was never told: events of before it was there, or while it took none."
        " Its newest lines are read from the input: journalctl --namespace=casemate-audit -o cat -n 10000"
    )
    requires_system_checks = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        count = 0
        try:
            for event in untold(sys.stdin):
                tell(event, must_arrive=True)
                count += 1
        except OSError as problem:
            raise CommandError(
                f"The journal casemate-audit takes no line ({problem}); {count} events were told before."
                " See `systemctl status systemd-journald@casemate-audit.socket`."
            ) from None
        except (KeyError, TypeError, ValueError) as problem:
            raise CommandError(
                f"A line of the input is none of this journal's ({problem}). Nothing was told."
            ) from None
        self.stdout.write(f"told: {count} events" if count else "each event has its line")
