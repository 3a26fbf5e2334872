from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from casemate.security import services


class Command(BaseCommand):
    help = "Say what the policy on trial has shown, or whether one may be enforced (exit status 1: not yet)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--begin", action="store_true", help="note that the declared policy is on trial from now on"
        )
        parser.add_argument(
            "--may-enforce", metavar="POLICY", help="the directives of csp_enforced, as in \"img-src 'self'\""
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["may_enforce"] is not None:
            try:
                services.require_quiet(options["may_enforce"])
            except services.NotYet as reason:
                raise CommandError(str(reason)) from None
            self.stdout.write("It may be enforced.")
            return
        if options["begin"]:
            self.stdout.write("changed: the trial begins" if services.begin_trial() else "as it was")
            return
        trial = services.current_trial()
        if trial is None:
            self.stdout.write(
                "No policy is on trial: csp_report_only of declared.yml names none, or no converge began it."
            )
            return
        shown = services.standing(trial)
        self.stdout.write(f"On trial since {trial.began_at:%Y-%m-%d %H:%M} UTC: {settings.CSP_REPORT_ONLY}")
        self.stdout.write(
            f"{shown.kinds} kinds of violations, no new one since {shown.quiet_since:%Y-%m-%d %H:%M} UTC;"
            f" {shown.people} people signed in during it"
        )
        if shown.over:
            self.stdout.write("It may be enforced.")
        elif shown.people == 0:
            self.stdout.write("It may not be enforced: nobody has signed in, so it shows nothing.")
        else:
            self.stdout.write(f"It may be enforced from {shown.ready_at:%Y-%m-%d %H:%M} UTC on, if nothing new comes.")
