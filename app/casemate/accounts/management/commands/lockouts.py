from typing import Any

from django.core.management.base import BaseCommand

from casemate.accounts.lockout import counts


class Command(BaseCommand):
    help = "List who tried wrongly from where within the last hour, and which of them are locked out."

    def handle(self, *_args: Any, **_options: Any) -> None:
        found = list(counts())
        for count in found:
            until = f"locked out until {count.until:%H:%M} UTC" if count.locked else "not locked out"
            self.stdout.write(f"{count.address or 'unknown address'}  {count.person}  {count.failures} wrong  {until}")
        if not found:
            self.stdout.write("Nobody tried wrongly within the last hour.")
