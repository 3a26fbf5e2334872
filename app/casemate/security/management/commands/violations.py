import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from casemate.security import services
from casemate.security.models import Violation


class Command(BaseCommand):
    help = "List what browsers reported of the content security policy, the newest kind first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one object a line, for programs")
        parser.add_argument("--forget", type=int, metavar="NUMBER", help="take one off the list; that is recorded")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["forget"] is not None:
            try:
                gone = services.forget(number=options["forget"])
            except Violation.DoesNotExist:
                raise CommandError(f"There is no violation {options['forget']} on the list.") from None
            self.stdout.write(f"Forgotten: {gone}.")
            return
        trial = services.current_trial()
        for one in Violation.objects.order_by("-first_seen_at", "-pk"):
            policy = (
                ("on trial" if one.trial_id == getattr(trial, "pk", 0) else "of a former trial")
                if one.trial_id
                else "enforced"
            )
            if options["json"]:
                self.stdout.write(json.dumps(_fields(one, policy)))
                continue
            seen = f"{one.first_seen_at:%Y-%m-%d %H:%M} to {one.last_seen_at:%Y-%m-%d %H:%M} UTC"
            extension = "  by a browser's extension" if one.by_extension else ""
            self.stdout.write(f"{one.pk}  {seen}  {one.count} times  {policy}  {one}{extension}")
        if not options["json"] and not Violation.objects.exists():
            self.stdout.write("No browser has reported a violation.")


def _fields(one: Violation, policy: str) -> dict[str, Any]:
    return {
        "number": one.pk,
        "policy": policy,
        "directive": one.directive,
        "page": one.page,
        "blocked": one.blocked,
        "by_extension": one.by_extension,
        "count": one.count,
        "first_seen": one.first_seen_at.isoformat(),
        "last_seen": one.last_seen_at.isoformat(),
    }
