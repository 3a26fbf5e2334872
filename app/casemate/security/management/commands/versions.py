from typing import Any

from django.core.management.base import BaseCommand, CommandError

from casemate.security.versions import TESTED, running, untested


class Command(BaseCommand):
    help = "Print the versions of Django, Python, gunicorn and MariaDB as they run; fail where no test ran on one."
    requires_system_checks = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        versions = running()
        for product, version in versions.items():
            self.stdout.write(f"{product} {version}")
        if strange := untested(versions):
            known = ", ".join(f"{product} {series}" for product, series in TESTED.items())
            raise CommandError(f"Not what the tests ran on: {', '.join(strange)}. They ran on {known}.")
