from typing import Any

from django.core.management.base import BaseCommand, CommandError

from casemate.audit.chain import verify
from casemate.audit.models import ChainHead


class Command(BaseCommand):
    help = "Verify every audit chain against its head; exit status 1 if one is broken."
    requires_system_checks = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        reports = [verify(stream) for stream in ChainHead.objects.order_by("stream").values_list("stream", flat=True)]
        for report in reports:
            self.stdout.write(f"{report.stream}: {report.events} events, {'intact' if report.intact else 'BROKEN'}")
            for problem in report.problems:
                self.stdout.write(f"  {problem}")
        if not reports:
            raise CommandError("There is no audit stream at all: apply `audit_schema --sql` as root.")
        if broken := [report.stream for report in reports if not report.intact]:
            raise CommandError(f"The audit log is not intact: {', '.join(broken)}.")
